"""How far a registration from images can be believed, and where on the section."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from .affine import Affine
from .elastic import Bent
from .image_affine import refine
from .image_alignment import Found, levels_of
from .image_likeness import classes_of, information, joint_of
from .pictures import Picture
from .registration import Certainty, Trust

__all__ = ["believed", "certainty_of", "evidence"]

_EDGE = 180
_CLASSES = 6
_WEIGHTS = {"likeness": 1.0, "lead": 1.0, "second": 1.0, "halves": -1.0, "overlap": 1.0}
_OFFSET = 0.0
_LOGARITHM = ("likeness", "halves", "overlap")
_DOUBTFUL = 0.5
_PATCH = 8.0
_NOISE = 4.0
_FAR = 0.02
_PLACES = 150


def evidence(fixed: Picture, moving: Picture, found: Found) -> dict[str, float]:
    """Return the figures on which the trust rests.

    Notes
    -----
    *likeness*: mean squared local correlation, at the level on which placements are compared. *lead*: logarithm of
    the best placement's score over the median of the other ones', which are wrong, whether the best is right or not.
    *second*: the same over the best of those that lie elsewhere. *halves*: how far the left and the
    right half, and the upper and the lower half, move the image apart when each is registered for itself,
    as a share of the picture. *overlap*: share of the smaller side.
    """
    best = found.placements[0]
    others = [fit.score for fit in found.judged if _elsewhere(fixed, fit.transform, best.transform)]
    median = float(np.median(others)) if others else best.score / 2
    top = max(others, default=best.score / 2)
    mi_before, mi_after = (mutual_information(fixed, moving, t) for t in (Affine.identity(), found.best.transform))
    return {
        "likeness": best.likeness,
        "lead": float(np.log(max(best.score, 1e-6) / max(median, 1e-6))),
        "second": float(np.log(max(best.score, 1e-6) / max(top, 1e-6))),
        "halves": _halves(fixed, moving, best.transform),
        "overlap": min(best.overlap, 1.0),
        "mutual information before": mi_before,
        "mutual information after": mi_after,
    }


def mutual_information(fixed: Picture, moving: Picture, transform: Affine) -> float:
    """Return the mutual information in nats of what both pictures show where they overlap."""
    a, b = levels_of(fixed, moving, transform, _EDGE)
    joint = joint_of(classes_of(a, _CLASSES), classes_of(b, _CLASSES), b.grid.inverse() @ transform.inverse() @ a.grid)
    return float(information(joint)) if joint.sum() > 0 else 0.0


def _elsewhere(fixed: Picture, a: Affine, b: Affine) -> bool:
    """Say whether two placements put the fixed picture's corners apart by more than a tenth of its size."""
    return _apart(fixed, a, b) > 0.1


def _apart(fixed: Picture, a: Affine, b: Affine) -> float:
    height, width = fixed.shape
    corners = fixed.grid.apply([[0, 0], [height, 0], [0, width], [height, width]])
    moved = (a @ b.inverse()).apply(corners) - corners
    return float(np.hypot(*moved.T).mean() / (np.hypot(height, width) * fixed.spacing))


def _halves(fixed: Picture, moving: Picture, transform: Affine) -> float:
    a, b = levels_of(fixed, moving, transform, _EDGE)
    height, width = a.shape
    row, column = (int(v) for v in ndimage.center_of_mass(a.known)) if a.known.any() else (height // 2, width // 2)
    parts = [(slice(0, row), slice(None)), (slice(row, None), slice(None))]
    parts += [(slice(None), slice(0, column)), (slice(None), slice(column, None))]
    fits = []
    for window in parts:
        known = np.zeros_like(a.known)
        known[window] = a.known[window]
        if known.sum() < 400:
            return 0.2
        half = Picture(a.values, known, a.spacing, a.origin)
        fits.append(refine(half, b, transform, "similarity", rounds=6).transform)
    return max(_apart(a, fits[0], fits[1]), _apart(a, fits[2], fits[3]))


def believed(fixed: Picture, moving: Picture, found: Found) -> Trust:
    """Return how likely the best placement is right, with a warning where it is doubtful."""
    figures = evidence(fixed, moving, found)
    exponent = _OFFSET + sum(w * _term(name, figures[name]) for name, w in _WEIGHTS.items())
    score = float(1 / (1 + np.exp(-np.clip(exponent, -30, 30))))
    return Trust(score, _warning(score, figures), figures)


def _term(name: str, value: float) -> float:
    return float(np.log(max(value, 1e-3))) if name in _LOGARITHM else value


def _warning(score: float, figures: dict[str, float]) -> str:
    if score >= _DOUBTFUL:
        return ""
    if figures["second"] < 0.15:
        return (
            "Another placement fits about as well: look at the candidates, and choose the right one or place landmarks."
        )
    if figures["overlap"] < 0.5:
        return "The images overlap little where they fit best: check it by eye, or place landmarks."
    return "The images hardly resemble each other in this placement: it is likely wrong, so place landmarks."


def certainty_of(fixed: Picture, bent: Bent) -> Certainty:
    """Return the expected error at places spread over where both images are known.

    Notes
    -----
    The error of the least-squares motion of a patch: the inverse of its normal matrix times the variance that is
    left, over as many independent pixels as it has; no farther than a share of the picture, where nothing is seen.
    """
    gy, gx = bent.terms.slope
    planes = [
        gy * gy,
        gx * gx,
        gy * gx,
        bent.terms.weight * (1 - bent.terms.squared) * bent.terms.squared,
        bent.terms.weight,
    ]
    yy, xx, yx, rest, known = (ndimage.gaussian_filter(p, _PATCH, truncate=2.5) for p in planes)
    count = 4 * np.pi * _PATCH**2 / _NOISE
    prior = (_FAR * np.hypot(*known.shape)) ** -2
    yy, xx, yx = (p / np.maximum(rest, 1e-6) * count for p in (yy, xx, yx))
    yy, xx = yy + prior, xx + prior
    error = np.sqrt((yy + xx) / np.maximum(yy * xx - yx**2, 1e-12)) * bent.spacing
    step = max(4, int(np.sqrt(known.size / _PLACES)))
    at = np.argwhere(known[step // 2 :: step, step // 2 :: step] > 0.5) * step + step // 2
    moved = at + bent.field[:, at[:, 0], at[:, 1]].T
    return Certainty(Affine.translation(*fixed.origin).apply(moved * bent.spacing), error[at[:, 0], at[:, 1]])
