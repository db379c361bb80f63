"""Rows of a space divided into domains by communities of the rows that are alike and near."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from .arrays import require
from .domain_mixture import in_order_of_values, numbered_by_size
from .domains import Domains, Embedded
from .leiden import communities, communities_at, joined, likeness_graph, memberships
from .report import Report, part, silent

__all__ = ["leiden_domains"]

_MOST = 1000


def leiden_domains(
    smoothed: Embedded,
    n_domains: int,
    seed: int,
    ignored: npt.NDArray[np.bool_] | None = None,
    space_share: float = 0.0,
    n_alike: int = 15,
    resolution: float = 0.0,
    report: Report = silent,
) -> Domains:
    """Divide rows by the Leiden algorithm on the graph of rows that are alike, joined with the tissue's.

    Parameters
    ----------
    smoothed
        The rows in the space of their method.
    n_domains
        So many domains are found, where ``resolution`` is 0.
    seed
        Of the order in which rows are visited.
    ignored
        (n,) rows that teach nothing: they go to the domain that most of their neighbours have.
    space_share
        0 <= space_share <= 1, as in `joined`.
    n_alike
        As in `likeness_graph`.
    resolution
        > 0: as many domains as come at this resolution.

    Raises
    ------
    MissingDependency
        When igraph is not installed.
    BadInput
        When more than a thousand domains come.
    """
    order = in_order_of_values(smoothed.values)
    report(0.0, "Looking for rows that are alike")
    counted = np.ones(len(order), dtype=bool) if ignored is None else ~ignored
    left = int(counted.sum())
    require(
        left >= n_domains or resolution > 0,
        f"{left} rows are left for {n_domains} domains.",
        "Ignore less, or choose fewer domains.",
    )
    graph = joined(likeness_graph(smoothed.values[order], n_alike), smoothed.graph[order][:, order], space_share)
    taught = np.flatnonzero(counted[order])
    labels = np.full(len(order), -1)
    labels[taught] = _divided(graph[taught][:, taught], n_domains, resolution, seed, part(report, 0.4, 1.0))
    shares = np.empty((len(order), int(labels.max()) + 1))
    shares[order] = memberships(graph, labels)
    return numbered_by_size(shares, smoothed.values, counted)


def _divided(
    graph: sp.csr_matrix, n_domains: int, resolution: float, seed: int, report: Report
) -> npt.NDArray[np.int64]:
    if resolution == 0:
        return communities(graph, n_domains, seed, report)
    report(0.0, "Dividing the graph")
    labels = communities_at(graph, resolution, seed)
    found = int(labels.max()) + 1
    require(found <= _MOST, f"At the resolution {resolution:g} there are {found} domains.", "Lower it.")
    return labels
