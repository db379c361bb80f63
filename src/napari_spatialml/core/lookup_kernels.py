"""The loops behind look-up tables and columns of sparse counts. Import late: this file imports numba."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

compiled: Any = njit(cache=True, nogil=True)


@compiled
def spread(table, labels, out):  # type: ignore[no-untyped-def]
    """Write ``table[label]`` of each label; the last entry is for labels that the table does not reach."""
    last = len(table) - 1
    before, value = np.int64(-1), table[last]
    for i in range(len(labels)):
        label = np.int64(labels[i])
        if label != before:  # cells are runs of one label: most pixels need no look-up
            before = label
            value = table[label] if 0 <= label < last else table[last]
        out[i] = value


@compiled
def column_of(indptr, indices, data, column, out):  # type: ignore[no-untyped-def]
    """Write one column of a compressed sparse matrix whose rows have their columns in ascending order."""
    for row in range(len(indptr) - 1):
        low, high = indptr[row], indptr[row + 1]
        end = high
        while low < high:
            middle = (low + high) // 2
            if indices[middle] < column:
                low = middle + 1
            else:
                high = middle
        out[row] = data[low] if low < end and indices[low] == column else 0
