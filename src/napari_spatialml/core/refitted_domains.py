"""The map follows the hand: corrected rows keep their domain and teach the others."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from .arrays import require
from .domains import Domains, Embedded
from .mixture import estimated
from .report import Report, silent

__all__ = ["load_refit", "refitted"]

Array = npt.NDArray[np.float64]

_SHRINKAGE = 0.65
_ANCHOR_WEIGHT = 30.0
"""A corrected row teaches as much as so many free ones."""
_SPREAD_COUNTS = 2.0
_TEACHING_ROUNDS = 3
"""More rounds drift away from the map that was corrected, towards another one as likely."""
_ASKING_ROUNDS = 3
_TEMPERATURE = 2.0
"""Averaged features of neighbours repeat each other: as evidence, so many rows count as one."""
_PULL = 6.0
"""How much all neighbours together count against the features, in units of the log density."""
_LEAST_SHARE = 0.5
"""A new domain is expected on at least this share of what each domain would have if all were as large."""
_MOST_DOMAINS = 1000
_KEEP_NUMBER = 0.5
"""Domains keep their numbers unless anchors near more than this share of a domain say otherwise."""


def refitted(
    smoothed: Embedded,
    probabilities: Array,
    anchors: npt.NDArray[np.int64],
    ignored: npt.NDArray[np.bool_] | None = None,
    report: Report = silent,
) -> Domains:
    """Fit again from the map before the hand, with the anchored rows fixed.

    Domains are clouds of one covariance in the space of the method, and each row listens to its
    neighbours on the tissue (a Potts field, mean-field). The map depends on what is given alone, not
    on the order of strokes; without any anchor it is the map before the hand.

    Parameters
    ----------
    smoothed
        The rows in the space of their method.
    probabilities
        (n, k) of the map before the hand.
    anchors
        (n,) int, -1 where free; the highest may be k or more: new domains.
    ignored
        (n,) rows that teach nothing, neither the domains nor their neighbours; or None.

    Raises
    ------
    BadInput
        When an anchor's number is out of all bounds.

    Notes
    -----
    O(n k (d + neighbours)) a round, seven arrays (n, k) at most.

    References
    ----------
    Celeux, Forbes & Peyrard (2003), doi:10.1016/S0031-3203(02)00027-4: mean field in hidden Potts fields.
    """
    from .domain_kernels import ask_neighbours

    counted = np.ones(len(anchors), bool) if ignored is None else ~ignored
    require(bool(counted.any()), "All rows are ignored.", "Leave some tissue.")
    k = max(probabilities.shape[1], int(anchors.max()) + 1)
    require(k <= _MOST_DOMAINS, f"A correction has the domain number {k - 1}.", f"Number below {_MOST_DOMAINS}.")
    graph, fixed = smoothed.graph, anchors >= 0
    if not fixed.any():
        return Domains(probabilities.argmax(1), probabilities)
    said = _said(anchors, counted, k, graph)
    posterior = _numbered_like(probabilities, said, counted)
    posterior[fixed] = np.eye(k)[anchors[fixed]]
    weight = _weights(posterior, fixed, counted, said.any(1))
    centre = weight @ smoothed.values / weight.sum()
    values = smoothed.values - centre
    scatter = (values * weight[:, None]).T @ values
    pull = _PULL * len(values) / max(graph.nnz, 1)
    after = np.empty_like(posterior)
    for done in range(_TEACHING_ROUNDS):
        report(done / _TEACHING_ROUNDS, "Learning from the corrections")
        clouds = estimated(values, posterior.T * weight, scatter, float(weight.sum()), _SHRINKAGE)
        density = values @ (clouds.slopes.T / _TEMPERATURE)
        density += clouds.offsets / _TEMPERATURE
        density += np.maximum(clouds.sizes, np.log(_LEAST_SHARE / k))
        for _ in range(_ASKING_ROUNDS):
            ask_neighbours(graph.indptr, graph.indices, counted, fixed, density, pull, posterior, after)
            posterior, after = after, posterior
    report(1.0)
    return Domains(posterior.argmax(1), posterior)


def load_refit() -> None:
    """Load the compiled loop, which the first fit of a process would wait for; compile it where that was never done."""
    graph = sp.csr_matrix(np.ones((2, 2)) - np.eye(2))
    refitted(Embedded(np.eye(2), graph), np.full((2, 2), 0.5), np.array([0, -1]))


def _said(anchors: npt.NDArray[np.int64], counted: npt.NDArray[np.bool_], k: int, graph: sp.csr_matrix) -> Array:
    """Return (n, k): of the anchors within two steps of a row on the tissue, the share of each domain."""
    said = np.zeros((len(anchors), k))
    given = np.flatnonzero((anchors >= 0) & counted)
    said[given, anchors[given]] = 1
    for _ in range(2 if len(given) else 0):
        said += graph @ said
    said /= np.maximum(said.sum(1, keepdims=True), 1)
    return said


def _numbered_like(posterior: Array, said: Array, counted: npt.NDArray[np.bool_]) -> Array:
    """Add columns for new domains, and renumber where the anchors cover enough to say so.

    A few strokes mark what was wrong: they must not swap two names. Anchors all over the section
    bring their own numbering.
    """
    from scipy.optimize import linear_sum_assignment

    wide = np.zeros_like(said)
    wide[:, : posterior.shape[1]] = posterior
    votes = wide[counted].T @ said[counted] + _KEEP_NUMBER * np.diag(wide[counted].sum(0))
    _, number = linear_sum_assignment(-votes)
    renumbered = np.empty_like(wide)
    renumbered[:, number] = wide
    return renumbered


def _weights(
    posterior: Array, fixed: npt.NDArray[np.bool_], counted: npt.NDArray[np.bool_], near: npt.NDArray[np.bool_]
) -> Array:
    """Return (n,) how much each row teaches: corrected ones more than free ones, those left out nothing.

    On a section of a few hundred spots a single stroke would speak louder than all the tissue: together
    the anchors of a domain weigh as much as its free rows, and up to three times as much where they
    are spread over all of it, as one stroke says little about the rest of a domain.
    """
    free = posterior[~fixed & counted].sum(0)
    given = np.maximum(posterior[fixed & counted].sum(0), 1)
    spread = posterior[near & counted].sum(0) / np.maximum(posterior[counted].sum(0), 1)
    heavy = np.clip((1 + _SPREAD_COUNTS * spread) * free / given, 1.0, _ANCHOR_WEIGHT)
    weight = counted.astype(np.float64)
    weight[fixed] *= heavy[posterior[fixed].argmax(1)]
    return weight
