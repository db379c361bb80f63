"""Where a cell is missing: the network, the stain or the transcripts show one, and there is no label."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..report import Report, silent
from .evidence import Evidence
from .model import logistic
from .picture import nuclear_plane
from .verdict import Missing

__all__ = ["missing"]

Plane = npt.NDArray[np.float32]
_TYPICAL_UM = 10.0  # diameter where no cell tells
_LEAST_AREA = 0.2  # of the median cell's
_OPENING = 0.12  # diameters: thinner strips are the rims of cells that are drawn too small
_APART = 0.35  # diameters between the middles of two cells
_LEAST_TRANSCRIPTS = 10


def missing(evidence: Evidence, report: Report = silent) -> Missing:
    """Find places that look like a cell and carry no label.

    Parameters
    ----------
    evidence
        Labels, and of these what there is: a network's field; without it, an image; and transcripts.
    report
        Gets the progress.

    Returns
    -------
    Missing
        The most likely place first. Empty where there is neither field nor image nor transcripts.

    Notes
    -----
    Stain counts as cell where it is nearer to the level of the labelled cells around than to that of the
    ground around; transcripts where they lie as densely as in half the median cell. O(pixels).
    """
    from scipy.ndimage import binary_opening, distance_transform_edt, label

    diameter, area = _typical(evidence)
    report(0.1, "looking for cells without a label")
    looks = _looks(evidence, diameter)
    if not looks:
        return Missing(np.zeros((0, 2)), np.zeros(0, np.int64), np.zeros(0), ())
    like = np.max(np.stack(list(looks.values())), axis=0)
    report(0.5, "parting the places")
    free = (like > 0.5) & (evidence.labels == 0)
    radius = max(round(_OPENING * diameter), 1)
    padded = np.pad(free, radius, mode="edge")
    free = binary_opening(padded, _disc(radius))[radius:-radius, radius:-radius]
    pieces = _parted(free, np.asarray(distance_transform_edt(np.pad(free, 1))[1:-1, 1:-1]), label(free)[0], diameter)
    report(0.9, "ranking the places")
    return _ranked(evidence, pieces, looks, like, area)


def _typical(evidence: Evidence) -> tuple[float, float]:
    """Return diameter and area in pixels of the median cell."""
    values = evidence.labels[evidence.labels > 0]
    if values.size == 0:
        diameter = _TYPICAL_UM / evidence.pixel_size_um
        return diameter, np.pi / 4 * diameter**2
    area = float(np.median(np.unique(values, return_counts=True)[1]))
    return 2 * np.sqrt(area / np.pi), area


def _looks(evidence: Evidence, diameter: float) -> dict[str, Plane]:
    """Return by witness how much each pixel looks like cell, 0 to 1."""
    looks: dict[str, Plane] = {}
    if evidence.field is not None:
        looks["network"] = logistic(np.asarray(evidence.field.logit, np.float64)).astype(np.float32)
    elif (stain := nuclear_plane(evidence)) is not None:
        looks["stain"] = _by_stain(stain, evidence.labels > 0, diameter)
    if evidence.points is not None and len(evidence.points):
        looks["transcripts"] = _by_transcripts(evidence, diameter)
    return looks


def _by_stain(stain: Plane, cell: npt.NDArray[np.bool_], diameter: float) -> Plane:
    """Return where a pixel lies between the ground around (0) and the labelled cells around (1)."""
    if not cell.any() or cell.all():
        return np.zeros(stain.shape, np.float32)
    inside = _around(stain, cell, 3 * diameter)
    # unlabelled cells would raise the ground: take what is darker than half way, once more
    ground = _around(stain, ~cell, 2 * diameter)
    sign = 1.0 if float(np.mean(inside - ground)) > 0 else -1.0
    dark = ~cell & (sign * (stain - (ground + inside) / 2) < 0)
    ground = _around(stain, dark, 2 * diameter) if dark.any() else ground
    contrast = sign * (inside - ground)
    usual = float(np.median(contrast))
    if usual <= 1e-6:
        return np.zeros(stain.shape, np.float32)
    return np.asarray(np.clip(sign * (stain - ground) / np.maximum(contrast, 0.5 * usual), 0, 1), np.float32)


def _around(values: Plane, where: npt.NDArray[np.bool_], sigma: float) -> Plane:
    """Return the mean of the values around each pixel, over some pixels only; their mean where none is near."""
    from scipy.ndimage import gaussian_filter

    weight = gaussian_filter(where.astype(np.float32), sigma, truncate=3)
    total = gaussian_filter(np.where(where, values, 0).astype(np.float32), sigma, truncate=3)
    middle = float(values[where].mean())
    return np.asarray((total + 1e-3 * middle) / (weight + 1e-3), dtype=np.float32)


def _by_transcripts(evidence: Evidence, diameter: float) -> Plane:
    from scipy.ndimage import gaussian_filter

    density = np.zeros(evidence.labels.shape, np.float32)
    assert evidence.points is not None
    y, x = np.floor(evidence.points - np.asarray(evidence.offset)).astype(np.int64).T
    there = (y >= 0) & (y < density.shape[0]) & (x >= 0) & (x < density.shape[1])
    np.add.at(density, (y[there], x[there]), 1)
    smooth = gaussian_filter(density, 0.2 * diameter)
    cell = evidence.labels > 0
    usual = float(smooth[cell].mean()) if cell.any() else float(smooth.max())
    least = _LEAST_TRANSCRIPTS / (np.pi / 4 * diameter**2)
    return np.asarray(np.clip(smooth / max(usual, least, 1e-9), 0, 1), np.float32)


def _disc(radius: int) -> npt.NDArray[np.bool_]:
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return np.asarray(y**2 + x**2 <= radius**2 + 0.25)


def _parted(
    free: npt.NDArray[np.bool_], depth: npt.NDArray[np.float64], pieces: npt.NDArray[Any], diameter: float
) -> npt.NDArray[np.int32]:
    """Part places that hold several cells at the necks of the distance to their border."""
    from scipy.ndimage import gaussian_filter
    from skimage import feature, segmentation

    if not free.any():
        return np.zeros(free.shape, np.int32)
    smooth = gaussian_filter(depth, diameter / 16)
    peaks_of: Any = feature.peak_local_max  # untyped
    peaks = peaks_of(smooth, min_distance=max(round(_APART * diameter), 1), labels=pieces, exclude_border=False)
    markers = np.zeros(free.shape, np.int32)
    markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    flood: Any = segmentation.watershed  # untyped
    return np.asarray(flood(-smooth, markers, mask=free), dtype=np.int32)


def _ranked(
    evidence: Evidence, pieces: npt.NDArray[np.int32], looks: dict[str, Plane], like: Plane, typical: float
) -> Missing:
    area = np.bincount(pieces.ravel())
    kept = np.flatnonzero(area >= max(_LEAST_AREA * typical, 1))
    kept = kept[kept > 0]
    y, x = np.indices(pieces.shape)
    places = np.stack([_mean_over(pieces, plane) for plane in (y, x)], axis=1) + 0.5
    mean = {name: _mean_over(pieces, look) for name, look in looks.items()}
    score = _mean_over(pieces, like) * np.minimum(area / typical, 1) ** 0.5
    order = kept[np.lexsort((places[kept, 1], places[kept, 0], -score[kept]))]
    words = tuple(_words(evidence, int(area[k]), {name: float(of[k]) for name, of in mean.items()}) for k in order)
    return Missing(places[order] + evidence.offset, area[order], score[order], words)


def _mean_over(pieces: npt.NDArray[np.int32], plane: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    total = np.bincount(pieces.ravel(), weights=plane.ravel())
    return np.asarray(total / np.maximum(np.bincount(pieces.ravel()), 1))


def _words(evidence: Evidence, area_px: int, means: dict[str, float]) -> str:
    name = max(means, key=lambda one: means[one])
    said = {
        "network": "The network sees a cell with probability",
        "stain": "The stain is as in the cells around, by",
        "transcripts": "Transcripts lie as densely as in the cells, by",
    }
    return f"{said[name]} {100 * means[name]:.0f} %, on {area_px * evidence.pixel_size_um**2:.3g} µm² without a label."
