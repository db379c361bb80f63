"""What lies around a row, and how it changes with direction: neighbour means and azimuthal Gabor magnitudes.

The blocks of a table are made row by row and never kept: own features, means and magnitudes of all rows
at once would be three dense tables.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.linalg import eigh
from scipy.sparse.linalg import eigsh

from .graph import tissue_graph
from .report import Report, part, silent

__all__ = ["Around", "around", "weighted_components"]

Array = npt.NDArray[np.float64]
_BLOCK = 1 << 23
"""Numbers of a block: 64 MB."""
_LARGE_PRODUCT = 5e10
_SMALL = 500


@dataclass(frozen=True)
class Around:
    """Linear operators on the rows, on one pattern of neighbours: (n, n) in CSR.

    Parameters
    ----------
    pointer, column
        (n + 1,) and (edges,).
    weight
        (edges, 3): the mean over the nearest neighbours, whose rows sum to 1; the cosine and the sine part of
        the azimuthal Gabor filter, less what a constant would give: rows sum to 0.
    """

    pointer: npt.NDArray[np.int32]
    column: npt.NDArray[np.int32]
    weight: Array

    def operator(self, which: int) -> sp.csr_matrix:
        """Return the mean (0), the cosine (1) or the sine (2) part as a matrix."""
        n = len(self.pointer) - 1
        return sp.csr_matrix((self.weight[:, which], self.column, self.pointer), shape=(n, n))


def around(coordinates: Array, n_mean: int, n_direction: int, sections: npt.NDArray[np.int64] | None = None) -> Around:
    """Return the operators of a section's rows.

    Parameters
    ----------
    coordinates
        (n, 2) as (y, x) in µm.
    n_mean, n_direction
        1 <= n_mean <= n_direction neighbours, for the mean and for the filter; more where several are as near
        as the last.
    sections
        (n,) the section that a row lies on; no neighbours across.

    References
    ----------
    Singhal et al. (2024), doi:10.1038/s41588-024-01664-3: weights exp(−d²/σ²) with σ the median distance to
    the neighbours; filter Σ w e^{iθ} (x_j − Σ w x).
    """
    graph = tissue_graph(coordinates, n_direction, sections)
    # a row alone is its own neighbour
    alone = sp.diags((np.diff(graph.indptr) == 0).astype(np.float64))
    graph = sp.csr_matrix(graph + alone)
    graph.eliminate_zeros()
    n = graph.shape[0]
    row = np.repeat(np.arange(n), np.diff(graph.indptr))
    step = coordinates[graph.indices] - coordinates[row]
    square = (step**2).sum(1)
    length = np.sqrt(square)[:, None]
    # rows on one place lie in no direction
    unit = np.divide(step, length, out=np.zeros_like(step), where=length > 0)
    weight = np.empty((len(row), 3))
    weight[:, 0] = _weights(square, row, graph.indptr, n_mean)
    wide = _weights(square, row, graph.indptr, n_direction)
    for kind, axis in ((1, 1), (2, 0)):
        turned = wide * unit[:, axis]
        weight[:, kind] = turned - np.bincount(row, turned, n)[row] * wide
    return Around(graph.indptr, graph.indices, weight)


def _weights(square: Array, row: npt.NDArray[np.int64], pointer: npt.NDArray[np.int32], k: int) -> Array:
    """Return (edges,) weights that sum to 1 for each row: of its ``k`` nearest neighbours and those as near.

    Parameters
    ----------
    square, row
        (edges,) squared length of an edge, and its row.
    pointer
        (n + 1,) where the edges of each row begin.
    k
        >= 1.
    """
    ordered = square[np.lexsort((square, row))]
    number = np.diff(pointer)
    last = ordered[pointer[:-1] + np.minimum(k, number) - 1][row]
    near = square <= last * (1 + 1e-6)
    counted = np.bincount(row, near, len(number)).astype(np.int64)
    width = ordered[pointer[:-1] + (counted - 1) // 2][row]
    weight = np.exp(-np.divide(square, width, out=np.zeros_like(square), where=width > 0))
    weight = np.where(near & ((width > 0) | (square == 0)), weight, 0.0)
    return np.asarray(weight / np.bincount(row, weight, len(number))[row])


def weighted_components(
    features: Any,
    operators: Around,
    shares: tuple[float, float, float],
    n_components: int,
    sections: npt.NDArray[np.int64] | None = None,
    report: Report = silent,
) -> Array:
    """Return (n, d) principal components of own features, neighbour means and magnitudes side by side.

    Parameters
    ----------
    features
        (n, p), dense or CSR.
    operators
        As `around` made them.
    shares
        Part of the variance that own features, means and magnitudes have: each column is scaled to unit
        variance, then by the square root of the share of its kind.
    n_components
        At most this many; fewer where the rank is lower, 0 where every feature is constant.
    sections
        (n,) the section that a row lies on: columns are centred in each.

    Notes
    -----
    Eigenvectors of the 3p × 3p covariance, gathered in blocks of rows: O(n p²) time, O(p²) memory.

    References
    ----------
    Singhal et al. (2024), doi:10.1038/s41588-024-01664-3: [√(1−λ) X, √(2λ/3) M, √(λ/3) G].
    """
    n, p = features.shape
    table = features if sp.issparse(features) else np.asarray(features, dtype=np.float64)
    number = np.zeros(n, np.int64) if sections is None else np.unique(sections, return_inverse=True)[1]
    gram, means = _scatter(table, operators, number, part(report, 0.0, 0.6))
    deviation = np.sqrt(np.maximum(np.diag(gram), 0) / n)
    # what is left of a constant after subtracting its mean is rounding, and so is the magnitude around it
    size = np.tile(deviation[:p] + np.abs(means[:, :p]).max(0), 3)
    scale = np.repeat(np.sqrt(shares), p)
    scale = np.divide(scale, deviation, out=np.zeros(3 * p), where=deviation > 1e-8 * size)
    used = np.flatnonzero(scale > 0)
    if not len(used):
        return np.zeros((n, 0))
    report(0.6, "Finding the principal components")
    vectors = _leading(gram[np.ix_(used, used)] * np.outer(scale[used], scale[used]), min(n_components, n - 1))
    loadings = np.zeros((3 * p, vectors.shape[1]))
    loadings[used] = vectors * scale[used][:, None]
    offset = (means @ loadings)[number]
    out = np.empty((n, vectors.shape[1]))
    for rows, block in _blocks(table, operators, part(report, 0.7, 1.0)):
        out[rows] = block @ loadings - offset[rows]
    report(1.0)
    return out


def _scatter(table: Any, operators: Around, number: npt.NDArray[np.int64], report: Report) -> tuple[Array, Array]:
    """Return the (3p, 3p) scatter of the columns within sections, and their (sections, 3p) means."""
    n, p = table.shape
    sizes = np.bincount(number)
    member = sp.csr_matrix((np.ones(n), (number, np.arange(n))), shape=(len(sizes), n))
    sums = member @ table
    own = np.asarray(sums.toarray() if sp.issparse(sums) else sums) / sizes[:, None]
    # a first guess of the means, so that little is subtracted of the scatter in the end
    shift = np.hstack([own, own, np.zeros_like(own)])
    gram, sums = np.zeros((3 * p, 3 * p)), np.zeros((len(sizes), 3 * p))
    # single precision takes half the time; small tables can have both
    precision = np.float32 if n * (3 * p) ** 2 > _LARGE_PRODUCT else np.float64
    for rows, block in _blocks(table, operators, report, precision):
        block -= shift.astype(precision)[number[rows]]
        gram += block.T @ block
        sums += member[:, rows] @ block
    rest = sums / sizes[:, None]
    return gram - (rest * sizes[:, None]).T @ rest, shift + rest


def _leading(covariance: Array, d: int) -> Array:
    """Return the ``d`` leading eigenvectors, or fewer where the rank is lower; the largest entry of each positive."""
    p = len(covariance)
    if p > _SMALL and d < p // 10:
        # a start that does not hang on the order of the features
        values, vectors = eigsh(covariance, d, v0=np.ones(p))
        order = np.argsort(values)
        values, vectors = values[order], vectors[:, order]
    else:
        values, vectors = eigh(covariance, subset_by_index=(max(p - d, 0), p - 1))
    values, vectors = values[::-1], vectors[:, ::-1]
    vectors = vectors[:, values > 1e-9 * values[0]]
    return np.asarray(vectors * np.sign(vectors[np.abs(vectors).argmax(0), np.arange(vectors.shape[1])]))


def _blocks(
    table: Any, operators: Around, report: Report, precision: Any = np.float64
) -> Iterator[tuple[slice, npt.NDArray[Any]]]:
    """Yield blocks of rows of [own, mean, magnitude], (rows, 3p)."""
    from .azimuthal_kernels import describe

    n, p = table.shape
    size = max(1, _BLOCK // (3 * p))
    whole = None if sp.issparse(table) else [operators.operator(which) for which in range(3)]
    for start in range(0, n, size):
        report(start / n, "Describing the surroundings")
        rows = slice(start, min(start + size, n))
        block = np.empty((rows.stop - start, 3 * p), precision)
        if whole is None:
            given = (operators.pointer, operators.column, operators.weight, table.indptr, table.indices, table.data)
            describe(start, rows.stop, *given, block)
        else:
            mean, cosine, sine = (matrix[rows] @ table for matrix in whole)
            block[:, :p], block[:, p : 2 * p], block[:, 2 * p :] = table[rows], mean, np.hypot(cosine, sine)
        yield rows, block
