"""How deep a point lies in its cell, or how far from the nearest one: what shrunk and grown cells would hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import require

__all__ = ["Depths", "depths_of", "overlaps"]


@dataclass(frozen=True)
class Depths:
    """Where points lie against the borders of cells.

    Parameters
    ----------
    cells
        (n,) the cell in which each point lies, or the nearest one within reach; 0 for none.
    distance
        (n,) in pixels: negative inside, to the nearest pixel that is not of the cell; positive outside, to
        the nearest pixel of a cell; ±inf beyond reach.
    neighbours
        (n,) of a point inside, the other cell that is nearest, where it is nearer than background; else 0.
    """

    cells: npt.NDArray[Any]
    distance: npt.NDArray[np.float64]
    neighbours: npt.NDArray[Any]


def depths_of(labels: npt.NDArray[Any], y: npt.NDArray[np.int64], x: npt.NDArray[np.int64], reach: int) -> Depths:
    """Return how deep the pixels of points lie in cells.

    Parameters
    ----------
    labels
        (h, w) labels, with at least ``reach`` more pixels around the points than they need, where there are any.
    y, x
        (n,) pixels of the points.
    reach
        Up to how many pixels is looked.

    Notes
    -----
    Exact Euclidean distances of pixel centres, O(pixels + points · reach).
    """
    from .depth_kernels import nearest_other, to_the_sides

    require(reach >= 1, f"The reach is {reach} pixels.", "Give 1 or more.")
    require(reach < 2**15 - 1, f"The reach is {reach} pixels.", "Give a smaller one.")
    left, right = np.empty(labels.shape, np.int16), np.empty(labels.shape, np.int16)
    to_the_sides(labels, reach, left, right)
    squared, other = np.empty(len(y), np.int64), np.empty(len(y), labels.dtype)
    nearest_other(labels, y.astype(np.int64), x.astype(np.int64), reach, left, right, squared, other)
    own = labels[y, x]
    distance = np.where(squared > reach * reach, np.inf, np.sqrt(squared))
    inside = own != 0
    return Depths(np.where(inside, own, other), np.where(inside, -distance, distance), np.where(inside, other, 0))


def overlaps(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> tuple[Any, Any, npt.NDArray[np.int64]]:
    """Return which labels of two arrays lie on each other, and on how many pixels; background of the first not."""
    from .depth_kernels import joint_runs

    a, b, pixels = joint_runs(np.ascontiguousarray(first), np.ascontiguousarray(second))
    (own, k), (other, m) = (np.unique(v, return_inverse=True) for v in (a, b))
    keys, at = np.unique(k * max(len(other), 1) + m, return_inverse=True)
    total = np.bincount(at, pixels, len(keys)).astype(np.int64)
    return own[keys // max(len(other), 1)], other[keys % max(len(other), 1)], total
