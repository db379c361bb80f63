"""A change of labels as a value: the window, what it held and what it holds, so that it can be undone.

Pixel coordinates here are those of SpatialData: pixel (i, j) covers [i, i + 1) × [j, j + 1) and its
centre lies at (i + 0.5, j + 0.5).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import BadInput, Stale
from .arrays import frozen, require

__all__ = [
    "NO_SIDES",
    "LabelArray",
    "Patch",
    "Sides",
    "Window",
    "diff",
    "found_in",
    "patch_of",
    "read",
    "require_whole",
]

LabelArray = npt.NDArray[Any]
"""(y, x) integers of any width; 0 is background."""
Window = tuple[int, int, int, int]
"""(y0, y1, x0, x1), the upper ends not included."""
Sides = tuple[int, int, int, int]
"""Pixels at the top, at the bottom, at the left and at the right."""
NO_SIDES: Sides = (0, 0, 0, 0)
_STRIP = 1 << 17  # pixels compared at a time


@dataclass(frozen=True, eq=False)
class Patch:
    """What one correction changes: the smallest window, before and after.

    Parameters
    ----------
    offset
        (y, x) of the window's first pixel.
    old, new
        (h, w) labels before and after.
    """

    offset: tuple[int, int]
    old: LabelArray
    new: LabelArray

    def __post_init__(self) -> None:
        same = self.old.shape == self.new.shape and self.old.dtype == self.new.dtype
        require(same and self.old.ndim == 2, f"A patch of {self.old.shape} cannot become {self.new.shape}.")
        object.__setattr__(self, "offset", (int(self.offset[0]), int(self.offset[1])))
        object.__setattr__(self, "old", frozen(self.old))
        object.__setattr__(self, "new", frozen(self.new))

    @property
    def shape(self) -> tuple[int, int]:
        """(h, w) of the window."""
        return int(self.old.shape[0]), int(self.old.shape[1])

    @property
    def window(self) -> tuple[slice, slice]:
        """The window as slices into the labels."""
        (y, x), (h, w) = self.offset, self.shape
        return slice(y, y + h), slice(x, x + w)

    @property
    def touched(self) -> tuple[int, ...]:
        """The cells that gain or lose a pixel, in ascending order."""
        changed = self.old != self.new
        ids = np.unique(np.concatenate([self.old[changed], self.new[changed]]))
        return tuple(int(i) for i in ids if i != 0)

    def inverse(self) -> Patch:
        """Return the patch that takes this one back."""
        return Patch(self.offset, self.new, self.old)

    def write_to(self, labels: Any) -> None:
        """Write the new values into an array (numpy or zarr), in place.

        Raises
        ------
        Stale
            When the window no longer holds the old values.
        """
        if not np.array_equal(np.asarray(labels[self.window]), self.old):
            raise Stale(
                f"The labels at row {self.offset[0]}, column {self.offset[1]} have changed since this correction.",
                "Undo the later corrections first.",
            )
        labels[self.window] = self.new

    def applied_to(self, labels: LabelArray) -> LabelArray:
        """Return a copy of the labels with the new values in it."""
        copy = np.array(labels)
        self.write_to(copy)
        return copy


def diff(old: LabelArray, new: LabelArray, offset: tuple[int, int] = (0, 0)) -> Patch | None:
    """Return the smallest patch that makes ``old`` into ``new``, or None where they are equal.

    Parameters
    ----------
    old, new
        (y, x) labels of one shape and dtype.
    offset
        (y, x) of the arrays' first pixel, where they are a window of a slide.

    Notes
    -----
    One pass over both arrays, in strips that stay in the processor's cache: about 10 ms for 4096 × 4096.
    """
    require(old.shape == new.shape, f"The labels went from {old.shape} to {new.shape}.", "Compare one window.")
    step = max(1, _STRIP // max(old.shape[1], 1))
    strips = [y for y in range(0, old.shape[0], step) if (old[y : y + step] != new[y : y + step]).any()]
    if not strips:
        return None
    top, bottom = strips[0], strips[-1] + step
    changed = old[top:bottom] != new[top:bottom]
    rows = np.flatnonzero(changed.any(axis=1))
    columns = np.flatnonzero(changed[rows[0] : rows[-1] + 1].any(axis=0))
    y0, y1 = top + int(rows[0]), top + int(rows[-1]) + 1
    x0, x1 = int(columns[0]), int(columns[-1]) + 1
    where = (offset[0] + y0, offset[1] + x0)
    return Patch(where, old[y0:y1, x0:x1].copy(), new[y0:y1, x0:x1].astype(old.dtype))


def read(labels: Any, window: Window | None) -> tuple[LabelArray, tuple[int, int]]:
    """Return the window as an array, and its offset; only these pixels are read from a store."""
    require(len(labels.shape) == 2, f"The labels have the shape {labels.shape}.", "Give (height, width).")
    require(np.issubdtype(labels.dtype, np.integer), f"The labels are {labels.dtype}.", "Give integers.")
    if window is None:
        return np.asarray(labels[:, :]), (0, 0)
    y0, y1, x0, x1 = window
    h, w = labels.shape
    require(0 <= y0 < y1 <= h and 0 <= x0 < x1 <= w, f"The window {window} lies outside the labels {labels.shape}.")
    return np.asarray(labels[y0:y1, x0:x1]), (int(y0), int(x0))


def found_in(labels: Any, cell: int, window: Window | None) -> tuple[npt.NDArray[np.bool_], tuple[int, int]]:
    """Return the cell's mask in its bounding box, and the box's offset in the labels.

    Raises
    ------
    BadInput
        When the cell is not there, or when the window cuts it.
    """
    require(cell > 0, f"{cell} is not a cell.", "Choose a cell; 0 is background.")
    values, (oy, ox) = read(labels, window)
    mask = values == cell
    rows = np.flatnonzero(mask.any(axis=1))
    if rows.size == 0:
        raise BadInput(f"There is no cell {cell} here.", "Choose a cell that is in the labels.")
    y0, y1 = int(rows[0]), int(rows[-1]) + 1
    columns = np.flatnonzero(mask[y0:y1].any(axis=0))
    x0, x1 = int(columns[0]), int(columns[-1]) + 1
    require_whole(cell, (oy + y0, oy + y1, ox + x0, ox + x1), labels.shape, window)
    return mask[y0:y1, x0:x1], (oy + y0, ox + x0)


def patch_of(
    labels: Any, mask: npt.NDArray[np.bool_], offset: tuple[int, int], value: int | LabelArray
) -> Patch | None:
    """Return the patch that gives ``value`` to the pixels of a mask that lies at ``offset``."""
    (y, x), (h, w) = offset, mask.shape
    old = np.asarray(labels[y : y + h, x : x + w])
    new = old.copy()
    new[mask] = value if np.isscalar(value) else np.asarray(value)[mask]
    return diff(old, new, offset)


def require_whole(cell: int, box: Window, shape: tuple[int, ...], window: Window | None) -> None:
    """Raise `BadInput` for a cell whose box ends at the window's edge: half of it may lie behind, unread."""
    if window is None:
        return
    cut = (
        (box[0] == window[0] > 0)
        or (box[1] == window[1] < shape[0])
        or (box[2] == window[2] > 0)
        or (box[3] == window[3] < shape[1])
    )
    require(not cut, f"The cell {cell} reaches the edge of the window {window}.", "Choose a wider window.")
