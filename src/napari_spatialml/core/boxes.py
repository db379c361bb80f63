"""Where cells lie: their boxes, found in one pass, and groups of cells that are worked on together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import require
from .patch import LabelArray, Window, read, require_whole

__all__ = ["Boxes", "boxes_in", "boxes_of", "grouped", "padded", "reach_of"]


@dataclass(frozen=True)
class Boxes:
    """The boxes of some cells.

    Parameters
    ----------
    ids
        (n,) ascending.
    corners
        (n, 4) y0, y1, x0, x1 in pixels, the upper ends not included.
    pixels
        (n,) how many pixels each cell has.
    """

    ids: LabelArray
    corners: npt.NDArray[np.int64]
    pixels: npt.NDArray[np.int64]

    def chosen(self, keep: npt.NDArray[Any]) -> Boxes:
        """Return some of them, by a mask or by ascending positions."""
        return Boxes(self.ids[keep], self.corners[keep], self.pixels[keep])

    def around(self) -> Window:
        """Return the box of all of them."""
        low, high = self.corners.min(0), self.corners.max(0)
        return int(low[0]), int(high[1]), int(low[2]), int(high[3])


def boxes_in(values: LabelArray, offset: tuple[int, int] = (0, 0)) -> Boxes:
    """Return the boxes of all cells of an array whose first pixel lies at ``offset``."""
    flat = values.ravel()
    at = np.flatnonzero(flat)
    ids, codes = np.unique(flat[at], return_inverse=True)
    n, width = len(ids), max(values.shape[1], 1)
    y, x = np.divmod(at, width)
    corners = np.zeros((n, 4), dtype=np.int64)
    # of values in order the first written backwards is the least, the last written is the largest
    corners[codes[::-1], 0], corners[codes, 1] = y[::-1] + offset[0], y + offset[0] + 1
    order = np.argsort(x, kind="stable")
    codes_by_x, x = codes[order], x[order] + offset[1]
    corners[codes_by_x[::-1], 2], corners[codes_by_x, 3] = x[::-1], x + 1
    return Boxes(ids, corners, np.bincount(codes, minlength=n).astype(np.int64))


def boxes_of(labels: Any, cells: Iterable[int], window: Window | None) -> Boxes:
    """Return the boxes of named cells.

    Raises
    ------
    BadInput
        When no cell is named, or one of them is absent or cut by the window.
    """
    wanted = sorted({int(cell) for cell in cells})
    require(bool(wanted), "No cell is selected.", "Select one or more cells.")
    require(wanted[0] > 0, f"{wanted[0]} is not a cell.", "Choose a cell; 0 is background.")
    values, offset = read(labels, window)
    top = int(np.iinfo(values.dtype).max)
    ids = np.array([cell for cell in wanted if cell <= top], dtype=values.dtype)
    found = boxes_in(np.where(np.isin(values, ids), values, 0), offset)
    absent = sorted(set(wanted) - set(found.ids.tolist()))
    require(not absent, f"There is no cell {absent[0] if absent else 0} here.", "Choose a cell that is in the labels.")
    for cell, box in zip(found.ids.tolist(), found.corners.tolist(), strict=True):
        require_whole(cell, (box[0], box[1], box[2], box[3]), labels.shape, window)
    return found


def reach_of(distance_um: float, pixel_um: tuple[float, float]) -> tuple[int, int]:
    """Return how many pixels (y, x) a distance in µm reaches."""
    return int(np.floor(distance_um / pixel_um[0] + 1e-9)), int(np.floor(distance_um / pixel_um[1] + 1e-9))


def padded(box: Window, by: tuple[int, int], shape: tuple[int, ...]) -> Window:
    """Return a box with more pixels (y, x) on each side, cut to the labels."""
    y0, y1, x0, x1 = box
    return max(y0 - by[0], 0), min(y1 + by[0], shape[0]), max(x0 - by[1], 0), min(x1 + by[1], shape[1])


def grouped(boxes: Boxes, tile: int) -> Iterator[npt.NDArray[np.int64]]:
    """Yield the positions of the boxes that begin in the same tile of so many pixels, tile by tile."""
    places = boxes.corners[:, [0, 2]] // tile
    order = np.lexsort((places[:, 1], places[:, 0]))
    if not len(order):
        return
    ends = np.flatnonzero((np.diff(places[order], axis=0) != 0).any(1)) + 1
    for group in np.split(order, ends):
        yield np.sort(group)
