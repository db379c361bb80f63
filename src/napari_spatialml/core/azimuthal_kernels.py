"""Surroundings of rows of a sparse table. Import late: this imports numba."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

compiled: Any = njit(cache=True, nogil=True)


@compiled
def describe(start, stop, pointer, column, weight, t_pointer, t_column, t_value, out):  # type: ignore[no-untyped-def]
    """Fill ``out`` (stop − start, 3p) with own features, means and magnitudes of the rows from start to stop.

    ``pointer``, ``column`` and ``weight`` (edges, 3) are the operators' CSR: mean, cosine and sine of an edge;
    ``t_pointer``, ``t_column`` and ``t_value`` those of the table.
    """
    p = out.shape[1] // 3
    both = np.empty((p, 2))
    for i in range(start, stop):
        row = out[i - start]
        row[:] = 0.0
        both[:] = 0.0
        for q in range(t_pointer[i], t_pointer[i + 1]):
            row[t_column[q]] = t_value[q]
        for e in range(pointer[i], pointer[i + 1]):
            j, mean, cosine, sine = column[e], weight[e, 0], weight[e, 1], weight[e, 2]
            for q in range(t_pointer[j], t_pointer[j + 1]):
                g, x = t_column[q], t_value[q]
                row[p + g] += mean * x
                both[g, 0] += cosine * x
                both[g, 1] += sine * x
        for g in range(p):
            row[2 * p + g] = np.sqrt(both[g, 0] * both[g, 0] + both[g, 1] * both[g, 1])
