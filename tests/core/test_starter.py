"""The embedded network: what it finds, and that it finds the same however the image is cut or stored."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from napari_spatialml.core import flow_inference
from napari_spatialml.core.flow_diameter import _fullest as fullest
from napari_spatialml.core.flow_input import LazyPlanes, limits_of, planes_of
from napari_spatialml.core.metrics import average_precision
from napari_spatialml.core.segmentation import Pixels
from napari_spatialml.errors import BadInput, MissingWeights
from napari_spatialml.io.sample import sample_truth
from napari_spatialml.methods.segmentation.starter import Starter

pytest.importorskip("torch")
DIAMETER = 7.0


@cache
def tissue() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a piece of the simulated section: H&E (3, y, x), DAPI (1, y, x), labels (y, x); 0.5 µm a pixel."""
    truth = sample_truth(0)
    where = np.s_[300:520, 300:540]
    return truth.he[(slice(None), *where)], truth.dapi[(slice(None), *where)], truth.labels[where]


def starter(**settings: object) -> Starter:
    return Starter(**{"diameter_um": DIAMETER, "device": "cpu", **settings})


def found(values: np.ndarray, **settings: object) -> np.ndarray:
    return starter(**settings)(Pixels(values, 0.5)).labels


def test_it_finds_the_nuclei_of_a_simulated_section_in_either_stain() -> None:
    he, dapi, labels = tissue()
    assert average_precision(labels, found(dapi), 0.5)[0] > 0.65
    assert average_precision(labels, found(he), 0.5)[0] > 0.45


def test_tiles_agree_with_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    _, dapi, _ = tissue()
    whole = starter().field(Pixels(dapi, 0.5))
    monkeypatch.setattr(flow_inference, "TILE", 256)
    assert len(list(flow_inference._cores(np.multiply(dapi.shape[1:], 10 / DIAMETER).astype(int), 80))) > 2
    tiled = starter().field(Pixels(dapi, 0.5))
    assert np.abs(tiled.flows - whole.flows).max() < 1e-3
    assert np.array_equal(starter().decode(tiled, 0.5).labels, starter().decode(whole, 0.5).labels)


@pytest.mark.parametrize("n", [1, 7, 300, 1056, 1057, 2048, 3001, 5000])
@pytest.mark.parametrize("reach", [80, 96])
@pytest.mark.parametrize("unsaid", [(0, 0), (0, 83), (250, 96)])
def test_the_cores_of_the_tiles_cover_each_pixel_once_and_keep_their_margin(
    n: int, reach: int, unsaid: tuple[int, int]
) -> None:
    before, behind = unsaid if n > sum(unsaid) else (0, 0)
    spans = flow_inference._spans(n, reach, before, behind)
    assert spans[0][1][0] == before and spans[-1][1][1] == n - behind
    assert all(one[1][1] == after[1][0] for one, after in pairwise(spans))
    assert len({stop - start for (start, stop), _ in spans}) == 1
    edge = flow_inference._EDGE
    for (start, stop), (a, b) in spans:
        assert start % 8 == 0 and stop - start <= flow_inference.TILE
        assert start == 0 or a + edge - start >= reach
        assert stop == -(-(n + 2 * edge) // 8) * 8 or stop - b - edge >= reach


def test_windows_agree_with_the_slide_when_they_are_given_its_limits() -> None:
    _, dapi, _ = tissue()
    limits = limits_of(dapi)
    whole = starter().field(Pixels(dapi, 0.5))
    window = starter().field(Pixels(dapi[:, :180, :200], 0.5), limits=limits)
    # beyond the margin only the grid of the interpolation differs
    assert np.median(np.abs(window.flows[:, 20:90, 20:110] - whole.flows[:, 20:90, 20:110])) < 0.02


@pytest.mark.parametrize("diameter_um", [26.0, 7.3])
def test_windows_at_the_grain_agree_with_the_slide_at_scales_that_are_not_whole(diameter_um: float) -> None:
    dapi = sample_truth(0).dapi[:, 300:730, 300:810]
    method = starter(diameter_um=diameter_um)
    scale = flow_inference.working_scale(diameter_um / 0.5)
    grain = flow_inference.grain(scale)
    whole = method.field(Pixels(dapi, 0.5))
    at = grain * -(-40 // grain)
    limits = limits_of(dapi)
    some = method.field(Pixels(dapi[:, at:, at:], 0.5), limits=limits)
    margin = int(np.ceil(method._net("cpu").reach / scale))
    inner = np.s_[margin:, margin:]
    assert scale != 1 and some.logit[inner].size > 10_000
    less = method.field(Pixels(dapi[:, at:, at:], 0.5), limits=limits, spare=(margin, 0, margin, 0))
    assert np.allclose(less.logit, some.logit[inner], atol=1e-3) and less.flows.shape[1:] == less.logit.shape
    assert np.abs(whole.logit[at:, at:][inner] - some.logit[inner]).max() < 0.05  # of about ten to either side


def test_the_diameter_is_estimated_when_it_is_not_given() -> None:
    _, dapi, labels = tissue()
    area = np.bincount(labels.ravel())[1:]
    true = 2 * np.sqrt(np.median(area[area > 0]) / np.pi)
    field = Starter(device="cpu").field(Pixels(dapi, 0.5))
    assert abs(np.log2(field.diameter / true)) < 0.6


def test_thresholds_decode_anew_without_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    _, dapi, _ = tissue()
    field = starter().field(Pixels(dapi, 0.5))
    monkeypatch.setattr(flow_inference, "apply", None)
    more, fewer = (starter(cell_probability=p).decode(field, 0.5).labels > 0 for p in (0.2, 0.95))
    assert fewer.sum() < more.sum()


def test_sixteen_bits_of_which_twelve_are_used_give_what_eight_bits_give() -> None:
    _, dapi, _ = tissue()
    eight = (255.0 * (dapi - dapi.min()) / np.ptp(dapi)).astype(np.uint8)
    a, b = found(eight), found(eight.astype(np.uint16) * 16)
    assert a.max() > 20
    assert average_precision(a, b, 0.9)[0] == 1


def test_an_rgb_image_with_alpha_is_the_rgb_image() -> None:
    he, _, _ = tissue()
    opaque = np.concatenate([he, np.full_like(he[:1], 255)])
    assert np.array_equal(found(opaque), found(he))


def test_dark_nuclei_in_one_channel_are_told_from_bright_ones() -> None:
    he, dapi, _ = tissue()
    assert starter().field(Pixels(he[:1], 0.5)).stain == "bright-field"
    assert starter().field(Pixels(dapi, 0.5)).stain == "fluorescence"
    assert starter().field(Pixels(he, 0.5)).stain == "histology"
    assert starter(stain="fluorescence").field(Pixels(he[:1], 0.5)).stain == "fluorescence"


def test_the_channel_named_like_a_nuclear_stain_is_taken_and_an_empty_one_is_not() -> None:
    _, dapi, _ = tissue()
    named = Pixels(np.concatenate([dapi[:, ::-1], dapi]), 0.5, ("actin", "DAPI"))
    bare = Pixels(np.concatenate([np.zeros_like(dapi), dapi]), 0.5)
    expected = found(dapi)
    assert np.array_equal(starter()(named).labels, expected)
    assert np.array_equal(starter()(bare).labels, expected)
    with pytest.raises(BadInput, match="no channel 'tubulin'"):
        starter(channel="tubulin")(named)
    with pytest.raises(BadInput, match="histology has three"):
        starter(stain="histology")(bare)


def test_weights_that_are_absent_or_those_of_another_network_are_named(tmp_path: Path) -> None:
    from napari_spatialml.core.flow_weights import EMBEDDED, read, write

    _, dapi, _ = tissue()
    with pytest.raises(MissingWeights, match="nowhere"):
        found(dapi, weights=str(tmp_path / "nowhere.safetensors"))
    weights, metadata = read(EMBEDDED)
    for name, other in {"fewer": (dict(list(weights.items())[:-3]), metadata), "bare": (weights, {})}.items():
        path = tmp_path / f"{name}.safetensors"
        write(path, *other)
        with pytest.raises(BadInput, match="another network"):
            found(dapi, weights=str(path))


def test_the_network_goes_on_with_smaller_batches_when_memory_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from napari_spatialml.methods.segmentation import starter as module

    _, dapi, _ = tissue()
    tried, real = [], flow_inference.apply

    def apply(*arguments: object, **named: object) -> object:
        tried.append((named["batch"], named["device"]))
        if named["device"] != "cpu":
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return real(*arguments, **named)

    monkeypatch.setattr(module, "choose", lambda preference: "meta")
    monkeypatch.setattr(flow_inference, "apply", apply)
    expected = found(dapi[:, :64, :64])
    assert tried == [(4, "meta"), (2, "meta"), (1, "meta"), (4, "cpu")]
    assert expected.shape == (64, 64)


COLD_OR_WARM = """
import hashlib, sys
import numpy as np
from napari_spatialml.core.segmentation import Pixels
from napari_spatialml.methods.segmentation.starter import Starter
chosen = Starter(device="cpu")
if sys.argv[2] == "warm":
    chosen.warm()
masks = chosen(Pixels(np.load(sys.argv[1]), 0.5))
print(hashlib.sha256(masks.labels.tobytes() + masks.scores.tobytes()).hexdigest())
"""


@pytest.mark.slow
def test_what_is_made_ready_beforehand_changes_no_bit_of_what_is_found(tmp_path: Path) -> None:
    np.save(tmp_path / "dapi.npy", tissue()[1])
    said = []
    for state in ("cold", "warm"):
        command = [sys.executable, "-c", COLD_OR_WARM, str(tmp_path / "dapi.npy"), state]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        said.append(done.stdout.split()[-1])
    assert said[0] == said[1]


def test_the_window_that_tells_the_diameter_is_the_same_whether_all_planes_are_made_or_its_own() -> None:
    for values in tissue()[:2]:
        seen, stain = starter().seen(Pixels(values, 0.5))
        limits = limits_of(seen)
        planes, lazily = planes_of(seen, stain, limits), LazyPlanes(seen, stain, limits)
        assert lazily.shape == planes.shape
        for edge in (50, 97, 224, 500):
            assert np.array_equal(fullest(planes, edge), fullest(lazily, edge))
