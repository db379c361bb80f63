"""The loops behind `inside` and the centres of labels. Import late: this file imports numba."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

compiled: Any = njit(cache=True, nogil=True)


@compiled
def _slab_of(y, y0, scale, slabs, beside):  # type: ignore[no-untyped-def]
    """Return the slab of a height, or one beside it, so that rounding loses no edge."""
    return min(max(np.int64((y - y0) * scale) + beside, 0), slabs - 1)


@compiled
def _sorted_into_slabs(corners, y0, scale, slabs):  # type: ignore[no-untyped-def]
    """Return where the edges of each slab begin, and of each edge: two heights, where it is, how it leans."""
    k = len(corners)
    starts = np.zeros(slabs + 1, np.int64)
    for e in range(k):
        a, b = corners[e, 0], corners[(e + 1) % k, 0]
        for s in range(_slab_of(min(a, b), y0, scale, slabs, -1), _slab_of(max(a, b), y0, scale, slabs, 1) + 1):
            starts[s + 1] += 1
    for s in range(slabs):
        starts[s + 1] += starts[s]
    cursor, edges = starts[:-1].copy(), np.empty((starts[-1], 4))
    for e in range(k):
        a, b, ax, bx = corners[e, 0], corners[(e + 1) % k, 0], corners[e, 1], corners[(e + 1) % k, 1]
        lean = (bx - ax) / (b - a) if b != a else 0.0  # a level edge is never crossed
        for s in range(_slab_of(min(a, b), y0, scale, slabs, -1), _slab_of(max(a, b), y0, scale, slabs, 1) + 1):
            edges[cursor[s], 0], edges[cursor[s], 1], edges[cursor[s], 2], edges[cursor[s], 3] = a, b, ax, lean
            cursor[s] += 1
    return starts, edges


@compiled
def inside_slabs(points, corners, out):  # type: ignore[no-untyped-def]
    """Say of each point whether a ray from it crosses the outline an odd number of times."""
    y0, y1 = corners[:, 0].min(), corners[:, 0].max()
    x0, x1 = corners[:, 1].min(), corners[:, 1].max()
    if not y1 > y0:
        return
    slabs = min(max(8 * len(corners), 16), 8192)
    scale = slabs / (y1 - y0)
    starts, edges = _sorted_into_slabs(corners, y0, scale, slabs)
    for i in range(len(points)):
        y, x = points[i, 0], points[i, 1]
        if not (y0 <= y <= y1 and x0 <= x <= x1):  # False at NaN
            continue
        slab, odd = _slab_of(y, y0, scale, slabs, 0), False
        for e in range(starts[slab], starts[slab + 1]):
            odd ^= ((edges[e, 0] > y) != (edges[e, 1] > y)) & (x < edges[e, 2] + (y - edges[e, 0]) * edges[e, 3])
        out[i] = odd


@compiled
def add_centres(codes, top, sums):  # type: ignore[no-untyped-def]
    """Add the pixels of a band of codes to (n, 3) counts, rows and columns; -1 is none."""
    for i in range(codes.shape[0]):
        for j in range(codes.shape[1]):
            code = codes[i, j]
            if code >= 0:
                sums[code, 0] += 1
                sums[code, 1] += top + i
                sums[code, 2] += j
