"""Where two segmentations disagree, cell by cell: missed, divided, merged, drawn otherwise, named otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from .arrays import require
from .overlap import Overlap, matches
from .patch import Window

__all__ = ["AGREED", "KINDS", "Disagreements", "back_and_forth", "disagreements"]

Ints = npt.NDArray[np.int64]

KINDS = ("agreed", "only in A", "only in B", "split or merged", "different outline", "different class")
AGREED, ONLY_A, ONLY_B, DIVIDED, OUTLINE, CLASS = range(len(KINDS))
_PARTNER = 0.2
"""Below this intersection over union two cells are not the same cell drawn otherwise."""
_INSIDE = 0.5
_PART = 0.1
_BAND = 512


@dataclass(frozen=True, eq=False)
class Disagreements:
    """Every cell of two segmentations in one group with its counterparts.

    Parameters
    ----------
    ids_a, ids_b
        (n_a,) and (n_b,) cells of A and of B.
    group_a, group_b
        The group of each.
    kinds
        (g,) what each group is, as places in `KINDS`.
    boxes
        (g, 4) the window (y0, y1, x0, x1) of each group.
    iou
        (g,) intersection over union of pairs; NaN for other groups.
    """

    ids_a: npt.NDArray[Any]
    ids_b: npt.NDArray[Any]
    group_a: Ints
    group_b: Ints
    kinds: npt.NDArray[np.uint8]
    boxes: Ints
    iou: npt.NDArray[np.float64]

    @property
    def counts(self) -> dict[str, int]:
        """How many groups there are of each kind."""
        n = np.bincount(self.kinds, minlength=len(KINDS))
        return {kind: int(k) for kind, k in zip(KINDS, n, strict=True)}

    @cached_property
    def _members(self) -> tuple[tuple[Ints, Ints], tuple[Ints, Ints]]:
        sides = []
        for group in (self.group_a, self.group_b):
            order = np.argsort(group, kind="stable")
            starts = np.searchsorted(group[order], np.arange(len(self.kinds) + 1))
            sides.append((order, starts))
        return sides[0], sides[1]

    def cells(self, group: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the cells of A and of B in a group."""
        (order_a, at_a), (order_b, at_b) = self._members
        a = self.ids_a[order_a[at_a[group] : at_a[group + 1]]]
        b = self.ids_b[order_b[at_b[group] : at_b[group + 1]]]
        return tuple(int(i) for i in a), tuple(int(i) for i in b)

    def box(self, group: int) -> Window:
        """Return the window of a group."""
        y0, y1, x0, x1 = (int(v) for v in self.boxes[group])
        return y0, y1, x0, x1

    def queue(self) -> Ints:
        """Return the groups on which A and B disagree, neighbours after each other."""
        open_ = np.flatnonzero(self.kinds != AGREED)
        middle = np.stack([self.boxes[open_, :2].mean(1), self.boxes[open_, 2:].mean(1)], axis=1)
        return np.asarray(open_[back_and_forth(middle, _BAND)])


def back_and_forth(places: npt.NDArray[Any], band: float) -> Ints:
    """Return the order in which places (n, 2) as (y, x) follow each other in bands of rows, every other one backwards.

    So no step of the eye is long.
    """
    row = (places[:, 0] // band).astype(np.int64)
    along = np.where(row % 2 == 0, places[:, 1], -places[:, 1])
    return np.asarray(np.lexsort((along, row)), dtype=np.int64)


def disagreements(
    overlap: Overlap, outline: float = 0.7, *, classes: tuple[npt.ArrayLike, npt.ArrayLike] | None = None
) -> Disagreements:
    """Sort the cells of two segmentations into groups that agree or disagree.

    Parameters
    ----------
    overlap
        How they lie on each other.
    outline
        Partners whose intersection over union is below this are drawn differently, 0 < outline ≤ 1.
    classes
        The class of each cell of ``overlap.a`` and of ``overlap.b``; None for a cell without one.

    Raises
    ------
    BadInput
        If ``outline`` is out of range, or the classes are not one a cell.

    Notes
    -----
    A cell is divided where two or more cells of the other reader lie in it, each by at least half of
    its own area and covering at least a tenth of it. Of the others partners are those that match at an
    intersection over union of one half, then of a fifth; who is left is in one segmentation only.
    """
    require(0 < outline <= 1, f"The outline's threshold is {outline}.", "Give 0.5 to 0.95.")
    n_a, n_b = overlap.shared.shape
    rows, columns = _divided(overlap)
    free_a, free_b = np.ones(n_a, bool), np.ones(n_b, bool)
    free_a[rows], free_b[columns] = False, False
    for threshold in (0.5, _PARTNER):
        i, j = matches(_among(overlap.iou, free_a, free_b), threshold)
        free_a[i], free_b[j] = False, False
        rows, columns = np.concatenate([rows, i]), np.concatenate([columns, j])
    joined = sp.coo_matrix((np.ones(len(rows)), (rows, columns + n_a)), shape=(n_a + n_b,) * 2)
    _, group = connected_components(joined, directed=False) if n_a + n_b else (0, np.empty(0, np.int64))
    group_a, group_b = group[:n_a].astype(np.int64), group[n_a:].astype(np.int64)
    n = int(group.max(initial=-1)) + 1
    iou = _pair_iou(overlap, rows, columns, group_a, n, np.bincount(group_b, minlength=n))
    kinds = _kinds(group_a, group_b, n, iou, outline)
    if classes is not None:
        _mark_classes(kinds, overlap, rows, columns, group_a, classes)
    return Disagreements(overlap.a.ids, overlap.b.ids, group_a, group_b, kinds, _boxes(overlap, group, n), iou)


def _divided(overlap: Overlap) -> tuple[Ints, Ints]:
    """Return the pairs of a cell and a part of it, where there are two parts or more."""
    pairs = sp.coo_matrix(overlap.shared)
    area_a, area_b = overlap.a.areas[pairs.row], overlap.b.areas[pairs.col]
    in_a = (pairs.data >= _INSIDE * area_b) & (pairs.data >= _PART * area_a)
    in_b = (pairs.data >= _INSIDE * area_a) & (pairs.data >= _PART * area_b)
    parts_a = np.bincount(pairs.row[in_a], minlength=pairs.shape[0])
    parts_b = np.bincount(pairs.col[in_b], minlength=pairs.shape[1])
    kept = (in_a & (parts_a[pairs.row] > 1)) | (in_b & (parts_b[pairs.col] > 1))
    return pairs.row[kept].astype(np.int64), pairs.col[kept].astype(np.int64)


def _among(iou: sp.csr_matrix, rows: npt.NDArray[np.bool_], columns: npt.NDArray[np.bool_]) -> sp.csr_matrix:
    pairs = sp.coo_matrix(iou)
    kept = rows[pairs.row] & columns[pairs.col]
    return sp.csr_matrix((pairs.data[kept], (pairs.row[kept], pairs.col[kept])), shape=iou.shape)


def _pair_iou(overlap: Overlap, rows: Ints, columns: Ints, group_a: Ints, n: int, n_b: Ints) -> npt.NDArray[np.float64]:
    out = np.full(n, np.nan)
    if len(rows):
        out[group_a[rows]] = np.asarray(overlap.iou[rows, columns]).ravel()
    out[(np.bincount(group_a, minlength=n) != 1) | (n_b != 1)] = np.nan
    return out


def _kinds(group_a: Ints, group_b: Ints, n: int, iou: npt.NDArray[np.float64], outline: float) -> npt.NDArray[np.uint8]:
    n_a, n_b = np.bincount(group_a, minlength=n), np.bincount(group_b, minlength=n)
    kinds = np.full(n, DIVIDED, np.uint8)
    kinds[n_b == 0] = ONLY_A
    kinds[n_a == 0] = ONLY_B
    pair = (n_a == 1) & (n_b == 1)
    kinds[pair] = np.where(iou[pair] >= outline - 1e-12, AGREED, OUTLINE)
    return kinds


def _mark_classes(
    kinds: npt.NDArray[np.uint8],
    overlap: Overlap,
    rows: Ints,
    columns: Ints,
    group_a: Ints,
    classes: tuple[npt.ArrayLike, npt.ArrayLike],
) -> None:
    a, b = (np.asarray(side, dtype=object) for side in classes)
    fits = len(a) == len(overlap.a.ids) and len(b) == len(overlap.b.ids)
    require(fits, f"There are {len(a)} and {len(b)} classes.", "Give one a cell.")
    other = np.array([p is not None and q is not None and p != q for p, q in zip(a[rows], b[columns], strict=True)])
    named = group_a[rows[other.astype(bool)]]
    kinds[named[kinds[named] == AGREED]] = CLASS


def _boxes(overlap: Overlap, group: npt.NDArray[Any], n: int) -> Ints:
    boxes = np.concatenate([overlap.a.boxes, overlap.b.boxes])
    if not n:
        return boxes
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(n))
    low, high = np.minimum.reduceat(boxes[order], starts), np.maximum.reduceat(boxes[order], starts)
    return np.stack([low[:, 0], high[:, 1], low[:, 2], high[:, 3]], axis=1)
