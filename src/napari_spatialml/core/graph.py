"""Sparse graphs of neighbours in space: always nearest neighbours or a radius, never n × n."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.spatial import cKDTree

from .arrays import as_coordinates, require

__all__ = ["averaging", "knn_graph", "radius_graph", "spacing", "tissue_graph"]


def knn_graph(coordinates: Any, k: int) -> sp.csr_matrix:
    """Return the graph of the ``k`` nearest other rows, with all that are as near as the k-th.

    Parameters
    ----------
    coordinates
        (n, 2) as (y, x) in µm, n >= 1. Several rows may lie on one place.
    k
        >= 1. Where there are fewer other rows, all of them are taken.

    Returns
    -------
    (n, n) CSR of ones, generally not symmetric, without the diagonal.

    Notes
    -----
    On a square grid the six nearest neighbours are not defined: four are at one pitch, four at
    1.41. Taking the ties keeps the graph the same when the section is turned or its rows are
    shuffled. At most ``k + 8`` more are looked at.
    """
    where = as_coordinates(coordinates, "The coordinates")
    require(k >= 1, f"{k} neighbours were asked for.", "Give a number of 1 or more.")
    n = len(where)
    if n < 2:
        return sp.csr_matrix((n, n))
    k = min(k, n - 1)
    distances, indices = cKDTree(where).query(where, k=min(2 * k + 9, n))
    rows = np.arange(n)[:, None]
    # a row need not come first among those on its own place
    distances = np.where(indices == rows, np.inf, distances)
    nearest = np.partition(distances, k - 1, axis=1)[:, k - 1 : k]
    taken = distances <= nearest * (1 + 1e-6)
    pointer = np.concatenate([[0], np.cumsum(taken.sum(1))])
    graph = sp.csr_matrix((np.ones(int(pointer[-1])), indices[taken], pointer), shape=(n, n))
    graph.sort_indices()
    return graph


def tissue_graph(coordinates: Any, k: int, sections: npt.NDArray[np.int64] | None = None) -> sp.csr_matrix:
    """Return `knn_graph` of each section by itself, as one graph in the order of the rows.

    Parameters
    ----------
    coordinates, k
        As in `knn_graph`.
    sections
        (n,) the section that a row lies on; all on one if None.
    """
    if sections is None:
        return knn_graph(coordinates, k)
    where = as_coordinates(coordinates, "The coordinates")
    rows = [np.flatnonzero(sections == s) for s in np.unique(sections)]
    parts = sp.block_diag([knn_graph(where[r], k) for r in rows], format="csr")
    back = np.argsort(np.concatenate(rows), kind="stable")
    graph = sp.csr_matrix(parts[back][:, back])
    graph.sort_indices()
    return graph


def radius_graph(coordinates: Any, radius_um: float) -> sp.csr_matrix:
    """Return the graph of all other rows within ``radius_um`` (> 0), symmetric, as (n, n) CSR of ones."""
    where = as_coordinates(coordinates, "The coordinates")
    require(0 < radius_um < np.inf, f"The radius is {radius_um} µm.", "Give a number above 0.")
    pairs = cKDTree(where).query_pairs(radius_um, output_type="ndarray")
    both = np.vstack([pairs, pairs[:, ::-1]])
    return sp.csr_matrix((np.ones(len(both)), (both[:, 0], both[:, 1])), shape=(len(where), len(where)))


def averaging(graph: sp.csr_matrix) -> sp.csr_matrix:
    """Return the matrix that takes the mean over each row itself and its neighbours; its rows sum to 1."""
    total = sp.csr_matrix(graph + sp.identity(graph.shape[0], format="csr"))
    return sp.csr_matrix(sp.diags(1 / np.asarray(total.sum(1)).ravel()) @ total)


def spacing(coordinates: Any) -> float:
    """Return the median distance in µm to the nearest row on another place; 0 if there is none."""
    places: npt.NDArray[np.float64] = np.unique(as_coordinates(coordinates, "The coordinates"), axis=0)
    if len(places) < 2:
        return 0.0
    return float(np.median(cKDTree(places).query(places, k=2)[0][:, 1]))
