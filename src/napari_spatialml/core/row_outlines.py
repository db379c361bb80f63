"""The area that rows cover together, its outline and hatching over it: for drawing, not for measuring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import as_coordinates, require

__all__ = ["Area", "area_of", "hatching", "mask_edges", "usual_distance"]

Floats = npt.NDArray[np.float64]
_ROUND, _NEIGHBOURS, _ASKED = 0.6, 4, 500
"""Half the way to the next row and a little more, so that the corners between three rows are covered."""
_CLOSED, _BACK = 0.9, 0.35
"""Rows that lie unevenly are first made wider, so that no gaps stay between them, and the whole narrower again."""
_FINE, _MOST = 4.0, 600_000
_SMALL = 0.25
"""Gaps smaller than this share of what one row covers are closed."""


@dataclass(frozen=True, eq=False)
class Area:
    """An area as pixels and as lines.

    Parameters
    ----------
    mask
        (h, w) what is covered.
    origin
        (y, x) in µm of the centre of the first pixel.
    step
        The edge of a pixel in µm.
    lines
        (m, 2, 2) starts and directions of the outline, in µm.
    """

    mask: npt.NDArray[np.bool_]
    origin: tuple[float, float]
    step: float
    lines: Floats


def usual_distance(tree: Any, where: Floats) -> float:
    """Return the usual distance in µm to the next rows; 0 where there are none.

    Parameters
    ----------
    tree
        A `scipy.spatial.cKDTree` of all rows.
    where
        (k, 2) places of some of them; of many, evenly chosen ones are asked.
    """
    if tree.n < 2 or not len(where):
        return 0.0
    some = where[:: -(-len(where) // _ASKED)]
    far, _ = tree.query(some, k=min(_NEIGHBOURS, tree.n - 1) + 1)
    return float(np.median(far[:, 1:].mean(1)))


def area_of(coordinates: Any, distance: float, *, even: bool = True) -> Area:
    """Return what rows cover.

    Parameters
    ----------
    coordinates
        (n, 2) as (y, x) in µm, n >= 1.
    distance
        The usual distance to the next row in µm, > 0.
    even
        Whether they lie on an array; cells do not, and gaps between them are closed.

    Notes
    -----
    A distance map on pixels of a quarter of the distance, coarser where that were more than 600,000.
    """
    from scipy.ndimage import distance_transform_edt

    where = as_coordinates(coordinates, "The coordinates")
    require(distance > 0, f"The distance to the next row is {distance} µm.", "Give a number above 0.")
    reach = (_ROUND if even else _CLOSED) * distance
    low = where.min(0) - reach - distance
    extent = where.max(0) + reach + distance - low
    step = max(distance / _FINE, float(np.sqrt(np.prod(extent) / _MOST)))
    depth = reach - _distances(where, low, step, tuple(np.ceil(extent / step).astype(int) + 1))
    if not even:
        depth = np.asarray(distance_transform_edt(depth > 0)) * step - _BACK * distance
    origin = (float(low[0]), float(low[1]))
    return Area(depth > 0, origin, step, _contours(depth, np.array(origin), step, _SMALL * np.pi * reach**2))


def hatching(mask: npt.NDArray[np.bool_], every: int) -> Floats:
    """Return slanted lines over a mask, (m, 2, 2) starts and directions in pixels, whose centres are whole numbers.

    Parameters
    ----------
    mask
        (h, w).
    every
        Pixels from one line to the next along an axis, >= 1.
    """
    y, x = np.nonzero(mask)
    on = (x + y) % every == 0
    y, x = y[on], x[on]
    order = np.lexsort((y, x + y))
    y, x = y[order], x[order]
    if not len(y):
        return np.zeros((0, 2, 2))
    new = np.append(True, (np.diff(x + y) != 0) | (np.diff(y) != 1))
    first = np.flatnonzero(new)
    last = np.append(first[1:], len(y)) - 1
    starts, ends = (np.column_stack([y[k], x[k]]).astype(np.float64) for k in (first, last))
    ends += [0.5, -0.5]
    starts -= [0.5, -0.5]
    return np.stack([starts, ends - starts], axis=1)


def mask_edges(mask: npt.NDArray[np.bool_]) -> Floats:
    """Return the edges of a mask, (m, 2, 2) starts and directions in pixel corners: a line for each straight piece."""
    padded = np.pad(mask, 1)
    flat = _runs(padded[1:, 1:-1] != padded[:-1, 1:-1])
    upright = _runs((padded[1:-1, 1:] != padded[1:-1, :-1]).T)
    return np.concatenate([flat, upright[:, :, ::-1]])


def _runs(edges: npt.NDArray[np.bool_]) -> Floats:
    """Return the runs of true along the second axis as lines."""
    steps = np.diff(np.pad(edges, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    row, first = np.nonzero(steps > 0)
    _, last = np.nonzero(steps < 0)
    starts = np.column_stack([row, first]).astype(np.float64)
    return np.stack([starts, np.column_stack([np.zeros(len(row)), last - first])], axis=1)


def _distances(where: Floats, low: Floats, step: float, shape: tuple[int, ...]) -> Floats:
    """Return the distance in µm from each pixel's centre to the nearest row."""
    from scipy.ndimage import distance_transform_edt

    at = np.rint((where - low) / step).astype(np.int64)
    owner = np.full(shape, -1, np.int64)
    owner[at[:, 0], at[:, 1]] = np.arange(len(where))
    iy, ix = distance_transform_edt(owner < 0, return_distances=False, return_indices=True)
    nearest = where[owner[iy, ix]]
    y = low[0] + step * np.arange(shape[0])[:, None]
    x = low[1] + step * np.arange(shape[1])[None]
    return np.asarray(np.hypot(y - nearest[..., 0], x - nearest[..., 1]))


def _contours(depth: Floats, origin: Floats, step: float, least: float) -> Floats:
    from skimage.measure import find_contours

    contours: Any = find_contours  # untyped
    made = [origin + step * ring for ring in contours(depth, 0.0)]
    lines = [np.stack([ring[:-1], np.diff(ring, axis=0)], axis=1) for ring in made if _enclosed(ring) >= least]
    return np.concatenate(lines) if lines else np.zeros((0, 2, 2))


def _enclosed(ring: Floats) -> float:
    y, x = (ring - ring[0]).T
    return abs(float(np.sum(y[:-1] * x[1:] - y[1:] * x[:-1]))) / 2
