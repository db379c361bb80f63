"""Communities of a weighted graph by the Leiden algorithm, at a resolution or at a wanted number of them."""

from __future__ import annotations

import random
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from ..errors import MissingDependency
from .arrays import require
from .report import Report, silent

__all__ = ["communities", "communities_at", "joined", "likeness_graph", "memberships"]

Array = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
_ROUNDS = 2
_TRIALS = 12
_ENDS = (-14.0, 14.0)
"""Logarithms to the base 2 of the lowest and the highest resolution that are tried."""
_MOST_MERGED = 1000
_TURN = Lock()
"""The random generator of igraph is one for the whole process."""


def likeness_graph(values: Array, k: int) -> sp.csr_matrix:
    """Return the graph of rows that are alike, weighted by how many of their nearest rows they share.

    Parameters
    ----------
    values
        (n, d), n >= 1.
    k
        >= 1: so many nearest rows by Euclidean distance; all others where there are fewer.

    Returns
    -------
    (n, n) symmetric CSR without the diagonal: |A ∩ B| / |A ∪ B| of the nearest rows of two rows, themselves
    counted in, where one is among the nearest of the other.

    Notes
    -----
    Exact; O(n² d) in blocks, half a minute for 100,000 rows of 30 numbers.

    References
    ----------
    Jarvis & Patrick (1973), doi:10.1109/T-C.1973.223640; weights as in Levine et al. (2015),
    doi:10.1016/j.cell.2015.05.047.
    """
    from sklearn.neighbors import NearestNeighbors

    n = len(values)
    k = min(k, n - 1)
    if k < 1:
        return sp.csr_matrix((n, n))
    # single precision: what only rounding tells apart stays the same
    points = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(values.astype(np.float32))
    near = sp.csr_matrix(points.kneighbors_graph(mode="connectivity")).astype(np.float32)
    edges = sp.csr_matrix(near + near.T)
    own = sp.csr_matrix(near + sp.identity(n, np.float32, format="csr"))
    shared = sp.csr_matrix(own @ own.T).multiply(edges > 0).tocoo()
    weight = shared.data.astype(np.float64)
    weight /= 2 * (k + 1) - weight
    return sp.csr_matrix((weight, (shared.row, shared.col)), shape=(n, n))


def joined(alike: sp.csr_matrix, near: sp.csr_matrix, share: float) -> sp.csr_matrix:
    """Return one graph of rows that are alike and rows that are near.

    Parameters
    ----------
    alike
        (n, n) symmetric weights.
    near
        (n, n) neighbours on the tissue; made symmetric here.
    share
        0 <= share <= 1: part of the total weight that the neighbours on the tissue have.
    """
    tissue = sp.csr_matrix(near + near.T).sign()
    total = max(float(alike.sum()), 1e-300), max(float(tissue.sum()), 1e-300)
    n = alike.shape[0]
    return sp.csr_matrix(alike * ((1 - share) * n / total[0]) + tissue * (share * n / total[1]))


def communities_at(graph: sp.csr_matrix, resolution: float, seed: int) -> Labels:
    """Return (n,) community numbers by the Leiden algorithm with the modularity of Reichardt & Bornholdt.

    Parameters
    ----------
    graph
        (n, n) symmetric weights > 0, without the diagonal.
    resolution
        > 0: higher makes more and smaller communities.
    seed
        Of the order in which rows are visited.

    Raises
    ------
    MissingDependency
        When igraph is not installed.

    References
    ----------
    Traag, Waltman & van Eck (2019), doi:10.1038/s41598-019-41695-z; the resolution as in Reichardt &
    Bornholdt (2006), doi:10.1103/PhysRevE.74.016110.
    """
    return _found(*_network(graph), resolution, seed)


def communities(graph: sp.csr_matrix, n_communities: int, seed: int, report: Report = silent) -> Labels:
    """Return (n,) numbers of exactly ``n_communities``: the resolution is bisected until there are so many.

    Parameters
    ----------
    graph, seed
        As in `communities_at`.
    n_communities
        1 <= n_communities <= n.

    Notes
    -----
    The number of communities jumps as the resolution rises. Where it jumps over the wanted one, those with
    the fewest more are merged, always the pair whose merger costs the least modularity.

    Raises
    ------
    BadInput
        When it jumps from fewer than wanted to more than a thousand.
    """
    network = _network(graph)
    low, high = _ENDS
    at, best, best_at = 0.0, np.arange(graph.shape[0]), high
    for trial in range(_TRIALS):
        report(trial / _TRIALS, "Looking for the resolution")
        labels = _found(*network, 2.0**at, seed)
        found = int(labels.max()) + 1
        if found >= n_communities and found <= int(best.max()) + 1:
            best, best_at = labels, at
        if found == n_communities:
            break
        low, high = (at, high) if found < n_communities else (low, at)
        # steps of two octaves until both sides are known
        at = min(at + 2, high) if high == _ENDS[1] else max(at - 2, low) if low == _ENDS[0] else (low + high) / 2
    return _merged(graph, best, n_communities, 2.0**best_at, report)


def memberships(graph: sp.csr_matrix, labels: Labels) -> Array:
    """Return (n, k) the share of a row's neighbours, by weight, that each community has; rows sum to 1.

    Its own community has at least as much as any other, so that the likeliest is the one it was given.
    Rows of the label -1 have none and count for nobody.
    """
    n, k = len(labels), int(labels.max()) + 1
    has = np.flatnonzero(labels >= 0)
    member = sp.csr_matrix((np.ones(len(has)), (has, labels[has])), shape=(n, k))
    out = np.asarray((graph @ member).toarray())
    out[has, labels[has]] = np.maximum(out[has, labels[has]], out[has].max(1) * (1 + 1e-6))
    out[has[out[has].sum(1) == 0], labels[has[out[has].sum(1) == 0]]] = 1
    out[out.sum(1) == 0] = 1
    return np.asarray(out / out.sum(1, keepdims=True))


def _igraph() -> Any:
    try:
        import igraph
    except ImportError as error:
        raise MissingDependency(
            "The Leiden algorithm needs the package 'igraph'.", 'Run: pip install "napari-spatialml[analysis]".'
        ) from error
    return igraph


def _network(graph: sp.csr_matrix) -> tuple[Any, npt.NDArray[np.float64]]:
    igraph = _igraph()
    upper = sp.triu(graph, 1).tocoo()
    edges = np.column_stack([upper.row, upper.col]).astype(np.int64)
    # digits that rounding reaches must not decide between two moves of the same gain
    return igraph.Graph(n=graph.shape[0], edges=edges), np.round(upper.data, 9)


def _found(network: Any, weights: Array, resolution: float, seed: int) -> Labels:
    igraph = _igraph()
    with _TURN:
        igraph.set_random_number_generator(random.Random(seed))
        try:
            found = network.community_leiden("modularity", weights, resolution, n_iterations=_ROUNDS)
        finally:
            igraph.set_random_number_generator(random)
    return np.asarray(found.membership, dtype=np.int64)


def _merged(graph: sp.csr_matrix, labels: Labels, k: int, resolution: float, report: Report) -> Labels:
    """Merge communities until there are ``k``."""
    n, now = len(labels), int(labels.max()) + 1
    require(
        now <= _MOST_MERGED,
        f"The graph falls into {now} communities, or into fewer than {k}.",
        "Choose another number of domains, or another method.",
    )
    member = sp.csr_matrix((np.ones(n), (np.arange(n), labels)), shape=(n, now))
    between = np.asarray((member.T @ graph @ member).toarray())
    number = np.arange(now)
    for left in range(now, k, -1):
        report(1 - left / now, "Merging communities")
        degree = between.sum(1)
        gain = between - resolution * np.outer(degree, degree) / max(float(degree.sum()), 1e-300)
        gain[np.tril_indices(left)] = -np.inf
        a, b = np.unravel_index(int(gain.argmax()), gain.shape)
        between[a] += between[b]
        between[:, a] += between[:, b]
        between = np.delete(np.delete(between, b, 0), b, 1)
        number[number == b] = a
        number[number > b] -= 1
    return np.asarray(number[labels], dtype=np.int64)
