"""Polygons to labels: a pixel belongs to the polygon that holds its centre, so that neighbours never share one."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from .arrays import require

__all__ = ["rasterised"]

LARGEST = 2_000_000_000
"""Pixels of the largest label image that is made."""


def rasterised(polygons: Any, ids: npt.ArrayLike, shape: tuple[int, int]) -> npt.NDArray[np.int32]:
    """Return the label image of polygons.

    Parameters
    ----------
    polygons
        (n,) polygons and multi-part polygons in pixels, as (x, y); pixel (i, j) is the square from
        (j, i) to (j + 1, i + 1). What lies outside the image is cut off.
    ids
        (n,) the label of each, 0 < id < 2³¹. Of two that overlap, the later one takes the pixel.
    shape
        Size (y, x) of the image.

    Raises
    ------
    BadInput
        When an id does not fit, or the image is too large.

    Notes
    -----
    Rows are scanned by the even-odd rule at the pixels' centres: O(border + pixels inside).
    """
    import shapely

    height, width = shape
    numbers = np.asarray(ids).astype(np.int64)
    require(height * width <= LARGEST, f"{height} × {width} pixels are too many.", "Rasterise a part of the image.")
    if len(numbers) and (numbers.min() < 1 or numbers.max() > np.iinfo(np.int32).max):
        raise BadInput(f"The ids reach from {numbers.min()} to {numbers.max()}.", "Number the cells from 1 on.")
    labels = np.zeros(height * width, np.int32)
    parts, of_part = shapely.get_parts(np.asarray(polygons, dtype=object), return_index=True)
    rings, of_ring = shapely.get_rings(parts, return_index=True)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    if len(xy) < 2:
        return labels.reshape(shape)
    same = ring[1:] == ring[:-1]
    number, row, x = _crossings(xy[:-1][same], xy[1:][same], of_ring[ring[:-1][same]], height)
    order = np.lexsort((x, row, number))  # a part after the other: parts of one polygon do not overlap
    number, row, x = number[order], row[order], x[order]
    column = np.clip(np.ceil(x - 0.5), 0, width).astype(np.int64)
    first, last = row[0::2] * width + column[0::2], row[1::2] * width + column[1::2]
    lengths = last - first
    pixels = np.repeat(first - np.cumsum(lengths) + lengths, lengths) + np.arange(int(lengths.sum()))
    labels[pixels] = np.repeat(numbers[of_part[number[0::2]]], lengths)
    return labels.reshape(shape)


def _crossings(
    a: npt.NDArray[np.float64], b: npt.NDArray[np.float64], part: npt.NDArray[Any], height: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return (part, row, x) wherever an edge crosses the middle of a row of pixels."""
    upper = np.minimum(a[:, 1], b[:, 1])
    lower = np.maximum(a[:, 1], b[:, 1])
    # a row's middle y + ½ is crossed where upper <= y + ½ < lower: a corner on it counts once
    first = np.clip(np.ceil(upper - 0.5), 0, height).astype(np.int64)
    last = np.clip(np.ceil(lower - 0.5), 0, height).astype(np.int64)
    lengths = last - first
    edge = np.repeat(np.arange(len(a)), lengths)
    row = np.repeat(first - np.cumsum(lengths) + lengths, lengths) + np.arange(int(lengths.sum()))
    (x0, y0), (x1, y1) = a[edge].T, b[edge].T
    return part[edge].astype(np.int64), row, x0 + (row + 0.5 - y0) * (x1 - x0) / (y1 - y0)
