"""The loop that turns proportions into the sectors of pies. Import late: this imports numba."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

compiled: Any = njit(cache=True, nogil=True)

STEPS = 65_535
"""Sectors end on one of so many steps of the turn: 0.005 degrees."""


@compiled
def sectors(values, nothing, made):  # type: ignore[no-untyped-def]
    """Write (n, t, 4) the sectors of (n, t) proportions: see `views.pie_texture.packed`."""
    n, t = values.shape
    for i in range(n):
        total = 0.0
        for k in range(t):
            if np.isfinite(values[i, k]) and values[i, k] > 0:
                total += values[i, k]
        place, before, sum_so_far, last = 0, 0, 0.0, nothing
        for k in range(t):
            if not (total > 0 and np.isfinite(values[i, k]) and values[i, k] > 0):
                continue
            sum_so_far += values[i, k]
            end = np.int64(np.rint(sum_so_far / total * STEPS))
            if end > before:
                made[i, place, 0], made[i, place, 1], made[i, place, 2] = end >> 8, end & 255, k
                place, before, last = place + 1, int(end), k
        # what is left over holds the last sector again, so that any search ends there
        for k in range(place, t):
            made[i, k, 0], made[i, k, 1], made[i, k, 2] = 255, 255, last
