"""Sums of r² log r and of their slopes, many points at a time. Import late: this imports numba.

The logarithm is worked out here, in loops that the compiler turns into vector instructions: the library's
is called for one number after the other and takes most of the time. It is right to 2 units in the 16th digit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

compiled: Any = njit(cache=True, nogil=True, fastmath={"contract", "nsz"}, error_model="numpy")

_BLOCK = 256
_HALF_ROOT = np.int64(0x3FE6A09E667F3BCD)
"""The bits of the root of ½: what is above it by less than a factor of 2 keeps an exponent of 0."""
_SHIFT_BITS, _SHIFT = np.int64(0x4338000000000000), 6755399441055744.0
"""A whole number added to these bits is that number added to this one: a conversion without a conversion."""
_LOG_2 = 0.6931471805599453


@compiled
def _logarithms(squared, mantissa, exponent, n):  # type: ignore[no-untyped-def]
    """Replace the first n numbers (> 0; of 0 something finite) of the buffers' ``mantissa`` by logarithms."""
    bits, low, high = squared.view(np.int64), mantissa.view(np.int64), exponent.view(np.int64)
    for i in range(n):
        power = (bits[i] - _HALF_ROOT) >> 52
        low[i] = bits[i] - (power << 52)
        high[i] = power + _SHIFT_BITS
    for i in range(n):
        f = (mantissa[i] - 1.0) / (mantissa[i] + 1.0)
        g = f * f
        series = 1 / 15 + g * (1 / 17 + g * (1 / 19))
        series = 1 / 7 + g * (1 / 9 + g * (1 / 11 + g * (1 / 13 + g * series)))
        series = 1.0 + g * (1 / 3 + g * (1 / 5 + g * series))
        mantissa[i] = 2.0 * f * series + (exponent[i] - _SHIFT) * _LOG_2


@compiled
def add_bending(ys, xs, knots, weights, out_y, out_x):  # type: ignore[no-untyped-def]
    """Add the sum over the knots of weight · r² log r at each point."""
    squared, logs, exponent = np.empty(_BLOCK), np.empty(_BLOCK), np.empty(_BLOCK)
    for start in range(0, len(ys), _BLOCK):
        n = min(_BLOCK, len(ys) - start)
        y, x = ys[start : start + n], xs[start : start + n]
        to_y, to_x = out_y[start : start + n], out_x[start : start + n]
        for k in range(len(knots)):
            knot_y, knot_x = knots[k, 0], knots[k, 1]
            for i in range(n):
                dy, dx = y[i] - knot_y, x[i] - knot_x
                squared[i] = dy * dy + dx * dx
            _logarithms(squared, logs, exponent, n)
            half_y, half_x = 0.5 * weights[k, 0], 0.5 * weights[k, 1]
            for i in range(n):
                value = squared[i] * logs[i]
                to_y[i] += half_y * value
                to_x[i] += half_x * value


@compiled
def add_slopes(ys, xs, knots, weights, out):  # type: ignore[no-untyped-def]
    """Add the derivatives of the same sums to ``out`` (4, n): of y by y and x, then of x by y and x."""
    squared, logs, exponent = np.empty(_BLOCK), np.empty(_BLOCK), np.empty(_BLOCK)
    for start in range(0, len(ys), _BLOCK):
        n = min(_BLOCK, len(ys) - start)
        y, x = ys[start : start + n], xs[start : start + n]
        yy, yx = out[0, start : start + n], out[1, start : start + n]
        xy, xx = out[2, start : start + n], out[3, start : start + n]
        for k in range(len(knots)):
            knot_y, knot_x = knots[k, 0], knots[k, 1]
            for i in range(n):
                dy, dx = y[i] - knot_y, x[i] - knot_x
                squared[i] = dy * dy + dx * dx
            _logarithms(squared, logs, exponent, n)
            to_y, to_x = weights[k, 0], weights[k, 1]
            for i in range(n):
                # dU/dp = (p - knot) (log r² + 1); at a knot the limit is 0
                by_y, by_x = (y[i] - knot_y) * (logs[i] + 1.0), (x[i] - knot_x) * (logs[i] + 1.0)
                yy[i] += to_y * by_y
                yx[i] += to_y * by_x
                xy[i] += to_x * by_y
                xx[i] += to_x * by_x
