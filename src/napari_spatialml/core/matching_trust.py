"""How far a matching of points can be believed, and where."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from .point_matching import Matching
from .registration import Certainty, Trust

__all__ = ["certainty_of", "trust_of"]

Array = npt.NDArray[np.float64]
_PLACES = 400
"""So many places are said how sure they are, at most."""


def trust_of(matching: Matching, n_fixed: int, n_moving: int) -> Trust:
    """Return how far a matching can be believed.

    Notes
    -----
    Decided by points that took no part in a matching of the others (`HeldOut`): by how many standard errors they
    are alike to the fixed ones, how near to that the next best way comes, and how far apart half of the cells and all
    of them put the section.
    """
    partners, best = matching.partners, matching.stages[0]
    share = float(partners.matched.mean())
    figures = {
        "matched share": share,
        "matched share by chance": partners.chance,
        "residual, µm": partners.sigma,
        "cell distance, µm": matching.spacing,
        "likeness": max((r for _, r, _ in best.levels), default=0.0),
    }
    tested = matching.held_out
    if tested is None:
        return _few(figures, min(n_fixed, n_moving), matching)
    rival = float(np.clip(tested.rival / max(tested.errors, 1e-9), 0, 1))
    figures |= {"standard errors, held out": tested.errors, "next best": rival, "halves apart, µm": tested.apart_um}
    alike = _logistic(1.5 * (tested.errors - 4.5))
    alone = _logistic(25 * (0.9 - rival))
    steady = _logistic(2 * (3.5 - tested.apart_um / matching.spacing))
    score = alike * alone * steady
    if _flat(matching.moving):
        text = "The cells lie on one line, which fits either way up: check the overlay, or place landmarks."
        return Trust(min(score, 0.3), text, figures)
    return Trust(score, "" if score >= 0.5 else _doubt(figures, alike, alone), figures)


def _flat(where: Array) -> bool:
    small, large = np.sqrt(np.maximum(np.linalg.eigvalsh(np.cov(where.T)), 0))
    return bool(small < 0.01 * large)


def _logistic(value: float) -> float:
    return float(1 / (1 + np.exp(-np.clip(value, -50, 50))))


def _few(figures: dict[str, float], n: int, matching: Matching) -> Trust:
    scores = [one.score for one in matching.stages]
    rival = max(scores[1:], default=0.0) / max(scores[0], 1e-9)
    figures = figures | {"next best": float(np.clip(rival, 0, 1)), "brought onto a partner": scores[0] / n}
    # by chance alone n points find partners for about four of them, and a few more for every doubling
    clear = scores[0] - max(scores[1:], default=0.0)
    score = float(np.clip((scores[0] / n - 0.4) / 0.5, 0, 1) * np.clip((n - 4) / 12, 0, 1) * np.clip(clear / 4, 0, 1))
    if score >= 0.5:
        return Trust(score, "", figures)
    text = (
        f"The smaller side has only {n} cells, and they may lie in more than one way: check the overlay, or place "
        "landmarks."
    )
    return Trust(score, text, figures)


def _doubt(figures: dict[str, float], alike: float, alone: float) -> str:
    if alike < min(alone, 0.5):
        return (
            "The cells fit no better than those of sections that do not belong together: check that both sides show "
            "the same tissue and the same types, or place landmarks."
        )
    if alone < 0.7:
        return (
            f"Another way of laying the cells reaches {figures['next best']:.0%} of this one's likeness: look at the "
            "candidates and choose, or place landmarks."
        )
    return (
        f"Half of the cells alone would put the section {figures['halves apart, µm']:.3g} µm elsewhere: allow less "
        "movement, add types, or place landmarks."
    )


def certainty_of(matching: Matching) -> Certainty | None:
    """Return places of the fixed side with the error to be expected there, in µm; None where nothing was surveyed.

    Notes
    -----
    The evidence E of the best small shift falls off within about a pixel and a half: its standard error is
    1.5 pixels over √(2E), at the level where that is smallest; where partners were found beyond chance, the standard
    error of their mean way, if that is smaller; at least what half of the points puts elsewhere.
    """
    surveys = matching.stages[0].surveys
    if not surveys:
        return None
    places, apart = _places(matching)
    error = np.full(len(places), 3.0 * surveys[0].spacing)
    for survey in surveys:
        at = ((places - survey.corner) / survey.spacing).T
        evidence = ndimage.map_coordinates(survey.evidence.astype(float), at, order=1, mode="nearest")
        error = np.minimum(error, 0.75 * survey.spacing / np.sqrt(2 * evidence + 0.03))
    error = np.minimum(error, _by_partners(matching, places))
    # where half of the points says something else by more than a neighbour's distance, so far it may be
    return Certainty(places, np.maximum(error, (apart - matching.spacing) / 2))


def _places(matching: Matching) -> tuple[Array, Array]:
    """Return places spread over the moved points, and how far apart half and all of the points put them."""
    moved = matching.placement.apply(matching.moving)
    low, extent = moved.min(0), np.ptp(moved, axis=0).max()
    edge = max(float(extent) / np.sqrt(_PLACES), 1e-9)
    at = np.floor((moved - low) / edge).astype(np.int64)
    _, first, back, counts = np.unique(
        at[:, 0] * 100_000 + at[:, 1], return_index=True, return_inverse=True, return_counts=True
    )
    kept = counts >= max(0.2 * float(np.median(counts)), 1)
    half = moved if matching.held_out is None else matching.held_out.half.apply(matching.moving)
    apart = np.bincount(back, np.linalg.norm(half - moved, axis=1)) / counts
    return low + (at[first[kept]] + 0.5) * edge, apart[kept]


def _by_partners(matching: Matching, places: Array) -> Array:
    from .matching_kernels import splatted

    placement, partners = matching.placement, matching.partners
    sums = np.zeros((*placement.field.shape[:2], 1), np.float32)
    moved = placement.apply(matching.moving)
    beyond = np.maximum(partners.matched - partners.chance, 0) / max(1 - partners.chance, 1e-9)
    weights = np.where(partners.matched > partners.chance, beyond, 0.0)
    share = float(weights.mean()) - 0.25  # what chance leaves above its mean
    splatted(moved, np.zeros(len(moved), np.int64), weights, placement.corner, placement.spacing, sums)
    near = 4 * np.pi * ndimage.gaussian_filter(sums[..., 0].astype(float), 1.0)
    at = ((places - placement.corner) / placement.spacing).T
    n = ndimage.map_coordinates(near, at, order=1, mode="nearest")
    if share <= 0:
        return np.full(len(places), np.inf)
    return np.asarray(partners.sigma * np.sqrt(2 / np.maximum(n, 1e-6)))
