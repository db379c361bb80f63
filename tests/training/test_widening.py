"""A wider network says what the narrower one said, and learns with all that it has."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("cv2")

import torch

from napari_spatialml.core.flow_network import PackedFlowNetwork
from napari_spatialml.core.flow_weights import read
from training.__main__ import Run
from training.export import export
from training.widen import widened, widths_of

SMALL, LARGE = (8, 12, 16), (12, 16, 24)


def random_network(seed: int, widths: tuple[int, ...]) -> PackedFlowNetwork:
    """Return a network whose normalisations have seen something."""
    torch.manual_seed(seed)
    net = PackedFlowNetwork(widths)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for tensor in (module.weight, module.running_var):
                torch.nn.init.uniform_(tensor, 0.5, 2)
            for tensor in (module.bias, module.running_mean):
                torch.nn.init.normal_(tensor, std=0.2)
    return net


def grown(small: PackedFlowNetwork, widths: tuple[int, ...] = LARGE) -> PackedFlowNetwork:
    large = random_network(1, widths)
    large.load_state_dict(widened(small.state_dict(), large.state_dict()))
    return large


@pytest.mark.parametrize("training", [True, False])
def test_a_wider_network_says_what_the_narrower_one_says(training: bool) -> None:
    small = random_network(0, SMALL).train(training)
    large = grown(small).train(training)
    planes = torch.rand(2, 3, 48, 64)
    with torch.no_grad():
        assert torch.allclose(large(planes), small(planes), rtol=1e-4, atol=1e-4)


def test_every_new_channel_can_learn() -> None:
    small, planes = random_network(0, SMALL), torch.rand(2, 3, 48, 64)
    large = grown(small)
    for _ in range(2):  # what leaves the new channels is moved first, then what enters them
        large.zero_grad()
        large(planes).square().mean().backward()
        with torch.no_grad():
            for p in large.parameters():
                p -= 0.01 * p.grad
    for name, p in large.named_parameters():
        if p.ndim == 4 and not name.startswith("head"):
            moved = p.grad.abs().sum(dim=(1, 2, 3)) > 0
            assert moved.float().mean() > 0.9, name  # a few may be dark everywhere


def test_a_narrower_network_or_another_is_refused() -> None:
    small = random_network(0, SMALL).state_dict()
    with pytest.raises(ValueError, match="does not fit"):
        widened(random_network(0, LARGE).state_dict(), small)
    with pytest.raises(ValueError, match="layers"):
        widened({k: v for k, v in small.items() if "head" not in k}, small)


def test_a_run_goes_on_from_a_narrower_one_and_is_exported_with_its_own_widths(tmp_path: Path) -> None:
    narrow = Run(tmp_path / "a", 1e-3, SMALL)
    narrow.path.parent.mkdir()
    narrow.save()
    (tmp_path / "b").mkdir()
    wide = Run(tmp_path / "b", 1e-3, LARGE)
    wide.start(narrow.path)
    assert widths_of(wide.mean) == LARGE
    planes = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        assert torch.allclose(wide.net.eval()(planes), narrow.net.eval()(planes), rtol=1e-3, atol=1e-4)
    wide.save()
    export(wide.path, tmp_path / "w.safetensors")
    assert read(tmp_path / "w.safetensors")[1]["widths"] == "12,16,24"


def test_the_rate_follows_whichever_time_runs_out_first(tmp_path: Path) -> None:
    run = Run(tmp_path, 1e-3, SMALL)
    run.cpu_s, run.elapsed_s = 60.0, 240.0
    assert run.part(2) == run.part(2, by_clock=16) == 0.5 and run.part(2, by_clock=5) == 0.8
