"""One map out of several that were found from different seeds: each votes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .metrics import adjusted_rand_index

__all__ = ["vote_shares"]

Array = npt.NDArray[np.float64]


def vote_shares(maps: Sequence[Array]) -> Array:
    """Return (n, k) the mean of several posteriors, their domains matched to those of the most typical map.

    Parameters
    ----------
    maps
        (n, k) posteriors each, rows sum to 1: a map's vote on each row.

    Notes
    -----
    The most typical map is the one that agrees best with the others (adjusted Rand index); the others are
    matched to it one to one by the expected number of rows that two domains share.

    References
    ----------
    Kuhn (1955), doi:10.1002/nav.3800020109.
    """
    from scipy.optimize import linear_sum_assignment

    labels = [posterior.argmax(1) for posterior in maps]
    alike = np.array([[adjusted_rand_index(a, b) for b in labels] for a in labels])
    typical = maps[int(np.round(alike.sum(1), 12).argmax())]
    votes = np.zeros_like(typical)
    for posterior in maps:
        _, partner = linear_sum_assignment(-(typical.T @ posterior))
        votes += posterior[:, partner]
    return np.asarray(votes / len(maps))
