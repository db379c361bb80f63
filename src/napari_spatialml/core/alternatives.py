"""What else a cell could be: gone, cut, merged or outlined anew, and how likely each of these would be wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from .cutting import split_cell
from .flows import FlowField
from .patch import LabelArray
from .proposals import contour_of, shortest_cut
from .retracing import like_cell, retraced, seams_of, segments_of, trimmed
from .suspicion import Evidence, Looks, Usual, measure, relative
from .suspicion.model import default_model, logistic
from .suspicion.picture import nuclear_plane

__all__ = ["Alternative", "Judged", "alternatives"]

Features = dict[str, npt.NDArray[np.float64]]
_CONTACT = 0.12
"""A neighbour may be the other half of a cell if it takes so much of the shorter outline of the two."""

_LEFT_OUT = 0.5
"""What a new outline leaves out is a cell of its own if it is so large a part of what it keeps."""


@dataclass(frozen=True, eq=False)
class Alternative:
    """One way to mend a cell.

    Parameters
    ----------
    tool
        "delete", "split", "merge" or "redraw".
    wrong
        The probability that what it leaves is wrong, 0 to 1.
    partner
        The cell to merge with.
    points
        (k, 2) ends of the cut, or corners of the outline, as (y, x) in pixels of the section.
    """

    tool: str
    wrong: float = np.nan
    partner: int = 0
    points: npt.NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
class Judged:
    """A cell as it is, and what it could be.

    Parameters
    ----------
    wrong
        The probability that it is wrong as it is, alone.
    ways
        How it could be mended, the least likely wrong first.
    """

    wrong: float
    ways: tuple[Alternative, ...]


@dataclass(frozen=True, eq=False)
class _Tried:
    """An alternative, carried out on a copy of the window, and the cells to judge."""

    way: Alternative
    labels: LabelArray
    cells: tuple[int, ...]
    left: float = np.nan
    """How likely what it gives up is a cell."""


def alternatives(asked: Sequence[tuple[Evidence, int]], usual: Usual | None = None) -> list[Judged]:
    """Return for each cell what it could be instead.

    Parameters
    ----------
    asked
        Windows that hold a cell and its neighbours, and the cell.
    usual
        What is usual in the section; that of each window by default.

    Notes
    -----
    Each alternative is carried out on a copy of the window, and the cells that it leaves are judged as any
    others: by the model that ranks the queue. A deleted cell was one as far as the image shows one there.
    About 5 ms an alternative.
    """
    tried = [(number, one) for number, (e, c) in enumerate(asked) for one in _tries(e, c, usual)]
    rows: list[Features] = []
    owner: list[int] = []
    for at, (number, one) in enumerate(tried):
        found = _features(replace(asked[number][0], labels=one.labels), one.cells, usual)
        rows.append(found)
        owner += [at] * len(found["size"])
    together = {k: np.concatenate([r[k] for r in rows]) for k in rows[0]} if rows else {}
    chances = default_model().probability(together) if rows else np.zeros(0)
    wrong = [one.left for _, one in tried]
    for at, chance in zip(owner, chances, strict=True):
        wrong[at] = float(np.nanmax([wrong[at], chance]))
    made: list[Judged] = []
    for number in range(len(asked)):
        mine = [(one.way, w) for (n, one), w in zip(tried, wrong, strict=True) if n == number]
        ways = [replace(way, wrong=w) for way, w in mine[1:] if w == w]
        made.append(Judged(mine[0][1], tuple(sorted(ways, key=lambda way: way.wrong))))
    return made


def _features(evidence: Evidence, cells: tuple[int, ...], usual: Usual | None) -> Features:
    """Return the features of some cells of a window; none where the window cuts one of them."""
    measured = measure(evidence)
    rows = np.flatnonzero(np.isin(measured.cells, cells))
    if len(rows) < len(cells):
        rows = rows[:0]
    return {name: values[rows] for name, values in relative(measured, usual).items()}


def _tries(evidence: Evidence, cell: int, usual: Usual | None) -> Iterator[_Tried]:
    labels, stain = evidence.labels, nuclear_plane(evidence)
    mask = labels == cell
    contrast = usual.drop if usual is not None else np.nan
    like = None if stain is None or not mask.any() else like_cell(stain, labels, cell, contrast)
    field = evidence.field.as_one if isinstance(evidence.field, Looks) else evidence.field
    segments = segments_of(field) if isinstance(field, FlowField) else None
    corner, new = np.asarray(evidence.offset, float), int(labels.max()) + 1
    yield _Tried(Alternative("keep"), labels, (cell,))
    yield _Tried(Alternative("delete"), labels, (), min(2 * _seen(evidence, mask, like), 1.0))  # half a cell is one
    lines = [*seams_of(mask, like, segments), shortest_cut(mask)]
    for line in (trimmed(one, mask) for one in lines if one is not None):
        try:
            cut = split_cell(labels, cell, line, new_id=new).applied_to(labels)
        except BadInput:  # a line that leaves a splinter
            continue
        yield _Tried(Alternative("split", points=line + corner), cut, (cell, new))
    for other in _partners(labels, cell):
        merged = np.where(labels == other, cell, labels)
        yield _Tried(Alternative("merge", partner=other), merged, (cell,))
    for anew in retraced(labels, cell, like, segments):
        drawn = np.where(anew, cell, np.where(mask, 0, labels))
        given_up = _seen(evidence, mask & ~anew, like) * (mask & ~anew).sum() / (_LEFT_OUT * anew.sum())
        yield _Tried(Alternative("redraw", points=contour_of(anew) + corner), drawn, (cell,), float(min(given_up, 1)))


def _seen(evidence: Evidence, mask: npt.NDArray[np.bool_], like: Any) -> float:
    """Return how much of a cell the network, or else the image, shows within a mask."""
    if not mask.any():
        return 0.0
    if evidence.field is not None:
        return float(logistic(np.asarray(evidence.field.logit, np.float64)[mask]).mean())
    return 0.5 if like is None else float((like > 0.5)[mask].mean())


def _partners(labels: LabelArray, cell: int) -> list[int]:
    """Return the neighbours that share a good part of the shorter outline, the longest border first."""
    padded = np.pad(labels, 1)
    middle, sides = padded[1:-1, 1:-1], [padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]]
    beside = np.concatenate([side[(middle == cell) & (side != cell)] for side in sides])
    found, n = np.unique(beside[beside > 0], return_counts=True)
    around = {int(k): sum(int(((middle == k) & (side != k)).sum()) for side in sides) for k in found}
    order = np.argsort(-n)
    return [int(found[i]) for i in order if n[i] >= _CONTACT * min(len(beside), around[int(found[i])])][:3]
