"""The loops over the pixels of outlines, compiled. Import late: this file imports numba.

Every measure is local to its cell and treats the four directions of the grid alike, so that turning or
mirroring the window, or cutting it otherwise, changes none. Cells are coded 1 to n, background is 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

__all__ = ["compiled", "euler_numbers", "grouped", "hulls", "moments", "pieces"]

compiled: Any = njit(cache=True, nogil=True)


@compiled  # type: ignore[untyped-decorator]
def grouped(codes: Any, n: int) -> Any:
    """Return the flat positions of the pixels of cells 1 to n, cell by cell, and where each cell starts."""
    start = np.zeros(n + 1, np.int64)
    flat = codes.ravel()
    for code in flat:
        start[code] += code > 0
    for k in range(n):
        start[k + 1] += start[k]
    fill = start[:-1].copy()
    order = np.empty(start[n], np.int64)
    for i in range(flat.size):
        code = flat[i]
        if code > 0:
            order[fill[code - 1]] = i
            fill[code - 1] += 1
    return order, start


@compiled  # type: ignore[untyped-decorator]
def moments(order: Any, start: Any, width: int) -> Any:
    """Return (n, 6): area, mean y, mean x, and the second moments yy, yx, xx of the cells' squares."""
    n = len(start) - 1
    out = np.empty((n, 6))
    for k in range(n):
        first, area = order[start[k]], start[k + 1] - start[k]
        y0, x0 = first // width, first % width
        sy, sx, syy, syx, sxx = 0.0, 0.0, 0.0, 0.0, 0.0
        for i in range(start[k], start[k + 1]):
            y, x = order[i] // width - y0, order[i] % width - x0
            sy += y
            sx += x
            syy += y * y
            syx += y * x
            sxx += x * x
        my, mx = sy / area, sx / area
        out[k, 0], out[k, 1], out[k, 2] = area, y0 + my + 0.5, x0 + mx + 0.5
        # a pixel is a square: its own second moment is 1/12
        out[k, 3], out[k, 4] = syy / area - my * my + 1 / 12, syx / area - my * mx
        out[k, 5] = sxx / area - mx * mx + 1 / 12
    return out


@compiled  # type: ignore[untyped-decorator]
def _turn(a: Any, b: Any, y: float, x: float) -> Any:
    return (b[1] - a[1]) * (y - a[0]) - (b[0] - a[0]) * (x - a[1])


@compiled  # type: ignore[untyped-decorator]
def _hull(low: Any, high: Any) -> Any:
    """Return the corners of the convex hull of pixel rows from low to high (high < low: an empty row)."""
    rows = low.size
    left, right = np.empty((rows + 1, 2)), np.empty((rows + 1, 2))
    n_left, n_right = 0, 0
    for y in range(rows + 1):
        x0, x1, any_ = 1 << 60, -1, False
        for row in (y - 1, y):
            if 0 <= row < rows and high[row] >= low[row]:
                x0, x1, any_ = min(x0, low[row]), max(x1, high[row] + 1), True
        if not any_:
            continue
        while n_left >= 2 and _turn(left[n_left - 2], left[n_left - 1], y, x0) >= 0:
            n_left -= 1
        left[n_left, 0], left[n_left, 1] = y, x0
        n_left += 1
        while n_right >= 2 and _turn(right[n_right - 2], right[n_right - 1], y, x1) <= 0:
            n_right -= 1
        right[n_right, 0], right[n_right, 1] = y, x1
        n_right += 1
    corners = np.empty((n_left + n_right, 2))
    corners[:n_left] = left[:n_left]
    for i in range(n_right):
        corners[n_left + i] = right[n_right - 1 - i]
    return corners


@compiled  # type: ignore[untyped-decorator]
def _area(corners: Any) -> float:
    total = 0.0
    for i in range(len(corners)):
        a, b = corners[i], corners[(i + 1) % len(corners)]
        total += a[1] * b[0] - b[1] * a[0]
    return abs(total) / 2


@compiled  # type: ignore[untyped-decorator]
def hulls(order: Any, start: Any, codes: Any, first: Any, second: Any) -> Any:
    """Return (m, 2): the convex hull's area of the cells ``first`` and ``second`` together, and its deepest bay.

    ``second`` may be -1: the cell alone. The bay is the largest distance in pixels from the hull's
    border to the middle of a border pixel.
    """
    height, width = codes.shape
    out = np.zeros((len(first), 2))
    for m in range(len(first)):
        top, bottom = height, -1
        for k in (first[m], second[m]):
            if k >= 0:
                top = min(top, order[start[k]] // width)
                bottom = max(bottom, order[start[k + 1] - 1] // width)
        low, high = np.full(bottom - top + 1, width), np.full(bottom - top + 1, -1)
        for k in (first[m], second[m]):
            if k >= 0:
                for i in range(start[k], start[k + 1]):
                    y, x = order[i] // width - top, order[i] % width
                    low[y], high[y] = min(low[y], x), max(high[y], x)
        corners = _hull(low, high)
        out[m, 0] = _area(corners)
        if second[m] < 0:
            out[m, 1] = _bay(order[start[first[m]] : start[first[m] + 1]], codes, corners, top)
    return out


@compiled  # type: ignore[untyped-decorator]
def _bay(pixels: Any, codes: Any, corners: Any, top: int) -> float:
    height, width = codes.shape
    deepest = 0.0
    for i in pixels:
        y, x = i // width, i % width
        code = codes[y, x]
        inside = 0 < y < height - 1 and 0 < x < width - 1
        if inside and codes[y - 1, x] == code == codes[y + 1, x] and codes[y, x - 1] == code == codes[y, x + 1]:
            continue
        nearest = 1e30
        for c in range(len(corners)):
            a, b = corners[c], corners[(c + 1) % len(corners)]
            long = np.hypot(b[0] - a[0], b[1] - a[1])
            if long > 0:
                nearest = min(nearest, abs(_turn(a, b, y - top + 0.5, x + 0.5)) / long)
        deepest = max(deepest, nearest)
    return deepest


@compiled  # type: ignore[untyped-decorator]
def euler_numbers(codes: Any, n: int) -> Any:
    """Return (n, 3): pieces less holes (8-connected), perimeter (Crofton, four directions), pixels at the rim.

    References: Gray, IEEE Trans. Computers C-20 (1971), doi:10.1109/T-C.1971.223289, for the bit quads.
    """
    height, width = codes.shape
    out = np.zeros((n + 1, 3))
    diagonal = np.pi / 8 / np.sqrt(2.0)
    for y in range(height + 1):
        for x in range(width + 1):
            up, down, left, right = y > 0, y < height, x > 0, x < width
            a = codes[y - 1, x - 1] if up and left else 0
            b = codes[y - 1, x] if up and right else 0
            c = codes[y, x - 1] if down and left else 0
            d = codes[y, x] if down and right else 0
            if a == b == c == d:
                continue
            for i in range(4):
                k = (a, b, c, d)[i]
                if k == 0 or (i > 0 and k == a) or (i > 1 and k == b) or (i > 2 and k == c):
                    continue
                ka, kb, kc, kd = a == k, b == k, c == k, d == k
                area = ka + kb + kc + kd
                if area == 1:
                    out[k, 0] += 0.25
                elif area == 3:
                    out[k, 0] -= 0.25
                elif area == 2 and ka == kd:
                    out[k, 0] -= 0.5
                # a row or a column is crossed in two quads: each counts one half
                straight = (ka != kb) + (kc != kd) + (ka != kc) + (kb != kd)
                out[k, 1] += np.pi / 16 * straight + diagonal * ((ka != kd) + (kb != kc))
    for y in range(height):
        for x in range(width):
            if y == 0 or x == 0 or y == height - 1 or x == width - 1:
                out[codes[y, x], 2] += 1
    return out[1:]


@compiled  # type: ignore[untyped-decorator]
def _root(parent: Any, i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@compiled  # type: ignore[untyped-decorator]
def pieces(codes: Any, n: int) -> Any:
    """Return (n, 2): how many 8-connected pieces each cell has, and the pixels of the largest."""
    height, width = codes.shape
    parent = np.arange(height * width)
    for y in range(height):
        for x in range(width):
            k = codes[y, x]
            if k == 0:
                continue
            for v, u in ((y, x - 1), (y - 1, x - 1), (y - 1, x), (y - 1, x + 1)):
                if v >= 0 and 0 <= u < width and codes[v, u] == k:
                    a, b = _root(parent, y * width + x), _root(parent, v * width + u)
                    parent[max(a, b)] = min(a, b)
    size = np.zeros(height * width, np.int64)
    flat = codes.ravel()
    for i in range(flat.size):
        if flat[i] > 0:
            size[_root(parent, i)] += 1
    out = np.zeros((n, 2), np.int64)
    for i in range(flat.size):
        if size[i] > 0:
            out[flat[i] - 1, 0] += 1
            out[flat[i] - 1, 1] = max(out[flat[i] - 1, 1], size[i])
    return out
