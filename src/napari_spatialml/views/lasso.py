"""Which cells a lasso means: those whose centroid lies in it, or half of their area."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.patch import Window

__all__ = ["Held", "cells_in_lasso"]

_WIDER = 128


@dataclass(frozen=True, eq=False)
class Held:
    """What a lasso holds.

    Parameters
    ----------
    cells
        (n,) ids in ascending order.
    box
        The window around them; None for none.
    """

    cells: npt.NDArray[Any]
    box: Window | None


def cells_in_lasso(labels: Any, outline: npt.NDArray[np.float64], bounds: Window) -> Held:
    """Return the cells that a lasso means.

    Parameters
    ----------
    labels
        (y, x) integers; only what lies around the lasso is read.
    outline
        (k, 2) corners in pixels; the last is joined to the first.
    bounds
        The pixels within which cells are looked for. A cell that goes on behind them counts with what is within.

    Notes
    -----
    O(pixels around the lasso), whatever the number of cells.
    """
    nothing = Held(np.zeros(0, np.dtype(labels.dtype)), None)
    inner = _clipped(outline, bounds)
    if len(outline) < 3 or inner[1] <= inner[0] or inner[3] <= inner[2]:
        return nothing
    inside = _inside(outline, inner)
    cells = np.unique(_read(labels, inner))
    cells = cells[cells != 0]
    if not len(cells):
        return nothing
    outer, values = _whole(labels, cells, inner, bounds)
    codes, area, centroid = _measured(values, cells, outer)
    (top, left), (h, w) = (inner[0] - outer[0], inner[2] - outer[2]), inside.shape
    within = codes[top : top + h, left : left + w][inside]
    share = np.bincount(within[within > 0] - 1, minlength=len(cells)) / area
    kept = (share >= 0.5) | _holds(inside, centroid - (inner[0], inner[2]))
    return Held(cells[kept], _box(codes, kept, outer))


def _whole(labels: Any, cells: npt.NDArray[Any], inner: Window, bounds: Window) -> tuple[Window, npt.NDArray[Any]]:
    """Return the smallest window looked at that cuts none of the cells, as far as the bounds let it."""
    outer, step = inner, _WIDER
    while True:
        values = _read(labels, outer)
        cut = [
            at != end and bool(np.isin(edge, cells).any())
            for at, end, edge in zip(
                outer, bounds, (values[0], values[-1], values[:, 0], values[:, -1]), strict=True
            )
        ]  # fmt: skip
        if not any(cut):
            return outer, values
        ways = (-step, step, -step, step)
        moved = [at + way if c else at for at, way, c in zip(outer, ways, cut, strict=True)]
        y0, y1, x0, x1 = moved
        outer = max(y0, bounds[0]), min(y1, bounds[1]), max(x0, bounds[2]), min(x1, bounds[3])
        step *= 2


def _measured(
    values: npt.NDArray[Any], cells: npt.NDArray[Any], window: Window
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the place of every pixel's cell in the list, from 1 (0 for none), and the areas and centroids."""
    at = np.flatnonzero(values)
    found = np.searchsorted(cells, values.ravel()[at])
    found = np.minimum(found, len(cells) - 1)
    hit = cells[found] == values.ravel()[at]
    at, found = at[hit], found[hit]
    codes = np.zeros(values.shape, np.int32)
    codes.ravel()[at] = found + 1
    area = np.bincount(found, minlength=len(cells)).astype(float)
    y, x = np.divmod(at, values.shape[1])
    sums = [np.bincount(found, weights=v, minlength=len(cells)) for v in (y, x)]
    return codes, area, np.column_stack(sums) / area[:, None] + 0.5 + (window[0], window[2])


def _box(codes: npt.NDArray[np.int32], kept: npt.NDArray[np.bool_], window: Window) -> Window | None:
    if not kept.any():
        return None
    there = np.append(False, kept)[codes]
    rows, columns = np.flatnonzero(there.any(axis=1)), np.flatnonzero(there.any(axis=0))
    y, x = window[0], window[2]
    return y + int(rows[0]), y + int(rows[-1]) + 1, x + int(columns[0]), x + int(columns[-1]) + 1


def _inside(outline: npt.NDArray[np.float64], window: Window) -> npt.NDArray[np.bool_]:
    from skimage import draw

    rasterised: Any = draw.polygon2mask  # untyped
    shape = (window[1] - window[0], window[3] - window[2])
    # skimage puts a pixel's centre at (i, j), we at (i + 0.5, j + 0.5)
    return np.asarray(rasterised(shape, outline - (window[0], window[2]) - 0.5), dtype=bool)


def _holds(inside: npt.NDArray[np.bool_], places: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    at = np.floor(places).astype(int)
    there = ((at >= 0) & (at < inside.shape)).all(axis=1)
    held = np.zeros(len(at), bool)
    held[there] = inside[at[there, 0], at[there, 1]]
    return held


def _clipped(outline: npt.NDArray[np.float64], bounds: Window) -> Window:
    if not len(outline):
        return bounds[0], bounds[0], bounds[2], bounds[2]
    (y0, x0), (y1, x1) = np.floor(outline.min(0)).astype(int), np.ceil(outline.max(0)).astype(int)
    return max(y0, bounds[0]), min(y1, bounds[1]), max(x0, bounds[2]), min(x1, bounds[3])


def _read(labels: Any, window: Window) -> npt.NDArray[Any]:
    y0, y1, x0, x1 = window
    return np.asarray(labels[y0:y1, x0:x1])
