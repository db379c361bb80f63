"""Which landmarks contradict the others: swapped numbers, slips of the hand."""

from __future__ import annotations

from itertools import combinations
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from .landmark_fits import NEEDED, checked_pairs, fit_model, residuals
from .spline import spline_scale

__all__ = ["suspects"]

Array = npt.NDArray[np.float64]


def suspects(moving: Any, fixed: Any, model: Literal["similarity", "affine"] = "affine") -> npt.NDArray[np.bool_]:
    """Flag the landmarks that contradict the majority: swapped numbers, slips of the hand.

    Parameters
    ----------
    moving, fixed
        (k, 2) landmarks.
    model
        What the majority is to agree on.

    Returns
    -------
    (k,) flags; all False where fewer than three landmarks are to spare.

    Notes
    -----
    Least median of squares over up to 300 minimal subsets (always the same ones), then a fit to
    the landmarks that agree; flagged is what lies beyond 3.5 standard deviations (0.2 % of a
    Gaussian). Up to half of the landmarks may be wrong.

    References
    ----------
    Rousseeuw (1984), doi:10.1080/01621459.1984.10477105, with his small-sample factor 1 + 5/(k − p).
    """
    source, target = checked_pairs(model, moving, fixed)
    k, needed = len(source), NEEDED[model]
    if k < needed + 3:
        return np.zeros(k, bool)
    best: tuple[float, Array] = (np.inf, np.zeros(k))
    for subset in _subsets(k, needed):
        try:
            miss = residuals(fit_model(model, source[subset], target[subset]), source, target)
        except BadInput:
            continue  # these few lie on one line; others do not
        best = min(best, (float(np.median(miss)), miss), key=lambda one: one[0])
    # a Gaussian's distance in the plane has its median at 1.1774 standard deviations
    floor = 1e-9 * spline_scale(target)[1]
    spread = max(best[0] / 1.1774 * (1 + 5 / (k - needed)), floor)
    agree = best[1] <= 3.5 * spread
    try:
        miss = residuals(fit_model(model, source[agree], target[agree]), source, target)
    except BadInput:
        miss = best[1]
    return np.asarray(miss > 3.5 * spread)


def _subsets(k: int, size: int) -> list[list[int]]:
    from math import comb

    if comb(k, size) <= 300:
        return [list(one) for one in combinations(range(k), size)]
    generator = np.random.default_rng(0)
    return [generator.choice(k, size, replace=False).tolist() for _ in range(300)]
