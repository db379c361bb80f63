"""Where to draw a stroke of few rows in a region, so that it tells of all of it: along it, away from its rim."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.sparse.csgraph import dijkstra

from .arrays import require

__all__ = ["trail"]

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def trail(graph: sp.csr_matrix, rows: npt.ArrayLike, size: int = 15, start: int | None = None) -> Ints:
    """Return rows for one thin stroke along a connected region, from one of its ends towards the other.

    Fifteen rows that lie on a heap have nearly the same features, for these are means over neighbours; in a line they
    have what the region has, and no row of a narrow region is far from one of them.

    Parameters
    ----------
    graph
        (n, n) neighbours, both ways, without the diagonal.
    rows
        (m,) the region.
    size
        How many rows a stroke covers.
    start
        The row of the region that the stroke passes; None: of the innermost, the one midway between its ends.

    Returns
    -------
    line
        At most ``size`` rows: the line in order, and where it is shorter, as the region is, those nearest to it.

    Raises
    ------
    BadInput
        When there is no row, or ``start`` is none of them.

    Notes
    -----
    O(m log m).
    """
    taken = np.unique(np.asarray(rows, dtype=np.int64))
    require(len(taken) > 0, "There is no row to draw a stroke over.", "Give at least one.")
    require(size >= 1, f"A stroke of {size} rows was asked for.", "Give 1 or more.")
    within = sp.csr_matrix(graph[taken][:, taken])
    depth = _depth(graph, taken, within)
    middle = _middle(within, depth) if start is None else int(np.searchsorted(taken, start))
    require(start is None or bool(start in taken), f"Row {start} is not in the region.", "Start within it.")
    line = _through(within, depth, middle, max((size - 1) // 2, 0))
    near = np.asarray(dijkstra(within, unweighted=True, indices=line, min_only=True))
    near[line] = -1.0
    filled = np.argsort(near, kind="stable")[: min(size, int(np.isfinite(near).sum()))]
    rest = filled[near[filled] >= 0]
    return np.asarray(taken[np.concatenate([line[:size], rest])])


def _depth(graph: sp.csr_matrix, rows: Ints, within: sp.csr_matrix) -> Array:
    """Return (m,) 1 at the rim, and one more with every step from it; 1 everywhere if nothing lies around."""
    rim = np.flatnonzero(np.diff(graph.indptr)[rows] > np.diff(within.indptr))
    if not len(rim):
        return np.ones(len(rows))
    steps = np.asarray(dijkstra(within, unweighted=True, indices=rim, min_only=True))
    return np.asarray(1 + np.where(np.isfinite(steps), steps, 0.0), dtype=np.float64)


def _middle(within: sp.csr_matrix, depth: Array) -> int:
    everywhere = np.isfinite(dijkstra(within, unweighted=True, indices=int(depth.argmax())))
    one = _farthest(within, depth, everywhere, int(depth.argmax()))
    other = _farthest(within, depth, everywhere, one)
    farther = np.maximum(*dijkstra(within, unweighted=True, indices=[one, other]))
    return int(np.where(everywhere & (depth == depth[everywhere].max()), farther, np.inf).argmin())


def _through(within: sp.csr_matrix, depth: Array, middle: int, reach: int) -> Ints:
    """Return a line through a row, at most so many steps long to either side, that keeps to the inside."""
    links = within.tocoo()
    inside = sp.csr_matrix((1 / depth[links.row] + 1 / depth[links.col], (links.row, links.col)), shape=within.shape)
    before = dijkstra(inside, indices=middle, return_predecessors=True)[1]
    within_reach = np.isfinite(dijkstra(within, unweighted=True, indices=middle, limit=reach))
    first = _farthest(within, depth, within_reach, middle)
    second = _farthest(within, depth, within_reach, first)
    one, other = (_back(before, end, middle)[: reach + 1] for end in (first, second))
    line = [*one[:0:-1], *other]
    return np.array(list(dict.fromkeys(line)), dtype=np.int64)


def _farthest(within: sp.csr_matrix, depth: Array, among: npt.NDArray[np.bool_], start: int) -> int:
    """Return the row most steps away; of several, one of the innermost, so that the line does not turn to the rim."""
    steps = dijkstra(within, unweighted=True, indices=start)
    steps[~np.isfinite(steps)] = -1.0
    return int(np.where(among, steps + depth / (depth.max() + 1), -1.0).argmax())


def _back(before: npt.NDArray[np.int32], end: int, middle: int) -> list[int]:
    """Return the way from the middle to an end."""
    way = [end]
    while way[-1] != middle:
        way.append(int(before[way[-1]]))
    return way[::-1]
