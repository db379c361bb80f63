"""The loops behind `fisher`: one small quadratic problem a spot, solved exactly. Import late: this imports numba."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

compiled: Any = njit(cache=True, nogil=True)


@compiled
def factor(gram, kept, m, lower):  # type: ignore[no-untyped-def]
    """Write the Cholesky factor of the m × m system of the kept variables."""
    for i in range(m):
        for j in range(i + 1):
            s = gram[kept[i], kept[j]]
            for q in range(j):
                s -= lower[i, q] * lower[j, q]
            if i == j:
                lower[i, i] = np.sqrt(max(s, 1e-12 * gram[kept[i], kept[i]] + 1e-300))
            else:
                lower[i, j] = s / lower[j, j]


@compiled
def substitute(right, kept, m, lower, x):  # type: ignore[no-untyped-def]
    """Solve the factored system of the kept variables into ``x``."""
    for i in range(m):
        s = right[kept[i]]
        for q in range(i):
            s -= lower[i, q] * x[q]
        x[i] = s / lower[i, i]
    for i in range(m - 1, -1, -1):
        s = x[i]
        for q in range(i + 1, m):
            s -= lower[q, i] * x[q]
        x[i] = s / lower[i, i]


@compiled
def unpack(pairs, row, ridge, gram):  # type: ignore[no-untyped-def]
    """Write the Gram matrix whose upper triangle is column ``row`` of ``pairs``, with a ridge on its diagonal."""
    t = gram.shape[0]
    p = 0
    for k in range(t):
        for j in range(k, t):
            gram[k, j] = gram[j, k] = pairs[p, row]
            p += 1
        gram[k, k] += ridge


@compiled
def nonnegative(pairs, right, ridge, start, forbidden, out):  # type: ignore[no-untyped-def]
    """Minimise ½ bᵀGb − rᵀb over b ≥ 0 for every row: block principal pivoting from the support of ``start``.

    ``pairs`` (t (t + 1) / 2, n), ``right`` (t, n), ``ridge`` (n,), ``start`` and ``forbidden`` (n, t).
    """
    n, t = start.shape
    gram, lower, x, b = np.empty((t, t)), np.empty((t, t)), np.empty(t), np.empty(t)
    r, slope = np.empty(t), np.empty(t)
    kept = np.empty(t, np.int64)
    free, wrong = np.empty(t, np.bool_), np.empty(t, np.bool_)
    for i in range(n):
        unpack(pairs, i, ridge[i], gram)
        scale = 0.0
        for k in range(t):
            r[k] = right[k, i]
            free[k] = start[i, k] > 0 and not forbidden[i, k]
            scale = max(scale, abs(r[k]) / np.sqrt(gram[k, k]))
        fewest, patience = t + 1, 3
        for _ in range(20 * t):
            m = 0
            for k in range(t):
                b[k] = 0.0
                if free[k]:
                    kept[m] = k
                    m += 1
            factor(gram, kept, m, lower)
            substitute(r, kept, m, lower, x)
            for q in range(m):
                b[kept[q]] = x[q]
            count, last = 0, -1
            for k in range(t):
                unit = np.sqrt(gram[k, k])
                if free[k]:
                    wrong[k] = b[k] * unit < -1e-12 * scale
                else:
                    slope[k] = r[k]
                    for q in range(m):
                        slope[k] -= gram[k, kept[q]] * x[q]
                    wrong[k] = (not forbidden[i, k]) and slope[k] > 1e-12 * scale * unit
                if wrong[k]:
                    count += 1
                    last = k
            if count == 0:
                break
            if count < fewest:
                fewest, patience = count, 3
            else:
                patience -= 1
            # Murty's rule: only the last wrong variable, where exchanging all has not helped
            for k in range(t):
                if wrong[k] and (patience >= 0 or k == last):
                    free[k] = not free[k]
        for k in range(t):
            out[i, k] = max(b[k], 0.0) if free[k] else 0.0


@compiled
def within(pairs, right, ridge, start, low, high, sweeps, out):  # type: ignore[no-untyped-def]
    """Minimise ½ bᵀGb − rᵀb over b = size · p with low ≤ p ≤ high and sum of p = 1, for every row.

    A share moves from one type to another, pair by pair, exactly and within the ranges; then the
    size is the best one for those shares. ``start`` holds shares that keep to the ranges.
    """
    n, t = start.shape
    gram, p, slope = np.empty((t, t)), np.empty(t), np.empty(t)
    for i in range(n):
        unpack(pairs, i, ridge[i], gram)
        for k in range(t):
            p[k] = start[i, k]
        size = 0.0
        for _sweep in range(sweeps):
            above, below = 0.0, 1e-300
            for k in range(t):
                slope[k] = 0.0
                for j in range(t):
                    slope[k] -= gram[k, j] * p[j]
                above += right[k, i] * p[k]
                below -= slope[k] * p[k]
            size = max(above / below, 1e-300)
            for k in range(t):
                slope[k] = right[k, i] + size * slope[k]
            most = 0.0
            for a in range(t):
                for z in range(a):
                    curve = size * (gram[a, a] + gram[z, z] - 2 * gram[a, z]) + 1e-300
                    move = (slope[a] - slope[z]) / curve
                    move = min(move, high[i, a] - p[a], p[z] - low[i, z])
                    move = max(move, low[i, a] - p[a], p[z] - high[i, z])
                    if move == 0.0:
                        continue
                    p[a] += move
                    p[z] -= move
                    most = max(most, abs(move))
                    for k in range(t):
                        slope[k] -= size * move * (gram[k, a] - gram[k, z])
            if most < 1e-12:
                break
        for k in range(t):
            out[i, k] = size * p[k]


@compiled
def errors_of_shares(pairs, ridge, abundance, out):  # type: ignore[no-untyped-def]
    """Write the standard error of each share of ``abundance`` (n, t), from the inverse of the information."""
    n, t = abundance.shape
    gram, lower, x, unit = np.empty((t, t)), np.empty((t, t)), np.empty(t), np.empty(t)
    kept = np.arange(t)
    inverse = np.empty((t, t))
    for i in range(n):
        unpack(pairs, i, ridge[i], gram)
        total = 0.0
        for k in range(t):
            total += abundance[i, k]
        factor(gram, kept, t, lower)
        for k in range(t):
            unit[:] = 0.0
            unit[k] = 1.0
            substitute(unit, kept, t, lower, x)
            inverse[:, k] = x
        whole = inverse.sum()
        for k in range(t):
            p = abundance[i, k] / total
            variance = inverse[k, k] - 2 * p * inverse[k].sum() + p * p * whole
            out[i, k] = np.sqrt(max(variance, 0.0)) / total


@compiled
def drawn(pairs, ridge, abundance, strength, out):  # type: ignore[no-untyped-def]
    """Minimise (b − a)ᵀI(b − a) + strength · Σ (b_k / a_k)² over b for every row, the zeros of a kept; then b ≥ 0."""
    n, t = abundance.shape
    gram, lower, x, right = np.empty((t, t)), np.empty((t, t)), np.empty(t), np.empty(t)
    kept = np.empty(t, np.int64)
    for i in range(n):
        unpack(pairs, i, ridge[i], gram)
        m = 0
        for k in range(t):
            out[i, k] = 0.0
            right[k] = 0.0
            for j in range(t):
                right[k] += gram[k, j] * abundance[i, j]
            if abundance[i, k] > 1e-140:  # whose square is not 0
                kept[m] = k
                m += 1
        for q in range(m):
            gram[kept[q], kept[q]] += strength[i] / abundance[i, kept[q]] ** 2
        factor(gram, kept, m, lower)
        substitute(right, kept, m, lower, x)
        for q in range(m):
            out[i, kept[q]] = max(x[q], 0.0)


@compiled
def times(pairs, abundance, out):  # type: ignore[no-untyped-def]
    """Write the Gram matrix of each row times its abundance."""
    n, t = abundance.shape
    out[:] = 0.0
    p = 0
    for k in range(t):
        for j in range(k, t):
            for i in range(n):
                out[i, k] += pairs[p, i] * abundance[i, j]
                if j != k:
                    out[i, j] += pairs[p, i] * abundance[i, k]
            p += 1
