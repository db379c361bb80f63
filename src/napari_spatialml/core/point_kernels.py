"""The loops over points in view: which count, where they lie, how many a bin holds. Import late: this imports numba.

`slots` says of each point which count it belongs to, -1 to none.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

compiled: Any = njit(cache=True, nogil=True)


@compiled
def too_low(values, least, slots):  # type: ignore[no-untyped-def]
    """Leave out the points whose value is below the least, or NaN."""
    for i in range(len(values)):
        if not values[i] >= least:
            slots[i] = -1


@compiled
def too_high(values, end, slots):  # type: ignore[no-untyped-def]
    """Leave out the points whose value is not below the end, or NaN."""
    for i in range(len(values)):
        if not values[i] < end:
            slots[i] = -1


@compiled
def counted(where, m, box, slots, out):  # type: ignore[no-untyped-def]
    """Add to `out` how many points of each slot lie in the box; rounded as in `assignment.moved`."""
    y0, y1, x0, x1 = box
    for i in range(len(where)):
        if slots[i] < 0:
            continue
        y, x = np.float64(where[i, 0]), np.float64(where[i, 1])
        v = (m[0, 0] * y + m[0, 1] * x) + m[0, 2]
        u = (m[1, 0] * y + m[1, 1] * x) + m[1, 2]
        if y0 <= v < y1 and x0 <= u < x1:
            out[slots[i]] += 1


@compiled
def taken(where, m, box, slots, seen, n, most, places, kinds):  # type: ignore[no-untyped-def]
    """Write `most` of the `n` points in the box, evenly from their order; `seen` points of it came before.

    Returns how many came before the next piece.
    """
    y0, y1, x0, x1 = box
    for i in range(len(where)):
        if slots[i] < 0:
            continue
        y, x = np.float64(where[i, 0]), np.float64(where[i, 1])
        v = (m[0, 0] * y + m[0, 1] * x) + m[0, 2]
        u = (m[1, 0] * y + m[1, 1] * x) + m[1, 2]
        if y0 <= v < y1 and x0 <= u < x1:
            at = seen * most // n
            if (seen + 1) * most // n > at:
                places[at, 0], places[at, 1] = v, u
                kinds[at] = slots[i]
            seen += 1
    return seen


@compiled
def binned(where, m, corner, edge, slots, out):  # type: ignore[no-untyped-def]
    """Add the points to the bins of `out`, (slots, h, w), whose first has its corner at `corner`."""
    h, w = out.shape[1:]
    for i in range(len(where)):
        if slots[i] < 0:
            continue
        y, x = np.float64(where[i, 0]), np.float64(where[i, 1])
        v = np.floor((((m[0, 0] * y + m[0, 1] * x) + m[0, 2]) - corner[0]) / edge)
        u = np.floor((((m[1, 0] * y + m[1, 1] * x) + m[1, 2]) - corner[1]) / edge)
        if 0 <= v < h and 0 <= u < w:
            out[slots[i], np.int64(v), np.int64(u)] += 1


@compiled
def added(where, corner, edge, out):  # type: ignore[no-untyped-def]
    """Add points to the bins of `out`, (h, w), in their own coordinates; the far rim belongs to the last."""
    h, w = out.shape
    for i in range(len(where)):
        v = np.floor((np.float64(where[i, 0]) - corner[0]) / edge)
        u = np.floor((np.float64(where[i, 1]) - corner[1]) / edge)
        out[np.int64(min(max(v, 0), h - 1)), np.int64(min(max(u, 0), w - 1))] += 1


@compiled
def stamped(places, kinds, stamps, colours, out):  # type: ignore[no-untyped-def]
    """Draw each point's stamp over `out`, (h, w, 4) light times alpha, and alpha.

    `places` are (n, 2) in pixels, whose first has its centre at 0; `stamps` (kinds, k, k) how far each covers a pixel.
    """
    h, w = out.shape[:2]
    k = stamps.shape[1]
    for i in range(len(places)):
        top, left = np.int64(np.round(places[i, 0])) - k // 2, np.int64(np.round(places[i, 1])) - k // 2
        kind = kinds[i]
        for dy in range(max(0, -top), min(k, h - top)):
            for dx in range(max(0, -left), min(k, w - left)):
                a = stamps[kind, dy, dx]
                if a > 0:
                    for c in range(3):
                        out[top + dy, left + dx, c] += a * (colours[kind, c] - out[top + dy, left + dx, c])
                    out[top + dy, left + dx, 3] += a * (np.float32(1) - out[top + dy, left + dx, 3])
    return out


@compiled
def opaque(premultiplied, out):  # type: ignore[no-untyped-def]
    """Write light times alpha, 0 to 1, as red, green, blue and alpha, 0 to 255."""
    h, w = out.shape[:2]
    for y in range(h):
        for x in range(w):
            a = premultiplied[y, x, 3]
            if a > 0:
                for c in range(3):
                    out[y, x, c] = np.uint8(min(premultiplied[y, x, c] / a, np.float32(1)) * 255 + np.float32(0.5))
                out[y, x, 3] = np.uint8(a * 255 + np.float32(0.5))
