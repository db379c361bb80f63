"""Where the machine went wrong on cells: told by the truth on the sample, by shape alone elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

__all__ = ["Mistake", "by_shape", "by_truth"]

Labels = npt.NDArray[np.integer[Any]]
Points = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Mistake:
    """One thing to correct.

    Parameters
    ----------
    correction
        Name of the correction that mends it.
    why
        What is wrong, in a few words.
    arguments
        Of the correction, in pixels of the labels; ``values`` is an array where there is one.
    at
        (y, x) in pixels, the middle of what is shown.
    true
        The true nuclei that it is about; empty where the truth is not known.
    """

    correction: str
    why: str
    arguments: dict[str, Any]
    at: tuple[float, float]
    true: tuple[int, ...] = field(default=())


def by_truth(labels: Labels, truth: Labels) -> list[Mistake]:
    """Return the clearest mistake of each kind, compared with the true nuclei."""
    table = _Overlap(labels, truth)
    found = (_merged(table), _parted(table), _ragged(table), _invented(table), _missed(table))
    return [mistake for mistake in found if mistake is not None]


class _Overlap:
    """Pixels shared by each found cell (rows) and each true nucleus (columns)."""

    def __init__(self, labels: Labels, truth: Labels) -> None:
        self.labels, self.truth = labels, truth
        shape = (int(labels.max(initial=0)) + 1, int(truth.max(initial=0)) + 1)
        ones = np.ones(labels.size)
        pairs = sp.coo_matrix((ones, (labels.ravel(), truth.ravel())), shape=shape).toarray()
        self.found_area, self.true_area = pairs.sum(1), pairs.sum(0)
        self.pairs = pairs
        self.pairs[0], self.pairs[:, 0] = 0, 0
        self.of_true = self.pairs / np.maximum(self.true_area, 1)
        self.of_found = self.pairs / np.maximum(self.found_area, 1)[:, None]

    def centre(self, array: Labels, cell: int) -> Points:
        return np.asarray(np.argwhere(array == cell).mean(0) + 0.5)


def _merged(o: _Overlap) -> Mistake | None:
    """Two true nuclei, and no third, under one found cell: cut between them."""
    inside = np.where(o.of_true >= 0.6, o.pairs, 0)
    parts = np.sort(inside, axis=1)
    if inside.shape[1] < 3:
        return None
    only_two = (parts[:, -3] == 0) & (parts[:, -2:].sum(1) >= 0.75 * o.found_area)
    second = np.where(only_two, parts[:, -2], 0)
    cell = int(second.argmax())
    if second[cell] == 0:
        return None
    pair = tuple(int(t) for t in np.argsort(inside[cell])[-2:])
    a, b = (np.argwhere(o.truth == t) + 0.5 for t in pair)
    middle, across = _between(a, b)
    line = [(middle - 40 * across).round(1).tolist(), (middle + 40 * across).round(1).tolist()]
    return Mistake("split-cell", "two nuclei in one", {"cell": cell, "line": line}, _at(middle), pair)


def _between(a: Points, b: Points) -> tuple[Points, Points]:
    """Return a point on, and the direction of, the line that parts two clouds best (Fisher's discriminant)."""
    within = np.cov(a.T) + np.cov(b.T) + 0.05 * np.eye(2)
    normal = np.linalg.solve(within, b.mean(0) - a.mean(0))
    normal /= np.linalg.norm(normal)
    spread_a, spread_b = (a @ normal).std(), (b @ normal).std()
    share = spread_a / (spread_a + spread_b)
    middle = a.mean(0) + share * (b.mean(0) - a.mean(0))
    return middle, np.array([-normal[1], normal[0]])


def _cut(cell: int, a: Points, b: Points) -> dict[str, Any]:
    """Return a line across the middle between two points."""
    across = np.array([-(b - a)[1], (b - a)[0]])
    line = [((a + b) / 2 - 2 * across).round(1).tolist(), ((a + b) / 2 + 2 * across).round(1).tolist()]
    return {"cell": cell, "line": line}


def _parted(o: _Overlap) -> Mistake | None:
    """One true nucleus under two found cells: merge them."""
    inside = np.where(o.of_found >= 0.7, o.pairs, 0)
    second = np.sort(inside, axis=0)[-2] if len(inside) > 1 else np.zeros(inside.shape[1])
    true = int(second.argmax())
    if second[true] == 0:
        return None
    cells = sorted(int(c) for c in np.argsort(inside[:, true])[-2:])
    return Mistake("merge-cells", "one nucleus in two", {"cells": cells}, _at(o.centre(o.truth, true)), (true,))


def _ragged(o: _Overlap) -> Mistake | None:
    """A cell that lost a part of its one nucleus: paint it."""
    union = o.found_area[:, None] + o.true_area[None, :] - o.pairs
    overlap = o.pairs / np.maximum(union, 1)
    one_to_one = ((o.of_true >= 0.3).sum(1) == 1)[:, None] & ((o.of_true >= 0.15).sum(0) == 1)
    large = o.true_area >= np.median(o.true_area[1:])
    poor = np.where(one_to_one & large & (overlap >= 0.5) & (overlap < 0.7), overlap, np.inf)
    cell, true = (int(i) for i in np.unravel_index(poor.argmin(), poor.shape))
    if not np.isfinite(poor[cell, true]):
        return None
    right = (o.truth == true) & np.isin(o.labels, (0, cell))
    return _painted(o.labels, cell, right, "a border in the wrong place", (true,))


def _painted(labels: Labels, cell: int, right: npt.NDArray[np.bool_], why: str, true: tuple[int, ...] = ()) -> Mistake:
    """Return the stroke that gives a cell the pixels that are right, and takes its others away."""
    rows, columns = np.nonzero(right | (labels == cell))
    y0, y1, x0, x1 = int(rows.min()), int(rows.max()) + 1, int(columns.min()), int(columns.max()) + 1
    new = labels[y0:y1, x0:x1].copy()
    new[new == cell] = 0
    new[right[y0:y1, x0:x1]] = cell
    arguments = {"offset": [y0, x0], "values": new}
    return Mistake("paint-labels", why, arguments, ((y0 + y1) / 2, (x0 + x1) / 2), true)


def _invented(o: _Overlap) -> Mistake | None:
    """A scrap that holds no nucleus's greater part: delete it."""
    scrap = (o.of_true.max(1) <= 0.4) & (o.found_area > 0)
    scrap[0] = False
    if not scrap.any():
        return None
    union = o.found_area[:, None] + o.true_area[None, :] - o.pairs
    cell = int(np.where(scrap, (o.pairs / np.maximum(union, 1)).max(1), 2).argmin())
    return Mistake("delete-cells", "a scrap, not a nucleus", {"cells": [cell]}, _at(o.centre(o.labels, cell)))


def _missed(o: _Overlap) -> Mistake | None:
    """A nucleus of which little was found: draw what is missing."""
    covered = o.pairs.sum(0) / np.maximum(o.true_area, 1)
    missed = (covered <= 0.5) & (o.true_area >= 0.5 * np.median(o.true_area[1:]))
    missed[0] = False
    if not missed.any():
        return None
    true = int(np.where(missed, o.true_area * (1 - covered), 0).argmax())
    outline = _outline(o.truth == true)
    return Mistake("draw-cell", "a nucleus was missed", {"outline": outline}, _at(o.centre(o.truth, true)), (true,))


def _outline(mask: npt.NDArray[np.bool_]) -> list[list[float]]:
    from skimage.measure import find_contours

    rows, columns = np.nonzero(mask)
    y, x = int(rows.min()) - 1, int(columns.min()) - 1
    padded = np.pad(mask[y + 1 : int(rows.max()) + 1, x + 1 : int(columns.max()) + 1], 1)
    longest: Points = max(find_contours(padded.astype(float), 0.5), key=len)  # type: ignore[no-untyped-call]
    corners = longest[:: max(1, len(longest) // 24)] + np.array([y + 0.5, x + 0.5])
    return [[float(v) for v in corner] for corner in corners.round(1)]


def _at(point: Points) -> tuple[float, float]:
    return float(point[0]), float(point[1])


# without the truth -----------------------------------------------------------------------------


def by_shape(labels: Labels, scores: npt.NDArray[np.float64] | None) -> list[Mistake]:
    """Return what a person would look at first: the dented, the touching, the least certain.

    Parameters
    ----------
    labels
        (y, x).
    scores
        (n,) of the cells in ascending order, or None.
    """
    from skimage.measure import regionprops

    regions: list[Any] = regionprops(labels)  # type: ignore[no-untyped-call]
    if len(regions) < 4:
        return []
    middle = float(np.median([r.area for r in regions]))
    # beyond a few nuclei's size it is a fold or dirt, which a cut does not mend
    clumps = sorted((r for r in regions if r.area <= 4 * middle), key=lambda r: -r.area)[:60]
    found = [_dented(clumps), _touching(labels, regions), _filled(labels, regions), _unsure(regions, scores)]
    return [mistake for mistake in found if mistake is not None]


def _dented(clumps: list[Any]) -> Mistake | None:
    """Return a cut through the neck of the large cell with the deepest dent."""
    worst = max(clumps, key=lambda r: r.area * (1 - r.solidity))
    along = np.array([np.cos(worst.orientation), np.sin(worst.orientation)]) * worst.axis_major_length / 4
    middle = np.array(worst.centroid) + 0.5
    arguments = _cut(int(worst.label), middle - along, middle + along)
    return Mistake("split-cell", f"a dent (solidity {worst.solidity:.2f})", arguments, _at(middle))


def _touching(labels: Labels, regions: list[Any]) -> Mistake | None:
    """Return the merging of the two small cells with the longest common border for their size."""
    area = np.bincount(labels.ravel())
    pairs = np.concatenate(
        [
            np.stack([labels[:-1].ravel(), labels[1:].ravel()]),
            np.stack([labels[:, :-1].ravel(), labels[:, 1:].ravel()]),
        ],
        1,
    )
    pairs = np.sort(pairs[:, (pairs[0] != pairs[1]) & (pairs.min(0) > 0)], axis=0)
    if not pairs.size:
        return None
    both, border = np.unique(pairs, axis=1, return_counts=True)
    small = area[both].sum(0) <= 1.5 * np.median([r.area for r in regions])
    share = np.where(small, border / np.sqrt(area[both].min(0)), -1)
    if share.max() <= 0:
        return None
    cells = [int(c) for c in both[:, int(share.argmax())]]
    rows = np.argwhere(np.isin(labels, cells))
    return Mistake("merge-cells", "two small ones that touch", {"cells": cells}, _at(rows.mean(0) + 0.5))


def _filled(labels: Labels, regions: list[Any]) -> Mistake | None:
    """Return the stroke that fills the dents of an ordinary cell, where there is background."""
    middle = np.median([r.area for r in regions])
    ordinary = [r for r in regions if 0.6 * middle < r.area < 1.4 * middle]
    if not ordinary:
        return None
    worst = min(ordinary, key=lambda r: (r.solidity, r.label))
    y0, x0, y1, x1 = worst.bbox
    right = np.zeros(labels.shape, dtype=bool)
    right[y0:y1, x0:x1] = worst.image_convex
    right &= np.isin(labels, (0, worst.label))
    return _painted(labels, int(worst.label), right, "a notch in its border")


def _unsure(regions: list[Any], scores: npt.NDArray[np.float64] | None) -> Mistake | None:
    # a cell that the hand has made has no score
    at = int(np.argmin([r.area for r in regions] if scores is None else np.nan_to_num(scores, nan=np.inf)))
    why = "the smallest" if scores is None else "the least certain"
    middle = np.array(regions[at].centroid) + 0.5
    return Mistake("delete-cells", why, {"cells": [int(regions[at].label)]}, _at(middle))
