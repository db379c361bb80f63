"""Shares of cell types by non-negative least squares: the same small system for every spot."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from .count_rows import CountRows, row_blocks
from .fisher import shares
from .nonnegative import batched_nnls
from .report import Report, part, silent

__all__ = ["least_squares_shares"]

Array = npt.NDArray[np.float64]
_ROWS = 1 << 15


def least_squares_shares(
    counts: sp.csr_matrix | CountRows,
    columns: npt.NDArray[np.intp],
    profiles: Array,
    weights: Array,
    report: Report = silent,
) -> Array:
    """Return (n, t) rows that sum to 1: of the b ≥ 0 that minimise Σ_j (w_j (y_j − Σ_k b_k s_kj))².

    Parameters
    ----------
    counts
        (n, g) of all genes, read some rows at a time.
    columns
        Those that are used.
    profiles, weights
        (t, k) and (k,), over the columns.
    """
    design = profiles * weights
    gram = design @ design.T
    # two types with one profile share what is theirs; without this there is no answer
    gram += 1e-10 * np.trace(gram) / len(gram) * np.eye(len(gram))
    spread = np.zeros((int(counts.shape[1]), len(profiles)))
    spread[columns] = (design * weights).T
    n = int(counts.shape[0])
    values = np.empty((n, len(profiles)))
    for rows, block in row_blocks(counts, _ROWS):
        right = np.asarray(block @ spread)
        values[rows] = batched_nnls(gram, right, part(report, rows.start / n, rows.stop / n))
    return shares(values)
