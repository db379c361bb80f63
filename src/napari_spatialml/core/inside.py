"""Which of very many points lie within an outline."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import require

__all__ = ["points_inside"]

Floats = npt.NDArray[np.float64]
_GRID = 128
_FEW = 20_000
"""Points: so few are tested one by one."""


def points_inside(points: Floats, outline: Floats) -> npt.NDArray[np.bool_]:
    """Return which points lie within an outline.

    Parameters
    ----------
    points
        (n, 2); those with NaN lie nowhere.
    outline
        (k, 2) corners in the same order of coordinates; the last is joined to the first. Where it crosses
        itself, a point lies within if a line from it to the outside crosses the outline an odd number of times.

    Returns
    -------
    npt.NDArray[np.bool_]
        (n,), the same as testing every point alone.

    Raises
    ------
    BadInput
        When a corner is not finite.

    Notes
    -----
    A grid of 128 × 128 fields lies over the outline. Fields that no edge comes near are wholly inside or
    outside, and so are their points; only the points of the others are tested.
    """
    import shapely

    where, corners = np.asarray(points, dtype=np.float64), np.asarray(outline, dtype=np.float64)
    require(bool(np.isfinite(corners).all()), "A corner of the outline is not a number.", "Draw it again.")
    found = np.zeros(len(where), dtype=bool)
    if len(corners) < 3:
        return found
    low, high = corners.min(axis=0), corners.max(axis=0)
    near = (where[:, 0] >= low[0]) & (where[:, 0] <= high[0]) & (where[:, 1] >= low[1]) & (where[:, 1] <= high[1])
    at = np.flatnonzero(near)
    region = shapely.Polygon(corners)
    shapely.prepare(region)
    if len(at) > _FEW and bool((high > low).all()):
        field = _fields_of(where[at], low, high)
        state = _classified(region, corners, low, high).ravel()[field]
        found[at[state == 1]] = True
        at = at[state == 2]
    found[at] = shapely.contains_xy(region, where[at, 0], where[at, 1])
    return found


def _fields_of(points: Floats, low: Floats, high: Floats) -> npt.NDArray[np.int64]:
    scaled = (points - low) * (_GRID / (high - low))
    cells = np.clip(scaled.astype(np.int64), 0, _GRID - 1)
    return np.asarray(cells[:, 0] * _GRID + cells[:, 1])


def _classified(region: Any, corners: Floats, low: Floats, high: Floats) -> npt.NDArray[np.int8]:
    """Return for each field 0 (outside), 1 (inside) or 2 (an edge passes through it or its neighbour)."""
    import shapely
    from scipy.ndimage import binary_dilation

    scale = (high - low) / _GRID
    middle = low[:, None] + (np.arange(_GRID) + 0.5) * scale[:, None]
    x, y = np.meshgrid(middle[0], middle[1], indexing="ij")
    inside = shapely.contains_xy(region, x, y)
    ends = np.roll(corners, -1, axis=0)
    steps = np.maximum(np.ceil(np.abs((ends - corners) / scale).max(axis=1)).astype(np.int64) * 2, 1)
    edge = np.repeat(np.arange(len(corners)), steps)
    share = (np.arange(steps.sum()) - np.repeat(np.cumsum(steps) - steps, steps)) / np.repeat(steps, steps)
    along = corners[edge] + (ends - corners)[edge] * share[:, None]
    crossed = np.zeros((_GRID, _GRID), dtype=bool)
    crossed.ravel()[_fields_of(along, low, high)] = True
    crossed = binary_dilation(crossed, np.ones((3, 3), dtype=bool))
    return np.where(crossed, 2, inside).astype(np.int8)
