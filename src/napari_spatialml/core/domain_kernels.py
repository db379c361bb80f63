"""The loop behind `refitted_domains`: what the neighbours say. Import late: this imports numba."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

compiled: Any = njit(cache=True, nogil=True)


@compiled
def ask_neighbours(pointer, near, heard, fixed, density, pull, before, after):  # type: ignore[no-untyped-def]
    """Write softmax(density + pull · what the neighbours held before) of each row that is not fixed.

    All arrays over rows and domains are (n, k); all rows are answered from ``before``, so that their
    order does not matter.
    """
    n, k = density.shape
    held = np.empty(k)
    for i in range(n):
        if fixed[i]:
            for c in range(k):
                after[i, c] = before[i, c]
            continue
        for c in range(k):
            held[c] = 0.0
        for e in range(pointer[i], pointer[i + 1]):
            j = near[e]
            if heard[j]:
                for c in range(k):
                    held[c] += before[j, c]
        top = -np.inf
        for c in range(k):
            held[c] = density[i, c] + pull * held[c]
            top = max(top, held[c])
        total = 0.0
        for c in range(k):
            held[c] = np.exp(held[c] - top)
            total += held[c]
        for c in range(k):
            after[i, c] = held[c] / total
