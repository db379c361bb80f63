"""Where a stroke would teach a map of domains most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from .arrays import require
from .domain_trust import margin

__all__ = ["Region", "most_uncertain", "uncertain_regions"]

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)
"""Rows below these margins, level by level, make up regions."""
_SAME = 0.5
"""Of two regions that share so much of the smaller one, only the better is offered."""


@dataclass(frozen=True, eq=False)
class Region:
    """A connected piece of tissue of which the map is unsure.

    Parameters
    ----------
    rows
        (m,) its rows, in order.
    score
        How many rows of the map a stroke here is expected to change.
    domains
        The domain that most of it has, and the one that it might be instead.
    sentence
        "131 spots between D2 and D5".
    centre
        The row in its midst: where to look.
    """

    rows: Ints
    score: float
    domains: tuple[int, int]
    sentence: str
    centre: int


def most_uncertain(
    probabilities: npt.ArrayLike,
    graph: sp.csr_matrix,
    anchored: npt.ArrayLike | None = None,
    ignored: npt.ArrayLike | None = None,
    size: int = 15,
    names: Sequence[str] | None = None,
    rows_are: str = "spots",
) -> Region | None:
    """Return the first of `uncertain_regions`; None where nothing is left to teach."""
    found = uncertain_regions(probabilities, graph, anchored, ignored, size, names, rows_are, number=1)
    return found[0] if found else None


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
    """Return the regions in which a stroke would teach most, best first.

    Parameters
    ----------
    probabilities
        (n, k), rows sum to 1: the map that counts now.
    graph
        (n, n) neighbours, without the diagonal.
    anchored
        (n,) bool: rows under a stroke. They are never in a region; None: none.
    ignored
        (n,) bool: rows that are no tissue to divide. They are never in a region; None: none.
    size
        How many rows a stroke covers: smaller regions are offered only where there are no larger ones.
    names
        (k,) of the domains; "D1" … if None.
    rows_are
        What the rows are called in the sentence: "spots", "cells" …
    number
        At most so many, for a button "next".

    Notes
    -----
    A region is a connected piece of rows whose two likeliest domains are the same two, below some margin. Its
    score is the number of its rows that are expected to be wrong, the sum of one minus the largest probability,
    times the share of rows beyond it that are unsure between the same domains: they learn from the stroke too.
    O(n k) a level.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    n, k = p.shape
    require(graph.shape == (n, n), f"The graph is {graph.shape} for {n} rows.", "Build it from the same rows.")
    require(size >= 1, f"A stroke of {size} rows was asked for.", "Give 1 or more.")
    free = np.ones(n, bool)
    for closed in (anchored, ignored):
        if closed is not None:
            free &= ~np.asarray(closed, dtype=bool)
    if k < 2 or not free.any():
        return []
    names = [f"D{d + 1}" for d in range(k)] if names is None else names
    candidates = _candidates(p, sp.csr_matrix(graph), free, size)
    return [_region(p, graph, rows, score, names, rows_are) for score, rows in _apart(candidates, n, number)]


def _candidates(p: Array, graph: sp.csr_matrix, free: Bools, size: int) -> list[tuple[float, Ints]]:
    n, k = p.shape
    two = np.sort(np.argpartition(p, k - 2, axis=1)[:, -2:], axis=1)
    pair = two[:, 0] * k + two[:, 1]
    wrong = 1 - p.max(1)
    unsure = np.bincount(pair[free], weights=wrong[free], minlength=k * k)
    sure = margin(p)
    found: list[tuple[float, Ints]] = []
    for level in _LEVELS:
        rows = np.flatnonzero(free & (sure < level))
        for piece in _pieces(graph, rows, pair):
            gain = float(wrong[piece].sum())
            found.append((gain * min(1.0, len(piece) / size) * (1 + unsure[pair[piece[0]]] / n), piece))
    return found


def _pieces(graph: sp.csr_matrix, rows: Ints, kind: Ints) -> list[Ints]:
    """Return the connected pieces of ``rows`` that are of one kind."""
    if not len(rows):
        return []
    inner = sp.coo_matrix(graph[rows][:, rows])
    same = kind[rows[inner.row]] == kind[rows[inner.col]]
    links = sp.coo_matrix((np.ones(int(same.sum())), (inner.row[same], inner.col[same])), shape=(len(rows),) * 2)
    piece = connected_components(links, directed=False)[1]
    order = np.argsort(piece, kind="stable")
    return [rows[part] for part in np.split(order, np.flatnonzero(np.diff(piece[order])) + 1)]


def _apart(candidates: list[tuple[float, Ints]], n: int, number: int) -> list[tuple[float, Ints]]:
    """Return the best candidates that are not the same piece of tissue."""
    taken = np.zeros(n, bool)
    kept: list[tuple[float, Ints]] = []
    for score, rows in sorted(candidates, key=lambda c: (-c[0], len(c[1]), int(c[1][0]))):
        if len(kept) == number:
            break
        if score > 0 and taken[rows].mean() < _SAME:
            taken[rows] = True
            kept.append((score, rows))
    return kept


def _region(p: Array, graph: sp.csr_matrix, rows: Ints, score: float, names: Sequence[str], rows_are: str) -> Region:
    mass = p[rows].sum(0)
    first, second = (int(d) for d in np.argsort(-mass, kind="stable")[:2])
    what = rows_are if len(rows) != 1 else rows_are.removesuffix("s")
    sentence = f"{len(rows)} {what} between {names[first]} and {names[second]}"
    return Region(rows, score, (first, second), sentence, _midst(graph, rows))


def _midst(graph: sp.csr_matrix, rows: Ints) -> int:
    """Return the row of a region that is farthest from its rim, in steps of the graph."""
    inside = np.zeros(graph.shape[0], bool)
    inside[rows] = True
    last = rows
    core = rows
    while len(core):
        last = core
        outside = np.asarray(graph[core] @ (~inside).astype(np.float64)).ravel()
        inside[core[outside > 0]] = False
        rest = core[outside == 0]
        if len(rest) == len(core):
            break
        core = rest
    return int(last[len(last) // 2])
