"""Both networks: a pixel knows its neighbourhood only, any size goes through, and weights of either kind load."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from napari_spatialml.core import flow_inference
from napari_spatialml.core.flow_network import STRIDE, folded, made
from napari_spatialml.core.flow_training import halved
from napari_spatialml.core.flow_weights import write
from napari_spatialml.errors import BadInput

KINDS = {"FlowNetwork": (8, 8, 16, 16), "PackedFlowNetwork": (8, 16, 16)}


def network(kind: str) -> Any:
    """Return a network whose normalisations are not those that it is born with."""
    torch.manual_seed(0)
    net = made(kind, KINDS[kind]).train()
    with torch.no_grad():
        for _ in range(3):
            net(torch.rand(2, 3, 64, 64))
    return net.eval()


def run(net: Any, planes: np.ndarray) -> np.ndarray:
    return flow_inference.outputs(net, planes, 1, "cpu", flow_inference.silent)


@pytest.mark.parametrize("kind", KINDS)
def test_no_pixel_beyond_the_margin_changes_a_pixel(kind: str) -> None:
    net = network(kind)
    margin = net.reach
    edge = 2 * margin + 16 * STRIDE
    one = torch.rand(1, 3, edge, edge)
    other = one.clone()
    other[:, :, margin + 5 * STRIDE, margin + 5 * STRIDE] += 50
    with torch.inference_mode():
        changed = (net(one) - net(other)).abs().amax(dim=(0, 1)) > 0
    y, x = np.nonzero(changed.numpy())
    assert len(y) > 100
    assert max(np.abs(y - margin - 5 * STRIDE).max(), np.abs(x - margin - 5 * STRIDE).max()) <= margin


@pytest.mark.parametrize("kind", KINDS)
def test_tiles_agree_with_the_whole(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    net, planes = network(kind), np.random.default_rng(0).random((3, 301, 517), dtype=np.float32)
    whole = run(net, planes)
    monkeypatch.setattr(flow_inference, "TILE", 264)
    assert len(flow_inference._spans(517, net.reach)) > 3
    assert np.abs(run(net, planes) - whole).max() < 1e-4


@pytest.mark.parametrize("spare", [(8, 8, 8, 8), (16, 0, 24, 64), (80, 80, 96, 0), (0, 120, 40, 56), (72, 88, 104, 32)])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_spare_is_left_out_and_the_rest_is_the_same(kind: str, spare: tuple[int, ...]) -> None:
    net, planes = network(kind), torch.rand(1, 3, 264, 280)
    top, bottom, left, right = spare
    with torch.inference_mode():
        whole, less = net(planes), net(planes, spare)
    assert less.shape == (1, 3, 264 - top - bottom, 280 - left - right)
    assert torch.allclose(less, whole[..., top : 264 - bottom, left : 280 - right], atol=1e-5)


@pytest.mark.parametrize("unsaid", [(0, 0, 0, 0), (100, 0, 85, 131)])
@pytest.mark.parametrize("kind", KINDS)
def test_tiles_that_go_together_as_on_an_accelerator_agree_with_the_whole(
    kind: str, unsaid: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    net, planes = network(kind), np.random.default_rng(4).random((3, 301, 517), dtype=np.float32)
    whole = run(net, planes)
    monkeypatch.setattr(flow_inference, "TILE", 264)
    together: list[int] = []
    net.register_forward_pre_hook(lambda _, given: together.append(len(given[0])))
    found = flow_inference.outputs(
        net, planes, 3, "cpu:0", flow_inference.silent, unsaid
    )  # any but "cpu" takes batches
    top, bottom, left, right = unsaid
    said = np.s_[:, top : 301 - bottom, left : 517 - right]
    assert max(together) == 3 and np.abs(found - whole)[said].max() < 1e-4


@pytest.mark.parametrize("tile", [264, 1088])
@pytest.mark.parametrize("kind", KINDS)
def test_what_need_not_be_said_changes_nothing_else(kind: str, tile: int, monkeypatch: pytest.MonkeyPatch) -> None:
    net, planes = network(kind), np.random.default_rng(2).random((3, 301, 517), dtype=np.float32)
    whole = run(net, planes)
    monkeypatch.setattr(flow_inference, "TILE", tile)
    some = flow_inference.outputs(net, planes, 1, "cpu", flow_inference.silent, (100, 0, 85, 131))
    assert np.abs(some - whole)[:, 100:, 85:-131].max() < 1e-4
    assert not some[:, :100].any() and not some[:, :, :85].any() and not some[:, :, -131:].any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (33, 7), (65, 130)])
@pytest.mark.parametrize("kind", KINDS)
def test_any_size_goes_through_and_pixels_stay_where_they_are(kind: str, shape: tuple[int, int]) -> None:
    planes = np.random.default_rng(1).random((3, *shape), dtype=np.float32)
    found = run(network(kind), planes)
    assert found.shape == (3, *shape) and np.isfinite(found).all()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_moved_by_a_stride_is_seen_moved_by_a_stride(kind: str) -> None:
    net = network(kind)
    margin = net.reach
    wide = torch.rand(1, 3, 2 * margin + STRIDE, 2 * margin + 2 * STRIDE)
    with torch.inference_mode():
        first, second = net(wide[..., :-STRIDE]), net(wide[..., STRIDE:].contiguous())
    middle = slice(margin, margin + STRIDE)
    moved = slice(margin - STRIDE, margin)
    assert torch.allclose(first[..., middle, middle], second[..., middle, moved], atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_folding_the_normalisations_changes_nothing(kind: str) -> None:
    planes = torch.rand(1, 3, 64, 80)
    net = network(kind)
    with torch.inference_mode():
        before = net(planes)
        assert torch.allclose(folded(net)(planes), before, atol=1e-4)


def test_weights_of_either_network_load_and_say_which_they_are(tmp_path: Path) -> None:
    for kind, widths in KINDS.items():
        net, path = network(kind), tmp_path / f"{kind}.safetensors"
        about = {"network": kind, "widths": ",".join(map(str, widths))}
        write(path, halved(net.state_dict()), about)
        again = flow_inference.network_of(path)
        assert type(again).__name__ == kind
        planes = torch.rand(1, 3, 64, 64)
        with torch.inference_mode():
            assert torch.allclose(again.eval()(planes), net(planes), atol=0.02)
        (wrong,) = KINDS.keys() - {kind}
        for said in ({**about, "network": wrong}, {**about, "network": "os.system"}, {**about, "widths": "8,-8,16,16"}):
            write(path, halved(net.state_dict()), said)
            with pytest.raises(BadInput, match="another network"):
                flow_inference.network_of(path)
