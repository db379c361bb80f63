"""What would mend a cell, proposed from its shape and its picture: a cut, a partner, an outline."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import require

__all__ = ["contour_of", "outline_at", "partner_of", "shortest_cut"]

_DIRECTIONS = 24
_LEAST = 0.2
"""Share of a cell that either side of a cut keeps."""
_CORNERS = 48


def shortest_cut(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64] | None:
    """Return the straight line across a cell where it is narrowest and neither side is a splinter.

    Parameters
    ----------
    mask
        (h, w) the cell.

    Returns
    -------
    (2, 2) ends as (y, x) in pixels of the mask, beyond the cell's border; None for a cell of under 8 pixels.

    Notes
    -----
    Over 24 directions, the pixels are counted in strips one pixel wide; the strip with fewest pixels among
    those that leave at least a fifth of the cell on each side is the cut. O(24 · pixels).
    """
    at = np.argwhere(mask) + 0.5
    if len(at) < 8:
        return None
    middle, reach = at.mean(0), float(np.ptp(at, axis=0).max()) + 2.0
    best: tuple[float, float, npt.NDArray[np.float64], npt.NDArray[np.float64]] | None = None
    for turn in np.arange(_DIRECTIONS) * np.pi / _DIRECTIONS:
        across = np.array([np.sin(turn), np.cos(turn)])
        along = (at - middle) @ across
        low = float(np.floor(along.min()))
        n = np.bincount((along - low).astype(np.int64)).astype(np.float64)
        if len(n) < 3:
            continue
        width = np.convolve(np.pad(n, 1, mode="edge"), [0.25, 0.5, 0.25], "valid")
        before = (np.cumsum(n) - n / 2) / len(at)
        inside = (before >= _LEAST) & (before <= 1 - _LEAST)
        if not inside.any():
            continue
        narrow = int(np.where(inside, width, np.inf).argmin())
        found = (float(width[narrow]), abs(float(before[narrow]) - 0.5), across, middle + (low + narrow + 0.5) * across)
        best = found if best is None or found[:2] < best[:2] else best
    if best is None:
        return None
    _, _, across, through = best
    direction = np.array([-across[1], across[0]])
    return np.stack([through - reach * direction, through + reach * direction])


def partner_of(labels: npt.NDArray[Any], cell: int) -> int:
    """Return the cell with which a cell shares most of its border; 0 where it touches none.

    Parameters
    ----------
    labels
        (y, x) window that holds the cell and its neighbours.
    cell
        Its id.
    """
    ids: list[npt.NDArray[Any]] = []
    for a, b in ((labels[1:], labels[:-1]), (labels[:, 1:], labels[:, :-1])):
        ids += [a[(b == cell) & (a != cell)], b[(a == cell) & (b != cell)]]
    beside = np.concatenate(ids)
    found, n = np.unique(beside[beside != 0], return_counts=True)
    return int(found[n.argmax()]) if len(found) else 0


def outline_at(
    signal: npt.NDArray[Any] | None, labels: npt.NDArray[Any], where: tuple[float, float], diameter: float
) -> npt.NDArray[np.float64]:
    """Return the outline of what lies at a place without a label.

    Parameters
    ----------
    signal
        (y, x) window, bright in cells; None where there is no image.
    labels
        The same window of labels.
    where
        (y, x) in pixels of the window.
    diameter
        How large the place is in pixels, > 0.

    Returns
    -------
    (k, 2) corners as (y, x): of the part above Otsu's threshold around the place, else a circle.
    """
    require(diameter > 0, f"The diameter is {diameter} pixels.", "Give a number above 0.")
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    circle = np.asarray(where) + diameter / 2 * np.column_stack([np.sin(turn), np.cos(turn)])
    if signal is None or signal.size == 0 or float(np.ptp(signal)) == 0:
        return np.asarray(circle)
    mask = _bright(signal, labels, where)
    area = np.pi * diameter**2 / 4
    y, x = np.indices(mask.shape) + 0.5
    core = np.hypot(y - where[0], x - where[1]) <= 0.35 * diameter
    there = mask[core].mean() if core.any() else 0.0
    if not (0.25 * area <= mask.sum() <= 4 * area and there > 0.5):
        return np.asarray(circle)
    return contour_of(mask)


def _bright(signal: npt.NDArray[Any], labels: npt.NDArray[Any], where: tuple[float, float]) -> npt.NDArray[np.bool_]:
    from scipy import ndimage
    from skimage.filters import threshold_otsu

    smooth = ndimage.gaussian_filter(np.asarray(signal, dtype=np.float32), 1.0)
    otsu: Any = threshold_otsu  # untyped
    free = ndimage.binary_opening((smooth > float(otsu(smooth))) & (labels == 0))
    parts, n = ndimage.label(free)
    y, x = (min(max(int(v), 0), k - 1) for v, k in zip(where, parts.shape, strict=True))
    chosen = int(parts[y, x])
    if chosen == 0 and n:
        distance, near = ndimage.distance_transform_edt(parts == 0, return_indices=True)
        chosen = int(parts[tuple(near[:, y, x])]) if distance[y, x] < 3 else 0
    return np.asarray(ndimage.binary_fill_holes(parts == chosen), dtype=bool) if chosen else np.zeros_like(free)


def contour_of(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    from skimage.measure import find_contours

    found: list[npt.NDArray[np.float64]] = find_contours(np.pad(mask, 1).astype(float), 0.5)  # type: ignore[no-untyped-call]
    longest = max(found, key=len)[:-1]
    step = max(1, len(longest) // _CORNERS)
    return np.asarray(longest[::step] - 0.5)  # less the padding, plus half a pixel to its centre
