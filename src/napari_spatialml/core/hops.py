"""Means over rings of neighbours: those of a row, their neighbours, and so on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from .report import Report, silent

__all__ = ["ring_means"]

Array = npt.NDArray[np.float64]
_BLOCK = 8192


def ring_means(values: Array, graph: sp.csr_matrix, n_hops: int, report: Report = silent) -> Array:
    """Return the values of each row beside their means over the rows exactly 1, 2, … ``n_hops`` hops away.

    Parameters
    ----------
    values
        (n, d).
    graph
        (n, n) neighbours, without the diagonal; a hop goes along an edge in either direction.
    n_hops
        >= 0.

    Returns
    -------
    (n, (n_hops + 1) d). Where a ring is empty, the mean over the ring inside it.

    Notes
    -----
    Rings are made for blocks of rows and never kept: a ring of h hops has about 6 h rows on a grid of spots.

    References
    ----------
    Varrone et al. (2024), doi:10.1038/s41588-023-01588-4: neighbourhood aggregation over hops.
    """
    n, d = values.shape
    both = sp.csr_matrix(graph + graph.T).sign()
    out = np.empty((n, (n_hops + 1) * d))
    for start in range(0, n, _BLOCK):
        report(start / n, "Averaging over rings of neighbours")
        rows = slice(start, min(start + _BLOCK, n))
        ring = sp.identity(n, format="csr")[rows]
        reached, last = ring, values[rows]
        out[rows, :d] = last
        for hop in range(1, n_hops + 1):
            further = sp.csr_matrix(ring @ both).sign()
            ring = sp.csr_matrix(further - further.multiply(reached))
            ring.eliminate_zeros()
            reached = reached + ring
            size = np.asarray(ring.sum(1))
            last = np.where(size > 0, (ring @ values) / np.maximum(size, 1), last)
            out[rows, hop * d : (hop + 1) * d] = last
    return out
