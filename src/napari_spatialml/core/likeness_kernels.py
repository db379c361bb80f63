"""The loops of image registration over pixels. Import late: this imports numba."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

compiled: Any = njit(cache=True, nogil=True, fastmath=True, error_model="numpy")


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


@compiled
def gaussian_means(planes, taps, out):  # type: ignore[no-untyped-def]
    """Average each plane (n, h, w) in Gaussian windows, mirrored at the edges; `taps` go from the middle outwards."""
    n, height, width = planes.shape
    reach = len(taps) - 1
    row = np.empty(width + 2 * reach, np.float32)
    for c in range(n):
        for i in range(height):
            inside = row[reach : reach + width]
            for j in range(width):
                inside[j] = taps[0] * planes[c, i, j]
            for k in range(1, reach + 1):
                above, below = planes[c, _mirrored(i - k, height)], planes[c, _mirrored(i + k, height)]
                for j in range(width):
                    inside[j] += taps[k] * (above[j] + below[j])
            for k in range(reach):
                row[reach - 1 - k] = inside[_mirrored(-1 - k, width)]
                row[reach + width + k] = inside[_mirrored(width + k, width)]
            to = out[c, i]
            for j in range(width):
                to[j] = taps[0] * inside[j]
            for k in range(1, reach + 1):
                left, right = row[reach - k : reach - k + width], row[reach + k : reach + k + width]
                for j in range(width):
                    to[j] += taps[k] * (left[j] + right[j])


@compiled
def _mirrored(i, n):  # type: ignore[no-untyped-def]
    """Return the index of n that lies beyond the edge as far as it says, mirrored there as often as it takes."""
    i %= 2 * n
    return i if i < n else 2 * n - 1 - i


@compiled
def moments(values, weight, out):  # type: ignore[no-untyped-def]
    """Write weight times values, and weight times their squares."""
    for i in range(values.shape[0]):
        for j in range(values.shape[1]):
            part = values[i, j] * weight[i, j]
            out[0, i, j] = part
            out[1, i, j] = part * values[i, j]


@compiled
def correlated(  # type: ignore[no-untyped-def]
    fixed, moving, known, inner, weight, of_fixed, of_moving, both, noise, share, root, slope, rest, squared
):
    """Write the local correlation's slope (2, h, w), rest and square; see `image_affine.Terms`.

    `known` are the windows' known shares, `inner` is 1 where slopes are known; `of_fixed` (2, h, w) and `of_moving`
    the means of values and their squares, `both` those of their products; `noise` is the squared standard deviation
    below which a window shows only noise, `share` how much the slope is that of the fixed side. With `root`, what is
    little correlated counts less. On the outermost pixels there is no slope.
    """
    height, width = fixed.shape
    half, one, none = np.float32(0.5), np.float32(1), np.float32(0)
    for i in range(height):
        for j in range(width):
            full = one / max(known[i, j], np.float32(1e-3))
            a, b = of_fixed[0, i, j] * full, of_moving[0, i, j] * full
            sd_a = np.sqrt(max(of_fixed[1, i, j] * full - a * a, none) + noise)
            sd_b = np.sqrt(max(of_moving[1, i, j] * full - b * b, none) + noise)
            rho = min(max((both[i, j] * full - a * b) / (sd_a * sd_b), -one), one)
            much = np.sqrt(abs(rho)) if root else one
            rest[i, j] = ((fixed[i, j] - a) / sd_a - rho * (moving[i, j] - b) / sd_b) * weight[i, j] * much
            squared[i, j] = rho * rho
            # by how much the slope follows either side's, for the next loops
            slope[0, i, j] = (one - share) * rho / sd_b * half * inner[i, j] * much
            slope[1, i, j] = share / sd_a * half * inner[i, j] * much
    for i in range(height):
        edge = i == 0 or i == height - 1
        slope[0, i, 0] = slope[1, i, 0] = slope[0, i, width - 1] = slope[1, i, width - 1] = none
        for j in range(1, width - 1):
            p, q = slope[0, i, j], slope[1, i, j]
            if edge:
                p, q = none, none
            up, down = max(i - 1, 0), min(i + 1, height - 1)
            slope[0, i, j] = p * (moving[down, j] - moving[up, j]) + q * (fixed[down, j] - fixed[up, j])
            slope[1, i, j] = p * (moving[i, j + 1] - moving[i, j - 1]) + q * (fixed[i, j + 1] - fixed[i, j - 1])


@compiled
def square_sums(slope, rest, much, step, out):  # type: ignore[no-untyped-def]
    """Add to `out` (5, n, m), for squares of `step` pixels, sums for the least-squares motion."""
    for i in range(rest.shape[0]):
        y = i // step
        for j in range(rest.shape[1]):
            x = j // step
            gy, gx, r = slope[0, i, j], slope[1, i, j], rest[i, j] * much
            out[0, y, x] += much * gy * gy
            out[1, y, x] += much * gx * gx
            out[2, y, x] += much * gy * gx
            out[3, y, x] += gy * r
            out[4, y, x] += gx * r
