"""Non-negative least squares whose rows are drawn towards their neighbours in a graph."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from .nonnegative import batched_nnls
from .report import Report, part, silent

__all__ = ["leverage", "smoothed_nnls", "symmetric"]

Array = npt.NDArray[np.float64]
_SWEEPS = 500
_SETTLED = 1e-6


def leverage(design: Array) -> Array:
    """Return how much each column of a design of (t, g) says about the t coefficients; sums to its rank.

    References
    ----------
    Papailiopoulos, Kyrillidis & Boutsidis, KDD 2014, doi:10.1145/2623330.2623698 (taking the columns of the
    highest leverage).
    """
    values, vectors = np.linalg.eigh(design @ design.T)
    known = values > 1e-10 * max(float(values[-1]), 1e-300)
    along = (vectors[:, known] / np.sqrt(values[known])).T @ design
    return np.asarray((along**2).sum(0))


def symmetric(graph: sp.csr_matrix) -> sp.csr_matrix:
    """Return a graph with every edge both ways, and weights that sum to 1 on the mean row; without a diagonal."""
    both = sp.csr_matrix(graph.maximum(graph.T))
    both.setdiag(0)
    both.eliminate_zeros()
    total = both.sum()
    return sp.csr_matrix(both * (both.shape[0] / total if total > 0 else 1.0))


def smoothed_nnls(
    gram: Array, right: Array, graph: sp.csr_matrix, smoothing: float, sparsity: float = 0.0, report: Report = silent
) -> Array:
    """Minimise Σ (½ xᵀGx − bᵀx + ρ Σ x) + ½ λ tr(XᵀLX) over X >= 0, L the Laplacian of a graph.

    Parameters
    ----------
    gram
        (t, t), positive definite.
    right
        (n, t), rows b.
    graph
        (n, n), symmetric, ≥ 0, without a diagonal, as `symmetric` makes it. A row without neighbours is free.
    smoothing
        λ ≥ 0, in units of the mean of the diagonal of ``gram``.
    sparsity
        ρ ≥ 0, in units of the mean of the largest entries of the rows of ``right``.

    Returns
    -------
    (n, t) solutions; exact to rounding without smoothing, else until no entry moves by more than a millionth
    of the mean row.

    Notes
    -----
    Coordinate descent from the solution without smoothing: each entry has its minimum in closed form.
    O(n t (t + neighbours)) a sweep.
    """
    right = right - sparsity * float(right.max(1).mean())
    out = batched_nnls(gram, right, part(report, 0.0, 0.3))
    weight = smoothing * float(np.diag(gram).mean())
    if weight == 0 or graph.nnz == 0:
        return out
    from .graph_nnls_kernels import sweep

    degree = np.asarray(graph.sum(1)).ravel()
    enough = _SETTLED * float(out.sum(1).mean())
    for number in range(_SWEEPS):
        report(0.3 + 0.7 * number / _SWEEPS, "Smoothing over neighbours")
        moved = sweep(out, gram, right, graph.indptr, graph.indices, weight * graph.data, weight * degree)
        if moved <= enough:
            break
    report(1.0)
    return out
