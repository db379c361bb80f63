"""Coordinate descent over the rows of a graph. Import late: this imports numba."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

compiled: Any = njit(cache=True, nogil=True)


@compiled
def sweep(x, gram, right, pointer, index, weight, degree):  # type: ignore[no-untyped-def]
    """Move every entry of x (n, t) to its minimum in turn, all others fixed; return the furthest move."""
    n, t = x.shape
    furthest = 0.0
    drawn = np.empty(t)
    for i in range(n):
        for k in range(t):
            drawn[k] = right[i, k]
        for e in range(pointer[i], pointer[i + 1]):
            for k in range(t):
                drawn[k] += weight[e] * x[index[e], k]
        for k in range(t):
            slope = degree[i] * x[i, k] - drawn[k]
            for l in range(t):  # noqa: E741
                slope += gram[k, l] * x[i, l]
            to = max(0.0, x[i, k] - slope / (gram[k, k] + degree[i]))
            furthest = max(furthest, abs(to - x[i, k]))
            x[i, k] = to
    return furthest
