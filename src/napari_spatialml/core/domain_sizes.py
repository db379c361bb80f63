"""How large domains are, and which lie side by side: tissue of each row, and borders between domains."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from .arrays import as_coordinates, require

__all__ = ["borders", "tissue_areas"]

Array = npt.NDArray[np.float64]
_LONGEST = {False: 3.0, True: 1.5}
"""Median edges from which on a triangle bridges a gap between pieces of tissue; on a lattice that is exact."""
_LATTICE = 1.05
"""Distances to the nearest row that differ by less than this factor, from one tenth to nine, are those of a lattice."""


def tissue_areas(coordinates: Any) -> Array:
    """Return the area of tissue that each row stands for.

    Parameters
    ----------
    coordinates
        (n, 2) as (y, x) in µm: spots, cells, bins or pixels of one section.

    Returns
    -------
    npt.NDArray[np.float64]
        (n,) in µm²: on a lattice the area of its unit; NaN where all rows lie on one line.

    Notes
    -----
    A third of every Delaunay triangle goes to each of its corners, and what a row at the rim of the tissue
    lacks is made up for by its angle: the sum is divided by the part of the full turn that its triangles
    cover. Triangles with an edge of more than three median edges lie in gaps, and are left out (on a lattice,
    of more than one and a half). A row without a triangle gets the median of the others; on a lattice, every
    row the mean of those inside the tissue. O(n log n).

    References
    ----------
    Delaunay, Bulletin de l'Académie des Sciences de l'URSS 6, 793 (1934).
    """
    where = as_coordinates(coordinates, "The coordinates")
    corners = _triangles(where)
    if not len(corners):
        return np.full(len(where), np.nan)
    a, b, c = (where[corners[:, k]] for k in range(3))
    sides = np.stack([np.hypot(*(b - c).T), np.hypot(*(c - a).T), np.hypot(*(a - b).T)], 1)
    lattice = _is_lattice(where)
    kept = (sides <= _LONGEST[lattice] * np.median(sides)).all(1)
    corners, sides = corners[kept], sides[kept]
    u, v = (b - a)[kept], (c - a)[kept]
    area = np.abs(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]) / 2
    total = np.bincount(corners.ravel(), np.repeat(area / 3, 3), minlength=len(where))
    turn = np.bincount(corners.ravel(), _angles(sides).ravel() / (2 * np.pi), minlength=len(where))
    found = np.divide(total, turn, out=np.full(len(where), np.nan), where=turn > 1e-3)
    known = np.isfinite(found)
    inside = turn > 1 - 1e-6
    if lattice and inside.any():
        return np.full(len(where), float(found[inside].mean()))
    return np.where(known, found, np.median(found[known]) if known.any() else np.nan)


def _is_lattice(where: Array) -> bool:
    from scipy.spatial import cKDTree

    low, high = np.quantile(cKDTree(where).query(where, k=2)[0][:, 1], [0.1, 0.9])
    return bool(high < _LATTICE * low)


def _triangles(where: Array) -> npt.NDArray[np.int64]:
    """Return (m, 3) corners; none where the rows span no area."""
    from scipy.spatial import Delaunay, QhullError

    if len(where) < 3:
        return np.empty((0, 3), np.int64)
    try:
        return np.asarray(Delaunay(where - where.mean(0)).simplices, np.int64)
    except QhullError:
        return np.empty((0, 3), np.int64)


def _angles(sides: Array) -> Array:
    """Return (m, 3) the angle opposite each side, by the law of cosines."""
    a, b, c = sides.T
    cosines = np.stack([(b**2 + c**2 - a**2) / (2 * b * c), (c**2 + a**2 - b**2) / (2 * c * a)], 1)
    first = np.arccos(np.clip(cosines, -1, 1))
    return np.column_stack([first, np.pi - first.sum(1)])


def borders(codes: Any, graph: Any, n: int) -> npt.NDArray[np.int64]:
    """Return how many pairs of neighbours lie in each two domains.

    Parameters
    ----------
    codes
        (n rows,) int: the domain of each row, -1 for none.
    graph
        (n rows, n rows) sparse neighbours; a pair counts once, whichever of the two names the other.
    n
        Number of domains.

    Returns
    -------
    npt.NDArray[np.int64]
        (n, n) symmetric; the diagonal holds the pairs within a domain.
    """
    of = np.asarray(codes)
    edges = sp.coo_matrix(graph)
    require(edges.shape == (len(of), len(of)), f"The graph is {edges.shape} for {len(of)} rows.")
    low, high = np.minimum(edges.row, edges.col), np.maximum(edges.row, edges.col)
    kept = (low != high) & (of[low] >= 0) & (of[high] >= 0)
    pair = np.unique(low[kept].astype(np.int64) * len(of) + high[kept])
    a, b = of[pair // max(len(of), 1)], of[pair % max(len(of), 1)]
    half = np.bincount(a * n + b, minlength=n * n).reshape(n, n)
    return np.asarray(half + half.T - np.diag(half.diagonal()), np.int64)
