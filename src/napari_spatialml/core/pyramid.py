"""Keep the coarser levels of a label pyramid true to level 0, one window at a time.

Levels take the pixel at the middle of each block (index i · f + f // 2), as SpatialData's own labels
model does: averages would make ids that no cell has.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import require
from .patch import LabelArray, Patch, diff

__all__ = ["downsample", "factor_between", "patch_level"]


def downsample(labels: LabelArray, factor: int | tuple[int, int]) -> LabelArray:
    """Return the labels at a coarser level: (y // f, x // f), at least one pixel.

    Parameters
    ----------
    labels
        (y, x) integers.
    factor
        Pixels of level 0 along one pixel of the result; one number, or one for each axis.
    """
    rows, columns = (_samples(max(n // f, 1), f, n) for n, f in zip(labels.shape, _both(factor), strict=True))
    return np.asarray(labels[np.ix_(rows, columns)])


def factor_between(shape0: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the whole factors (y, x) that lead from level 0 to a level of another shape.

    Raises
    ------
    BadInput
        When no whole factor does.
    """
    factors = []
    for n0, n in zip(shape0[-2:], shape[-2:], strict=True):
        guess = round(n0 / n)
        fits = [f for f in (guess, guess + 1, guess - 1) if f >= 1 and n in (max(n0 // f, 1), -(-n0 // f))]
        require(bool(fits), f"A level of {n} pixels is no whole part of {n0}.", "Build the pyramid again.")
        factors.append(fits[0])
    return factors[0], factors[1]


def patch_level(
    level: Any, offset: tuple[int, int], values0: LabelArray, factor: int | tuple[int, int]
) -> Patch | None:
    """Return what a coarser level has to change after a window of level 0 was written.

    Parameters
    ----------
    level
        (y, x) labels of the coarser level (numpy or zarr); only the window is read.
    offset
        (y, x) of the window in level 0.
    values0
        (h, w) new labels of level 0 in that window.
    factor
        As in `downsample`.

    Returns
    -------
    Patch or None
        In pixels of the coarser level; None where it stays as it is.
    """
    starts, picks = [], []
    for first, n, size, f in zip(offset, values0.shape, level.shape, _both(factor), strict=True):
        i0 = max(-(-(first - f // 2) // f), 0)
        i1 = min(-(-(first + n - f // 2) // f), size)
        if i1 <= i0:
            return None
        starts.append(i0)
        picks.append(np.arange(i0, i1) * f + f // 2 - first)
    y, x = starts
    old = np.asarray(level[y : y + len(picks[0]), x : x + len(picks[1])])
    return diff(old, values0[np.ix_(picks[0], picks[1])].astype(old.dtype), (y, x))


def _both(factor: int | tuple[int, int]) -> tuple[int, int]:
    pair = (factor, factor) if isinstance(factor, int) else factor
    require(len(pair) == 2 and min(pair) >= 1, f"The factor is {factor}.", "Give whole numbers of 1 or more.")
    return int(pair[0]), int(pair[1])


def _samples(count: int, factor: int, size: int) -> npt.NDArray[np.int64]:
    return np.minimum(np.arange(count) * factor + factor // 2, size - 1)
