"""The map follows the hand: corrected rows keep their domain and teach the others."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from .arrays import require
from .domains import Domains, Embedded
from .mixture import estimated
from .report import Report, silent

__all__ = ["refitted"]

Array = npt.NDArray[np.float64]

_SHRINKAGE = 0.65
_ANCHOR_WEIGHT = 30.0
"""A corrected row teaches as much as so many free ones."""
_MOST_WEIGHT = 1.0
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
    on the order of strokes.

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

    left_out = np.zeros(len(anchors), bool) if ignored is None else np.ascontiguousarray(ignored)
    require(not left_out.all(), "All rows are ignored.", "Leave some tissue.")
    posterior = _numbered_like(probabilities, anchors, ~left_out, smoothed.graph)
    fixed = anchors >= 0
    posterior[fixed] = np.eye(posterior.shape[1])[anchors[fixed]]
    weight = _weights(posterior, fixed, left_out)
    centre = weight @ smoothed.values / weight.sum()
    values = smoothed.values - centre
    scatter = (values * weight[:, None]).T @ values
    graph = smoothed.graph
    pull = _PULL * len(values) / max(graph.nnz, 1)
    after = np.empty_like(posterior)
    for done in range(_TEACHING_ROUNDS):
        report(done / _TEACHING_ROUNDS, "Learning from the corrections")
        clouds = estimated(values, posterior.T * weight, scatter, float(weight.sum()), _SHRINKAGE)
        density = values @ (clouds.slopes.T / _TEMPERATURE)
        density += clouds.offsets / _TEMPERATURE
        density += np.maximum(clouds.sizes, np.log(_LEAST_SHARE / len(clouds.sizes)))
        for _ in range(_ASKING_ROUNDS):
            ask_neighbours(graph.indptr, graph.indices, left_out, fixed, density, pull, posterior, after)
            posterior, after = after, posterior
    report(1.0)
    return Domains(posterior.argmax(1), posterior)


def _weights(posterior: Array, fixed: npt.NDArray[np.bool_], left_out: npt.NDArray[np.bool_]) -> Array:
    """Return (n,) how much each row teaches: corrected ones more than free ones, those left out nothing.

    Together the anchors of a domain weigh at most as much as its free rows: on a section of a few
    hundred spots a single stroke would else speak louder than all the tissue.
    """
    free = posterior[~fixed & ~left_out].sum(0)
    given = np.maximum(posterior[fixed & ~left_out].sum(0), 1)
    heavy = np.clip(_MOST_WEIGHT * free / given, 1.0, _ANCHOR_WEIGHT)
    weight = np.ones(len(posterior))
    weight[fixed] = heavy[posterior[fixed].argmax(1)]
    weight[left_out] = 0
    return weight


def _numbered_like(
    posterior: Array, anchors: npt.NDArray[np.int64], counted: npt.NDArray[np.bool_], graph: sp.csr_matrix
) -> Array:
    """Add columns for new domains, and renumber where the anchors cover enough to say so.

    A few strokes mark what was wrong: they must not swap two names. Anchors all over the section
    bring their own numbering: each speaks for the rows within two steps on the tissue.
    """
    from scipy.optimize import linear_sum_assignment

    k = max(posterior.shape[1], int(anchors.max()) + 1)
    require(k <= _MOST_DOMAINS, f"A correction has the domain number {k - 1}.", f"Number below {_MOST_DOMAINS}.")
    wide = np.zeros((len(posterior), k))
    wide[:, : posterior.shape[1]] = posterior
    said = np.zeros((len(posterior), k))
    given = np.flatnonzero((anchors >= 0) & counted)
    said[given, anchors[given]] = 1
    for _ in range(2):
        said += graph @ said
    said /= np.maximum(said.sum(1, keepdims=True), 1)
    votes = wide[counted].T @ said[counted] + _KEEP_NUMBER * np.diag(wide[counted].sum(0))
    _, number = linear_sum_assignment(-votes)
    renumbered = np.empty_like(wide)
    renumbered[:, number] = wide
    return renumbered
