"""The loops behind matching of points: density images, their products, soft nearest partners. Imports numba."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

compiled: Any = njit(cache=True, nogil=True)


@compiled
def splatted(points, channels, weights, corner, pixel, out):  # type: ignore[no-untyped-def]
    """Add the points to the images `out`, (h, w, c), each shared among its four nearest pixels.

    `weights` holds one number, or one a point. What lies outside is left out.
    """
    h, w = out.shape[:2]
    for i in range(len(points)):
        c = channels[i]
        if c < 0:
            continue
        y, x = (points[i, 0] - corner[0]) / pixel, (points[i, 1] - corner[1]) / pixel
        if not (0 <= y < h - 1 and 0 <= x < w - 1):
            continue
        r, q = np.int64(y), np.int64(x)
        b, a = y - r, x - q
        m = weights[i % len(weights)]
        out[r, q, c] += m * (1 - b) * (1 - a)
        out[r, q + 1, c] += m * (1 - b) * a
        out[r + 1, q, c] += m * b * (1 - a)
        out[r + 1, q + 1, c] += m * b * a


@compiled
def laid(places, counts, matrix, corner, pixel, out):  # type: ignore[no-untyped-def]
    """Add moved bins with their counts (n, c) to the images `out`, (c, h, w), each to its four nearest pixels."""
    h, w = out.shape[1:]
    for i in range(len(places)):
        u, v = places[i, 0], places[i, 1]
        y = (matrix[0, 0] * u + matrix[0, 1] * v + matrix[0, 2] - corner[0]) / pixel
        x = (matrix[1, 0] * u + matrix[1, 1] * v + matrix[1, 2] - corner[1]) / pixel
        if not (0 <= y < h - 1 and 0 <= x < w - 1):
            continue
        r, q = np.int64(y), np.int64(x)
        b, a = y - r, x - q
        for c in range(out.shape[0]):
            m = counts[i, c]
            if m != 0:
                out[c, r, q] += m * (1 - b) * (1 - a)
                out[c, r, q + 1] += m * (1 - b) * a
                out[c, r + 1, q] += m * b * (1 - a)
                out[c, r + 1, q + 1] += m * b * a


@compiled
def product(first, second, dy, dx, out):  # type: ignore[no-untyped-def]
    """Write the sum over channels of first(x) · second(x + d), images (h, w, c); 0 where x + d lies outside."""
    h, w, c = first.shape
    for y in range(h):
        v = y + dy
        for x in range(w):
            u = x + dx
            total = np.float32(0)
            if 0 <= v < h and 0 <= u < w:
                for k in range(c):
                    total += first[y, x, k] * second[v, u, k]
            out[y, x] = total


@compiled
def pushed(points, corner, spacing, field, out):  # type: ignore[no-untyped-def]
    """Add to each point the displacement (h, w, 2) at its place, bilinear, held at the rim; write to `out`."""
    h, w = field.shape[:2]
    for i in range(len(points)):
        y = min(max((points[i, 0] - corner[0]) / spacing, 0.0), h - 1.0)
        x = min(max((points[i, 1] - corner[1]) / spacing, 0.0), w - 1.0)
        r, q = min(np.int64(y), h - 2), min(np.int64(x), w - 2)
        b, a = y - r, x - q
        for k in range(2):
            top = field[r, q, k] * (1 - a) + field[r, q + 1, k] * a
            low = field[r + 1, q, k] * (1 - a) + field[r + 1, q + 1, k] * a
            out[i, k] = points[i, k] + top * (1 - b) + low * b


@compiled
def sorted_into_bins(points, corner, edge, shape):  # type: ignore[no-untyped-def]
    """Return where each bin's points begin, (bins + 1,), and the points' numbers in the order of the bins."""
    h, w = shape
    starts = np.zeros(h * w + 1, np.int64)
    at = np.empty(len(points), np.int64)
    for i in range(len(points)):
        r = min(max(np.int64(np.floor((points[i, 0] - corner[0]) / edge)), 0), h - 1)
        q = min(max(np.int64(np.floor((points[i, 1] - corner[1]) / edge)), 0), w - 1)
        at[i] = r * w + q
        starts[at[i] + 1] += 1
    for k in range(h * w):
        starts[k + 1] += starts[k]
    filled = starts[:-1].copy()
    order = np.empty(len(points), np.int64)
    for i in range(len(points)):
        order[filled[at[i]]] = i
        filled[at[i]] += 1
    return starts, order


@compiled
def partners(moved, codes, fixed, fixed_codes, starts, corner, edge, shape, sigma, stray, odds, reach, found, pull):  # type: ignore[no-untyped-def]
    """Find each moved point's soft partner among the fixed points within `reach` ≤ `edge`, which are sorted into bins.

    Writes the matched mass 0 to 1 to `found` and the way to the partner to `pull`, (n, 2). Returns the summed
    mass times squared distance. `stray` is the weight of having no partner, `odds` (k, k) how much likelier
    a pair of codes is than by chance.
    """
    h, w = shape
    total = 0.0
    half = 0.5 / (sigma * sigma)
    for i in range(len(moved)):
        y, x, code = moved[i, 0], moved[i, 1], codes[i]
        r = np.int64(np.floor((y - corner[0]) / edge))
        q = np.int64(np.floor((x - corner[1]) / edge))
        mass, ty, tx, far = 0.0, 0.0, 0.0, 0.0
        left, right = min(max(q - 1, 0), w), max(min(q + 2, w), 0)
        for v in range(min(max(r - 1, 0), h), min(r + 2, h)):
            for j in range(starts[v * w + left], starts[v * w + max(left, right)]):
                dy, dx = fixed[j, 0] - y, fixed[j, 1] - x
                d = dy * dy + dx * dx
                if d < reach * reach:
                    p = np.exp(-d * half) * odds[code, fixed_codes[j]]
                    mass += p
                    ty += p * dy
                    tx += p * dx
                    far += p * d
        found[i] = mass / (mass + stray)
        pull[i, 0], pull[i, 1] = (ty / mass, tx / mass) if mass > 0 else (0.0, 0.0)
        total += far / (mass + stray)
    return total


@compiled
def nearest(moved, fixed, starts, corner, edge, shape, found):  # type: ignore[no-untyped-def]
    """Write each moved point's nearest fixed point within `edge`, a number in the order of the bins, or -1."""
    h, w = shape
    for i in range(len(moved)):
        y, x = moved[i, 0], moved[i, 1]
        r = np.int64(np.floor((y - corner[0]) / edge))
        q = np.int64(np.floor((x - corner[1]) / edge))
        left, right = min(max(q - 1, 0), w), max(min(q + 2, w), 0)
        best, found[i] = edge * edge, -1
        for v in range(min(max(r - 1, 0), h), min(r + 2, h)):
            for j in range(starts[v * w + left], starts[v * w + max(left, right)]):
                dy, dx = fixed[j, 0] - y, fixed[j, 1] - x
                d = dy * dy + dx * dx
                if d < best:
                    best, found[i] = d, j


@compiled
def votes(moving, codes, fixed, fixed_codes, turns, shifts, flips, reach, unlike, out):  # type: ignore[no-untyped-def]
    """Write how many moving points each movement brings onto fixed ones, nearer counting more.

    `turns` and `shifts` are complex numbers: z -> turn · z + shift, or of the mirrored z where `flips` says so.
    A partner of another code counts `unlike`.
    """
    for k in range(len(turns)):
        total = 0.0
        for i in range(len(moving)):
            z = np.conj(moving[i]) if flips[k] else moving[i]
            at = turns[k] * z + shifts[k]
            best = 0.0
            for j in range(len(fixed)):
                d = fixed[j] - at
                near = 1.0 - (d.real * d.real + d.imag * d.imag) / (reach * reach)
                if near > 0:
                    best = max(best, near if codes[i] == fixed_codes[j] else near * unlike)
            total += best
        out[k] = total
