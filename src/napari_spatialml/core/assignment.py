"""Which cell a transcript lies in, and how many of each gene every cell holds."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from .arrays import require

__all__ = ["assign", "count", "moved", "rows_of"]


def moved(matrix: npt.NDArray[np.float64], points: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Map (n, 2) points by a (3, 3) matrix on (y, x, 1), to the same bits however many are mapped at once.

    Parameters
    ----------
    matrix
        An affine map; the last row is (0, 0, 1).
    points
        (n, 2) as (y, x); NaN stays NaN.

    Notes
    -----
    A matrix product may round the same point differently in a longer array. A transcript on the rim
    of a pixel could then belong to one cell when all are counted and to another when few are.
    """
    y, x = points[:, 0].astype(np.float64), points[:, 1].astype(np.float64)
    out = np.empty((len(points), 2))
    for row in (0, 1):
        out[:, row] = (matrix[row, 0] * y + matrix[row, 1] * x) + matrix[row, 2]
    return out


def assign(
    labels: npt.NDArray[Any], offset: tuple[int, int], coordinates_px: npt.NDArray[np.float64]
) -> npt.NDArray[Any]:
    """Return the cell in which each point lies.

    Parameters
    ----------
    labels
        (h, w) window of labels; 0 is background.
    offset
        (y, x) of the window's first pixel in the whole labels.
    coordinates_px
        (n, 2) as (y, x) in pixels of the whole labels; pixel (i, j) covers [i, i + 1) × [j, j + 1).

    Returns
    -------
    ndarray
        (n,) ids of the labels' type; 0 for a point on background, outside the window, or at NaN.
    """
    where = np.asarray(coordinates_px, dtype=np.float64)
    require(where.ndim == 2 and where.shape[1] == 2, f"The points have the shape {where.shape}.", "Give (n, 2).")
    y, x = np.floor(where[:, 0]) - offset[0], np.floor(where[:, 1]) - offset[1]
    inside = (y >= 0) & (y < labels.shape[0]) & (x >= 0) & (x < labels.shape[1])  # False at NaN
    out = np.zeros(len(where), dtype=labels.dtype)
    out[inside] = labels[y[inside].astype(np.int64), x[inside].astype(np.int64)]
    return out


def rows_of(assigned: npt.NDArray[Any], cells: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return the position of each id in ``cells`` (ascending), -1 for an id that is not there."""
    if len(cells) == 0:
        return np.full(len(assigned), -1, dtype=np.int64)
    at = np.minimum(np.searchsorted(cells, assigned), len(cells) - 1)
    return np.where(cells[at] == assigned, at, -1).astype(np.int64)


def count(rows: npt.NDArray[Any], genes: npt.NDArray[Any], n_cells: int, n_genes: int) -> sp.csr_matrix:
    """Count the transcripts of each gene in each cell.

    Parameters
    ----------
    rows
        (n,) the cell of each transcript, 0 … ``n_cells`` - 1; negative: in none.
    genes
        (n,) the gene of each transcript, 0 … ``n_genes`` - 1.
    n_cells, n_genes
        The size of the table.

    Returns
    -------
    scipy.sparse.csr_matrix
        (n_cells, n_genes) float32, exact, with ascending columns in each row and no stored zero.

    Raises
    ------
    BadInput
        When a cell or a gene lies outside the table.
    """
    within = rows >= 0
    cell, gene = rows[within].astype(np.int64), genes[within].astype(np.int64)
    require(not len(cell) or int(cell.max()) < n_cells, f"A cell lies outside the table of {n_cells} cells.")
    fits = not len(gene) or (int(gene.min()) >= 0 and int(gene.max()) < n_genes)
    require(fits, f"A gene lies outside the table of {n_genes} genes.", "Index the transcripts again.")
    keys, times = np.unique(cell * n_genes + gene, return_counts=True)
    row, column = np.divmod(keys, max(n_genes, 1))
    starts = np.zeros(n_cells + 1, dtype=np.int64)
    np.cumsum(np.bincount(row, minlength=n_cells), out=starts[1:])
    made = sp.csr_matrix((n_cells, n_genes), dtype=np.float32)
    made.data = times.astype(np.float32)
    made.indices, made.indptr = column.astype(np.int32), starts.astype(np.int32 if len(keys) < 2**31 else np.int64)
    return made
