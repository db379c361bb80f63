"""The loop behind `lowpass.morans_i`: products of neighbours. Import late: this imports numba."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

compiled: Any = njit(cache=True, nogil=True)


@compiled
def add_neighbour_products(first, last, pointer, column, value, near_pointer, near, weight, shared):  # type: ignore[no-untyped-def]
    """Add x_i Σ_j w_ij x_j of the rows ``first`` to ``last`` of a CSR table to each of its features."""
    around = np.zeros(len(shared))
    for i in range(first, last):
        if pointer[i] == pointer[i + 1]:
            continue
        for e in range(near_pointer[i], near_pointer[i + 1]):
            j = near[e]
            for at in range(pointer[j], pointer[j + 1]):
                around[column[at]] += weight[e] * value[at]
        for at in range(pointer[i], pointer[i + 1]):
            shared[column[at]] += value[at] * around[column[at]]
        for e in range(near_pointer[i], near_pointer[i + 1]):
            j = near[e]
            for at in range(pointer[j], pointer[j + 1]):
                around[column[at]] = 0.0
