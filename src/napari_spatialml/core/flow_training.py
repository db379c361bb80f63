"""Training a flow network: the loss, and going on from weights that exist with a few corrected windows.

Import late: this file imports torch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .device import with_memory_fallback
from .flow_crops import Crops, Example
from .flow_inference import has_matrix_units, network_of
from .flow_weights import Weights
from .report import Report, forward_only, silent

__all__ = ["SCHEDULE", "Schedule", "fine_tune", "groups", "halved", "loss_of"]


@dataclass(frozen=True)
class Schedule:
    """How a network learns from corrected windows.

    Parameters
    ----------
    steps
        Steps with one window, and steps that each further window adds, up to the most.
    batch, size
        Crops a step, and their edge in pixels of the network.
    rate
        Highest learning rate.
    pull
        How strongly the weights are drawn back to where they began, per unit of learning rate.
    octaves
        By how much at most a crop is scaled, up or down.
    disturbed
        The part of the crops whose light, focus and stain are disturbed.
    """

    steps: tuple[int, int, int] = (48, 6, 96)
    batch: int = 4
    size: int = 160
    rate: float = 1e-3
    pull: float = 12.0
    octaves: float = 0.4
    disturbed: float = 0.5

    def length(self, windows: int) -> int:
        """Return how many steps are taken with so many windows."""
        first, more, most = self.steps
        return min(first + more * (windows - 1), most)


SCHEDULE = Schedule()
"""Chosen on other images than those it is judged by: see docs/learn.md."""


def loss_of(output: Tensor, target: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """Return the flows' squared error and the logit's cross-entropy, a mean over the pixels that count."""
    n = counts.sum().clamp(min=1)
    flows = ((output[:, :2] - 5 * target[:, :2]) ** 2).mean(dim=1)
    logit = F.binary_cross_entropy_with_logits(output[:, 2], target[:, 2], reduction="none")
    return 0.5 * (flows * counts).sum() / n, (logit * counts).sum() / n


def groups(net: nn.Module) -> list[dict[str, Any]]:
    """Return the parameters for an optimiser: weights decay, biases and normalisations do not."""
    wide = [p for p in net.parameters() if p.ndim > 1]
    return [
        {"params": wide, "weight_decay": 0.01},
        {"params": [p for p in net.parameters() if p.ndim <= 1], "weight_decay": 0.0},
    ]


def halved(state: dict[str, Tensor]) -> Weights:
    """Return weights as they are stored: in half precision, but for what scales and shifts."""
    arrays = {name: t.detach().cpu().numpy() for name, t in state.items() if not name.endswith("num_batches_tracked")}
    return {name: a.astype(np.float16) if a.ndim > 1 else a.astype(np.float32) for name, a in arrays.items()}


def fine_tune(
    weights: Path,
    examples: Sequence[Example],
    nominal: float,
    seed: int,
    *,
    schedule: Schedule | None = None,
    device: str = "cpu",
    report: Report = silent,
) -> tuple[Weights, list[float]]:
    """Go on training a network with a few examples, near to what it already knows.

    Parameters
    ----------
    weights
        The file of the weights to begin with.
    examples
        What to learn from; nothing else is looked at.
    nominal
        Diameter in pixels to which their nuclei are brought on average: the one at which the network will run.
    seed
        Fixes every crop. The same seed, examples and number of threads give the same bits on one processor.
    schedule
        How long and how fast; `SCHEDULE` if None.
    device
        As `device.choose` returned it; smaller batches, then the processor, where its memory runs out.
    report
        Told each step.

    Returns
    -------
    tuple
        The weights as they are stored, and the loss of each step.

    Notes
    -----
    Statistics of the batch normalisation stay as they are: a few crops estimate them badly. The weights
    returned are a running mean. The number of steps is fixed beforehand: nothing is stopped early, so
    that no window is looked at to decide when.

    References
    ----------
    Li, Grandvalet & Davoine, ICML (2018), arXiv:1802.01483, eq. 3: the pull to the starting point.
    """
    plan = schedule or SCHEDULE
    crops = Crops(examples, plan.size, seed, octaves=plan.octaves, nominal=nominal, disturbed=plan.disturbed)
    steps = plan.length(len(examples))
    onward = forward_only(report)
    return with_memory_fallback(
        lambda batch, where: _trained(network_of(weights), crops, steps, batch, where, plan, onward),
        plan.batch,
        device,
        lambda said: onward(0.0, said),
    )


def _trained(
    net: nn.Module, crops: Crops, steps: int, batch: int, device: str, plan: Schedule, report: Report
) -> tuple[Weights, list[float]]:
    net = net.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    _hold_statistics(net)
    trained = dict(net.named_parameters())
    start = {name: p.detach().clone() for name, p in trained.items()}
    mean = {name: p.detach().clone() for name, p in trained.items()}
    optimiser = torch.optim.AdamW(net.parameters(), lr=plan.rate, weight_decay=0.0)
    losses = []
    for step in range(steps):
        report(step / steps, f"step {step + 1} of {steps}")
        now = _rate(step / steps, plan.rate)
        optimiser.param_groups[0]["lr"] = now
        losses.append(_step(net, optimiser, crops.batch(step, batch), device))
        keep = min(0.97, (1 + step) / (4 + step))
        with torch.no_grad():
            for name, p in trained.items():
                p.lerp_(start[name], min(now * plan.pull, 1.0))
                mean[name].lerp_(p, 1 - keep)
    report(1.0, f"{steps} steps")
    return halved({**net.state_dict(), **mean}), losses


def _step(net: nn.Module, optimiser: Any, batch: tuple[Any, ...], device: str) -> float:
    planes, target, counts = (torch.from_numpy(array).to(device) for array in batch)
    half = has_matrix_units() if device == "cpu" else device == "cuda"
    with torch.autocast("cpu" if device == "mps" else device, torch.bfloat16, enabled=half):
        output = net(planes.contiguous(memory_format=torch.channels_last))
    flow, cell = loss_of(output.float(), target, counts)
    loss: Any = flow + cell
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 5.0)
    optimiser.step()
    return float(loss.item())


def _hold_statistics(net: nn.Module) -> None:
    net.train()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def _rate(part: float, peak: float) -> float:
    """Return the learning rate after a part (0 to 1) of the steps: up in the first tenth, down as a cosine."""
    if part < 0.1:
        return peak * (0.1 + 9 * part)
    return peak * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (part - 0.1) / 0.9)))
