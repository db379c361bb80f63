"""The loops of entropic transport: one pass over the kernel a Sinkhorn round. Import late: this imports numba."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

compiled: Any = njit(cache=True, nogil=True, fastmath=True, error_model="numpy")

_MOST, _LEAST = np.exp(60.0), np.exp(-60.0)
_TINY = 1e-30
_BLOCK = 32
"""Rows that stay in the cache between what they reach and what they give."""


@compiled
def _bent(ratio, power, factor, cap):  # type: ignore[no-untyped-def]
    scaling = ratio if power == 1.0 else factor * ratio**power
    return min(max(min(scaling, cap), _LEAST), _MOST)


@compiled
def _eager(exact, old):  # type: ignore[no-untyped-def]
    """Go beyond the exact scaling by the power 7/8 of its change; by 15/16, rounding decides the plan."""
    half = np.sqrt(exact / old)
    fourth = np.sqrt(half)
    return min(max(exact * half * fourth * np.sqrt(fourth), _LEAST), _MOST)


@compiled
def _reached(kernel, i, weights, out):  # type: ignore[no-untyped-def]
    """Note what four rows reach; sharing the loads of the weights between them makes it a quarter faster."""
    w, x, y, z = kernel[i], kernel[i + 1], kernel[i + 2], kernel[i + 3]
    p = q = r = s = np.float32(0)
    for j in range(len(weights)):
        weight = weights[j]
        p += w[j] * weight
        q += x[j] * weight
        r += y[j] * weight
        s += z[j] * weight
    out[0], out[1], out[2], out[3] = p, q, r, s


@compiled
def _added(kernel, i, p, q, r, s, column):  # type: ignore[no-untyped-def]
    w, x, y, z = kernel[i], kernel[i + 1], kernel[i + 2], kernel[i + 3]
    for j in range(len(column)):
        column[j] += p * w[j] + q * x[j] + r * y[j] + s * z[j]


@compiled
def rounds(kernel, a, b, u, v, sides, power, share, inner, met, eager):  # type: ignore[no-untyped-def]
    """Run at most `inner` Sinkhorn rounds on u and v in place; return the factor of the total, and the rounds run.

    `sides` (row factor, row cap, column factor, column cap) and `power` say how marginals may differ from
    `a` and `b`; `share` below 1 holds the total mass. Ends once a round moves less than `met` of the mass.
    The rows of `kernel` are a multiple of 4; those beyond u hold 0.
    """
    n, m = len(u), len(v)
    row_factor, row_cap, column_factor, column_cap = sides
    single, column = v.astype(np.float32), np.empty(m, np.float32)
    reached, weights = np.empty(_BLOCK, np.float32), np.zeros(len(kernel), np.float32)
    total = 1.0
    for k in range(inner):
        over = eager and k > 0 and k < inner - 1
        column[:] = 0
        moved = 0.0
        for low in range(0, n, _BLOCK):
            high = min(low + _BLOCK, n)
            for i in range(low, high, 4):
                _reached(kernel, i, single, reached[i - low :])
            for i in range(low, high):
                sum_ = max(float(reached[i - low]), _TINY)
                exact = _bent(a[i] / sum_, power, row_factor[i], row_cap[i] * total)
                if k > 0:
                    moved += abs(exact - u[i]) * sum_
                u[i] = _eager(exact, u[i]) if over else exact
                weights[i] = u[i]
            for i in range(low, high, 4):
                _added(kernel, i, weights[i], weights[i + 1], weights[i + 2], weights[i + 3], column)
        mass = 0.0
        for j in range(m):
            exact = _bent(b[j] / max(float(column[j]), _TINY), power, column_factor[j], column_cap[j])
            v[j] = _eager(exact, v[j]) if over else exact
            single[j] = v[j]
            mass += v[j] * column[j]
        if share < 1:
            factor = share / max(mass, _TINY)
            total *= factor
            u *= factor
            moved += abs(1 - factor) * share
        if k > 0 and moved < met * share:
            return total, k + 1
    return total, inner


@compiled
def plan_of(kernel, u, v, a, b, out):  # type: ignore[no-untyped-def]
    """Add u K v to `out`, with what exceeds a marginal taken away: first of the rows, then of the columns."""
    n, m = out.shape
    columns = np.zeros(m)
    weights = np.empty(n)
    for i in range(n):
        line = kernel[i]
        reached = 0.0
        for j in range(m):
            reached += line[j] * v[j]
        weights[i] = min(u[i], a[i] / max(reached, _TINY))
        for j in range(m):
            columns[j] += weights[i] * line[j] * v[j]
    for j in range(m):
        columns[j] = v[j] * min(b[j] / max(columns[j], _TINY), 1.0)
    for i in range(n):
        for j in range(m):
            out[i, j] += weights[i] * kernel[i, j] * columns[j]


@compiled
def rooted(kernel, least):  # type: ignore[no-untyped-def]
    """Take the eighth root, the kernel of 8 ε, and 0 of what is at most `least`."""
    for i in range(kernel.shape[0]):
        for j in range(kernel.shape[1]):
            value = kernel[i, j]
            kernel[i, j] = np.sqrt(np.sqrt(np.sqrt(value))) * np.float32(value > least)
