"""Polygons to lines. No polygon is left out or simplified; holes keep their edge."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.transform import Affine
from ..session import Document
from .places import as_matrix
from .specs import Key, VectorsSpec
from .spots import colours_of
from .values import Values

__all__ = ["outlines_spec"]

_COLOUR = np.array([0.98, 0.82, 0.35, 0.9], np.float32)


def outlines_spec(
    document: Document,
    shapes: str,
    system: str,
    values: Values | None,
    token: Any,
    hidden: frozenset[str],
    *,
    beside: bool,
    offset: tuple[float, float],
) -> VectorsSpec:
    """Return the layer of the outlines of polygons, in the colours of their rows."""
    affine = document.affine(shapes, system)
    data = ("outlines", shapes, document.revision(("shapes", shapes)), as_matrix(affine), token, hidden)
    make = partial(_lines, document.element(shapes), affine, values, hidden)
    x0, y0, x1, y1 = document.element(shapes).total_bounds
    width = float(max(x1 - x0, y1 - y0)) * affine.scale_factors[0] / 2000
    shift = as_matrix(Affine.translation(*offset))
    return VectorsSpec(Key(shapes, "", beside), shapes, data, make, shift, order=55, width=max(width, 0.1))


def _lines(
    frame: Any, affine: Affine, values: Values | None, hidden: frozenset[str]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32]]:
    import shapely

    parts, of_part = shapely.get_parts(frame.geometry.to_numpy(), return_index=True)
    rings, of_ring = shapely.get_rings(parts, return_index=True)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    if len(xy) < 2:
        return np.zeros((0, 2, 2)), np.zeros((0, 4), np.float32)
    yx = affine.apply(xy[:, ::-1])
    same = ring[1:] == ring[:-1]
    start, step = yx[:-1][same], np.diff(yx, axis=0)[same]
    colours, drawn = _colours(frame.index.to_numpy(), values, hidden)
    polygon = of_part[of_ring[ring[:-1][same]]]
    kept = drawn[polygon]
    return np.stack([start, step], axis=1)[kept], colours[polygon][kept]


def _colours(
    ids: npt.NDArray[Any], values: Values | None, hidden: frozenset[str]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    if values is None:
        return np.tile(_COLOUR, (len(ids), 1)), np.ones(len(ids), bool)
    row = pd.Index(values.ids).get_indexer(pd.Index(ids))
    colours, drawn = colours_of(values, hidden)
    return np.concatenate([colours, _COLOUR[None]])[row], np.append(drawn, True)[row]
