"""Correct the shape of cells: grow, shrink, smooth, fill holes.

Only the named cells change; they take background and never another cell's pixels. Distances are
Euclidean and in µm, between the centres of pixels, which need not be square. With a ``window``
(y0, y1, x0, x1) the cells are searched only there; what they become does not depend on it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from .arrays import require
from .boxes import Boxes, boxes_of, grouped, padded, reach_of
from .patch import LabelArray, Patch, Window, diff

__all__ = ["AREA_SHARE", "claimed", "fill_cells", "grow_cells", "shrink_cells", "smooth_cells"]

AREA_SHARE = 0.1
"""Smoothing takes no more than this share of a cell's area away, and adds no more."""
Mask = npt.NDArray[np.bool_]
Sampling = tuple[float, float]
_TILE = 256


def grow_cells(
    labels: LabelArray,
    cells: Iterable[int],
    distance_um: float,
    *,
    pixel_um: Sampling = (1.0, 1.0),
    window: Window | None = None,
) -> Patch:
    """Grow cells into background by up to a distance; of two that reach a pixel, the nearer takes it.

    Parameters
    ----------
    labels
        (y, x) integers.
    cells
        Ids.
    distance_um
        In µm, > 0.
    pixel_um
        (y, x) size of a pixel in µm.
    window
        Rows and columns in which the cells lie wholly.

    Raises
    ------
    BadInput
        When a cell is absent or cut by the window, or none of them can grow.
    """
    _require_distance(distance_um, pixel_um)
    boxes, reach = boxes_of(labels, cells, window), reach_of(distance_um, pixel_um)
    canvas = _Canvas(labels, padded(boxes.around(), (2 * reach[0], 2 * reach[1]), labels.shape))
    before = canvas.new.copy()
    seeds = np.where(np.isin(before, boxes.ids), before, 0)
    for group in grouped(boxes, _TILE):
        own = boxes.chosen(group)
        view = canvas.slices(padded(own.around(), (2 * reach[0], 2 * reach[1]), labels.shape))
        taken = claimed(seeds[view], (before[view] == 0) | (seeds[view] != 0), own.ids, distance_um, pixel_um)
        canvas.new[view][taken != 0] = taken[taken != 0]
    return _made(canvas.patch(), f"{_named(boxes)}: there is no background to grow into.")


def claimed(
    seeds: LabelArray, may_hold: Mask, ids: npt.NDArray[Any], distance_um: float, pixel_um: Sampling
) -> LabelArray:
    """Return the pixels that some cells hold once they have reached out, 0 elsewhere.

    A pixel goes to the nearest cell of all that are in ``seeds``, if it is at most ``distance_um`` away
    and is joined (by the edges of pixels) to that cell through pixels that the cell holds.

    Parameters
    ----------
    seeds
        (h, w) cells that reach out, also those that are not asked for.
    may_hold
        (h, w) pixels that a cell may consist of.
    ids
        The cells asked for, ascending.
    distance_um, pixel_um
        As in `grow_cells`.

    Notes
    -----
    What is said of a cell depends on its box with twice the distance around it, on no more.
    """
    from scipy.ndimage import distance_transform_edt
    from skimage.measure import label

    # in units of one pixel's height the distances of square pixels are exact, whatever the window
    sampling = (1.0, round(pixel_um[1] / pixel_um[0], 6))
    far, nearest = distance_transform_edt(seeds == 0, sampling=sampling, return_indices=True)
    owner = np.where(far <= distance_um / pixel_um[0] * (1 + 1e-9), seeds[tuple(nearest)], 0)
    held = may_hold & np.isin(owner, ids)
    codes = np.zeros(owner.shape, dtype=np.int32)
    codes[held] = 1 + np.searchsorted(ids, owner[held])
    pieces: Any = label  # untyped
    of = np.asarray(pieces(codes, background=0, connectivity=1))
    joined = np.zeros(int(of.max(initial=0)) + 1, dtype=bool)
    joined[of[held & (seeds != 0)]] = True
    return np.where(held & joined[of], owner, 0)


def shrink_cells(
    labels: LabelArray,
    cells: Iterable[int],
    distance_um: float,
    *,
    pixel_um: Sampling = (1.0, 1.0),
    window: Window | None = None,
) -> Patch:
    """Take away the pixels of cells that lie at most a distance from what is not the cell.

    Parameters
    ----------
    labels, cells, distance_um, pixel_um, window
        As in `grow_cells`. What lies beyond the image is not the cell.

    Raises
    ------
    BadInput
        When nothing would be left of a cell: the message says the largest distance that leaves something.
    """
    from scipy.ndimage import distance_transform_edt

    _require_distance(distance_um, pixel_um)
    boxes = boxes_of(labels, cells, window)
    canvas = _Canvas(labels, boxes.around())
    deepest: list[float] = []
    for cell, box in _each(boxes):
        view = canvas.slices(box)
        mask = canvas.new[view] == cell
        depth = distance_transform_edt(np.pad(mask, 1), sampling=pixel_um)[1:-1, 1:-1]
        deepest.append(float(depth.max()))
        canvas.new[view][mask & (depth <= distance_um * (1 + 1e-9))] = 0
    _require_left(boxes, np.array(deepest), distance_um)
    return _made(canvas.patch(), f"{_named(boxes)}: nothing to take away.")


def _require_left(boxes: Boxes, deepest: npt.NDArray[np.float64], distance_um: float) -> None:
    gone = np.flatnonzero(deepest <= distance_um * (1 + 1e-9))
    if not gone.size:
        return
    limit = np.floor((float(deepest.min()) - 1e-6) * 100) / 100
    more = f" and of {gone.size - 1} more" if gone.size > 1 else ""
    hint = f"Shrink by at most {limit:g} µm, or delete it."
    raise BadInput(f"Nothing would be left of cell {int(boxes.ids[gone[0]])}{more} at {distance_um:g} µm.", hint)


def smooth_cells(
    labels: LabelArray,
    cells: Iterable[int],
    radius_um: float,
    *,
    pixel_um: Sampling = (1.0, 1.0),
    window: Window | None = None,
) -> Patch:
    """Round off the outline of cells: corners and notches finer than a radius go.

    The mask is blurred (Gaussian, sigma the radius) and cut at the level that keeps its area. The outline
    moves by at most the radius, a cell gets no more pieces than it has, and at most `AREA_SHARE` of its
    area is taken away and as much added: a cell of which more would be lost, such as one with a thin arm,
    is smoothed with half the radius, a quarter …

    Parameters
    ----------
    labels, cells, pixel_um, window
        As in `grow_cells`. Cells are smoothed one after the other, by ascending id, so that of two that
        touch the second may take what the first gave up.
    radius_um
        In µm, > 0.

    Raises
    ------
    BadInput
        When a cell is absent or cut by the window, or all are as smooth as that already.
    """
    _require_distance(radius_um, pixel_um)
    boxes, reach = boxes_of(labels, cells, window), reach_of(4 * radius_um, pixel_um)
    by = (reach[0] + 1, reach[1] + 1)
    canvas = _Canvas(labels, padded(boxes.around(), by, labels.shape))
    for cell, box in _each(boxes):
        values = canvas.new[canvas.slices(padded(box, by, labels.shape))]
        mask = values == cell
        smooth = _smoothed(mask, values == 0, radius_um, pixel_um)
        values[mask & ~smooth] = 0
        values[smooth] = cell
    return _made(canvas.patch(), f"{_named(boxes)}: as smooth as that already.")


def _smoothed(mask: Mask, free: Mask, radius_um: float, pixel_um: Sampling) -> Mask:
    area = int(mask.sum())
    while radius_um >= 0.5 * min(pixel_um):
        made = _largest_pieces(_levelled(mask, radius_um, pixel_um) & (mask | free), _pieces(mask)[1])
        if max(int((mask & ~made).sum()), int((made & ~mask).sum())) <= AREA_SHARE * area:
            return made
        radius_um /= 2
    return mask


def _levelled(mask: Mask, radius_um: float, pixel_um: Sampling) -> Mask:
    """Cut the blurred mask at the level that keeps its area; what is farther than the radius stays as it is."""
    from scipy.ndimage import distance_transform_edt, gaussian_filter

    blurred = gaussian_filter(mask.astype(np.float64), [radius_um / size for size in pixel_um], mode="nearest")
    inside = distance_transform_edt(mask, sampling=pixel_um) if not mask.all() else np.full(mask.shape, np.inf)
    outside = distance_transform_edt(~mask, sampling=pixel_um)
    firm, may = inside > radius_um, outside <= radius_um
    candidates = np.flatnonzero(may & ~firm)
    # rounded, so that equal pixels are equal and the first of them is taken, on every machine
    order = np.argsort(-np.round(blurred.ravel()[candidates], 9), kind="stable")
    made = firm.copy()
    made.ravel()[candidates[order[: int(mask.sum()) - int(firm.sum())]]] = True
    return made


def _pieces(mask: Mask) -> tuple[npt.NDArray[np.int32], int]:
    from scipy.ndimage import label

    of, n = label(mask)
    return of, int(n)


def _largest_pieces(mask: Mask, most: int) -> Mask:
    of, n = _pieces(mask)
    if n <= most:
        return mask
    sizes = np.bincount(of.ravel(), minlength=n + 1)
    keep = np.zeros(n + 1, dtype=bool)
    keep[1 + np.argsort(-sizes[1:], kind="stable")[:most]] = True
    return np.asarray(keep[of])


def fill_cells(labels: LabelArray, cells: Iterable[int], *, window: Window | None = None) -> Patch:
    """Give the background that cells enclose to them; other cells inside stay.

    Parameters
    ----------
    labels, cells, window
        As in `grow_cells`.

    Raises
    ------
    BadInput
        When a cell is absent or cut by the window, or none of them has a hole.
    """
    from scipy.ndimage import binary_fill_holes

    boxes = boxes_of(labels, cells, window)
    canvas = _Canvas(labels, boxes.around())
    for cell, box in _each(boxes):
        values = canvas.new[canvas.slices(box)]
        values[binary_fill_holes(values == cell) & (values == 0)] = cell
    return _made(canvas.patch(), f"{_named(boxes)}: no hole to fill.")


class _Canvas:
    """A window of labels before and after."""

    def __init__(self, labels: Any, box: Window) -> None:
        self._old, self._offset = np.asarray(labels[box[0] : box[1], box[2] : box[3]]), (box[0], box[2])
        self.new = self._old.copy()

    def slices(self, box: Window) -> tuple[slice, slice]:
        """Return where a box lies in the window."""
        y, x = self._offset
        return slice(box[0] - y, box[1] - y), slice(box[2] - x, box[3] - x)

    def patch(self) -> Patch | None:
        """Return what changed."""
        return diff(self._old, self.new, self._offset)


def _each(boxes: Boxes) -> Iterable[tuple[int, Window]]:
    return [(int(i), (b[0], b[1], b[2], b[3])) for i, b in zip(boxes.ids, boxes.corners.tolist(), strict=True)]


def _require_distance(distance_um: float, pixel_um: Sampling) -> None:
    require(
        bool(np.isfinite(distance_um)) and distance_um > 0, f"{distance_um} µm is no distance.", "Give more than 0."
    )
    least = min(pixel_um)
    enough = distance_um * (1 + 1e-9) >= least
    require(enough, f"{distance_um:g} µm is less than a pixel.", f"Give at least {least:.3g} µm.")


def _named(boxes: Boxes) -> str:
    return f"Cell {int(boxes.ids[0])}" if len(boxes.ids) == 1 else f"The {len(boxes.ids)} cells"


def _made(patch: Patch | None, otherwise: str) -> Patch:
    """Return the patch, or say why nothing changes."""
    if patch is None:
        raise BadInput(otherwise, "Choose other cells, or another distance.")
    return patch
