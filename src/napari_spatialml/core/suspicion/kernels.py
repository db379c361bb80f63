"""The loops over pixels, compiled. Import late: this file imports numba.

Every measure is local to its cell and treats the four directions of the grid alike, so that turning or
mirroring the window, or cutting it otherwise, changes none. Cells are coded 1 to n, background is 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

__all__ = ["CRACK", "DIRECTIONS", "cracks", "euler_numbers", "grouped", "hulls", "moments", "pieces", "profiles"]

DIRECTIONS = 12
"""Directions in which a cell is looked through; a multiple of 4, so that they stay the same when turned."""
CRACK = ("inner", "outer", "slope", "shift", "dip", "p_in", "p_out", "p_dip", "inward", "apart", "open")
"""What is measured at each crack (the edge between two pixels) of a cell's border."""
_compiled: Any = njit(cache=True, nogil=True)


@_compiled  # type: ignore[untyped-decorator]
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


@_compiled  # type: ignore[untyped-decorator]
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


@_compiled  # type: ignore[untyped-decorator]
def _turn(a: Any, b: Any, y: float, x: float) -> Any:
    return (b[1] - a[1]) * (y - a[0]) - (b[0] - a[0]) * (x - a[1])


@_compiled  # type: ignore[untyped-decorator]
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


@_compiled  # type: ignore[untyped-decorator]
def _area(corners: Any) -> float:
    total = 0.0
    for i in range(len(corners)):
        a, b = corners[i], corners[(i + 1) % len(corners)]
        total += a[1] * b[0] - b[1] * a[0]
    return abs(total) / 2


@_compiled  # type: ignore[untyped-decorator]
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


@_compiled  # type: ignore[untyped-decorator]
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


@_compiled  # type: ignore[untyped-decorator]
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


@_compiled  # type: ignore[untyped-decorator]
def _root(parent: Any, i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@_compiled  # type: ignore[untyped-decorator]
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


@_compiled  # type: ignore[untyped-decorator]
def _deepest(values: Any, valid: Any, sign: float) -> float:
    """Return how deep a valley (sign 1; a ridge: -1) lies between two higher places; 0 where there is none."""
    n = len(values)
    best = 0.0
    for b in range(1, n - 1):
        if not valid[b]:
            continue
        left, right = -1e30, -1e30
        for i in range(n):
            if valid[i]:
                if i < b:
                    left = max(left, sign * values[i])
                elif i > b:
                    right = max(right, sign * values[i])
        best = max(best, min(left, right) - sign * values[b])
    return best


@_compiled  # type: ignore[untyped-decorator]
def profiles(order: Any, start: Any, width: int, measured: Any, images: Any) -> Any:
    """Look through each cell in several directions: its width, and the mean of each image, as a profile.

    Parameters
    ----------
    order, start, width
        As `grouped` gave them.
    measured
        (n, 6) as `moments` gave them.
    images
        (c, pixels) flat images.

    Returns
    -------
    (n, 1 + 2 c): the deepest neck in parts of the width beside it, and for each image the deepest valley
    and the highest ridge across the cell, in the image's units.
    """
    n, c = len(start) - 1, len(images)
    out = np.zeros((n, 1 + 2 * c))
    angles = np.arange(DIRECTIONS) * np.pi / DIRECTIONS
    sines, cosines = np.sin(angles), np.cos(angles)
    for k in range(n):
        radius = np.sqrt(measured[k, 0] / np.pi)
        step = max(1.0, 0.25 * radius)
        half = int(np.ceil(3.5 * np.sqrt(measured[k, 3] + measured[k, 5]) / step)) + 2
        mass, sums = np.zeros(2 * half + 1), np.zeros((c, 2 * half + 1))
        for d in range(DIRECTIONS):
            mass[:] = 0
            sums[:] = 0
            for i in range(start[k], start[k + 1]):
                y, x = order[i] // width + 0.5 - measured[k, 1], order[i] % width + 0.5 - measured[k, 2]
                at = min(max((y * sines[d] + x * cosines[d]) / step + half, 0.0), 2.0 * half - 1e-9)
                b = int(at)
                part = at - b
                mass[b] += 1 - part
                mass[b + 1] += part
                for j in range(c):
                    value = images[j, order[i]]
                    sums[j, b] += (1 - part) * value
                    sums[j, b + 1] += part * value
            # the thin ends of a cell say little
            valid = mass >= 0.25 * mass.max()
            out[k, 0] = max(out[k, 0], _neck(mass))
            for j in range(c):
                mean = sums[j] / np.maximum(mass, 1e-12)
                out[k, 1 + 2 * j] = max(out[k, 1 + 2 * j], _deepest(mean, valid, 1.0))
                out[k, 2 + 2 * j] = max(out[k, 2 + 2 * j], _deepest(mean, valid, -1.0))
    return out


@_compiled  # type: ignore[untyped-decorator]
def _neck(mass: Any) -> float:
    best = 0.0
    for b in range(1, len(mass) - 1):
        beside = min(mass[:b].max(), mass[b + 1 :].max())
        if beside > 0.2 * mass.max():
            best = max(best, 1 - mass[b] / beside)
    return best


@_compiled  # type: ignore[untyped-decorator]
def _at(image: Any, y: float, x: float) -> Any:
    """Return the image at a point between the pixels' middles; the rim's value outside."""
    height, width = image.shape
    y, x = min(max(y - 0.5, 0.0), height - 1.0), min(max(x - 0.5, 0.0), width - 1.0)
    i, j = min(int(y), max(height - 2, 0)), min(int(x), max(width - 2, 0))
    i1, j1 = min(i + 1, height - 1), min(j + 1, width - 1)
    v, u = y - i, x - j
    return (1 - v) * ((1 - u) * image[i, j] + u * image[i, j1]) + v * ((1 - u) * image[i1, j] + u * image[i1, j1])


@_compiled  # type: ignore[untyped-decorator]
def _normal(codes: Any, k: int, y: float, x: float) -> Any:
    """Return the direction out of cell k at a point of its border; (0, 0) where there is none."""
    height, width = codes.shape
    ny, nx = 0.0, 0.0
    for v in range(int(np.floor(y - 3.0)), int(np.ceil(y + 3.0))):
        for u in range(int(np.floor(x - 3.0)), int(np.ceil(x + 3.0))):
            dy, dx = v + 0.5 - y, u + 0.5 - x
            if dy * dy + dx * dx <= 9.5:
                out = not (0 <= v < height and 0 <= u < width) or codes[v, u] != k
                sign = 1.0 if out else -1.0
                ny += sign * dy
                nx += sign * dx
    long = np.hypot(ny, nx)
    if long < 1e-9:
        return 0.0, 0.0
    return ny / long, nx / long


@_compiled  # type: ignore[untyped-decorator]
def _ahead(codes: Any, k: int, y: float, x: float) -> Any:
    """Whether a point lies in the image and on background."""
    height, width = codes.shape
    if not (0 <= y < height and 0 <= x < width):
        return False
    return codes[int(y), int(x)] == 0


@_compiled  # type: ignore[untyped-decorator]
def cracks(codes: Any, areas: Any, stain: Any, chance: Any, flows: Any) -> Any:
    """Measure the image and the field across each crack of the cells' borders.

    Parameters
    ----------
    codes
        (y, x).
    areas
        (n,) in pixels: the points measured lie the further apart, the larger the cell.
    stain, chance, flows
        (y, x), (y, x), (2, y, x) float32, smooth; (1, 1) and (2, 1, 1) where there is none.

    Returns
    -------
    The cell of each crack and what lies behind it (as codes), and (m, len(CRACK)) measures.
    """
    height, width = codes.shape
    m = 0
    for y in range(height):
        for x in range(width):
            m += x + 1 < width and codes[y, x] != codes[y, x + 1]
            m += y + 1 < height and codes[y, x] != codes[y + 1, x]
    cell, behind = np.zeros(2 * m, np.int32), np.zeros(2 * m, np.int32)
    values = np.zeros((2 * m, len(CRACK)), np.float32)
    at = 0
    for y in range(height):
        for x in range(width):
            for down in range(2):
                v, u = y + down, x + 1 - down
                if v >= height or u >= width or codes[y, x] == codes[v, u]:
                    continue
                my, mx = (y + v + 1) / 2, (x + u + 1) / 2
                for back in range(2):
                    k, other = (codes[v, u], codes[y, x]) if back else (codes[y, x], codes[v, u])
                    if k == 0:
                        continue
                    ny, nx = _normal(codes, k, my, mx)
                    if ny == 0 and nx == 0:
                        ny, nx = (down * 1.0, 1.0 - down) if not back else (-down * 1.0, down - 1.0)
                    step = max(0.12 * np.sqrt(areas[k - 1] / np.pi), 0.7)
                    cell[at], behind[at] = k, other
                    _across(codes, k, stain, chance, flows, my, mx, ny, nx, step, values[at])
                    at += 1
    return cell[:at], behind[:at], values[:at]


@_compiled  # type: ignore[untyped-decorator]
def _across(
    codes: Any,
    k: int,
    stain: Any,
    chance: Any,
    flows: Any,
    y: float,
    x: float,
    ny: float,
    nx: float,
    step: float,
    out: Any,
) -> None:
    if stain.size > 1:
        line = np.empty(7)
        for i in range(7):
            line[i] = _at(stain, y + (i - 3) * step * ny, x + (i - 3) * step * nx)
        out[0], out[1] = (line[0] + line[1]) / 2, (line[5] + line[6]) / 2
        out[2] = line[2] - line[4]
        total, where = 0.0, 0.0
        for i in range(6):
            fall = max(line[i] - line[i + 1], 0.0)
            total += fall
            where += fall * (i - 2.5)
        out[3] = where / total if total > 0 else 0.0
        out[4] = min(max(line[0], line[1]), max(line[5], line[6])) - min(line[2], line[3], line[4])
    if chance.size > 1:
        out[5] = _at(chance, y - 1.5 * step * ny, x - 1.5 * step * nx)
        out[6] = _at(chance, y + 1.5 * step * ny, x + 1.5 * step * nx)
        out[7] = min(out[5], out[6]) - _at(chance, y, x)
        inner = _at(flows[0], y - step * ny, x - step * nx) * ny + _at(flows[1], y - step * ny, x - step * nx) * nx
        outer = _at(flows[0], y + step * ny, x + step * nx) * ny + _at(flows[1], y + step * ny, x + step * nx) * nx
        out[8], out[9] = -inner, outer - inner
    out[10] = 1.0 if _ahead(codes, k, y + 1.5 * step * ny, x + 1.5 * step * nx) else 0.0
