"""Reading a map that is sampled cell by cell: at points, and for the pixels of an image. Import late: numba.

A cell of m by m steps keeps (m + 3)² knots, one more around it on each side; between them the map is the
cubic through the four nearest in each direction.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

compiled: Any = njit(cache=True, nogil=True, fastmath={"contract", "nsz"}, error_model="numpy")

_NEARLY = 1e-6
"""Pixels by which rounding may move a place."""


@compiled
def lagrange(t):  # type: ignore[no-untyped-def]
    """Return the weights of the knots at -1, 0, 1 and 2."""
    a, b, c = t + 1.0, t - 1.0, t - 2.0
    p, q = b * c, a * t
    return -t * p * (1.0 / 6.0), a * p * 0.5, -q * c * 0.5, q * b * (1.0 / 6.0)


@compiled
def at_points(knots, first, steps, points, low, edge, out):  # type: ignore[no-untyped-def]
    """Write the map at each point (n, 2) to out (n, 2); the cells of that edge begin at ``low``."""
    rows, columns = steps.shape
    for p in range(len(points)):
        y, x = (points[p, 0] - low[0]) / edge, (points[p, 1] - low[1]) / edge
        r, c = min(max(int(y), 0), rows - 1), min(max(int(x), 0), columns - 1)
        m = steps[r, c]
        v, u = (y - r) * m, (x - c) * m
        i, j = min(max(int(v), 0), m - 1), min(max(int(u), 0), m - 1)
        wy, wx = lagrange(v - i), lagrange(u - j)
        at = first[r, c] + i * (m + 3) + j
        to_y, to_x = 0.0, 0.0
        for a in range(4):
            k = at + a * (m + 3)
            to_y += wy[a] * (
                wx[0] * knots[k, 0] + wx[1] * knots[k + 1, 0] + wx[2] * knots[k + 2, 0] + wx[3] * knots[k + 3, 0]
            )
            to_x += wy[a] * (
                wx[0] * knots[k, 1] + wx[1] * knots[k + 1, 1] + wx[2] * knots[k + 2, 1] + wx[3] * knots[k + 3, 1]
            )
        out[p, 0], out[p, 1] = to_y, to_x


@compiled
def _row(knots, at, m, v, row):  # type: ignore[no-untyped-def]
    """Write the knots of a cell interpolated at the height v, in steps, to row (2, m + 3)."""
    i = min(int(v), m - 1)
    w = lagrange(v - i)
    n = m + 3
    for j in range(n):
        k = at + i * n + j
        for c in range(2):
            row[c, j] = (
                w[0] * knots[k, c] + w[1] * knots[k + n, c] + w[2] * knots[k + 2 * n, c] + w[3] * knots[k + 3 * n, c]
            )


@compiled
def _weights(m, edge, weights):  # type: ignore[no-untyped-def]
    """Write the four weights of each pixel of one of the m steps across a cell."""
    for x in range(edge // m):
        w = lagrange(x * m / edge)
        for b in range(4):
            weights[b, x] = w[b]


@compiled
def _along(row, m, weights, edge, ys, xs):  # type: ignore[no-untyped-def]
    """Write the map of each pixel across a cell; the steps are whole pixels wide."""
    wide = edge // m
    for j in range(m):
        a0, b0, c0, d0 = row[0, j], row[0, j + 1], row[0, j + 2], row[0, j + 3]
        a1, b1, c1, d1 = row[1, j], row[1, j + 1], row[1, j + 2], row[1, j + 3]
        to_y, to_x = ys[j * wide : (j + 1) * wide], xs[j * wide : (j + 1) * wide]
        for x in range(wide):
            p, q, r, s = weights[0, x], weights[1, x], weights[2, x], weights[3, x]
            to_y[x] = p * a0 + q * b0 + r * c0 + s * d0
            to_x[x] = p * a1 + q * b1 + r * c1 + s * d1


@compiled
def _linear(source, low, ys, xs, n, height, width, whole, out):  # type: ignore[no-untyped-def]
    """Interpolate n pixels of a row; what lies outside stays as it is, and a border pixel reaches half its edge."""
    channels, rows, columns = source.shape
    for x in range(n):
        y, z = ys[x], xs[x]
        if not (
            y >= -0.5 - _NEARLY and y < height - 0.5 - _NEARLY and z >= -0.5 - _NEARLY and z < width - 0.5 - _NEARLY
        ):
            continue
        # the window holds all that is asked for but for a curve between knots: never read beside it
        y, z = min(max(y - low[0], 0.0), rows - 1.0), min(max(z - low[1], 0.0), columns - 1.0)
        i, j = int(y), int(z)
        s, t = y - i, z - j
        # a neighbour without weight may hold NaN
        k, m = (i + 1 if s > 0.0 and i + 1 < rows else i), (j + 1 if t > 0.0 and j + 1 < columns else j)
        for c in range(channels):
            top = source[c, i, j] + t * (float(source[c, i, m]) - float(source[c, i, j]))
            bottom = source[c, k, j] + t * (float(source[c, k, m]) - float(source[c, k, j]))
            value = top + s * (bottom - top)
            out[c, x] = np.rint(value) if whole else value


@compiled
def _linear_whole(flat, columns, low, ys, xs, n, out):  # type: ignore[no-untyped-def]
    """Interpolate n whole-numbered pixels of a row of one channel, all of them and their neighbours in the window."""
    for x in range(n):
        y, z = ys[x] - low[0], xs[x] - low[1]
        i, j = np.uint32(y), np.uint32(z)
        s, t = y - i, z - j
        at = np.uint64(i) * np.uint64(columns) + np.uint64(j)
        below = at + np.uint64(columns)
        a, b = float(flat[at]), float(flat[below])
        top = a + t * (float(flat[at + np.uint64(1)]) - a)
        bottom = b + t * (float(flat[below + np.uint64(1)]) - b)
        out[x] = np.rint(top + s * (bottom - top))


@compiled
def _nearest(source, low, ys, xs, n, height, width, out):  # type: ignore[no-untyped-def]
    rows, columns = source.shape[1:]
    for x in range(n):
        y, z = ys[x] + (0.5 + _NEARLY), xs[x] + (0.5 + _NEARLY)
        if y >= 0.0 and y < height and z >= 0.0 and z < width:
            i, j = min(max(int(y) - low[0], 0), rows - 1), min(max(int(z) - low[1], 0), columns - 1)
            for c in range(source.shape[0]):
                out[c, x] = source[c, i, j]


@compiled
def resample(knots, first, steps, edge, inside, source, low, size, order, whole, out):  # type: ignore[no-untyped-def]
    """Write what the cells marked ``inside`` show of a window ``source`` of an image to out (c, h, w).

    The window begins at ``low`` of an image of the given size; order 0 takes the nearest pixel, 1 interpolates.
    Cells marked 2 lie within the window with all that they bend.
    """
    channels, columns = source.shape[0], source.shape[2]
    flat = source.reshape((channels, source.shape[1] * columns))
    weights = np.empty((4, edge))
    ys, xs = np.empty(edge), np.empty(edge)
    row = np.empty((2, edge + 3))
    before = 0
    for r in range(steps.shape[0]):
        for c in range(steps.shape[1]):
            if not inside[r, c]:
                continue
            m = steps[r, c]
            if m != before:
                _weights(m, edge, weights)
                before = m
            left = c * edge
            n = min(edge, out.shape[2] - left)
            for y in range(r * edge, min((r + 1) * edge, out.shape[1])):
                _row(knots, first[r, c], m, (y - r * edge) * m / edge, row)
                _along(row, m, weights, edge, ys, xs)
                to = out[:, y, left : left + n]
                if order == 0:
                    _nearest(source, low, ys, xs, n, size[0], size[1], to)
                elif whole and inside[r, c] == 2:
                    for channel in range(channels):
                        _linear_whole(flat[channel], columns, low, ys, xs, n, to[channel])
                else:
                    _linear(source, low, ys, xs, n, size[0], size[1], whole, to)


@compiled
def places(knots, first, steps, edge, out):  # type: ignore[no-untyped-def]
    """Write the map of every pixel to out (2, h, w)."""
    weights, row = np.empty((4, edge)), np.empty((2, edge + 3))
    ys, xs = np.empty(edge), np.empty(edge)
    for r in range(steps.shape[0]):
        for c in range(steps.shape[1]):
            m, left = steps[r, c], c * edge
            _weights(m, edge, weights)
            n = min(edge, out.shape[2] - left)
            for y in range(r * edge, min((r + 1) * edge, out.shape[1])):
                _row(knots, first[r, c], m, (y - r * edge) * m / edge, row)
                _along(row, m, weights, edge, ys, xs)
                out[0, y, left : left + n] = ys[:n]
                out[1, y, left : left + n] = xs[:n]
