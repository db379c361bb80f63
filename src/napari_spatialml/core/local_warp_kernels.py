"""Sums of compactly supported radial functions, and their slopes. Import late: this imports numba."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

compiled: Any = njit(cache=True, nogil=True)


@compiled
def add_moves(points, centres, radii, weights, out):  # type: ignore[no-untyped-def]
    """Add the displacement at each point (n, 2) to out (n, 2)."""
    for p in range(len(points)):
        y, x = points[p, 0], points[p, 1]
        for k in range(len(centres)):
            dy, dx = y - centres[k, 0], x - centres[k, 1]
            squared = dy * dy + dx * dx
            if squared >= radii[k] * radii[k]:
                continue
            r = np.sqrt(squared) / radii[k]
            s = (1.0 - r) * (1.0 - r)
            value = s * s * (4.0 * r + 1.0)
            out[p, 0] += weights[k, 0] * value
            out[p, 1] += weights[k, 1] * value


@compiled
def add_slopes(points, centres, radii, weights, out):  # type: ignore[no-untyped-def]
    """Add the derivatives of the displacement at each point (n, 2) to out (n, 2, 2)."""
    for p in range(len(points)):
        for k in range(len(centres)):
            dy, dx = points[p, 0] - centres[k, 0], points[p, 1] - centres[k, 1]
            squared = dy * dy + dx * dx
            reach = radii[k] * radii[k]
            if squared >= reach:
                continue
            s = 1.0 - np.sqrt(squared / reach)
            slope = -20.0 * s * s * s / reach
            for c in range(2):
                out[p, c, 0] += weights[k, c] * slope * dy
                out[p, c, 1] += weights[k, c] * slope * dx
