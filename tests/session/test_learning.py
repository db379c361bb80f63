"""What is done, what is learned from it, and what is kept: laws of marking, of the split, and of lineage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from spatialdata import SpatialData
from spatialdata.models import Image2DModel, Labels2DModel
from spatialdata.transformations import Scale

pytest.importorskip("torch")
pytest.importorskip("cv2")

from napari_spatialml.core import flow_training
from napari_spatialml.core.flow_models import find, models, models_folder
from napari_spatialml.core.flow_training import Schedule
from napari_spatialml.core.learning import held_out
from napari_spatialml.core.segmentation import Pixels
from napari_spatialml.errors import BadInput, MissingWeights
from napari_spatialml.methods import method
from napari_spatialml.session import SegmentationSelection, Session, correct, run
from napari_spatialml.session.done import done_windows
from napari_spatialml.session.learning import accept, prepare_learning, reject
from napari_spatialml.session.lessons import choose_windows
from tests.session.conftest import state_of

STARTER: Any = method("segmentation", "starter")
WINDOWS = ([0, 96, 0, 96], [0, 96, 96, 192], [96, 192, 0, 96], [96, 192, 96, 192])


def discs(seed: int = 0, edge: int = 192) -> SpatialData:
    """Dark rings on a grey ground, which the starter does not take for nuclei, and where they are."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:edge, :edge]
    labels = np.zeros((edge, edge), np.int32)
    image = np.full((edge, edge), 90.0)
    for number, (cy, cx) in enumerate(((i, j) for i in range(16, edge, 32) for j in range(16, edge, 32)), start=1):
        away = np.hypot(y - cy - rng.uniform(-3, 3), x - cx - rng.uniform(-3, 3))
        labels[away < 10] = number
        image -= 60 * np.exp(-((away - 9) ** 2) / 4)
    image += rng.normal(0, 3, image.shape)
    half_um = Scale([0.5, 0.5], ("x", "y"))
    return SpatialData.init_from_elements({
        "rings": Image2DModel.parse(image.clip(0, 255).astype(np.uint8)[None], dims=("c", "y", "x"),
                                    transformations={"global": half_um}),
        "nuclei": Labels2DModel.parse(labels, dims=("y", "x"), transformations={"global": half_um}),
        "nuclei_B": Labels2DModel.parse(labels, dims=("y", "x"), transformations={"global": half_um}),
    }, attrs={"spatialml": {"version": 1, "um_per_unit": {"global": 1.0}}})  # fmt: skip


@pytest.fixture
def rings():
    made = Session.start(discs())
    yield made
    made.close()


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Learn for three small steps."""
    monkeypatch.setattr(flow_training, "SCHEDULE", Schedule(steps=(3, 0, 3), batch=2, size=64))


def mark(session: Session, *windows: list[int], labels: str = "nuclei", who: str = "Anna") -> None:
    for window in windows:
        session.execute(correct(session.document, "mark-done", labels=labels, window=window, who=who))


def learnt(session: Session, **more: Any) -> Any:
    return prepare_learning(session, STARTER(device="cpu"), **more)()


def test_marking_and_unmarking_are_steps_of_the_history_that_can_be_undone_and_survive_a_save(rings, tmp_path):
    before = state_of(rings)
    mark(rings, WINDOWS[0], [150, 500, -20, 60])
    found = done_windows(rings.document)
    assert [d.window for d in found] == [(0, 96, 0, 96), (150, 192, 0, 60)] and found[0].who == "Anna" and found[0].when
    assert "as done" in rings.history[0].label and " µm of " in rings.history[0].label
    rings.execute(correct(rings.document, "unmark-done", labels="nuclei", window=[0, 96, 0, 96]))
    assert [d.window for d in done_windows(rings.document)] == [(150, 192, 0, 60)]
    rings.undo()
    assert done_windows(rings.document) == found
    rings.save(tmp_path / "s.zarr")
    rings.close()
    again = Session.open_store(tmp_path / "s.zarr")
    assert done_windows(again.document) == found
    again.undo()
    again.undo()
    assert state_of(again) == before
    again.close()


@pytest.mark.parametrize(
    ("window", "said"), [([0, 20, 0, 90], "20 × 90"), ([0, 96, 0, 96], "already"), ([0, 96], "no window")]
)
def test_what_cannot_be_marked_is_said(rings, window, said):
    mark(rings, WINDOWS[0])
    with pytest.raises(BadInput, match=said):
        mark(rings, window)


def test_labels_that_are_replaced_or_removed_are_not_done_any_more(rings):
    mark(rings, WINDOWS[0])
    rings.execute(correct(rings.document, "remove-element", name="nuclei"))
    assert done_windows(rings.document) == ()
    rings.undo()
    assert len(done_windows(rings.document)) == 1
    run(rings, method("segmentation", "watershed")(), SegmentationSelection("rings", output="nuclei"))
    assert done_windows(rings.document) == ()


def test_every_third_window_is_held_out_and_windows_that_overlap_stay_together():
    apart = [("i", (100 * k, 100 * k + 50, 0, 50)) for k in range(7)]
    assert held_out(apart) == (False, True, False, False, True, False, False)
    assert held_out(apart[:1]) == (False,)
    touching = [*apart[:2], ("i", (140, 180, 20, 70)), apart[3]]
    assert held_out(touching) == (False, True, True, False)
    other_image = [apart[0], ("j", apart[0][1])]
    assert held_out(other_image) == (False, True)


def test_windows_of_both_readers_count_and_one_alone_is_halved(rings):
    mark(rings, WINDOWS[0])
    first, second = choose_windows(rings.document)
    assert (first.done.window, second.done.window) == ((0, 48, 0, 96), (48, 96, 0, 96))
    assert (first.held_out, second.held_out) == (False, True)
    mark(rings, WINDOWS[3], labels="nuclei_B", who="Ben")
    assert [(c.done.labels, c.held_out) for c in choose_windows(rings.document)] == [
        ("nuclei", False), ("nuclei_B", True)
    ]  # fmt: skip
    assert [c.done.who for c in choose_windows(rings.document, ["nuclei_B"])] == ["Ben", "Ben"]


def test_without_a_window_the_way_out_is_said(rings):
    with pytest.raises(BadInput, match="Mark what is in view as done"):
        learnt(rings)


def test_windows_held_out_never_reach_the_training(rings, short, monkeypatch):
    mark(rings, *WINDOWS)
    job = prepare_learning(rings, STARTER(device="cpu"))
    seen: list[Any] = []
    tuned = flow_training.fine_tune
    monkeypatch.setattr(flow_training, "fine_tune", lambda w, e, *a, **k: seen.extend(e) or tuned(w, e, *a, **k))
    job()
    assert len(seen) == len(job.lessons) == 3 and len(job.others) == 1
    out = np.asarray(job.others[0].labels) > 0
    assert not any(np.array_equal(e.targets[2] > 0, out) for e in seen)


def test_the_same_seed_gives_the_same_bits_and_another_one_others(rings, short):
    mark(rings, *WINDOWS[:2])
    files = [learnt(rings, seed=seed) for seed in (3, 3, 4)]
    a, b, c = (Path(x.outcome.learner.weights).read_bytes() for x in files)
    assert a == b != c


def test_rejecting_leaves_nothing_and_accepting_keeps_the_lineage(rings, short):
    mark(rings, *WINDOWS)
    steps = len(rings.history)
    one = learnt(rings)
    place = Path(one.folder.name)
    assert place.exists()
    reject(one)
    assert not place.exists() and not models_folder().exists() and len(rings.history) == steps
    two = learnt(rings)
    accepted = accept(two)
    (kept,) = models()
    assert accepted.weights == kept.name and find(kept.name) == kept.path and accepted.diameter_um == 0
    assert kept.title.endswith("rings, 4 windows") and kept.title.startswith("mine: 20")
    lineage = json.loads(json.dumps(kept.lineage))
    assert lineage["readers"] == ["Anna"] and lineage["parent"]["file"] == "starter.safetensors"
    assert [w["held_out"] for w in lineage["windows"]] == [False, True, False, False]
    assert lineage["average_precision"]["after"]["0.5"] == round(two.outcome.after[0], 4)
    assert {"seed", "versions", "device", "made", "section"} <= set(lineage)
    # what was learned is where the next one begins, and its own parent is not forgotten
    three = accept(prepare_learning(rings, accepted)())
    child = next(m for m in models() if m.name == three.weights)
    assert child.lineage["parent"]["title"] == lineage["title"]
    assert child.lineage["parent"]["parent"]["file"] == "starter.safetensors"


def test_what_was_learned_runs_at_the_size_it_learned(rings, short):
    mark(rings, *WINDOWS[:2])
    accepted = accept(learnt(rings))
    run(rings, accepted, SegmentationSelection("rings", output="found"))
    said = rings.history[-1].record["weights"]
    assert said["file"] == find(accepted.weights).name and said["title"].endswith("rings, 2 windows")
    field = accepted.field(Pixels(np.asarray(rings.document.element("rings").data), 0.25))
    assert field.diameter == pytest.approx(2 * 10 * 0.5 / 0.25, rel=0.15)


def test_weights_that_are_none_are_said_in_a_sentence(tmp_path):
    bad = tmp_path / "w.safetensors"
    bad.write_bytes(b"not weights")
    with pytest.raises(BadInput, match="holds no weights"):
        STARTER(weights=str(bad)).lineage()
    with pytest.raises(MissingWeights, match="no weights at 'mine'"):
        STARTER(weights="mine").weights_file()
    models_folder().mkdir(parents=True)
    (models_folder() / "broken.safetensors").write_bytes(b"\xff" * 40)
    assert models() == ()
