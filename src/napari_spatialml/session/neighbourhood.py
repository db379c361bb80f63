"""The part of the labels in which the cells of a correction lie, read without the rest of the slide."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.patch import Patch, Window
from .grid import LabelGrid

__all__ = ["around"]

_MARGIN = 32
_AT_ONCE = 16_000_000
"""Pixels beyond which the slide is searched by strips rather than read."""


def around(grid: LabelGrid, patch: Patch, known: Mapping[int, int]) -> tuple[npt.NDArray[Any], tuple[int, int]]:
    """Return the labels after a patch where the touched cells lie, and the (y, x) of their first pixel.

    The window grows until no touched cell reaches its border, and none lacks pixels that it is known
    to have: so a cell in two parts is found whole, and the slide is read only if a part lies far away.

    Parameters
    ----------
    grid
        The labels before the patch.
    patch
        What is to change.
    known
        How many pixels each touched cell has before, where a table says so.
    """
    margin = _MARGIN
    while True:
        box = _grown(patch, margin, grid.shape)
        if _size(box) > _AT_ONCE:
            box = _extent(grid, patch)
        window = grid.read(box)
        if _size(_grown(patch, margin, grid.shape)) > _AT_ONCE or _whole(window, box, patch, known, grid.shape):
            break
        margin *= 3
    return _cropped(window, (box[0], box[2]), patch)


def _grown(patch: Patch, margin: int, shape: tuple[int, int]) -> Window:
    (y, x), (h, w) = patch.offset, patch.shape
    return max(y - margin, 0), min(y + h + margin, shape[0]), max(x - margin, 0), min(x + w + margin, shape[1])


def _size(box: Window) -> int:
    return (box[1] - box[0]) * (box[3] - box[2])


def _whole(
    window: npt.NDArray[Any], box: Window, patch: Patch, known: Mapping[int, int], shape: tuple[int, int]
) -> bool:
    """Return whether every touched cell lies wholly in the window, as far as one can tell."""
    if box == (0, shape[0], 0, shape[1]):
        return True
    inside = _inside(window, (box[0], box[2]), patch)
    touched = np.asarray(patch.touched)
    hit = np.isin(window, touched)
    hit[inside] |= np.isin(patch.new, touched)
    beyond = (box[0] > 0, box[1] < shape[0], box[2] > 0, box[3] < shape[1])
    rim = (hit[0], hit[-1], hit[:, 0], hit[:, -1])
    if any(more and line.any() for more, line in zip(beyond, rim, strict=True)):
        return False
    ids, n = np.unique(window[hit], return_counts=True)
    before = dict(zip(ids.tolist(), n.tolist(), strict=True))
    if any(before.get(cell, 0) < known[cell] for cell in patch.touched if cell in known):
        return False
    after = set(np.unique(patch.new).tolist()) | _outside(window, inside, hit)
    # a cell that seems to vanish, of which nobody knows the size, may have a part elsewhere
    return all(cell in known or cell in after or cell not in before for cell in patch.touched)


def _outside(window: npt.NDArray[Any], inside: tuple[slice, slice], hit: npt.NDArray[np.bool_]) -> set[int]:
    """Return the touched cells that have pixels in the window but outside the patch."""
    rest = hit.copy()
    rest[inside] = False
    return set(np.unique(window[rest]).tolist())


def _inside(window: npt.NDArray[Any], offset: tuple[int, int], patch: Patch) -> tuple[slice, slice]:
    y, x = patch.offset[0] - offset[0], patch.offset[1] - offset[1]
    return slice(y, y + patch.shape[0]), slice(x, x + patch.shape[1])


def _extent(grid: LabelGrid, patch: Patch) -> Window:
    """Return the box of the touched cells and the patch, from the whole slide, strip by strip."""
    height, width = grid.shape
    y0, y1, x0, x1 = _grown(patch, 0, grid.shape)
    step = max(1, _AT_ONCE // width)
    for top in range(0, height, step):
        hit = np.isin(grid.read((top, min(top + step, height), 0, width)), patch.touched)
        rows, columns = np.flatnonzero(hit.any(1)), np.flatnonzero(hit.any(0))
        if rows.size:
            y0, y1 = min(y0, top + int(rows[0])), max(y1, top + int(rows[-1]) + 1)
            x0, x1 = min(x0, int(columns[0])), max(x1, int(columns[-1]) + 1)
    return y0, y1, x0, x1


def _cropped(
    window: npt.NDArray[Any], offset: tuple[int, int], patch: Patch
) -> tuple[npt.NDArray[Any], tuple[int, int]]:
    """Put the patch in, and cut the window to the touched cells."""
    window[_inside(window, offset, patch)] = patch.new
    hit = np.isin(window, patch.touched)
    rows, columns = np.flatnonzero(hit.any(1)), np.flatnonzero(hit.any(0))
    if rows.size == 0:
        return window[:1, :1] * 0, (0, 0)
    y, x = int(rows[0]), int(columns[0])
    return window[y : int(rows[-1]) + 1, x : int(columns[-1]) + 1], (offset[0] + y, offset[1] + x)
