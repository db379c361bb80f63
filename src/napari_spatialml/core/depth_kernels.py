"""How deep points lie in cells, and how far off: exact, for the points only. Import late: this imports numba."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

compiled: Any = njit(cache=True, nogil=True)


@compiled
def to_the_sides(labels, reach, left, right):  # type: ignore[no-untyped-def]
    """Write, for every pixel, how far another label is on its row to the left and right; at most reach + 1."""
    height, width = labels.shape
    for y in range(height):
        left[y, 0] = right[y, width - 1] = reach + 1
        for x in range(1, width):
            left[y, x] = min(left[y, x - 1] + 1, reach + 1) if labels[y, x] == labels[y, x - 1] else 1
        for x in range(width - 2, -1, -1):
            right[y, x] = min(right[y, x + 1] + 1, reach + 1) if labels[y, x] == labels[y, x + 1] else 1


@compiled
def nearest_other(labels, ys, xs, reach, left, right, squared, other):  # type: ignore[no-untyped-def]
    """Write the squared distance of each pixel to the nearest one of another label, and that label.

    Row after row away from the pixel, until no nearer one can come: a row tells at once where its
    nearest other label is. Of equally near ones the lowest label counts, background last.
    """
    height = labels.shape[0]
    for i in range(len(ys)):
        y, x = ys[i], xs[i]
        own = labels[y, x]
        best = np.int64(reach) * reach + 1
        found = own
        dy = 0
        while dy <= reach and dy * dy <= best:
            for sign in range(1 if dy == 0 else 2):
                v = y + dy if sign == 0 else y - dy
                if v < 0 or v >= height:
                    continue
                here = labels[v, x]
                for side in range(2):
                    if here != own:
                        far, name = np.int64(0), here
                    else:
                        far = np.int64(left[v, x]) if side == 0 else np.int64(right[v, x])
                        if far > reach:
                            continue
                        name = labels[v, x - far] if side == 0 else labels[v, x + far]
                    d = dy * dy + far * far
                    if d < best or (d == best and name != 0 and (found == own or found == 0 or name < found)):
                        best, found = d, name
            dy += 1
        squared[i] = best
        other[i] = found if best <= np.int64(reach) * reach else 0


@compiled
def joint_runs(a, b):  # type: ignore[no-untyped-def]
    """Return (labels of a, labels of b, pixels) of the runs on which both are constant and a is no background."""
    height, width = a.shape
    n = 0
    first, second, pixels = np.empty(1024, a.dtype), np.empty(1024, b.dtype), np.empty(1024, np.int64)
    for y in range(height):
        x = 0
        while x < width:
            start = x
            x += 1
            while x < width and a[y, x] == a[y, start] and b[y, x] == b[y, start]:
                x += 1
            if a[y, start] == 0:
                continue
            if n == len(first):
                first = np.concatenate((first, np.empty_like(first)))
                second = np.concatenate((second, np.empty_like(second)))
                pixels = np.concatenate((pixels, np.empty_like(pixels)))
            first[n], second[n], pixels[n] = a[y, start], b[y, start], x - start
            n += 1
    return first[:n], second[:n], pixels[:n]
