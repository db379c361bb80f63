"""The loop behind `domain_markers`: sums and ranks of sparse columns. Import late: this imports numba."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

compiled: Any = njit(cache=True, nogil=True)


@compiled
def column_sums(pointer, rows, data, group, sizes, logged, sums, squares, linear, above, ranks):  # type: ignore[no-untyped-def]
    """Add up each column by groups of rows.

    ``pointer``, ``rows``, ``data`` are the (n, p) CSC matrix, ``group`` the (n,) groups, -1 for none, and ``sizes``
    the (k,) rows in each. Filled, all (k, p): the sums of the values, of their squares, of what they were before
    the logarithm, the numbers above 0, and the sums of ranks, ties having their mean rank.
    """
    k = len(sizes)
    n = sizes.sum()
    zeros = np.empty(k, np.int64)
    for j in range(len(pointer) - 1):
        first, last = pointer[j], pointer[j + 1]
        values = np.empty(last - first, data.dtype)
        owners = np.empty(last - first, np.int64)
        zeros[:] = sizes
        m = 0
        for e in range(first, last):
            g = group[rows[e]]
            x = data[e]
            if g < 0 or x == 0:
                continue
            values[m], owners[m] = x, g
            m += 1
            zeros[g] -= 1
            wide = np.float64(x)
            sums[g, j] += wide
            squares[g, j] += wide * wide
            linear[g, j] += np.expm1(wide) if logged else wide
            above[g, j] += x > 0
        order = np.argsort(values[:m])
        n_zeros = n - m
        below = 0
        passed = False
        i = 0
        while i < m or not passed:
            if not passed and (i == m or values[order[i]] > 0):
                for g in range(k):
                    ranks[g, j] += zeros[g] * (below + (n_zeros + 1) / 2)
                below += n_zeros
                passed = True
                continue
            last_tied = i
            while last_tied + 1 < m and values[order[last_tied + 1]] == values[order[i]]:
                last_tied += 1
            middle = below + (last_tied - i + 2) / 2
            for t in range(i, last_tied + 1):
                ranks[owners[order[t]], j] += middle
            below += last_tied - i + 1
            i = last_tied + 1
