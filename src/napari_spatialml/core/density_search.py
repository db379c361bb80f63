"""Coarse search over turns, mirroring and shifts by the densities of two sets of points; it needs no start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

from .affine import Affine
from .density_images import Frame, Images, Points, density_images, tissue_of
from .report import Report, silent

__all__ = ["Guess", "distinct", "guesses"]

Array = npt.NDArray[np.float64]
_STEP = 5.0
"""Degrees between two turns."""
_LEAST = 0.15
"""Share of the smaller side that has to lie on the other."""


@dataclass(frozen=True)
class Guess:
    """A movement of the moving points onto the fixed ones, and its evidence (higher is better)."""

    transform: Affine
    evidence: float


@dataclass(frozen=True)
class _Side:
    """Images of one side in the Fourier domain: deviations, their squares, the tissue."""

    deviations: npt.NDArray[np.complex64]
    squares: npt.NDArray[np.complex64]
    tissue: npt.NDArray[np.complex64]
    area: float


def guesses(
    fixed: Points,
    moving: Points,
    pixel: float,
    reflections: Sequence[bool],
    scales: Sequence[float],
    keep: int,
    report: Report = silent,
) -> list[Guess]:
    """Return the best movements, no two alike, of all turns, shifts, and the given reflections and scales.

    Parameters
    ----------
    fixed, moving
        Points whose channels mean the same.
    pixel
        Edge of the images' pixels in µm.
    keep
        How many of each way of judging: by what lies inside both tissues, and by the tissues' outlines too.

    Notes
    -----
    For each turn one correlation a channel by FFT, normalised by what the two tissues share at each shift
    (Padfield 2012, doi:10.1109/TIP.2011.2181402). The evidence is N/2 · log 1/(1 − r²), the gain in the
    logarithm of the likelihood, over the N pixels in common: partial overlap is weighed against likeness.
    """
    low, high = fixed.where.min(0), fixed.where.max(0)
    centre = (moving.where.min(0) + moving.where.max(0)) / 2
    reach = float(np.linalg.norm(moving.where - centre, axis=1).max()) * max(scales)
    frame = Frame.around(low, high, pixel, 2)
    small = Frame.around(np.full(2, -reach), np.full(2, reach), pixel, 2)
    shape = tuple(fft.next_fast_len(a + b, real=True) for a, b in zip(frame.shape, small.shape, strict=True))
    here = _prepared(density_images(fixed, fixed.where, frame), shape)
    bins, counts = _bins(moving, centre, pixel / 3)
    found: list[tuple[float, float, Affine]] = []
    turns = [(flip, scale, k * _STEP) for flip in reflections for scale in scales for k in range(int(360 / _STEP))]
    for number, (flip, scale, degrees) in enumerate(turns):
        if number % 8 == 0:
            report(number / len(turns), "Trying every turn")
        turn = Affine.similarity(scale, degrees, reflect=flip)
        there = _prepared(_turned(bins, counts, turn, small), shape)
        for evidence, outline, shift in _best_shifts(here, there, shape, frame.shape):
            to = frame.corner - small.corner + np.array(shift) * pixel
            back = Affine.translation(*to) @ turn @ Affine.translation(*-centre)
            found.append((evidence, outline, back))
    apart = 0.25 * float(np.linalg.norm(high - low))
    corners = centre + reach * np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]]) / np.sqrt(2)
    inside = distinct([(e, t) for e, _, t in found], keep, corners, apart)
    return inside + distinct([(o, t) for _, o, t in found], keep, corners, apart, inside)


def _bins(points: Points, centre: Array, edge: float) -> tuple[Array, Array]:
    """Return the places of small bins, relative to the centre, and their counts (n, c): turned in place of points."""
    low = points.where.min(0)
    at = np.floor((points.where - low) / edge).astype(np.int64)
    width = int(at[:, 1].max()) + 1
    numbers, back = np.unique(at[:, 0] * width + at[:, 1], return_inverse=True)
    counts = np.bincount(back * points.n_channels + points.channels, minlength=len(numbers) * points.n_channels)
    places = np.column_stack([np.bincount(back, points.where[:, k]) for k in range(2)]) / np.bincount(back)[:, None]
    return places - centre, counts.reshape(len(numbers), -1).astype(np.float64)


def _turned(bins: Array, counts: Array, turn: Affine, frame: Frame) -> Images:
    from .matching_kernels import laid

    out = np.zeros((counts.shape[1], *frame.shape), np.float32)
    laid(bins, counts, turn.matrix, frame.corner, frame.pixel, out)
    return np.moveaxis(out, 0, 2)


def _prepared(counts: Images, shape: tuple[int, ...]) -> _Side:
    tissue = tissue_of(counts).astype(np.float32)
    smooth = np.stack([ndimage.gaussian_filter(counts[:, :, c], 0.7) for c in range(counts.shape[2])])
    area = max(float(tissue.sum()), 1.0)
    mean = (smooth * tissue).sum((1, 2)) / area
    deviations = (smooth - mean[:, None, None]) / np.sqrt(mean + 0.05)[:, None, None] * tissue
    deviations = np.clip(deviations, -4, 4)

    def to(image: Images) -> npt.NDArray[np.complex64]:
        return np.asarray(fft.rfft2(image.astype(np.float32), shape))

    return _Side(to(deviations), to((deviations**2).sum(0)), to(tissue), area)


def _best_shifts(
    here: _Side, there: _Side, shape: tuple[int, ...], most: tuple[int, int]
) -> list[tuple[float, float, tuple[int, int]]]:
    """Return (evidence, evidence with outline, shift in pixels) of the best shift by each."""

    def back(spectrum: npt.NDArray[np.complex64]) -> Images:
        return np.asarray(fft.irfft2(spectrum, shape))

    product = back((here.deviations * there.deviations.conj()).sum(0))
    mine = np.maximum(back(here.squares * there.tissue.conj()), 1e-3)
    theirs = np.maximum(back(here.tissue * there.squares.conj()), 1e-3)
    common = np.maximum(back(here.tissue * there.tissue.conj()), 0)
    r = np.clip(product / np.sqrt(mine * theirs), 0, 0.999)
    r[common < _LEAST * min(here.area, there.area)] = 0
    evidence = -0.5 * len(here.deviations) * common * np.log1p(-(r**2))
    outline = common / (here.area + there.area - common)
    found = []
    for judged in (evidence, (evidence + 1) * outline**2):
        y, x = np.unravel_index(int(judged.argmax()), judged.shape)
        shift = [int(v if v < m else v - n) for v, m, n in zip((y, x), most, shape, strict=True)]
        found.append((float(evidence[y, x]), float((evidence[y, x] + 1) * outline[y, x] ** 2), (shift[0], shift[1])))
    return found


def distinct(
    found: list[tuple[float, Affine]], keep: int, corners: Array, apart: float, known: Sequence[Guess] = ()
) -> list[Guess]:
    """Return the best ones of which no two bring the corners to nearly the same places."""
    kept: list[Guess] = []
    there = [one.transform.apply(corners) for one in known]
    for evidence, transform in sorted(found, key=lambda one: -one[0]):
        moved = transform.apply(corners)
        if all(np.linalg.norm(moved - other, axis=1).mean() > apart for other in there):
            kept.append(Guess(transform, evidence))
            there.append(moved)
        if len(kept) == keep:
            break
    return kept
