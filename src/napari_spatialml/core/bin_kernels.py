"""The loops that make coarser levels of bins. Import late: this imports numba."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

compiled: Any = njit(cache=True, nogil=True)


@compiled
def halve_means(total, count, coarse_total, coarse_count):  # type: ignore[no-untyped-def]
    """Add up blocks of 2 × 2: the sum of their values and how many bins have one."""
    height, width = total.shape
    for r in range(coarse_total.shape[0]):
        for c in range(coarse_total.shape[1]):
            s, n = np.float32(0), 0
            for y in range(2 * r, min(2 * r + 2, height)):
                for x in range(2 * c, min(2 * c + 2, width)):
                    s += total[y, x]
                    n += count[y, x]
            coarse_total[r, c], coarse_count[r, c] = s, n


@compiled
def most_frequent(codes, step, n_codes, out):  # type: ignore[no-untyped-def]
    """Write the code that most bins of each block have; 0 is none, and of equals the lowest is taken."""
    height, width = codes.shape
    counts = np.zeros(n_codes + 1, np.int64)
    for r in range(out.shape[0]):
        for c in range(out.shape[1]):
            best, most = 0, 0
            y1, x1 = min((r + 1) * step, height), min((c + 1) * step, width)
            for y in range(r * step, y1):
                for x in range(c * step, x1):
                    counts[codes[y, x]] += 1
            for y in range(r * step, y1):
                for x in range(c * step, x1):
                    k = codes[y, x]
                    if k > 0 and (counts[k] > most or (counts[k] == most and k < best)):
                        best, most = k, counts[k]
            for y in range(r * step, y1):
                for x in range(c * step, x1):
                    counts[codes[y, x]] = 0
            out[r, c] = best
