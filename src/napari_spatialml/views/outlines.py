"""Polygons to lines. No polygon is left out or simplified; holes keep their edge."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.transform import Affine
from ..session import Document
from .places import as_matrix
from .specs import Key, VectorsSpec

__all__ = ["outlines_spec"]

_COLOUR = np.array([0.98, 0.82, 0.35, 0.9], np.float32)


def outlines_spec(
    document: Document, shapes: str, system: str, *, beside: bool, offset: tuple[float, float]
) -> VectorsSpec:
    """Return the layer of the outlines of polygons."""
    affine = document.affine(shapes, system)
    token = ("outlines", shapes, document.revision(("shapes", shapes)), as_matrix(affine))
    make = partial(_lines, document.element(shapes), affine)
    x0, y0, x1, y1 = document.element(shapes).total_bounds
    width = float(max(x1 - x0, y1 - y0)) * affine.scale_factors[0] / 2000
    shift = as_matrix(Affine.translation(*offset))
    return VectorsSpec(Key(shapes, "", beside), shapes, token, make, shift, order=55, width=max(width, 0.1))


def _lines(frame: Any, affine: Affine) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32]]:
    import shapely

    rings = shapely.get_rings(shapely.get_parts(frame.geometry.to_numpy()))
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    if len(xy) < 2:
        return np.zeros((0, 2, 2)), np.zeros((0, 4), np.float32)
    yx = affine.apply(xy[:, ::-1])
    same = ring[1:] == ring[:-1]
    start, step = yx[:-1][same], np.diff(yx, axis=0)[same]
    return np.stack([start, step], axis=1), np.tile(_COLOUR, (len(start), 1))
