"""Where elements lie: extents in µm, and the way from napari's pixel indices to µm."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.transform import Affine
from ..session import Document
from ..session.gather import full_resolution
from .specs import Matrix

__all__ = ["as_matrix", "beside_offset", "extent", "extent_of_system", "pixel_affine"]

_CENTRE = Affine.translation(0.5, 0.5)
_GAP = 0.06


def pixel_affine(document: Document, element: str, system: str, offset: tuple[float, float] = (0.0, 0.0)) -> Matrix:
    """Return the affine of an image or labels for napari.

    napari gives a pixel's index to its centre, SpatialData to its corner.
    """
    return as_matrix(Affine.translation(*offset) @ document.affine(element, system) @ _CENTRE)


def as_matrix(affine: Affine) -> Matrix:
    """Return the matrix as plain tuples, so that specs can be compared."""
    rows: list[list[float]] = affine.matrix.tolist()
    return tuple((a, b, c) for a, b, c in rows)


def shape_of(document: Document, element: str) -> tuple[int, int]:
    """Return the size (y, x) of an image or labels in pixels."""
    if document.type_of(element) == "labels":
        return document.grid(element).shape
    sizes = full_resolution(document, element).sizes
    return int(sizes["y"]), int(sizes["x"])


def extent(document: Document, element: str, system: str) -> npt.NDArray[np.float64]:
    """Return the lowest and highest (y, x) in µm that an element reaches, (2, 2)."""
    kind = document.type_of(element)
    affine = document.affine(element, system)
    if kind in ("images", "labels"):
        h, w = shape_of(document, element)
        corners = affine.apply(np.array([[0.0, 0.0], [0.0, w], [h, 0.0], [h, w]]))
    elif kind == "shapes":
        x0, y0, x1, y1 = document.element(element).total_bounds
        corners = affine.apply(np.array([[y0, x0], [y0, x1], [y1, x0], [y1, x1]]))
    else:
        corners = affine.apply(_points_bounds(document.element(element)))
    return np.stack([corners.min(0), corners.max(0)])


def _points_bounds(points: Any) -> npt.NDArray[np.float64]:
    where = points[["y", "x"]]
    (y0, x0), (y1, x1) = (np.asarray(found.compute(), dtype=float) for found in (where.min(), where.max()))
    return np.array([[y0, x0], [y0, x1], [y1, x0], [y1, x1]])


def extent_of_system(document: Document, system: str) -> npt.NDArray[np.float64]:
    """Return the lowest and highest (y, x) in µm over all elements of a coordinate system, (2, 2).

    Points are left out where anything else lies there: they would have to be read whole.
    """
    placed = [n for t in ("images", "labels", "shapes") for n in document.names(t) if system in document.placed(n)]
    placed = placed or [n for n in document.names("points") if system in document.placed(n)]
    if not placed:
        return np.zeros((2, 2))
    boxes = np.stack([extent(document, name, system) for name in placed])
    return np.stack([boxes[:, 0].min(0), boxes[:, 1].max(0)])


def beside_offset(document: Document, first: str, second: str) -> tuple[float, float]:
    """Return the shift (y, x) in µm that puts a coordinate system to the right of another, centred."""
    a, b = extent_of_system(document, first), extent_of_system(document, second)
    gap = _GAP * float(max(np.ptp(a, axis=0).max(), np.ptp(b, axis=0).max()))
    return float(a.mean(0)[0] - b.mean(0)[0]), float(a[1, 1] + gap - b[0, 1])
