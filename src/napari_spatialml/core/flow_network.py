"""The flow networks: residual U-Nets that give, for each pixel, the flow to its cell's middle.

Import late: this file imports torch.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .patch import NO_SIDES, Sides

__all__ = ["STRIDE", "WIDTHS", "FlowNetwork", "PackedFlowNetwork", "folded", "made"]

WIDTHS = (64, 128, 256)
"""Channels of the levels of a `PackedFlowNetwork` that is trained anew."""
STRIDE = 8


def _convolution(inputs: int, outputs: int, size: int = 3) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False)


def _normalised(inputs: int, outputs: int) -> tuple[nn.Module, nn.Module, nn.Module]:
    return _convolution(inputs, outputs), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)


class _Residual(nn.Module):
    """Two convolutions beside a shortcut; normalised after each, so that each folds into its convolution."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Sequential(_convolution(inputs, outputs), nn.BatchNorm2d(outputs))
        self.second = nn.Sequential(_convolution(outputs, outputs), nn.BatchNorm2d(outputs))
        self.shortcut: nn.Module = nn.Identity() if inputs == outputs else _convolution(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        inner = F.relu(self.first(x), inplace=True)
        return F.relu(self.second(inner) + self.shortcut(x), inplace=True)


class _Up(nn.Module):
    """Narrow, enlarge twofold, add the same level of the way down, and refine."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.narrow = _convolution(inputs, outputs, 1)
        self.refine = _Residual(outputs, outputs)

    def forward(self, x: Tensor, beside: Tensor) -> Tensor:
        enlarged = F.interpolate(self.narrow(x), scale_factor=2.0, mode="bilinear", align_corners=False)
        return self.refine(enlarged + beside)  # type: ignore[no-any-return]


def _trimmed(x: Tensor, pixels: int, spare: Sides, had: int, kept: int) -> Tensor:
    """Return a level of which an element is so many pixels, with ``kept`` spare ones a side where it ``had`` more."""
    top, bottom, left, right = ((min(n, had) - min(n, kept)) // pixels for n in spare)
    return x[:, :, top : x.shape[2] - bottom, left : x.shape[3] - right]


class FlowNetwork(nn.Module):
    """A residual U-Net of four levels in the formulation of Cellpose.

    Takes (n, 3, y, x) whose height and width are multiples of `STRIDE`; gives (n, 3, y, x): five times
    the flow in y, five times the flow in x, and the logit of being cell; without the
    pixels that are spare, whose output no one needs: multiples of `STRIDE` at each side.

    Notes
    -----
    Batch normalisation and no global pooling: a pixel's output depends on its neighbourhood alone, so
    that tiles agree with the whole.

    References
    ----------
    Stringer, Wang, Michaelos & Pachitariu, Nature Methods 18 (2021), doi:10.1038/s41592-020-01018-x.
    """

    reach: ClassVar[int] = 96
    """No pixel further away than this changes a pixel's output."""

    def __init__(self, widths: tuple[int, ...] = (32, 64, 128, 192)) -> None:
        super().__init__()
        a, b, c, d = widths
        self.down = nn.ModuleList(
            [
                nn.Sequential(*_normalised(3, a), *_normalised(a, a)),
                _Residual(a, b),
                nn.Sequential(_Residual(b, c), _Residual(c, c)),
                nn.Sequential(_Residual(c, d), _Residual(d, d)),
            ]
        )
        self.up = nn.ModuleList([_Up(b, a), _Up(c, b), _Up(d, c)])
        self.head = nn.Conv2d(a, 3, 1)

    def forward(self, x: Tensor, spare: Sides = NO_SIDES) -> Tensor:
        levels = [self.down[0](x)]
        for block in list(self.down)[1:]:
            levels.append(block(F.max_pool2d(levels[-1], 2)))
        x = levels[3]
        for i in (2, 1, 0):
            x = self.up[i](x, levels[i])
        return self.head(_trimmed(x, 1, spare, max(spare), 0))  # type: ignore[no-any-return]


class PackedFlowNetwork(nn.Module):
    """A residual U-Net of three levels that sees squares of four pixels as one with four times the channels.

    Takes and gives what `FlowNetwork` does, and no pixel's output depends on more than its neighbourhood
    either. Nothing is computed at full resolution, where half of the other's time goes, and what is spare is
    dropped level by level, as soon as nothing that is left depends on it.

    References
    ----------
    Shi et al., CVPR (2016), arXiv:1609.05158: pixels that are channels until the end.
    """

    reach: ClassVar[int] = 80
    """No pixel further away than this changes a pixel's output."""

    def __init__(self, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        a, b, c = widths
        self.down = nn.ModuleList(
            [
                nn.Sequential(*_normalised(12, a)),
                nn.Sequential(_Residual(a, b), _Residual(b, b)),
                nn.Sequential(_Residual(b, c), _Residual(c, c)),
            ]
        )
        self.up = nn.ModuleList([_Up(b, a), _Up(c, b)])
        self.head = nn.Conv2d(a, 12, 1)

    def forward(self, x: Tensor, spare: Sides = NO_SIDES) -> Tensor:
        # of what is spare, each step keeps what later ones reach: two elements in a block, one in enlarging
        x = _trimmed(x, 1, spare, max(spare), self.reach)
        fine = _trimmed(self.down[0](F.pixel_unshuffle(x, 2)), 2, spare, self.reach, 72)
        middle = _trimmed(self.down[1][0](F.max_pool2d(fine, 2)), 4, spare, 72, 64)  # type: ignore[index]
        middle = _trimmed(self.down[1][1](middle), 4, spare, 64, 56)  # type: ignore[index]
        coarse = _trimmed(self.down[2][0](F.max_pool2d(middle, 2)), 8, spare, 56, 40)  # type: ignore[index]
        coarse = _trimmed(self.down[2][1](coarse), 8, spare, 40, 24)  # type: ignore[index]
        middle = _trimmed(self.up[1](coarse, _trimmed(middle, 4, spare, 56, 24)), 4, spare, 24, 8)
        fine = _trimmed(self.up[0](middle, _trimmed(fine, 2, spare, 72, 8)), 2, spare, 8, 0)
        return F.pixel_shuffle(self.head(fine), 2)


def made(network: str, widths: tuple[int, ...]) -> FlowNetwork | PackedFlowNetwork:
    """Return a network, its weights at random, by the name and the widths that a file of weights gives.

    Raises
    ------
    ValueError
        When there is none of that name with so many levels.
    """
    levels = {"FlowNetwork": 4, "PackedFlowNetwork": 3}
    if levels.get(network) != len(widths) or not all(0 < n <= 1024 for n in widths):
        raise ValueError(f"{network} of widths {widths}")
    return FlowNetwork(widths) if network == "FlowNetwork" else PackedFlowNetwork(widths)


def folded(net: nn.Module) -> nn.Module:
    """Return the network for inference, each normalisation folded into the convolution before it."""
    net = net.eval()
    for block in [module for module in net.modules() if isinstance(module, nn.Sequential)]:
        for i, (one, next_one) in enumerate(zip(list(block)[:-1], list(block)[1:], strict=True)):
            if isinstance(one, nn.Conv2d) and isinstance(next_one, nn.BatchNorm2d):
                block[i], block[i + 1] = fuse_conv_bn_eval(one, next_one), nn.Identity()
    return net.requires_grad_(False)
