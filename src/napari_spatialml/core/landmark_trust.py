"""How far a fit to landmarks can be believed, in words and numbers, and where."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from .folding import folds
from .kriging import LEAST
from .landmark_advice import expected_error, structure_of
from .landmark_fits import on_a_line
from .landmarks import Judged
from .registration import Certainty, Side, Trust

__all__ = ["certainty_of", "trust_in"]

Array = npt.NDArray[np.float64]

RIGHT = 0.01
"""An alignment is right when its mean error is below a hundredth of the diagonal of what the landmarks span."""
_SPREAD, _SPREAD_FEW = 0.45, 0.8
"""By how much the expected error misses the error: standard deviations of the logarithm of their ratio."""
_FEW, _EXACT = 0.6, 0.3
"""No more is believed of fewer than five landmarks, and of so few that they fit exactly."""
_GRID = 24


def certainty_of(judged: Judged, moving: Array, fixed: Side) -> Certainty | None:
    """Return the expected error in tissue, or over what the landmarks span; None where nobody can say.

    Parameters
    ----------
    judged
        The landmarks with their model.
    moving
        (k, 2) landmarks of the moving side.
    fixed
        The fixed side, with its landmarks; with an image, its tissue is where the error is told.
    """
    target = fixed.landmarks
    assert target is not None
    if judged.transform is None or len(target) < LEAST or on_a_line(target) or on_a_line(moving):
        return None
    places = _span(target) if fixed.image is None else structure_of(fixed.image, fixed.pixel_size_um)[0]
    return Certainty(places, expected_error(target, moving, judged.transform, places))


def trust_in(judged: Judged, moving: Array, fixed: Array, certainty: Certainty | None) -> Trust:
    """Return how probable it is that the alignment is right, and the gravest doubt.

    Notes
    -----
    With five landmarks and more: the probability that the error lies below a hundredth of what the
    landmarks span, the expected error being off by a factor that is log-normal. With fewer, the same
    from the landmarks left out, which flatters nobody but says little: never above 0.6, and 0.3
    where nothing can be left out.
    """
    extent = float(np.linalg.norm(np.ptp(fixed, axis=0)))
    known = judged.left_out[np.isfinite(judged.left_out)]
    left_out = float(np.sqrt((known**2).mean())) if len(known) else float("nan")
    expected = float("nan") if certainty is None else float(certainty.error_um.mean())
    score = _probability(expected, _SPREAD, extent) if certainty is not None else _EXACT
    if certainty is None and len(known):
        score = _FEW * _probability(left_out, _SPREAD_FEW, extent)
    folded = _folded(judged, moving)
    figures = {
        "landmarks": float(len(fixed)),
        "left out, root mean square in µm": left_out,
        "expected error in µm": expected,
        "suspects": float(judged.suspects.sum()),
        "mirrored": float(judged.transform is not None and judged.transform.reflects),
        "folded share": folded,
    }
    score *= (1 - folded) ** 4
    figures = {name: value for name, value in figures.items() if np.isfinite(value)}
    return Trust(score, _doubt(judged, len(fixed), score, expected, folded), figures)


def _doubt(judged: Judged, k: int, score: float, expected: float, folded: float) -> str:
    names = ", ".join(str(i + 1) for i in np.flatnonzero(judged.suspects))
    mirrored = judged.transform is not None and judged.transform.reflects
    if folded > 0:
        return f"The spline folds over {100 * folded:.1f} % of the section: check the landmarks, or choose the affine."
    if k < LEAST and mirrored:
        return f"Only {k} landmarks say that the section is turned over: place at least {LEAST} before you believe it."
    if k < LEAST:
        return f"Only {k} landmarks: nothing checks them. Place at least {LEAST}, well spread."
    if score < 0.5 and np.isfinite(expected):
        return f"The landmarks contradict each other: {expected:.0f} µm are expected to be off. Check their partners."
    if score < 0.5:
        return "The landmarks contradict each other, or lie on one line: check their partners and spread them."
    if names and score < 0.8:
        more = int(judged.suspects.sum()) > 1
        return f"Landmark{'s' if more else ''} {names} contradict{'' if more else 's'} the others: check the partner."
    return ""


def _probability(error: float, spread: float, extent: float) -> float:
    return float(ndtr(np.log(RIGHT * extent / max(error, 1e-12 * extent)) / spread))


def _folded(judged: Judged, moving: Array) -> float:
    transform: Any = judged.transform
    low, high = moving.min(0), moving.max(0)
    if judged.model != "spline" or transform is None or (high <= low).any():
        return 0.0
    return folds(transform, low, high, float((high - low).max()) / 64).share


def _span(landmarks: Array) -> Array:
    """Return (n, 2) places over the rectangle of the landmarks and a tenth around it."""
    low, high = landmarks.min(0), landmarks.max(0)
    margin = (high - low) / 10
    step = float((high - low).max()) * 1.2 / _GRID
    sides = [np.arange(a, b + step / 2, step) for a, b in zip(low - margin, high + margin, strict=True)]
    return np.asarray(np.stack(np.meshgrid(*sides, indexing="ij"), -1).reshape(-1, 2))
