"""The trainer: crops keep flows and pixels together, folds keep series apart, a stopped run goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("cv2")

from napari_spatialml.core.flow_weights import read
from napari_spatialml.core.flows import FlowField, decode, labels_to_flows
from napari_spatialml.core.metrics import average_precision
from training.__main__ import Run, rate, train
from training.export import export
from training.folder import Picture, examples, folds
from training.sampler import Sampler


def picture(seed: int, kind: str = "fluorescence", edge: int = 128) -> Picture:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:edge, :edge]
    labels = np.zeros((edge, edge), np.int32)
    for k, (cy, cx) in enumerate(rng.uniform(0, edge, (14, 2)), start=1):
        labels[(np.hypot(y - cy, x - cx) < rng.uniform(7, 12)) & (labels == 0)] = k
    labels = np.unique(labels, return_inverse=True)[1].reshape(edge, edge).astype(np.int32)
    values = np.where(labels > 0, 190, 30) + rng.normal(0, 4, labels.shape) + seed
    values = values if kind == "fluorescence" else 255 - values
    stack = np.repeat(values[None], 3 if kind == "h&e" else 1, axis=0)
    return Picture(f"{kind}{seed}", kind, np.clip(stack, 0, 255).astype(np.uint8), labels)


@pytest.mark.parametrize("kind", ["fluorescence", "h&e", "bright-field"])
def test_the_flows_of_a_crop_lead_to_its_cells(kind: str) -> None:
    sampler = Sampler(examples([picture(1, kind)]), 160, 0)
    planes, targets, counts = sampler.batch(0, 6)
    assert planes.shape == targets.shape == (6, 3, 160, 160) and np.isfinite(planes).all()
    for target, count in zip(targets, counts, strict=True):
        cells = decode(FlowField(16 * target[2] - 8, target[:2])).labels
        assert cells.max() > 0
        # where two discs touch, the pixels of the seam may change sides
        again = labels_to_flows(cells)
        inside = (cells > 0) & (count > 0)
        assert np.median((again * target[:2]).sum(axis=0)[inside]) > 0.9
        # nuclei that the border cuts flow out of the crop, and are dropped
        assert (cells > 0)[target[2] > 0].mean() > 0.6


def test_the_same_step_gives_the_same_crops_and_the_next_one_others() -> None:
    sampler = Sampler(examples([picture(1), picture(2, "h&e")]), 96, 3)
    (a, *_), (b, *_), (c, *_) = sampler.batch(4, 2), sampler.batch(4, 2), sampler.batch(5, 2)
    assert np.array_equal(a, b) and not np.array_equal(a, c)


def test_folds_share_no_series_and_every_kind_is_in_each() -> None:
    given = [picture(3 * i, kind) for i in range(15) for kind in ("fluorescence", "bright-field")]
    copies = [replace(p, name=p.name + "copy") for p in given[:6]]
    fold = folds([*given, *copies])
    assert np.array_equal(fold[:6], fold[len(given) :])
    kinds = np.array([p.kind for p in [*given, *copies]])
    for kind in ("fluorescence", "bright-field"):
        assert set(fold[kinds == kind]) == set(range(5))


def test_a_stopped_run_goes_on_where_it_was(tmp_path: Path) -> None:
    import torch

    def run(folder: Path, steps: list[int]) -> Run:
        folder.mkdir()
        sampler = Sampler(examples([picture(1)]), 64, 0)
        for n in steps:
            torch.manual_seed(0)
            one = Run(folder, 1e-3)
            for _ in range(n):
                one.advance(sampler.batch(one.step, 2), 0.5, False)
            one.save()
        return Run(folder, 1e-3)

    whole, pieces = run(tmp_path / "whole", [4]), run(tmp_path / "pieces", [1, 3])
    assert whole.step == pieces.step == 4
    for name, tensor in whole.net.state_dict().items():
        assert torch.allclose(tensor, pieces.net.state_dict()[name], atol=1e-5), name


def test_a_run_ends_when_its_minutes_are_over_and_can_be_exported(tmp_path: Path) -> None:
    run = Run(tmp_path, 1e-3)
    run.cpu_s = 59.9999  # less than a step of any machine is left
    train(run, Sampler(examples([picture(1)]), 64, 0), 1.0, 1, False, tmp_path / "log.jsonl")
    assert run.step == 1 and run.cpu_s >= 60
    export(tmp_path / "checkpoint.pt", tmp_path / "w.safetensors")
    weights, metadata = read(tmp_path / "w.safetensors")
    assert metadata["steps"] == "1" and len(weights) > 50
    assert rate(0.0, 1.0) < rate(0.03, 1.0) == pytest.approx(1.0) and rate(1.0, 1.0) < 0.01


def test_a_run_that_starts_with_another_s_weights_leaves_that_one_as_it_was(tmp_path: Path) -> None:
    import torch

    first, second = (Run(tmp_path / name, 1e-3) for name in ("a", "b"))
    sampler = Sampler(examples([picture(1)]), 64, 0)
    (tmp_path / "a").mkdir()
    first.advance(sampler.batch(0, 2), 0.5, False)
    first.save()
    second.start(first.path)
    assert second.step == 0 and second.cpu_s == 0
    assert all(torch.equal(t, second.mean[k]) for k, t in first.net.state_dict().items())
    second.advance(sampler.batch(1, 2), 0.5, False)
    held = torch.load(first.path, weights_only=True)["net"]
    assert all(torch.equal(t, held[k]) for k, t in first.net.state_dict().items())
    assert any(not torch.equal(t, held[k]) for k, t in second.net.state_dict().items())


def test_learning_lowers_the_loss() -> None:
    import tempfile

    import torch

    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        run, sampler = Run(Path(folder), 2e-3), Sampler(examples([picture(1)]), 64, 0)
        losses = [sum(run.advance(sampler.batch(i, 2), 0.1, False)) for i in range(14)]
    assert np.mean(losses[-3:]) < 0.8 * np.mean(losses[:3])


def test_a_network_that_was_shown_the_truth_would_score_one() -> None:
    one = picture(5)
    field = FlowField(np.where(one.labels > 0, 8, -8), labels_to_flows(one.labels))
    assert average_precision(one.labels, decode(field, min_area=5).labels, 0.75)[0] > 0.8
