"""How far apart two outlines are at their worst place: the Hausdorff distance, of cells and of regions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import require
from .overlap import Overlap
from .patch import LabelArray, Window
from .report import Report, silent

__all__ = ["ReadBoth", "cell_distances", "hausdorff", "region_distance"]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
ReadBoth = Callable[[Window], tuple[LabelArray, LabelArray]]
"""Returns a window of either label image."""
_TILE = 1024
_PRODUCT = 1_000_000


def hausdorff(a: Bools, b: Bools) -> float:
    """Return the Hausdorff distance of two masks in pixels, between the centres of their pixels.

    Parameters
    ----------
    a, b
        (h, w) of one shape; neither is empty.

    Raises
    ------
    BadInput
        If a mask is empty or the shapes differ.

    References
    ----------
    Huttenlocher, Klanderman and Rucklidge, IEEE TPAMI 15, 850 (1993), eq. 1 and 2.
    """
    require(a.shape == b.shape, f"The masks have the shapes {a.shape} and {b.shape}.", "Give masks of one image.")
    require(bool(a.any() and b.any()), "A mask is empty.", "Compare cells that are there.")
    return max(_one_way(a, b), _one_way(b, a))


def _one_way(a: Bools, b: Bools) -> float:
    """Return the largest distance of a pixel of ``a`` from ``b``: only those outside it are away from it."""
    outside = np.argwhere(a & ~b)
    if not len(outside):
        return 0.0
    # the nearest pixel of b has a neighbour that is not in b: else a step towards the outside were nearer
    padded = np.pad(b, 1)
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return _farthest(outside, np.argwhere(b & ~inner))


def _farthest(points: npt.NDArray[Any], others: npt.NDArray[Any]) -> float:
    """Return the largest distance of a point from the nearest of the others."""
    from scipy.spatial import KDTree
    from scipy.spatial.distance import cdist

    if len(points) * len(others) > _PRODUCT:
        return float(KDTree(others).query(points)[0].max())
    return float(cdist(points, others).min(axis=1).max())


def cell_distances(
    read: ReadBoth,
    overlap: Overlap,
    rows: npt.NDArray[Any],
    columns: npt.NDArray[Any],
    pixel_size_um: float = 1.0,
    report: Report = silent,
) -> Floats:
    """Return the Hausdorff distance of every pair of partners in µm.

    Parameters
    ----------
    read
        Returns a window of either label image; asked for windows of about 2,000 pixels an edge.
    overlap
        The objects of both.
    rows, columns
        (k,) the partners, as places in ``overlap.a`` and ``overlap.b``.
    pixel_size_um
        Edge of the pixel.
    report
        Told how far it is.

    Returns
    -------
    npt.NDArray[np.float64]
        (k,)
    """
    rows, columns = np.asarray(rows, np.int64), np.asarray(columns, np.int64)
    out = np.zeros(len(rows))
    shared = np.asarray(overlap.shared[rows, columns]).ravel() if len(rows) else np.empty(0)
    differ = np.flatnonzero((shared < overlap.a.areas[rows]) | (shared < overlap.b.areas[columns]))
    boxes = _around(overlap.a.boxes[rows], overlap.b.boxes[columns])
    done = 0
    for group in _tiled(boxes, differ):
        y0, x0 = (int(boxes[group, k].min()) for k in (0, 2))
        y1, x1 = (int(boxes[group, k].max()) for k in (1, 3))
        ids = [(overlap.a.ids[rows[k]], overlap.b.ids[columns[k]]) for k in group]
        if len(group) == 1 and (y1 - y0) * (x1 - x0) > (4 * _TILE) ** 2:  # a cell in parts that lie far apart
            out[group[0]] = _scattered(read, (y0, y1, x0, x1), *ids[0])
        else:
            a, b = read((y0, y1, x0, x1))
            for k, (id_a, id_b) in zip(group, ids, strict=True):
                part = slice(boxes[k, 0] - y0, boxes[k, 1] - y0), slice(boxes[k, 2] - x0, boxes[k, 3] - x0)
                out[k] = hausdorff(a[part] == id_a, b[part] == id_b)
        done += len(group)
        report(done / len(differ), f"Distances of {done:,} of {len(differ):,} cells")
    return out * pixel_size_um


def _around(a: npt.NDArray[np.int64], b: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    low, high = np.minimum(a, b), np.maximum(a, b)
    return np.stack([low[:, 0], high[:, 1], low[:, 2], high[:, 3]], axis=1)


def _tiled(boxes: npt.NDArray[np.int64], chosen: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
    """Yield groups of boxes that begin in one tile; one that is larger than a tile comes alone."""
    if not len(chosen):
        return
    large = ((boxes[chosen, 1] - boxes[chosen, 0]) > _TILE) | ((boxes[chosen, 3] - boxes[chosen, 2]) > _TILE)
    small = chosen[~large]
    tile = np.stack([boxes[small, 0] // _TILE, boxes[small, 2] // _TILE], axis=1)
    order = np.lexsort((tile[:, 1], tile[:, 0]))
    cuts = np.flatnonzero(np.any(np.diff(tile[order], axis=0) != 0, axis=1)) + 1
    yield from (small[part] for part in np.split(order, cuts) if len(part))
    yield from (chosen[k : k + 1] for k in np.flatnonzero(large))


def _scattered(read: ReadBoth, box: Window, id_a: Any, id_b: Any) -> float:
    """Return the distance of two cells whose box is too large to be read at once."""
    found: tuple[list[Any], list[Any]] = ([], [])
    step = max(1, (4 * _TILE) ** 2 // (box[3] - box[2]))
    for y in range(box[0], box[1], step):
        for side, values, cell in zip(
            found, read((y, min(y + step, box[1]), box[2], box[3])), (id_a, id_b), strict=True
        ):
            side.append(np.argwhere(values == cell) + np.array([y, box[2]]))
    a, b = (np.concatenate(side) for side in found)
    return max(_farthest(a, b), _farthest(b, a))


def region_distance(a: Any, b: Any) -> float:
    """Return the Hausdorff distance of the outlines of two polygons, in their own unit; NaN if one is empty.

    Notes
    -----
    The outlines are sampled at every thousandth of the longer one, so that the distance is exact to half
    that step.
    """
    import shapely

    if a.is_empty or b.is_empty:
        return float("nan")
    step = max(a.length, b.length) / 1000
    lines = [shapely.segmentize(g.boundary, step) for g in (a, b)]
    return float(shapely.hausdorff_distance(*lines))
