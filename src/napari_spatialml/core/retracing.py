"""Where the image would draw a cell: its outline traced anew, and the seams along which it may be cut."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .flows import FlowField, decode
from .patch import LabelArray

__all__ = ["cut_between", "like_cell", "retraced", "seams_of", "segments_of", "trimmed"]

Mask = npt.NDArray[np.bool_]
Plane = npt.NDArray[np.floating[Any]]
Line = npt.NDArray[np.float64]
_LEVELS = (0.5, 0.35, 0.65)
"""Where between the ground (0) and the cell (1) its border may lie."""
_FAINTEST = 0.35
"""A cell that is fainter than this part of the usual contrast is none."""
_APART = 0.35
"""Diameters between the middles of two cells."""
_SAME = 0.9
_LEAST = 12


def like_cell(stain: Plane, labels: LabelArray, cell: int, contrast: float = np.nan) -> npt.NDArray[np.float32]:
    """Return how much each pixel looks like a cell: 0 as the ground around, 1 as the brighter part of the cell.

    Parameters
    ----------
    stain
        (y, x) window.
    labels
        The same window; 0 is background.
    cell
        The cell.
    contrast
        What is usual in the section, below 0 where cells are dark; NaN where that is not known.
    """
    values = -stain if contrast < 0 else stain
    free = values[labels == 0]
    ground = float(np.quantile(free if free.size >= _LEAST else values, 0.25))
    level = float(np.quantile(values[labels == cell], 0.85))
    least = _FAINTEST * abs(contrast) if np.isfinite(contrast) else 0.0
    return np.asarray(np.clip((values - ground) / max(level - ground, least, 1e-6), 0, 1), dtype=np.float32)


def segments_of(field: FlowField) -> LabelArray:
    """Return the cells that a network sees in a window."""
    return decode(field, flow_error=0.0, min_area=_LEAST).labels


def retraced(labels: LabelArray, cell: int, like: Plane | None, segments: LabelArray | None = None) -> list[Mask]:
    """Return other masks for a cell, none of them on another cell; those that differ, the likeliest first.

    Parameters
    ----------
    labels
        (y, x) window.
    cell
        The cell.
    like
        As `like_cell` gives it; None without an image.
    segments
        As `segments_of` gives them.
    """
    mask, free = labels == cell, (labels == 0) | (labels == cell)
    diameter = 2 * np.sqrt(max(mask.sum(), 1) / np.pi)
    found: list[Mask] = []
    if segments is not None:
        found.append(_most_of(segments, mask) & free)
    if like is not None:
        found += [_most_of(_parted((like > level) & free, diameter), mask) for level in _LEVELS]
    kept: list[Mask] = [mask]
    for other in found:
        whole = _whole(other)
        if whole.sum() >= _LEAST and all(_overlap(whole, one) < _SAME for one in kept):
            kept.append(whole)
    return kept[1:]


def seams_of(mask: Mask, like: Plane | None, segments: LabelArray | None = None) -> list[Line]:
    """Return lines along which the image parts a cell: between the network's cells, and along its darkest valley.

    Parameters
    ----------
    mask
        (y, x) the cell.
    like
        As `like_cell` gives it; None without an image.
    segments
        As `segments_of` gives them.
    """
    parts = [] if segments is None else [np.where(mask, segments, 0)]
    if like is not None and mask.sum() >= 2 * _LEAST:
        parts += [_parted(mask, 2 * np.sqrt(mask.sum() / np.pi), by) for by in (like, None)]
    lines = []
    for part in parts:
        ids, n = np.unique(part[part > 0], return_counts=True)
        if len(ids) >= 2 and np.sort(n)[-2] >= 0.1 * mask.sum():
            a, b = (np.argwhere(part == ids[i]) + 0.5 for i in np.argsort(n)[:-3:-1])
            lines.append(cut_between(a, b))
    return lines


def cut_between(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> Line:
    """Return the straight line, (2, 2), that parts two clouds of pixels best: Fisher's discriminant.

    References
    ----------
    Fisher, Annals of Eugenics 7 (1936) 179, eq. 4: across the line lies the inverse of the scatter within the
    clouds, times the difference of their middles.
    """
    within = np.cov(a.T) + np.cov(b.T) + 0.1 * np.eye(2)
    across = np.linalg.solve(within, b.mean(0) - a.mean(0))
    across = across / max(float(np.linalg.norm(across)), 1e-9)
    u, v = np.sort(a @ across), np.sort(b @ across)
    at = np.unique(np.concatenate([u, v]))
    wrong = len(u) - np.searchsorted(u, at, side="right") + np.searchsorted(v, at, side="right")
    through = float(at[wrong == wrong.min()].mean()) + 0.25
    both = np.vstack([a, b])
    middle = both.mean(0)
    middle = middle + (through - middle @ across) * across
    along = np.array([-across[1], across[0]]) * (float(np.ptp(both, axis=0).max()) + 2)
    return np.stack([middle - along, middle + along])


def trimmed(line: Line, mask: Mask, beyond: float = 2.0) -> Line:
    """Return the part of a line that crosses a cell, and a little on both sides.

    Parameters
    ----------
    line
        (2, 2) ends as (y, x).
    mask
        (y, x) the cell.
    beyond
        How far it reaches beyond the cell's border, in pixels.
    """
    along = np.asarray(line[-1] - line[0], dtype=float)
    length = max(float(np.linalg.norm(along)), 1e-9)
    share = np.linspace(0, 1, 2 * int(length) + 2)[:, None]
    points = line[0] + share * along
    inside = ((points >= 0) & (points < mask.shape)).all(1)
    at = np.clip(points.astype(np.int64), 0, np.array(mask.shape) - 1)
    on = np.flatnonzero(inside & mask[at[:, 0], at[:, 1]])
    if not len(on):
        return line
    return np.stack([points[on[0]] - beyond * along / length, points[on[-1]] + beyond * along / length])


def _parted(region: Mask, diameter: float, height: Plane | None = None) -> npt.NDArray[np.int32]:
    """Part a region at its necks, or in the valleys of a height."""
    from scipy import ndimage
    from skimage import feature, segmentation

    if height is None:
        region = ndimage.binary_opening(region, iterations=1) if region.sum() > 4 * _LEAST else region
    depth = ndimage.distance_transform_edt(np.pad(region, 1))[1:-1, 1:-1]
    high = ndimage.gaussian_filter(
        depth if height is None else height * np.minimum(depth, 0.25 * diameter), diameter / 16
    )
    peaks_of: Any = feature.peak_local_max  # untyped
    peaks = peaks_of(
        high, min_distance=max(round(_APART * diameter), 1), labels=ndimage.label(region)[0], exclude_border=False
    )
    markers = np.zeros(region.shape, np.int32)
    markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    flood: Any = segmentation.watershed  # untyped
    return np.asarray(flood(-high, markers, mask=region), dtype=np.int32)


def _most_of(parts: LabelArray, mask: Mask) -> Mask:
    """Return the part that shares most pixels with a mask."""
    n = np.bincount(parts[mask].astype(np.int64), minlength=1)
    n[0] = 0
    return np.asarray(parts == n.argmax()) if n.any() else np.zeros(mask.shape, bool)


def _whole(mask: Mask) -> Mask:
    """Return the largest piece, without holes."""
    from scipy import ndimage

    pieces, n = ndimage.label(mask)
    if n > 1:
        mask = pieces == np.bincount(pieces.ravel())[1:].argmax() + 1
    return np.asarray(ndimage.binary_fill_holes(mask), dtype=bool)


def _overlap(a: Mask, b: Mask) -> float:
    return float((a & b).sum() / max((a | b).sum(), 1))
