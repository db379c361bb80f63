"""Which rows hang together on the tissue: neighbours in space, and the pieces that rows alike make."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from .arrays import as_coordinates, require

__all__ = ["lattice_graph", "near_graph", "pieces"]

_NEIGHBOURS = 6
_REACH = 1.6
"""An edge longer than so many times what is usual at either end crosses a gap in the tissue."""
Ints = npt.NDArray[np.int64]


def near_graph(coordinates: Any) -> sp.csr_matrix:
    """Return which rows touch on the tissue: the six nearest, none across a gap.

    Parameters
    ----------
    coordinates
        (n, 2) as (y, x) in µm.

    Returns
    -------
    (n, n) CSR of ones, symmetric, without the diagonal.

    Notes
    -----
    At the edge of a piece of tissue the nearest rows may lie on the next piece. An edge is left out where
    it is longer than 1.6 times the usual distance at either of its ends, and than so much of the section's:
    the diagonal of a square array is 1.41 times its pitch, the way over one missing row 1.73 or 2 times.
    """
    from scipy.spatial import cKDTree

    where = as_coordinates(coordinates, "The coordinates")
    n = len(where)
    if n < 2:
        return sp.csr_matrix((n, n))
    length, other = cKDTree(where).query(where, k=min(_NEIGHBOURS, n - 1) + 1)
    usual = np.median(length[:, 1:], axis=1)
    at_ends = np.minimum(usual[:, None], usual[other])
    own = np.broadcast_to(np.arange(n)[:, None], other.shape)
    near = (length <= _REACH * np.maximum(at_ends, float(np.median(usual)))) & (other != own)
    return _both_ways(own[near], other[near], n)


def lattice_graph(rows: npt.NDArray[np.integer[Any]], n: int) -> sp.csr_matrix:
    """Return which rows share an edge on a grid of pixels.

    Parameters
    ----------
    rows
        (h, w) the row that lies at each pixel, -1 for none.
    n
        How many rows there are.

    Returns
    -------
    (n, n) CSR of ones, symmetric, without the diagonal.
    """
    require(rows.ndim == 2, f"The grid has {rows.ndim} axes.", "Give (y, x).")
    pairs = [(rows[:, :-1], rows[:, 1:]), (rows[:-1], rows[1:])]
    a, b = (np.concatenate([pair[k].ravel() for pair in pairs]) for k in (0, 1))
    beside = (a >= 0) & (b >= 0) & (a != b)
    return _both_ways(a[beside], b[beside], n)


def pieces(graph: sp.csr_matrix, codes: npt.NDArray[Any]) -> Ints:
    """Return the number of the piece that each row belongs to.

    Parameters
    ----------
    graph
        (n, n) neighbours.
    codes
        (n,) what the rows are; a piece is connected rows of one code.

    Returns
    -------
    (n,) numbers from 0.
    """
    from scipy.sparse.csgraph import connected_components

    require(len(codes) == graph.shape[0], f"There are {len(codes)} codes for {graph.shape[0]} rows.")
    edges = graph.tocoo()
    alike = codes[edges.row] == codes[edges.col]
    kept = sp.csr_matrix((np.ones(int(alike.sum())), (edges.row[alike], edges.col[alike])), shape=graph.shape)
    _, found = connected_components(kept, directed=False)
    return np.asarray(found, np.int64)


def _both_ways(a: npt.NDArray[Any], b: npt.NDArray[Any], n: int) -> sp.csr_matrix:
    graph = sp.csr_matrix((np.ones(2 * len(a)), (np.concatenate([a, b]), np.concatenate([b, a]))), shape=(n, n))
    graph.data[:] = 1
    return graph
