"""The map follows the hand: corrected rows keep their domain and teach the others."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .arrays import require
from .domains import Domains, Embedded
from .mixture import fit_mixture
from .report import Report, silent

__all__ = ["refitted"]

Array = npt.NDArray[np.float64]

_SHRINKAGE = 0.65
_ANCHOR_WEIGHT = 30.0
"""A corrected row teaches as much as so many free ones."""
_TEACHING_ROUNDS = 5
"""More rounds drift away from the map that was corrected, towards another one as likely."""
_MOST_DOMAINS = 1000
_KEEP_NUMBER = 0.2
"""Domains keep their numbers unless anchors on more than this share of a domain say otherwise."""


def refitted(
    smoothed: Embedded,
    probabilities: Array,
    anchors: npt.NDArray[np.int64],
    ignored: npt.NDArray[np.bool_] | None = None,
    report: Report = silent,
) -> Domains:
    """Fit again from the map before the hand, with the anchored rows fixed.

    Parameters
    ----------
    smoothed
        The rows in the space of their method.
    probabilities
        (n, k) of the map before the hand.
    anchors
        (n,) int, -1 where free; the highest may be k or more: new domains.
    ignored
        (n,) rows that teach nothing; or None.

    Raises
    ------
    BadInput
        When an anchor's number is out of all bounds.
    """
    posterior = _numbered_like(probabilities, anchors)
    clamped = anchors >= 0
    free = posterior[~clamped].sum(0)
    posterior[clamped] = np.eye(posterior.shape[1])[anchors[clamped]]
    # together the anchors of a domain weigh at most twice as much as its free rows: on a section of a few
    # hundred spots a single stroke would else speak louder than all the tissue
    given = np.maximum(posterior[clamped].sum(0), 1)
    weight = np.clip(2 * free / given, 1.0, _ANCHOR_WEIGHT)[anchors[clamped]]
    found = fit_mixture(smoothed.values, posterior, _SHRINKAGE, _TEACHING_ROUNDS, clamped, weight, report)
    return Domains(found.posterior.argmax(1), found.posterior)


def _numbered_like(posterior: Array, anchors: npt.NDArray[np.int64]) -> Array:
    """Add columns for new domains, and renumber where the anchors cover enough to say so.

    A few strokes mark what was wrong: they must not swap two names. Anchors all over the section
    bring their own numbering.
    """
    from scipy.optimize import linear_sum_assignment

    k = max(posterior.shape[1], int(anchors.max()) + 1)
    require(k <= _MOST_DOMAINS, f"A correction has the domain number {k - 1}.", f"Number below {_MOST_DOMAINS}.")
    wide = np.zeros((len(posterior), k))
    wide[:, : posterior.shape[1]] = posterior
    clamped = anchors >= 0
    votes = wide[clamped].T @ np.eye(k)[anchors[clamped]]
    votes += _KEEP_NUMBER * np.diag(wide.sum(0))
    _, number = linear_sum_assignment(-votes)
    renumbered = np.empty_like(wide)
    renumbered[:, number] = wide
    return renumbered
