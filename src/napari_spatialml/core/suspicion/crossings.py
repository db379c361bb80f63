"""The loops through cells and across their borders, compiled. Import late: this file imports numba."""

from __future__ import annotations

from typing import Any

import numpy as np

from .kernels import compiled

__all__ = ["CRACK", "DIRECTIONS", "cracks", "profiles"]

DIRECTIONS = 12
"""Directions in which a cell is looked through; a multiple of 4, so that they stay the same when turned."""
CRACK = ("inner", "outer", "slope", "shift", "dip", "p_in", "p_out", "p_dip", "inward", "apart", "open")
"""What is measured at each crack (the edge between two pixels) of a cell's border."""


@compiled  # type: ignore[untyped-decorator]
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


@compiled  # type: ignore[untyped-decorator]
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


@compiled  # type: ignore[untyped-decorator]
def _neck(mass: Any) -> float:
    best = 0.0
    for b in range(1, len(mass) - 1):
        beside = min(mass[:b].max(), mass[b + 1 :].max())
        if beside > 0.2 * mass.max():
            best = max(best, 1 - mass[b] / beside)
    return best


@compiled  # type: ignore[untyped-decorator]
def _at(image: Any, y: float, x: float) -> Any:
    """Return the image at a point between the pixels' middles; the rim's value outside."""
    height, width = image.shape
    y, x = min(max(y - 0.5, 0.0), height - 1.0), min(max(x - 0.5, 0.0), width - 1.0)
    i, j = min(int(y), max(height - 2, 0)), min(int(x), max(width - 2, 0))
    i1, j1 = min(i + 1, height - 1), min(j + 1, width - 1)
    v, u = y - i, x - j
    return (1 - v) * ((1 - u) * image[i, j] + u * image[i, j1]) + v * ((1 - u) * image[i1, j] + u * image[i1, j1])


@compiled  # type: ignore[untyped-decorator]
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


@compiled  # type: ignore[untyped-decorator]
def _ahead(codes: Any, k: int, y: float, x: float) -> Any:
    """Whether a point lies in the image and on background."""
    height, width = codes.shape
    if not (0 <= y < height and 0 <= x < width):
        return False
    return codes[int(y), int(x)] == 0


@compiled  # type: ignore[untyped-decorator]
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


@compiled  # type: ignore[untyped-decorator]
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
