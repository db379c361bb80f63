"""Where a stroke would teach a map of domains most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.sparse.csgraph import breadth_first_order, connected_components

from .arrays import require
from .graph import averaging
from .lowpass import low_pass
from .stroke_trail import trail

__all__ = ["Region", "uncertain_regions", "view_around"]

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_RIGHT = 0.85
"""What a map is held to have right. Rows that share their neighbours' features make a mixture far too sure: its
probabilities are evened out until their largest ones say no more than this on average."""
_ROUNDS = 3
"""Means over neighbours, so that a stroke's worth of unsure rows counts, and not a single one."""
_REACH = 15
"""Means over neighbours, as far as a stroke has told about its surroundings."""
_HELD = 2.0
"""A piece in which one stroke lies already counts a third, with two a fifth."""
_AS_UNSURE = 0.5
"""A region goes on as far as rows are at least half as unsure as its midst …"""
_STROKES = 20
"""… but holds no more rows than so many strokes, so that there is something to look at, and to do next."""
_SHARE = 1 / 3
"""How much of a view a region fills, along either side: it is judged among its surroundings."""
_LEAST = 8.0
"""A small region is shown as if it were so many rows wide, so that its neighbours are seen."""


@dataclass(frozen=True, eq=False)
class Region:
    """A connected piece of one domain of which the map is unsure.

    Parameters
    ----------
    rows
        (m,) its rows, in order.
    score
        How much a stroke here would teach; to compare regions of one map.
    domains
        The domain that it has, and the one that it might be instead.
    sentence
        "131 spots between D2 and D5".
    centre
        The row where the map is least sure, away from the rim.
    line
        (at most a stroke's,) rows to paint: a line through the centre along the region, as `trail` draws it.
    """

    rows: Ints
    score: float
    domains: tuple[int, int]
    sentence: str
    centre: int
    line: Ints


def uncertain_regions(
    probabilities: npt.ArrayLike,
    graph: sp.csr_matrix,
    anchored: npt.ArrayLike | None = None,
    ignored: npt.ArrayLike | None = None,
    size: int = 15,
    names: Sequence[str] | None = None,
    rows_are: str = "spots",
    number: int = 10,
) -> list[Region]:
    r"""Return the regions in which a stroke would teach most, best first, none overlapping another.

    Parameters
    ----------
    probabilities
        (n, k), rows sum to 1: the map that counts now.
    graph
        (n, n) neighbours, without the diagonal.
    anchored
        (n,) bool: rows under a stroke, or that somebody has looked at and left. They are never in a region; None:
        none.
    ignored
        (n,) bool: rows that are no tissue to divide. They are never in a region; None: none.
    size
        How many rows a stroke covers; a region has at least so many where its piece of tissue has.
    names
        (k,) of the domains; "D1" … if None.
    rows_are
        What the rows are called in the sentence: "spots", "cells" …
    number
        At most so many, for a button "next".

    Notes
    -----
    Every connected piece P of a domain gets the score :math:`\sum_{i \in P} u_i^2 / (1 + 2 a / s)`, with u one
    minus the largest probability (evened out, over rows that no stroke covers), a the rows of the piece under
    strokes and s the size of a stroke: a large piece that no stroke has confirmed teaches more than a thin unsure
    seam, for a mixture that is wrong is often sure of it. In the best piece the place to paint is where it is least
    sure, away from its rim and from the strokes; the region is what is about as unsure around it. It then counts as
    painted, and the next is sought. A map of zeros and ones is a map too: its pieces count by their size.

    Chosen by a simulated reader on simulated tissues (layers, blobs, islands, gradients), who paints 15 rows at each
    place. Of what 20 strokes on the largest wrong regions gain, which nobody can know, 20 strokes here gain about
    two thirds, at the smallest margin four tenths, and at random a third. Where thin layers lie on each other the
    smallest margin is as good. Who goes through the list and paints the first place that is wrong gains more; who
    paints the largest wrong region in the view around a place gains as much as on the largest of the section.

    O(n k) in all, and O(n) for each region.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    require(p.ndim == 2, f"The probabilities have the shape {p.shape}.", "Give (rows, domains).")
    n, k = p.shape
    require(names is None or len(names) == k, f"There are {len(names or ())} names for {k} domains.", "Give one each.")
    require(graph.shape == (n, n), f"The graph is {graph.shape} for {n} rows.", "Build it from the same rows.")
    require(size >= 1, f"A stroke of {size} rows was asked for.", "Give 1 or more.")
    laid, closed = _marked(anchored, n), _marked(ignored, n)
    free = ~(laid | closed)
    if k < 2 or not free.any():
        return []
    graph = sp.csr_matrix(graph)
    both = sp.csr_matrix(graph + graph.T)
    even = _evened_out(p, free)
    unsure = np.where(free, 1 - even.max(1), 0.0)
    piece = _pieces(graph, p.argmax(1), ~closed)
    named = [f"D{d + 1}" for d in range(k)] if names is None else names
    found = []
    for rows, score, centre in _greedily(graph, piece, unsure, free, laid, size, number):
        domains = _rivals(p, even, graph, rows, centre)
        what = f"{len(rows)} {rows_are.removesuffix('s') if len(rows) == 1 else rows_are}"
        sentence = f"{what} between {named[domains[0]]} and {named[domains[1]]}"
        found.append(Region(rows, score, domains, sentence, centre, trail(both, rows, size, centre)))
    return found


def view_around(coordinates: npt.ArrayLike, distance: float) -> tuple[Array, Array]:
    """Return the middle and the extent of a view in which rows are judged among their surroundings.

    Parameters
    ----------
    coordinates
        (m, 2) of the rows.
    distance
        From a row to the next, > 0.
    """
    where = np.asarray(coordinates, dtype=np.float64)
    require(where.ndim == 2 and len(where) > 0, f"The coordinates have the shape {where.shape}.", "Give (rows, 2).")
    low, high = where.min(0), where.max(0)
    return (low + high) / 2, np.maximum(high - low, _LEAST * distance) / _SHARE


def _marked(rows: npt.ArrayLike | None, n: int) -> Bools:
    if rows is None:
        return np.zeros(n, bool)
    marks = np.asarray(rows, dtype=bool)
    require(marks.shape == (n,), f"There are {marks.size} marks for {n} rows.", "Give one a row.")
    return marks


def _evened_out(p: Array, free: Bools) -> Array:
    """Return p to a power of at most 1, scaled to sum 1, so that the mean of its largest is `_RIGHT` or less."""
    logs = np.log(np.maximum(p, 1e-300))
    logs -= logs.max(1, keepdims=True)
    seen = logs[free]

    def sure(power: float) -> float:
        return float((1 / np.exp(seen * power).sum(1)).mean())

    low, high = 1e-4, 1.0
    if sure(high) > _RIGHT:
        for _ in range(15):
            middle = float(np.sqrt(low * high))
            low, high = (low, middle) if sure(middle) > _RIGHT else (middle, high)
    even = np.exp(logs * high)
    return np.asarray(even / even.sum(1, keepdims=True))


def _pieces(graph: sp.csr_matrix, domain: Ints, tissue: Bools) -> Ints:
    """Return (n,) the connected piece of its domain that each row lies in."""
    row = np.repeat(np.arange(len(domain)), np.diff(graph.indptr))
    same = (domain[row] == domain[graph.indices]) & tissue[row] & tissue[graph.indices]
    links = sp.coo_matrix((np.ones(int(same.sum())), (row[same], graph.indices[same])), shape=graph.shape)
    return np.asarray(connected_components(links, directed=False)[1], dtype=np.int64)


def _greedily(
    graph: sp.csr_matrix, piece: Ints, unsure: Array, free: Bools, laid: Bools, size: int, number: int
) -> list[tuple[Ints, float, int]]:
    """Return rows, score and centre of region after region, each of which then counts as painted."""
    told = low_pass(laid.astype(np.float64), graph, _REACH)
    untold = unsure * (1 - told / max(float(told.max()), 1e-300)) ** 2
    mean = averaging(graph)
    gain = np.bincount(piece, weights=unsure**2)
    held = np.bincount(piece, weights=laid)
    free = free.copy()
    order = np.argsort(piece, kind="stable")
    starts = np.searchsorted(piece[order], np.arange(len(gain) + 1))
    found: list[tuple[Ints, float, int]] = []
    while len(found) < number:
        score = gain / (1 + _HELD * held / size)
        best = int(score.argmax())
        rows = order[starts[best] : starts[best + 1]]
        rows = rows[free[rows]]
        if not len(rows) or score[best] <= 1e-12:
            break
        centre = _least_sure(mean, rows, untold)
        region = _around(graph, rows, centre, unsure, size)
        found.append((region, float(score[best]), centre))
        free[region] = False
        gain[best] = float((unsure[rows[free[rows]]] ** 2).sum())
        held[best] += size
    return found


def _least_sure(mean: sp.csr_matrix, rows: Ints, unsure: Array) -> int:
    """Return the row with the least sure neighbourhood among ``rows``; what is not among them counts as sure."""
    inner, around = mean[rows][:, rows], unsure[rows]
    for _ in range(_ROUNDS):
        around = inner @ around
    return int(rows[around.argmax()])


def _around(graph: sp.csr_matrix, rows: Ints, centre: int, unsure: Array, size: int) -> Ints:
    """Return the rows connected to ``centre`` that are about as unsure, and at least those nearest to it."""
    inner = sp.csr_matrix(graph[rows][:, rows])
    start = int(np.searchsorted(rows, centre))
    alike = unsure[rows] >= _AS_UNSURE * unsure[centre]
    alike[_nearest(inner, start)[:size]] = True
    some = np.flatnonzero(alike)
    near = _nearest(sp.csr_matrix(inner[some][:, some]), int(np.searchsorted(some, start)))
    return np.sort(rows[some[near[: _STROKES * size]]])


def _nearest(graph: sp.csr_matrix, start: int) -> Ints:
    """Return the rows connected to one, in order of steps from it."""
    return np.asarray(breadth_first_order(graph, start, directed=False, return_predecessors=False), dtype=np.int64)


def _rivals(p: Array, even: Array, graph: sp.csr_matrix, rows: Ints, centre: int) -> tuple[int, int]:
    """Return the domain of a region and the likeliest other; of equally likely ones that which borders on it."""
    own = int(p[centre].argmax())
    mass = even[rows].mean(0)
    border = np.bincount(p[graph[rows].indices].argmax(1), minlength=p.shape[1])
    mass = np.round(mass, 9) + 1e-10 * border / max(int(border.sum()), 1)
    mass[own] = -1.0
    return own, int(mass.argmax())
