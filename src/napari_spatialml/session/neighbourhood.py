"""The part of the labels in which the cells of a correction lie, read without the rest of the slide."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.patch import Patch, Window
from .grid import LabelGrid

__all__ = ["around"]

_MARGIN = 64
_AT_ONCE = 16_000_000
"""Pixels beyond which the slide is searched by strips rather than read."""
_LARGEST_ID = 1 << 25


def around(grid: LabelGrid, patch: Patch, known: Mapping[int, int]) -> tuple[npt.NDArray[Any], tuple[int, int]]:
    """Return the touched cells after a patch, all else 0, and the (y, x) of the first pixel.

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
    cells, margin = np.array(patch.touched, dtype=grid.dtype), _MARGIN
    while True:
        box = _grown(patch, margin, grid.shape)
        far = (box[1] - box[0]) * (box[3] - box[2]) > max(_AT_ONCE, 4 * patch.old.size)
        if far:
            box = _extent(grid, patch, cells)
        window = grid.read(box)
        y, x = patch.offset[0] - box[0], patch.offset[1] - box[2]
        window[y : y + patch.shape[0], x : x + patch.shape[1]] = patch.new
        window *= _hits(window, cells)
        if far or box == (0, grid.shape[0], 0, grid.shape[1]) or _whole(window, box, patch, cells, known, grid.shape):
            return _cropped(window, (box[0], box[2]))
        margin *= 3


def _grown(patch: Patch, margin: int, shape: tuple[int, int]) -> Window:
    (y, x), (h, w) = patch.offset, patch.shape
    return max(y - margin, 0), min(y + h + margin, shape[0]), max(x - margin, 0), min(x + w + margin, shape[1])


def _whole(
    window: npt.NDArray[Any],
    box: Window,
    patch: Patch,
    cells: npt.NDArray[Any],
    known: Mapping[int, int],
    shape: tuple[int, int],
) -> bool:
    """Return whether every touched cell lies wholly in the window after the patch, as far as one can tell."""
    beyond = (box[0] > 0, box[1] < shape[0], box[2] > 0, box[3] < shape[1])
    rim = (window[0], window[-1], window[:, 0], window[:, -1])  # the patch lies farther inside
    if any(more and line.any() for more, line in zip(beyond, rim, strict=True)):
        return False
    changed = patch.old != patch.new
    after = _sizes(window, cells)
    before = after - _sizes(patch.new[changed], cells) + _sizes(patch.old[changed], cells)
    expected = np.array([known.get(int(cell), -1) for cell in cells])
    # a cell that seems to vanish, of which nobody knows the size, may have a part elsewhere
    lost = (expected < 0) & (before > 0) & (after == 0)
    return not bool((before < expected).any() or lost.any())


def _hits(values: npt.NDArray[Any], cells: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Return which pixels belong to one of the cells, by a table while the ids are not too large for one."""
    if int(cells[-1]) >= _LARGEST_ID:
        return np.isin(values, cells)
    table = np.zeros(int(cells[-1]) + 2, dtype=bool)  # the last place is that of every larger id
    table[cells.astype(np.int64)] = True
    signed = values.astype(np.int64) if values.dtype.kind == "u" else values  # wrapped: the 0th place
    return np.take(table, signed, mode="clip")


def _sizes(values: npt.NDArray[Any], cells: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return how many pixels each of the cells has."""
    top = int(cells[-1])
    if values.size < top:  # a small window of a large slide: no table of every id
        at = np.minimum(np.searchsorted(cells, values.ravel()), len(cells) - 1)
        return np.bincount(at[cells[at] == values.ravel()], minlength=len(cells))
    if top < _LARGEST_ID and values.size and int(values.max()) <= 2 * top:
        n: npt.NDArray[np.int64] = np.bincount(values.ravel().astype(np.int64), minlength=top + 1)[cells]
        return n
    inside = values[_hits(values, cells)]
    return np.bincount(np.searchsorted(cells, inside), minlength=len(cells))


def _extent(grid: LabelGrid, patch: Patch, cells: npt.NDArray[Any]) -> Window:
    """Return the box of the touched cells and the patch, from the whole slide, strip by strip."""
    height, width = grid.shape
    y0, y1, x0, x1 = _grown(patch, 0, grid.shape)
    step = max(1, _AT_ONCE // width)
    for top in range(0, height, step):
        hit = _hits(grid.read((top, min(top + step, height), 0, width)), cells)
        rows, columns = np.flatnonzero(hit.any(1)), np.flatnonzero(hit.any(0))
        if rows.size:
            y0, y1 = min(y0, top + int(rows[0])), max(y1, top + int(rows[-1]) + 1)
            x0, x1 = min(x0, int(columns[0])), max(x1, int(columns[-1]) + 1)
    return y0, y1, x0, x1


def _cropped(window: npt.NDArray[Any], offset: tuple[int, int]) -> tuple[npt.NDArray[Any], tuple[int, int]]:
    """Cut the window to the cells in it."""
    rows, columns = np.flatnonzero(window.any(1)), np.flatnonzero(window.any(0))
    if rows.size == 0:
        return window[:1, :1] * 0, (0, 0)
    y, x = int(rows[0]), int(columns[0])
    return window[y : int(rows[-1]) + 1, x : int(columns[-1]) + 1], (offset[0] + y, offset[1] + x)
