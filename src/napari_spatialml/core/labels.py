"""Correct labels by hand: merge, delete, split, paint, draw, fill, grow.

Every function returns the smallest `Patch` that makes the change and leaves its input alone. Ids are
stable: a cell that is not named keeps every pixel and its id, and no pixel ever belongs to two cells.
Pixel coordinates are (y, x) with the centre of pixel (i, j) at (i + 0.5, j + 0.5). Where a function
takes a ``window`` (y0, y1, x0, x1), only these rows and columns are read.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from .arrays import require
from .cutting import split_cell
from .patch import LabelArray, Patch, Window, diff, found_in, patch_of, read
from .seams import Transcripts

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "LabelArray",
    "Patch",
    "Transcripts",
    "Window",
    "cell_table",
    "delete_cells",
    "diff",
    "draw_outline",
    "expand",
    "fill_holes",
    "merge_cells",
    "next_id",
    "paint_disc",
    "remove_small",
    "split_cell",
]


def next_id(labels: LabelArray, at_least: int = 1) -> int:
    """Return the first id above all that are used, and not below ``at_least``.

    Raises
    ------
    BadInput
        When the labels' integer type holds no larger number.
    """
    used = int(labels.max()) if labels.size else 0
    new = max(used + 1, at_least)
    top = int(np.iinfo(labels.dtype).max)
    require(new <= top, f"The ids reach {used}, the end of {labels.dtype}.", "Convert the labels to a wider type.")
    return new


def merge_cells(labels: LabelArray, ids: Iterable[int], *, window: Window | None = None) -> Patch:
    """Make one cell of several; the largest keeps its id (of equal ones, the lowest id).

    Raises
    ------
    BadInput
        When fewer than two cells are named, or one of them is absent or cut by the window.
    """
    cells = sorted({int(i) for i in ids})
    require(len(cells) >= 2, f"There is nothing to merge with {cells or 'no cell'}.", "Select two or more cells.")
    found = {cell: found_in(labels, cell, window) for cell in cells}
    keep = max(cells, key=lambda cell: (int(found[cell][0].sum()), -cell))
    return _rewritten(labels, [found[cell] for cell in cells if cell != keep], keep)


def delete_cells(labels: LabelArray, ids: Iterable[int], *, window: Window | None = None) -> Patch:
    """Turn cells into background.

    Raises
    ------
    BadInput
        When no cell is named, or one of them is absent or cut by the window.
    """
    cells = sorted({int(i) for i in ids})
    require(bool(cells), "No cell is selected.", "Select the cells to delete.")
    return _rewritten(labels, [found_in(labels, cell, window) for cell in cells], 0)


def paint_disc(
    labels: LabelArray, centre: tuple[float, float], radius_px: float, cell_id: int, *, overwrite: bool = False
) -> Patch | None:
    """Give the pixels of a disc to a cell; None where nothing changes.

    Parameters
    ----------
    labels
        (y, x) integers.
    centre
        (y, x) in pixels.
    radius_px
        A pixel belongs to the disc when its centre is at most this far away.
    cell_id
        The cell, or 0 to erase (with ``overwrite``).
    overwrite
        Take pixels from other cells too; else only background.
    """
    require(radius_px > 0, f"The brush's radius is {radius_px}.", "Give a number above 0.")
    box = _clipped(np.array([centre]) - radius_px, np.array([centre]) + radius_px, labels.shape)
    y, x = np.mgrid[box[0] : box[1], box[2] : box[3]]
    inside = (y + 0.5 - centre[0]) ** 2 + (x + 0.5 - centre[1]) ** 2 <= radius_px**2
    return _painted(labels, inside, (box[0], box[2]), cell_id, overwrite)


def draw_outline(labels: LabelArray, polygon: npt.ArrayLike, cell_id: int, *, overwrite: bool = False) -> Patch:
    """Give the inside of an outline to a cell, new or existing.

    Parameters
    ----------
    labels
        (y, x) integers.
    polygon
        (k, 2) corners as (y, x) in pixels, k ≥ 3; what lies outside the labels is cut off.
    cell_id
        The cell that gets the pixels whose centres are inside.
    overwrite
        Take pixels from other cells too; else only background.

    Raises
    ------
    BadInput
        When the outline holds no pixel that may be taken.
    """
    from skimage import draw

    corners = np.asarray(polygon, dtype=np.float64)
    fits = corners.ndim == 2 and corners.shape[1] == 2 and len(corners) >= 3 and bool(np.isfinite(corners).all())
    require(fits, f"The outline has the shape {corners.shape}.", "Draw at least three points.")
    box = _clipped(corners, corners, labels.shape)
    # skimage puts a pixel's centre at (i, j), we at (i + 0.5, j + 0.5)
    rasterised: Any = draw.polygon2mask  # untyped
    inside = rasterised((box[1] - box[0], box[3] - box[2]), corners - (box[0], box[2]) - 0.5)
    patch = _painted(labels, np.asarray(inside, dtype=bool), (box[0], box[2]), cell_id, overwrite)
    if patch is None:
        raise BadInput(
            "The outline holds no free pixel.", "Draw it larger or on background, or allow overwriting other cells."
        )
    return patch


def fill_holes(labels: LabelArray, cell: int, *, window: Window | None = None) -> Patch | None:
    """Give the background that a cell encloses to it; other cells inside stay. None without holes."""
    from scipy.ndimage import binary_fill_holes

    mask, offset = found_in(labels, cell, window)
    return _painted(labels, binary_fill_holes(mask) & ~mask, offset, cell, overwrite=False)


def remove_small(labels: LabelArray, min_area_px: int, *, window: Window | None = None) -> Patch | None:
    """Delete the cells of fewer than ``min_area_px`` pixels; None where there are none."""
    values, offset = read(labels, window)
    codes, ids = _codes(values)
    small = (np.bincount(codes.ravel(), minlength=len(ids)) < min_area_px) & (ids != 0)
    return patch_of(labels, small[codes], offset, 0)


def expand(labels: LabelArray, distance_px: float, *, window: Window | None = None) -> Patch | None:
    """Grow every cell into background by up to ``distance_px`` pixels; the nearest cell takes a pixel."""
    from skimage import segmentation

    require(distance_px > 0, f"The distance is {distance_px} pixels.", "Give a number above 0.")
    values, offset = read(labels, window)
    codes, ids = _codes(values)
    code_of_background = np.flatnonzero(ids == 0)
    if code_of_background.size == 0:
        return None
    # expand_labels wants 0 for background and few bits: swap the codes so
    zero = int(code_of_background[0])
    swapped = np.where(codes == zero, 0, np.where(codes == 0, zero, codes)).astype(np.int32)
    grow: Any = segmentation.expand_labels  # untyped
    grown = grow(swapped, distance_px)
    ids = ids.copy()
    ids[[0, zero]] = ids[[zero, 0]]
    return diff(values, ids[grown], offset)


def cell_table(
    labels: LabelArray, pixel_size_um: float = 1.0, *, offset: tuple[float, float] = (0.0, 0.0)
) -> pd.DataFrame:
    """Measure the cells: one row a cell, by ascending label.

    Parameters
    ----------
    labels
        (y, x) integers.
    pixel_size_um
        Edge of the square pixel in µm.
    offset
        (y, x) in pixels of the first pixel, where the labels are a window.

    Returns
    -------
    pandas.DataFrame
        Index ``label``; ``area_um2``, ``centroid_y_um``, ``centroid_x_um``, and ``diameter_um`` of the
        disc of that area.

    Notes
    -----
    O(pixels), whatever the number of cells.
    """
    import pandas as pd

    values, _ = read(labels, None)
    at = np.flatnonzero(values)
    codes, ids = _codes(values.ravel()[at])
    n, width = len(ids), values.shape[1]
    at = at.astype(np.int32) if values.size < 2**31 else at  # narrow numbers are divided faster
    y = at // width
    x = at - y * width
    area = np.bincount(codes, minlength=n).astype(np.float64)
    mean_y = np.bincount(codes, weights=y, minlength=n) / area
    mean_x = np.bincount(codes, weights=x, minlength=n) / area
    table = pd.DataFrame(
        {
            "area_um2": area * pixel_size_um**2,
            "centroid_y_um": (mean_y + 0.5 + offset[0]) * pixel_size_um,
            "centroid_x_um": (mean_x + 0.5 + offset[1]) * pixel_size_um,
            "diameter_um": 2 * np.sqrt(area / np.pi) * pixel_size_um,
        },
        index=pd.Index(ids, name="label"),
    )
    return table.sort_index()


def _codes(values: LabelArray) -> tuple[npt.NDArray[np.int64], LabelArray]:
    """Return every pixel's place in the list of ids, and the ids; ids may be as large as uint64 allows."""
    import pandas as pd

    codes, ids = pd.factorize(values.ravel())
    return codes.reshape(values.shape).astype(np.int64, copy=False), np.asarray(ids)


def _rewritten(labels: Any, found: list[tuple[npt.NDArray[np.bool_], tuple[int, int]]], value: int) -> Patch:
    """Return the patch over the common box of several masks that gives all of them one value."""
    y0 = min(offset[0] for _, offset in found)
    x0 = min(offset[1] for _, offset in found)
    y1 = max(offset[0] + mask.shape[0] for mask, offset in found)
    x1 = max(offset[1] + mask.shape[1] for mask, offset in found)
    all_of_them = np.zeros((y1 - y0, x1 - x0), dtype=bool)
    for mask, (y, x) in found:
        all_of_them[y - y0 : y - y0 + mask.shape[0], x - x0 : x - x0 + mask.shape[1]] |= mask
    patch = patch_of(labels, all_of_them, (y0, x0), value)
    assert patch is not None  # every mask holds pixels of another value
    return patch


def _painted(
    labels: Any, inside: npt.NDArray[np.bool_], offset: tuple[int, int], cell_id: int, overwrite: bool
) -> Patch | None:
    top = int(np.iinfo(labels.dtype).max)
    require(0 <= cell_id <= top, f"The cell's id is {cell_id}.", f"Use a number from 1 to {top}, or 0 to erase.")
    if inside.size == 0:
        return None
    (y, x), (h, w) = offset, inside.shape
    if not overwrite:
        inside = inside & (np.asarray(labels[y : y + h, x : x + w]) == 0)
    return patch_of(labels, inside, offset, cell_id)


def _clipped(low: npt.NDArray[Any], high: npt.NDArray[Any], shape: tuple[int, ...]) -> Window:
    """Return the whole pixels between the lowest and highest points, cut to the labels."""
    y0, x0 = np.clip(np.floor(low.min(axis=0)), 0, shape).astype(int)
    y1, x1 = np.clip(np.ceil(high.max(axis=0)), 0, shape).astype(int)
    return int(y0), int(max(y1, y0)), int(x0), int(max(x1, x0))
