"""Which objects of two label images lie on each other, by how many pixels; and which are partners.

The counts of windows add up to those of the whole, so that a slide of any size is compared with the
memory of one window and of the table of pairs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.optimize import linear_sum_assignment
from scipy.sparse.csgraph import connected_components

from .arrays import require
from .patch import LabelArray

__all__ = ["Objects", "Overlap", "Piece", "average_precision", "dice", "intersection_over_union", "matches", "overlap"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Piece = tuple[tuple[int, int], LabelArray, LabelArray]
"""The (y, x) of a window's first pixel, and the window of either image."""
_ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class Objects:
    """The objects of one label image.

    Parameters
    ----------
    ids
        (n,) labels that occur, ascending, without 0.
    areas
        (n,) in pixels.
    boxes
        (n, 4) smallest windows (y0, y1, x0, x1), the upper ends not included.
    """

    ids: npt.NDArray[Any]
    areas: Ints
    boxes: Ints


@dataclass(frozen=True, eq=False)
class Overlap:
    """How two label images lie on each other.

    Parameters
    ----------
    a, b
        The objects of either image.
    shared
        (n_a, n_b) pixels that two objects have in common.
    """

    a: Objects
    b: Objects
    shared: sp.csr_matrix

    @cached_property
    def iou(self) -> sp.csr_matrix:
        """(n_a, n_b) intersection over union of every pair of objects that touch."""
        inner = sp.coo_matrix(self.shared)
        union = self.a.areas[inner.row] + self.b.areas[inner.col] - inner.data
        return sp.csr_matrix((inner.data / union, (inner.row, inner.col)), shape=self.shared.shape)


def overlap(pieces: Iterable[Piece]) -> Overlap:
    """Count how the objects of two label images lie on each other.

    Parameters
    ----------
    pieces
        Windows that together cover both images, each pixel once, in any order.

    Raises
    ------
    BadInput
        If the two windows of a piece have other shapes.

    Notes
    -----
    O(pixels); what is sorted are runs of equal pixels along the rows, not pixels.
    """
    sides: tuple[list[Objects], list[Objects]] = ([], [])
    pairs: list[tuple[npt.NDArray[Any], npt.NDArray[Any], Ints]] = []
    for offset, a, b in pieces:
        require(a.shape == b.shape, f"The masks have the shapes {a.shape} and {b.shape}.", "Give masks of one image.")
        runs_a, runs_b, length, y, x = _runs(a, b)
        y, x = y + offset[0], x + offset[1]
        for side, runs in zip(sides, (runs_a, runs_b), strict=True):
            of = runs != 0
            boxes = np.stack([y[of], y[of] + 1, x[of], x[of] + length[of]], axis=1)
            side.append(_grouped(runs[of], length[of], boxes))
        both = (runs_a != 0) & (runs_b != 0)
        pairs.append(_paired(runs_a[both], runs_b[both], length[both]))
    made_a, made_b = (_joined(side) for side in sides)
    row = np.concatenate([np.searchsorted(made_a.ids, p[0]) for p in pairs] or [np.empty(0, np.int64)])
    column = np.concatenate([np.searchsorted(made_b.ids, p[1]) for p in pairs] or [np.empty(0, np.int64)])
    n = np.concatenate([p[2] for p in pairs] or [np.empty(0, np.int64)])
    shared = sp.csr_matrix((n, (row, column)), shape=(len(made_a.ids), len(made_b.ids)))
    shared.sum_duplicates()
    return Overlap(made_a, made_b, shared)


def _runs(a: LabelArray, b: LabelArray) -> tuple[npt.NDArray[Any], npt.NDArray[Any], Ints, Ints, Ints]:
    """Return the runs of equal pixels along the rows: both labels, length, y and x; background is left out."""
    height, width = a.shape
    if a.size == 0 or not (a.any() or b.any()):
        none = np.empty(0, np.int64)
        return a.ravel()[:0], b.ravel()[:0], none, none, none
    begins = np.ones((height, width), dtype=bool)
    np.not_equal(a[:, 1:], a[:, :-1], out=begins[:, 1:])
    begins[:, 1:] |= b[:, 1:] != b[:, :-1]
    at = np.flatnonzero(begins)
    length = np.diff(at, append=a.size)
    runs_a, runs_b = a.ravel()[at], b.ravel()[at]
    kept = (runs_a != 0) | (runs_b != 0)
    y, x = np.divmod(at[kept], width)
    return runs_a[kept], runs_b[kept], length[kept], y, x


def _grouped(ids: npt.NDArray[Any], areas: Ints, boxes: Ints) -> Objects:
    """Join what belongs to one object: areas are added, boxes grow."""
    if not len(ids):
        return Objects(ids, areas, boxes.reshape(0, 4))
    order = np.argsort(ids, kind="stable")
    ids, areas, boxes = ids[order], areas[order], boxes[order]
    starts = np.flatnonzero(np.append(True, ids[1:] != ids[:-1]))
    low, high = np.minimum.reduceat(boxes, starts), np.maximum.reduceat(boxes, starts)
    grown = np.stack([low[:, 0], high[:, 1], low[:, 2], high[:, 3]], axis=1)
    return Objects(ids[starts], np.add.reduceat(areas, starts), grown)


def _joined(parts: Sequence[Objects]) -> Objects:
    if not parts:
        return Objects(np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, 4), np.int64))
    ids, areas, boxes = (np.concatenate([getattr(p, k) for p in parts]) for k in ("ids", "areas", "boxes"))
    return _grouped(ids, areas, boxes)


def _paired(a: npt.NDArray[Any], b: npt.NDArray[Any], length: Ints) -> tuple[npt.NDArray[Any], npt.NDArray[Any], Ints]:
    """Return every pair of labels that occurs, and its pixels."""
    names_a, code_a = np.unique(a, return_inverse=True)
    names_b, code_b = np.unique(b, return_inverse=True)
    keys, at = np.unique(code_a * max(len(names_b), 1) + code_b, return_inverse=True)
    row, column = np.divmod(keys, max(len(names_b), 1))
    n = np.bincount(at, weights=length, minlength=len(keys)).astype(np.int64)
    return names_a[row], names_b[column], n


def matches(iou: sp.csr_matrix, threshold: float) -> tuple[Ints, Ints]:
    """Return the largest one-to-one matching among pairs above the threshold: rows and columns.

    Notes
    -----
    Above one half a pair is its own only match. At one half and below the largest matching is found,
    in each connected group of overlapping objects alone, and of equally large ones that with the
    largest sum of intersections over unions.
    """
    # half a rounding error, so that an exact 1/2 or 3/4 counts as reached
    good = sp.csr_matrix(iou.multiply(iou >= threshold - _ROUNDING))
    good.eliminate_zeros()
    pairs = sp.coo_matrix(good)
    if threshold > 0.5 or not good.nnz:
        return pairs.row.astype(np.int64), pairs.col.astype(np.int64)
    alone = (np.diff(good.indptr)[pairs.row] == 1) & (np.bincount(pairs.col, minlength=good.shape[1])[pairs.col] == 1)
    rows, columns = [pairs.row[alone]], [pairs.col[alone]]
    tied = pairs.row[~alone], pairs.col[~alone], pairs.data[~alone]
    for i, j in _assigned(*tied, good.shape):
        rows.append(i)
        columns.append(j)
    row, column = np.concatenate(rows).astype(np.int64), np.concatenate(columns).astype(np.int64)
    order = np.argsort(row)
    return row[order], column[order]


def _assigned(row: Ints, column: Ints, value: Floats, shape: tuple[int, int]) -> list[tuple[Ints, Ints]]:
    """Return the best assignment of each connected group of pairs."""
    n = shape[0]
    joined = sp.coo_matrix((np.ones(len(row)), (row, column + n)), shape=(n + shape[1],) * 2)
    _, group = connected_components(joined, directed=False)
    order = np.argsort(group[row], kind="stable")
    cuts = np.flatnonzero(np.diff(group[row][order])) + 1
    made = []
    for part in np.split(order, cuts) if len(order) else []:
        i, j = np.unique(row[part]), np.unique(column[part])
        block = np.zeros((len(i), len(j)))
        # a match more counts for more than any sum of overlaps
        block[np.searchsorted(i, row[part]), np.searchsorted(j, column[part])] = value[part] + min(block.shape) + 1
        k, m = linear_sum_assignment(block, maximize=True)
        real = block[k, m] > 0
        made.append((i[k[real]], j[m[real]]))
    return made


def intersection_over_union(true: npt.ArrayLike, predicted: npt.ArrayLike) -> sp.csr_matrix:
    """Return the intersection over union of every pair of objects that touch.

    Parameters
    ----------
    true, predicted
        Label arrays of one shape; 0 is background.

    Returns
    -------
    sp.csr_matrix
        (n_true, n_predicted); rows and columns follow the sorted labels that occur.

    Raises
    ------
    BadInput
        If the shapes differ.
    """
    a, b = np.asarray(true), np.asarray(predicted)
    require(a.shape == b.shape, f"The masks have the shapes {a.shape} and {b.shape}.", "Give masks of one image.")
    width = a.shape[-1] if a.ndim else 1
    flat = (a.size // max(width, 1), width)
    return overlap([((0, 0), a.reshape(flat), b.reshape(flat))]).iou


def average_precision(
    true: npt.ArrayLike, predicted: npt.ArrayLike, thresholds: Sequence[float] | float = 0.5
) -> Floats:
    """Return how many objects were found, missed and invented, as one number a threshold.

    Parameters
    ----------
    true, predicted
        Label arrays of one shape; 0 is background.
    thresholds
        Objects match if their intersection over union is at least this, 0 < threshold ≤ 1.

    Returns
    -------
    npt.NDArray[np.float64]
        (number of thresholds,) in 0..1; 1 where neither image holds an object.

    Raises
    ------
    BadInput
        If the shapes differ or a threshold is out of range.

    Notes
    -----
    :math:`AP = TP / (TP + FP + FN)`, with the largest one-to-one matching: see `matches`.

    References
    ----------
    Stringer et al., Nature Methods 18, 100 (2021), Methods, "Evaluation".
    """
    at = np.atleast_1d(np.asarray(thresholds, dtype=np.float64))
    require(bool(((at > 0) & (at <= 1)).all()), f"A threshold is outside 0 to 1: {thresholds}.", "Use 0.5 to 0.9.")
    iou = intersection_over_union(true, predicted)
    hits = np.array([len(matches(iou, t)[0]) for t in at], dtype=np.float64)
    total = sum(iou.shape) - hits
    return np.divide(hits, total, out=np.ones_like(hits), where=total > 0)


def dice(true: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Return the Dice coefficient of two foregrounds, :math:`2|A ∩ B| / (|A| + |B|)`; 1 if both are empty.

    References
    ----------
    Dice, Ecology 26, 297 (1945).
    """
    a, b = np.asarray(true) != 0, np.asarray(predicted) != 0
    require(a.shape == b.shape, f"The masks have the shapes {a.shape} and {b.shape}.", "Give masks of one image.")
    size = int(a.sum()) + int(b.sum())
    return 2 * int((a & b).sum()) / size if size else 1.0
