"""The loops that draw polygons and ellipses on pixels. Import late: this imports numba.

A raster's pixel (r, c) is the square from (top + r, left + c) to (top + r + 1, left + c + 1), all times
``edge`` in µm. A pixel belongs to a shape when its centre does; where shapes overlap, the last one is seen.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

compiled: Any = njit(cache=True, nogil=True)


@compiled
def polygon_boxes(corners, rings, rows, m, boxes):  # type: ignore[no-untyped-def]
    """Write (y0, x0, y1, x1) in µm of each row; of rows with nothing finite to draw, y0 = inf."""
    for i in range(len(rows) - 1):
        y0, x0, y1, x1 = np.inf, np.inf, -np.inf, -np.inf
        fine = True
        for k in range(rings[rows[i]], rings[rows[i + 1]]):
            y = m[0, 0] * corners[k, 1] + m[0, 1] * corners[k, 0] + m[0, 2]
            x = m[1, 0] * corners[k, 1] + m[1, 1] * corners[k, 0] + m[1, 2]
            fine = fine and np.isfinite(y) and np.isfinite(x)
            y0, y1, x0, x1 = min(y0, y), max(y1, y), min(x0, x), max(x1, x)
        if not fine:
            y0, x0, y1, x1 = np.inf, np.inf, -np.inf, -np.inf
        boxes[i, 0], boxes[i, 1], boxes[i, 2], boxes[i, 3] = y0, x0, y1, x1


@compiled
def _first(v):  # type: ignore[no-untyped-def]
    """The first pixel whose centre is at or beyond a place in pixels."""
    return np.int64(np.ceil(v - 0.5))


@compiled
def _middle(box, top, left, edge, i, owner):  # type: ignore[no-untyped-def]
    """Give a shape that is thinner than a pixel the pixel in which its middle lies."""
    r = np.int64(np.floor((box[0] + box[2]) / (2 * edge))) - top
    c = np.int64(np.floor((box[1] + box[3]) / (2 * edge))) - left
    if 0 <= r < owner.shape[0] and 0 <= c < owner.shape[1]:
        owner[r, c] = i


@compiled
def _misses(box, top, left, edge, shape, margin):  # type: ignore[no-untyped-def]
    """Whether a box lies outside a raster; also where there is nothing to draw."""
    return not (
        box[0] <= (top + shape[0] + margin) * edge
        and box[2] >= (top - margin) * edge
        and box[1] <= (left + shape[1] + margin) * edge
        and box[3] >= (left - margin) * edge
    )


@compiled
def fill_polygons(corners, rings, rows, m, boxes, drawn, top, left, edge, owner):  # type: ignore[no-untyped-def]
    """Write the number of the polygon that holds each pixel's centre, by the even-odd rule over its rings."""
    height, width = owner.shape
    start = np.zeros(height + 1, np.int64)
    at = np.zeros(height, np.int64)
    crossing = np.empty(256, np.float64)
    for i in range(len(rows) - 1):
        box = boxes[i]
        if not drawn[i] or _misses(box, top, left, edge, owner.shape, 0):
            continue
        if box[2] - box[0] < edge or box[3] - box[1] < edge:
            _middle(box, top, left, edge, i, owner)
            if box[2] - box[0] < edge and box[3] - box[1] < edge:
                continue
        r0, r1 = max(_first(box[0] / edge - top), 0), min(_first(box[2] / edge - top), height)
        if r1 <= r0:
            continue
        crossing = _crossings(corners, rings, rows[i], rows[i + 1], m, top, left, edge, r0, r1, start, at, crossing)
        for r in range(r0, r1):
            found = crossing[start[r] : start[r + 1]]
            for a in range(1, len(found)):  # few: sorted where they stand
                v, b = found[a], a
                while b > 0 and found[b - 1] > v:
                    found[b] = found[b - 1]
                    b -= 1
                found[b] = v
            for a in range(0, len(found) - 1, 2):
                for c in range(max(_first(found[a]), 0), min(_first(found[a + 1]), width)):
                    owner[r, c] = i


@compiled
def _crossings(corners, rings, ring0, ring1, m, top, left, edge, r0, r1, start, at, crossing):  # type: ignore[no-untyped-def]
    """Sort by pixel rows where a polygon's edges cross the rows' middles; return the places, in pixels."""
    start[r0 : r1 + 1] = 0
    for step in range(2):
        for ring in range(ring0, ring1):
            y0 = x0 = 0.0
            for k in range(rings[ring], rings[ring + 1]):
                y = (m[0, 0] * corners[k, 1] + m[0, 1] * corners[k, 0] + m[0, 2]) / edge - top
                x = (m[1, 0] * corners[k, 1] + m[1, 1] * corners[k, 0] + m[1, 2]) / edge - left
                if k > rings[ring]:
                    low, high = max(_first(min(y0, y)), r0), min(_first(max(y0, y)), r1)
                    for r in range(low, high):
                        if step == 0:
                            start[r + 1] += 1
                        else:
                            crossing[at[r]] = x0 + (x - x0) * ((r + 0.5 - y0) / (y - y0))
                            at[r] += 1
                y0, x0 = y, x
        if step == 0:
            for r in range(r0, r1):
                start[r + 1] += start[r]
            at[r0:r1] = start[r0:r1]
            if start[r1] > len(crossing):
                crossing = np.empty(2 * start[r1], np.float64)
    return crossing


@compiled
def holds(corners, rings, ring0, ring1, y, x):  # type: ignore[no-untyped-def]
    """Whether a polygon holds a place in its own coordinates: the rule by which it is filled."""
    inside = False
    for ring in range(ring0, ring1):
        for k in range(rings[ring] + 1, rings[ring + 1]):
            x0, y0, x1, y1 = corners[k - 1, 0], corners[k - 1, 1], corners[k, 0], corners[k, 1]
            if (y0 <= y) != (y1 <= y) and x < x0 + (x1 - x0) * ((y - y0) / (y1 - y0)):
                inside = not inside
    return inside


@compiled
def fill_ellipses(centres, radii, m, boxes, drawn, top, left, edge, owner):  # type: ignore[no-untyped-def]
    """Write the number of the ellipse that holds each pixel's centre; circles of radii > 0, as ``m`` moves them."""
    height, width = owner.shape
    # (d m⁻ᵀ) (m⁻¹ d) ≤ r², solved for the second coordinate in each pixel row
    det = m[0, 0] * m[1, 1] - m[0, 1] * m[1, 0]
    a, b, c, d = m[1, 1] / det, -m[0, 1] / det, -m[1, 0] / det, m[0, 0] / det
    qyy, qyx, qxx = a * a + c * c, a * b + c * d, b * b + d * d
    for i in range(len(centres)):
        box = boxes[i]
        if not drawn[i] or _misses(box, top, left, edge, owner.shape, 0):
            continue
        if box[2] - box[0] < edge or box[3] - box[1] < edge:
            _middle(box, top, left, edge, i, owner)
        y, x = centres[i, 0], centres[i, 1]
        for r in range(max(_first(box[0] / edge - top), 0), min(_first(box[2] / edge - top), height)):
            dy = (top + r + 0.5) * edge - y
            half = qyx * qyx * dy * dy - qxx * (qyy * dy * dy - radii[i] * radii[i])
            if half >= 0:
                half = np.sqrt(half)
                low, high = x + (-qyx * dy - half) / qxx, x + (-qyx * dy + half) / qxx
                for k in range(max(_first(low / edge - left), 0), min(_first(high / edge - left), width)):
                    owner[r, k] = i


@compiled
def draw_outlines(corners, rings, rows, m, boxes, drawn, top, left, edge, half, owner, cover):  # type: ignore[no-untyped-def]
    """Draw every ring as a line of ``2 · half`` pixels, smoothed; ``cover`` is the share of a pixel, 0 to 255."""
    margin = half + 1.0
    for i in range(len(rows) - 1):
        if not drawn[i] or _misses(boxes[i], top, left, edge, owner.shape, margin):
            continue
        for ring in range(rows[i], rows[i + 1]):
            y0 = x0 = 0.0
            for k in range(rings[ring], rings[ring + 1]):
                y = (m[0, 0] * corners[k, 1] + m[0, 1] * corners[k, 0] + m[0, 2]) / edge - top - 0.5
                x = (m[1, 0] * corners[k, 1] + m[1, 1] * corners[k, 0] + m[1, 2]) / edge - left - 0.5
                if k > rings[ring]:
                    _line(y0, x0, y, x, half, i, owner, cover)
                y0, x0 = y, x


@compiled
def _between(low, high, length):  # type: ignore[no-untyped-def]
    """The first and the end of the whole numbers between two places, of 0 to a length."""
    return max(np.int64(np.ceil(low)), 0), min(np.int64(np.floor(high)) + 1, length)


@compiled
def _line(y0, x0, y1, x1, half, i, owner, cover):  # type: ignore[no-untyped-def]
    """Draw one edge: the pixels near it, by their centres' distance from it."""
    height, width = owner.shape
    reach = half + 0.5
    dy, dx = y1 - y0, x1 - x0
    length = dy * dy + dx * dx
    slope = dx / dy if dy != 0 else 0.0
    wide = reach * np.sqrt(1 + slope * slope) if dy != 0 else 0.0
    r0, r1 = _between(min(y0, y1) - reach, max(y0, y1) + reach, height)
    for r in range(r0, r1):
        low, high = min(x0, x1) - reach, max(x0, x1) + reach
        if dy != 0:
            middle = x0 + (r - y0) * slope
            low, high = max(low, middle - wide), min(high, middle + wide)
        c0, c1 = _between(low, high, width)
        for c in range(c0, c1):
            t = 0.0 if length == 0 else min(max(((r - y0) * dy + (c - x0) * dx) / length, 0.0), 1.0)
            gap = np.sqrt((y0 + t * dy - r) ** 2 + (x0 + t * dx - c) ** 2)
            share = np.uint8(min(max(reach - gap, 0.0), 1.0) * 255.0)
            if share > cover[r, c]:
                cover[r, c] = share
                owner[r, c] = i


@compiled
def mean_colours(owner, colours, out):  # type: ignore[no-untyped-def]
    """Write the mean colour of each block of 2 × 2 pixels, by how opaque they are; ``colours[-1]`` is of none."""
    last = len(colours) - 1
    for r in range(out.shape[0]):
        for c in range(out.shape[1]):
            red = green = blue = alpha = np.int64(0)
            for y in range(2 * r, 2 * r + 2):
                for x in range(2 * c, 2 * c + 2):
                    k = owner[y, x]
                    k = last if k < 0 else k
                    a = np.int64(colours[k, 3])
                    red, green, blue = red + a * colours[k, 0], green + a * colours[k, 1], blue + a * colours[k, 2]
                    alpha += a
            if alpha > 0:
                half = alpha // 2
                out[r, c, 0], out[r, c, 1] = (red + half) // alpha, (green + half) // alpha
                out[r, c, 2], out[r, c, 3] = (blue + half) // alpha, (alpha + 2) // 4
