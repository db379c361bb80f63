"""A cubic B-spline field at points: values and slopes. Import late: this imports numba."""

from __future__ import annotations

from typing import Any

from numba import njit

compiled: Any = njit(cache=True, nogil=True)


@compiled
def cubic(t):  # type: ignore[no-untyped-def]
    """Return the four weights of the uniform cubic B-spline at 0 <= t <= 1 between the two middle knots."""
    s = 1.0 - t
    first, last = s * s * s / 6.0, t * t * t / 6.0
    second = (4.0 - 6.0 * t * t + 3.0 * t * t * t) / 6.0
    return first, second, 1.0 - first - second - last, last


@compiled
def cubic_slope(t):  # type: ignore[no-untyped-def]
    """Return the derivatives of the four weights by t."""
    s = 1.0 - t
    first, last = -0.5 * s * s, 0.5 * t * t
    second = (-4.0 * t + 3.0 * t * t) / 2.0
    return first, second, -first - second - last, last


@compiled
def _place(u, n):  # type: ignore[no-untyped-def]
    """Return the cell, the place in it and whether the coordinate lies within the n nodes."""
    if u < 0.0:
        return 0, 0.0, False
    if u > n - 1.0:
        return n - 2, 1.0, False
    i = min(int(u), n - 2)
    return i, u - i, True


@compiled
def values_at(coefficients, ys, xs, out):  # type: ignore[no-untyped-def]
    """Add the field's value at each point (in nodes; beyond the edge that of the edge) to out (n, 2)."""
    h, w = coefficients.shape[0] - 2, coefficients.shape[1] - 2
    for p in range(len(ys)):
        i, t, _ = _place(ys[p], h)
        j, s, _ = _place(xs[p], w)
        wy, wx = cubic(t), cubic(s)
        for a in range(4):
            row = coefficients[i + a]
            for c in range(2):
                along = wx[0] * row[j, c] + wx[1] * row[j + 1, c] + wx[2] * row[j + 2, c] + wx[3] * row[j + 3, c]
                out[p, c] += wy[a] * along


@compiled
def slopes_at(coefficients, ys, xs, out):  # type: ignore[no-untyped-def]
    """Write the derivatives by y and x in nodes to out (n, 2, 2); 0 across the edge beyond it."""
    h, w = coefficients.shape[0] - 2, coefficients.shape[1] - 2
    for p in range(len(ys)):
        i, t, within_y = _place(ys[p], h)
        j, s, within_x = _place(xs[p], w)
        wy, wx, dy, dx = cubic(t), cubic(s), cubic_slope(t), cubic_slope(s)
        for c in range(2):
            by_y, by_x = 0.0, 0.0
            for a in range(4):
                for b in range(4):
                    value = coefficients[i + a, j + b, c]
                    by_y += dy[a] * wx[b] * value
                    by_x += wy[a] * dx[b] * value
            out[p, c, 0] = by_y if within_y else 0.0
            out[p, c, 1] = by_x if within_x else 0.0
