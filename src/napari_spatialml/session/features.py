"""One column of the features of a table, without a pass over all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

__all__ = ["feature"]


def feature(matrix: Any, column: int) -> npt.NDArray[Any]:
    """Return one column (n,) of X, dense or sparse.

    Notes
    -----
    In compressed sparse rows it is searched for in each row: O(n log k) for k features found a row.
    """
    rows = isinstance(matrix, sp.csr_matrix | sp.csr_array)
    if rows and matrix.has_canonical_format:
        from ..core.lookup_kernels import column_of

        out = np.empty(matrix.shape[0], matrix.dtype)
        column_of(matrix.indptr, matrix.indices, matrix.data, column, out)
        return out
    one = matrix[:, [column]] if sp.issparse(matrix) else matrix[:, column]
    return np.asarray(one.todense() if hasattr(one, "todense") else one).ravel()
