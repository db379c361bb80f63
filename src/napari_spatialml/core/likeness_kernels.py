"""The loops of image registration over pixels. Import late: this imports numba."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

compiled: Any = njit(cache=True, nogil=True, fastmath=True)


@compiled
def joint_counts(fixed, moving, m, out):  # type: ignore[no-untyped-def]
    """Count which class of the fixed picture lies on which of the moving one, each spread over four pixels.

    `fixed` and `moving` hold classes, -1 unknown; `m` (2, 3) leads from fixed to moving pixels.
    """
    height, width = moving.shape
    for i in range(fixed.shape[0]):
        for j in range(fixed.shape[1]):
            a = fixed[i, j]
            if a < 0:
                continue
            y = m[0, 0] * i + m[0, 1] * j + m[0, 2]
            x = m[1, 0] * i + m[1, 1] * j + m[1, 2]
            if y < 0 or x < 0 or y >= height - 1 or x >= width - 1:
                continue
            p, q = int(y), int(x)
            v, u = y - p, x - q
            b = moving[p, q]
            if b >= 0:
                out[a, b] += (1 - v) * (1 - u)
            b = moving[p, q + 1]
            if b >= 0:
                out[a, b] += (1 - v) * u
            b = moving[p + 1, q]
            if b >= 0:
                out[a, b] += v * (1 - u)
            b = moving[p + 1, q + 1]
            if b >= 0:
                out[a, b] += v * u


@compiled
def sampled_affine(values, known, m, shape, out, weight):  # type: ignore[no-untyped-def]
    """Sample every channel linearly where the affine map `m` (2, 3) leads; what is not known has weight 0."""
    channels, height, width = values.shape
    for i in range(shape[0]):
        for j in range(shape[1]):
            y = m[0, 0] * i + m[0, 1] * j + m[0, 2]
            x = m[1, 0] * i + m[1, 1] * j + m[1, 2]
            weight[i, j] = 0
            if not (y >= 0 and x >= 0 and y < height - 1 and x < width - 1):
                for c in range(channels):
                    out[c, i, j] = 0
                continue
            p, q = int(y), int(x)
            v, u = y - p, x - q
            a, b, d, e = (1 - v) * (1 - u), (1 - v) * u, v * (1 - u), v * u
            weight[i, j] = a * known[p, q] + b * known[p, q + 1] + d * known[p + 1, q] + e * known[p + 1, q + 1]
            for c in range(channels):
                w = values[c]
                out[c, i, j] = a * w[p, q] + b * w[p, q + 1] + d * w[p + 1, q] + e * w[p + 1, q + 1]


@compiled
def sampled_field(values, field, out):  # type: ignore[no-untyped-def]
    """Sample every channel linearly at each pixel plus its displacement (2, h, w); beyond the edge counts the edge."""
    channels, height, width = values.shape
    for i in range(field.shape[1]):
        for j in range(field.shape[2]):
            y = min(max(i + field[0, i, j], 0.0), height - 1.001)
            x = min(max(j + field[1, i, j], 0.0), width - 1.001)
            p, q = int(y), int(x)
            v, u = y - p, x - q
            a, b, d, e = (1 - v) * (1 - u), (1 - v) * u, v * (1 - u), v * u
            for c in range(channels):
                w = values[c]
                out[c, i, j] = a * w[p, q] + b * w[p, q + 1] + d * w[p + 1, q] + e * w[p + 1, q + 1]


@compiled
def window_means(planes, radius, out):  # type: ignore[no-untyped-def]
    """Average each plane over square windows of `2 radius + 1` pixels, cut at the edges; 2 running sums."""
    n, height, width = planes.shape
    columns = np.zeros(width, np.float64)
    for c in range(n):
        columns[:] = 0
        for i in range(min(radius, height)):
            for j in range(width):
                columns[j] += planes[c, i, j]
        for i in range(height):
            if i + radius < height:
                for j in range(width):
                    columns[j] += planes[c, i + radius, j]
            if i - radius - 1 >= 0:
                for j in range(width):
                    columns[j] -= planes[c, i - radius - 1, j]
            rows = min(i + radius, height - 1) - max(i - radius, 0) + 1
            total = 0.0
            for j in range(min(radius, width)):
                total += columns[j]
            for j in range(width):
                if j + radius < width:
                    total += columns[j + radius]
                if j - radius - 1 >= 0:
                    total -= columns[j - radius - 1]
                across = min(j + radius, width - 1) - max(j - radius, 0) + 1
                out[c, i, j] = total / (rows * across)
