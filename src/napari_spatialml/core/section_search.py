"""Where one section may lie on another: every rotation, mirrored or not, every shift, by correlation of fields."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft2, next_fast_len, rfft2
from scipy.ndimage import gaussian_filter

from .report import Report, silent
from .smoothed import pitch

__all__ = ["Pose", "search_poses"]

Floats = npt.NDArray[np.float64]
_CELLS = 30
"""Grid cells along the longer section."""
_CONSTANT = 1e-9


@dataclass(frozen=True)
class Pose:
    """A rigid placement, ``p -> linear @ p + shift``, with its score: higher is better."""

    linear: Floats
    shift: Floats
    score: float
    correlation: float
    overlap: float

    @property
    def reflects(self) -> bool:
        """Whether it turns the section over."""
        return bool(np.linalg.det(self.linear) < 0)


@dataclass(frozen=True)
class _Raster:
    values: Floats  # (d, s, s), 0 outside the mask
    mask: Floats
    origin: Floats  # of the centre of cell (0, 0)


def search_poses(
    fixed: Floats,
    moving: Floats,
    fixed_values: Floats,
    moving_values: Floats,
    n_angles: int = 36,
    least_overlap: float = 0.4,
    reflection: bool = True,
    report: Report = silent,
) -> list[Pose]:
    """Return the best pose of each rotation, mirrored ones after the others.

    Parameters
    ----------
    fixed, moving
        (n, 2) and (m, 2) in µm.
    fixed_values, moving_values
        (n, d) and (m, d) components that mean the same on both sides.
    n_angles
        Rotations tried, evenly spread.
    least_overlap
        Share of the smaller section that has to lie on the other.
    reflection
        Whether the moving section may be turned over.

    Notes
    -----
    A score is −½ log(1 − r²) times the share of overlap, r being the correlation of the fields where they
    overlap, each centred there: the information that one section has of the other. All shifts at once by
    FFT: O(angles · d · s² log s) for a grid of s² cells.
    """
    size = max(float(np.ptp(fixed, axis=0).max()), float(np.ptp(moving, axis=0).max()))
    step = max(size * 1.2 / _CELLS, 1e-9)
    width = max(1.0, 1.0 * max(pitch(fixed), pitch(moving)) / step)
    still = _raster(fixed, fixed_values, step, width, next_fast_len(_CELLS * 2 + 8))
    spectra = _spectra(still)
    middle = moving.mean(0)
    poses = []
    for k in range(n_angles * (2 if reflection else 1)):
        report(k / (n_angles * (2 if reflection else 1)), "Trying rotations and reflections")
        angle, flip = 2 * np.pi * (k % n_angles) / n_angles, -1.0 if k >= n_angles else 1.0
        linear = np.array([[np.cos(angle), -np.sin(angle) * flip], [np.sin(angle), np.cos(angle) * flip]])
        turned = _raster((moving - middle) @ linear.T, moving_values, step, width, still.mask.shape[0])
        score, correlation, overlap = _scores(spectra, _spectra(turned), least_overlap)
        at = np.unravel_index(score.argmax(), score.shape)
        cells = np.array([i if i < s // 2 else i - s for i, s in zip(at, score.shape, strict=True)])
        shift = cells * step + still.origin - turned.origin - linear @ middle
        poses.append(Pose(linear, shift, float(score[at]), float(correlation[at]), float(overlap[at])))
    report(1.0)
    return poses


def _raster(points: Floats, values: Floats, step: float, width: float, side: int) -> _Raster:
    """Smooth the values of scattered points onto a square grid, by shares of the four nearest cells."""
    origin = points.min(0) - 3 * step
    at = (points - origin) / step
    low = np.floor(at).astype(np.int64)
    rest = at - low
    columns = np.column_stack([np.ones(len(points)), values])
    held = np.zeros((columns.shape[1], side * side))
    for dy, dx in ((0, 0), (0, 1), (1, 0), (1, 1)):
        share = np.abs(1 - dy - rest[:, 0]) * np.abs(1 - dx - rest[:, 1])
        cell = (low[:, 0] + dy) * side + low[:, 1] + dx
        for c in range(columns.shape[1]):
            held[c] += np.bincount(cell, share * columns[:, c], side * side)
    held = gaussian_filter(held.reshape(-1, side, side), (0, width, width), mode="constant", truncate=3.0)
    density = held[0]
    mask = density > 0.35 * np.quantile(density[density > 1e-9], 0.8)
    return _Raster(np.where(mask, held[1:] / np.maximum(density, 1e-12), 0.0), mask.astype(np.float64), origin)


def _spectra(raster: _Raster) -> tuple[Floats, ...]:
    total = (raster.values**2).sum(0)
    return rfft2(raster.values), rfft2(raster.mask), rfft2(total), raster.mask


def _scores(still: tuple[Floats, ...], turned: tuple[Floats, ...], least: float) -> tuple[Floats, Floats, Floats]:
    values, mask, total, cells = still
    conj = [np.conj(part) for part in turned[:3]]
    shape = cells.shape
    n = np.maximum(irfft2(mask * conj[1], shape), 1e-9)
    sum_f, sum_m = irfft2(values * conj[1], shape), irfft2(mask * conj[0], shape)
    cross = irfft2((values * conj[0]).sum(0), shape) - (sum_f * sum_m).sum(0) / n
    var_f = irfft2(total * conj[1], shape) - (sum_f**2).sum(0) / n
    var_m = irfft2(mask * conj[2], shape) - (sum_m**2).sum(0) / n
    floor = _CONSTANT * (abs(var_f).max() * abs(var_m).max() + 1e-300)
    r = np.where(var_f * var_m > floor, cross / np.sqrt(np.maximum(var_f * var_m, floor)), 0.0)
    overlap = n / min(cells.sum(), turned[3].sum())
    information = -0.5 * np.log1p(-(np.clip(r, 0, 0.999) ** 2)) * overlap
    return np.where(overlap >= least, information, -1.0), r, overlap
