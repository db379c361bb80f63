"""An optimiser for convolutions: momentum whose singular values are made equal, so that rare directions count too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["Muon", "optimisers"]

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_STEPS = 5
_PER_ADAM = 13.0
"""Its rate for a rate of AdamW; so 1.5e-3 there is 0.02 here."""


class Muon(torch.optim.Optimizer):
    """Steps along the orthogonal matrix next to the momentum; each convolution is a matrix with a row an output.

    References
    ----------
    Jordan et al., "Muon: an optimizer for hidden layers in neural networks" (2024), kellerjordan.github.io/posts/muon.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float, momentum: float = 0.95, decay: float = 0.01):
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "decay": decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Take one step."""
        for group in self.param_groups:
            for weights in group["params"]:
                if weights.grad is None:
                    continue
                held = self.state[weights]
                if "momentum" not in held:
                    held["momentum"] = torch.zeros_like(weights)
                held["momentum"].mul_(group["momentum"]).add_(weights.grad)
                # in the order of memory, which is that of channels last: nothing is moved
                ahead = weights.grad.add(held["momentum"], alpha=group["momentum"]).permute(0, 2, 3, 1)
                along = _orthogonal(ahead.flatten(1)).reshape(ahead.shape).permute(0, 3, 1, 2)
                tall = max(1.0, weights.shape[0] / weights[0].numel()) ** 0.5
                weights.mul_(1 - group["lr"] * group["decay"]).add_(along, alpha=-group["lr"] * tall)


def _orthogonal(matrix: Tensor) -> Tensor:
    """Return nearly the orthogonal matrix next to one, by Newton's and Schulz's iteration."""
    a, b, c = _COEFFICIENTS
    wide = matrix.shape[0] <= matrix.shape[1]
    x = (matrix if wide else matrix.T).to(torch.bfloat16)
    x = x / (x.norm() + 1e-7)
    for _ in range(_STEPS):
        square = x @ x.T
        x = torch.addmm(x, torch.addmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return (x if wide else x.T).to(matrix.dtype)


def optimisers(net: nn.Module, rate: float) -> list[tuple[torch.optim.Optimizer, float]]:
    """Return the optimisers of a network, each with its own highest rate: convolutions, then all else.

    Parameters
    ----------
    net
        Its last layer, ``head``, goes with all else.
    rate
        Highest rate of AdamW.
    """
    inner = [p for name, p in net.named_parameters() if p.ndim == 4 and not name.startswith("head")]
    kept = {id(p) for p in inner}
    others = [p for p in net.parameters() if id(p) not in kept]
    return [
        (Muon(inner, lr=_PER_ADAM * rate), _PER_ADAM * rate),
        (torch.optim.AdamW(others, lr=rate, weight_decay=0.0), rate),
    ]
