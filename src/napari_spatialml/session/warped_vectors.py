"""Outlines, circles and points moved by a transform: straight edges bend, points are moved as they are read."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.transform import Affine, Chain, Transform
from ..core.warp import move_points, smooth_below

__all__ = ["moved_points", "moved_shapes"]

_TOLERANCE_UM = 0.05
"""How far a place may be off, and a straight piece of a bent edge from the bend, in µm."""
_PIECES = 2000
"""An outline is cut into about so many pieces at most."""
_TURNS = 5
"""How often pieces are cut again."""


def moved_shapes(frame: Any, own: Affine, transform: Transform) -> Any:
    """Return shapes moved to another frame, with their ids, columns, holes and parts.

    Parameters
    ----------
    frame
        Circles, polygons or multi-polygons of SpatialData, at least one.
    own
        From their own coordinates to µm of the moving side.
    transform
        From there to µm of the fixed side. A circle stays one: its radius grows as the area around it does.
    """
    import geopandas
    import shapely
    from spatialdata.models import ShapesModel

    whole = Chain((own, transform))
    shapes = frame.geometry.to_numpy()
    columns = {c: frame[c].to_numpy() for c in frame.columns if c != "geometry"}
    if "radius" in columns:
        centres = shapely.get_coordinates(shapes)[:, ::-1]
        columns["radius"] = columns["radius"] * np.sqrt(np.abs(np.linalg.det(whole.jacobian(centres))))
    else:
        shapes = _cut(shapes, whole)
    moved = shapely.transform(shapes, lambda xy: _moved(whole, xy))
    return ShapesModel.parse(geopandas.GeoDataFrame(columns, geometry=list(moved), index=frame.index))


def moved_points(frame: Any, own: Affine, transform: Transform) -> Any:
    """Return points of SpatialData moved to another frame, lazily; depth and other columns stay."""
    from spatialdata.models import PointsModel

    whole = Chain((own, transform))

    def move(part: Any) -> Any:
        made = part.copy()
        xy = _moved(whole, part[["x", "y"]].to_numpy(dtype=np.float64))
        made["x"], made["y"] = (xy[:, k].astype(_real(part[axis].dtype)) for k, axis in enumerate("xy"))
        return made

    meta = frame._meta.copy()
    meta.attrs = {}
    for axis in "xy":
        meta[axis] = meta[axis].astype(_real(meta[axis].dtype))
    attrs = frame.attrs.get("spatialdata_attrs") or {}
    keys = {k: attrs[k] for k in ("feature_key", "instance_key") if isinstance(attrs.get(k), str)}
    coordinates = {axis: axis for axis in ("x", "y", "z") if axis in frame.columns}
    moved = frame.map_partitions(move, meta=meta)
    moved.attrs.clear()  # else it shares with its original where that lies
    return PointsModel.parse(moved, coordinates=coordinates, sort=False, **keys)


def _real(dtype: Any) -> Any:
    """Return the type of moved coordinates: whole numbers become real ones."""
    return dtype if np.dtype(dtype).kind == "f" else np.dtype(np.float64)


def _moved(whole: Chain, xy: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return move_points(whole, xy[:, ::-1], _TOLERANCE_UM)[:, ::-1]


def _cut(shapes: Any, whole: Chain) -> Any:
    """Cut the edges of outlines into pieces that stay within the tolerance of how they bend."""
    import shapely

    cut = np.array(shapes, dtype=object)
    finest = smooth_below(whole) / np.sqrt(np.abs(np.linalg.det(whole.jacobian(np.zeros((1, 2)))))[0])
    longest = np.maximum(shapely.length(cut) / _PIECES, 1e-300)
    if np.isfinite(finest):  # what bends and bends back within an edge shows neither at its ends nor at its middle
        cut = shapely.segmentize(cut, np.maximum(finest, longest))
    bent = np.arange(len(cut))
    for _ in range(_TURNS):
        piece = _straight(cut[bent], whole)
        rough = np.isfinite(piece) & (piece > longest[bent])
        bent, piece = bent[rough], piece[rough]
        if not len(bent):
            break
        cut[bent] = shapely.segmentize(cut[bent], piece)
    return cut


def _straight(shapes: Any, whole: Chain) -> npt.NDArray[np.float64]:
    """Return how long the edges of each outline may be, by how its edges bend; infinite where all are short enough."""
    import shapely

    xy, of = shapely.get_coordinates(shapes, return_index=True)
    edge = of[:-1] == of[1:]  # between two rings there is none, but it bends like one
    first, last, of = xy[:-1][edge], xy[1:][edge], of[:-1][edge]
    start, end = _moved(whole, first), _moved(whole, last)
    sag = np.zeros(len(first))
    for share in (0.25, 0.5, 0.75):
        off = _moved(whole, first + share * (last - first)) - (start + share * (end - start))
        sag = np.maximum(sag, np.linalg.norm(off, axis=1))
    # the sag of a piece goes with the square of its length
    length = np.linalg.norm(last - first, axis=1)
    wanted = np.where(sag > _TOLERANCE_UM, length * np.sqrt(_TOLERANCE_UM / np.maximum(sag, 1e-300)) * 0.99, np.inf)
    piece = np.full(len(shapes), np.inf)
    np.minimum.at(piece, of, np.maximum(wanted, length / 16))
    return piece
