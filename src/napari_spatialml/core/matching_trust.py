"""How far a matching of points can be believed, and where."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from .few_points import MOST
from .point_matching import Matching, Stage
from .registration import Certainty, Trust

__all__ = ["certainty_of", "trust_of"]

Array = npt.NDArray[np.float64]
_PLACES = 400
"""So many places are said how sure they are, at most."""


def rivalry(stages: tuple[Stage, ...]) -> float:
    """Return how near the best of the other ways comes to the best: the smallest ratio at a level they share."""
    best = {pixel: errors for pixel, _, errors in stages[0].levels}
    found = [
        min(max(errors, 0.0) / max(best[pixel], 1e-9) for pixel, _, errors in one.levels if pixel in best)
        for one in stages[1:]
        if any(pixel in best for pixel, _, _ in one.levels)
    ]
    return float(min(max(found, default=0.0), 1.0))


def trust_of(matching: Matching, n_fixed: int, n_moving: int) -> Trust:
    """Return how far a matching can be believed.

    Notes
    -----
    Two figures decide: by how many standard errors the densities are alike, and how near to that a wrong way comes,
    which had the same freedom to turn and bend. Sections that do not belong together fit in many ways equally badly.
    """
    partners, best = matching.partners, matching.stages[0]
    share = float(partners.matched.mean())
    figures = {
        "matched share": share,
        "matched share by chance": partners.chance,
        "residual, µm": partners.sigma,
        "cell distance, µm": matching.spacing,
        "likeness": max((r for _, r, _ in best.levels), default=0.0),
        "standard errors": max((errors for _, _, errors in best.levels), default=0.0),
        "next best": rivalry(matching.stages),
    }
    if min(n_fixed, n_moving) <= MOST:
        return _few(figures, min(n_fixed, n_moving), matching)
    alike = 1 / (1 + np.exp(-(figures["standard errors"] - 8.0)))
    alone = 1 / (1 + np.exp(-25 * (0.88 - figures["next best"])))
    score = float(alike * alone)
    return Trust(score, "" if score >= 0.5 else _doubt(figures, alike < 0.5), figures)


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


def _doubt(figures: dict[str, float], unlike: bool) -> str:
    if unlike:
        return (
            "The cells fit no better than those of sections that do not belong together: check that both sides show "
            "the same tissue and the same types, or place landmarks."
        )
    return (
        f"Another way of laying the cells reaches {figures['next best']:.0%} of this one's likeness: look at the "
        "candidates and choose, or place landmarks."
    )


def certainty_of(matching: Matching) -> Certainty | None:
    """Return places of the fixed side with the error to be expected there, in µm; None where nothing was surveyed.

    Notes
    -----
    The evidence E of the best small shift falls off within about a pixel and a half: its standard error is
    1.5 pixels over √(2E), at the level where that is smallest; where partners were found beyond chance, the standard
    error of their mean way, if that is smaller.
    """
    surveys = matching.stages[0].surveys
    if not surveys:
        return None
    places = _places(matching)
    error = np.full(len(places), 3.0 * surveys[0].spacing)
    for survey in surveys:
        at = ((places - survey.corner) / survey.spacing).T
        evidence = ndimage.map_coordinates(survey.evidence.astype(float), at, order=1, mode="nearest")
        error = np.minimum(error, 0.75 * survey.spacing / np.sqrt(2 * evidence + 0.03))
    return Certainty(places, np.minimum(error, _by_partners(matching, places)))


def _places(matching: Matching) -> Array:
    """Return places spread over the moved points."""
    moved = matching.placement.apply(matching.moving)
    low, extent = moved.min(0), np.ptp(moved, axis=0).max()
    edge = max(float(extent) / np.sqrt(_PLACES), 1e-9)
    at = np.floor((moved - low) / edge).astype(np.int64)
    _, first, counts = np.unique(at[:, 0] * 100_000 + at[:, 1], return_index=True, return_counts=True)
    order = first[counts >= max(0.2 * float(np.median(counts)), 1)]
    return np.asarray(low + (at[np.sort(order)] + 0.5) * edge)


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
