"""Regions drawn by hand: outlines to valid polygons, borders shared with neighbours, vertices moved.

Geometries are shapely's, in (x, y); outlines that a person drew are (y, x), as everywhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import BadInput

__all__ = ["areas_only", "joined", "kept_clear", "outlines_of", "region_of", "shared_border", "subtracted", "valid"]

CLOSE = 1e-6
"""Borders that are as close as this, in µm, are the same border."""
Outlines = Sequence[Sequence[Sequence[Sequence[float]]]]
"""Parts of a region; of each, its outline and its holes; of each of these, its corners (y, x)."""


def region_of(outlines: Outlines) -> Any:
    """Return the polygon, or multi-part polygon, of outlines.

    Parameters
    ----------
    outlines
        For each part its outline and its holes, each (k, 2) corners as (y, x), k ≥ 3, closed or not.

    Returns
    -------
    shapely.Polygon or shapely.MultiPolygon
        Exactly these corners where they make a valid region; else what a crossing outline encloses.

    Raises
    ------
    BadInput
        When an outline has fewer than three corners, is not finite, or encloses nothing.
    """
    import shapely

    parts = []
    for rings in outlines:
        corners = [_ring(ring) for ring in rings]
        if not corners:
            raise BadInput("A part of the region has no outline.", "Draw around it.")
        parts.append(shapely.Polygon(corners[0][:, ::-1], [hole[:, ::-1] for hole in corners[1:]]))
    if not parts:
        raise BadInput("The region has no outline.", "Draw around it.")
    return valid(parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts))


def _ring(corners: Sequence[Sequence[float]]) -> npt.NDArray[np.float64]:
    ring = np.asarray(corners, dtype=np.float64)
    if ring.ndim != 2 or ring.shape[1] != 2 or len(ring) < 3:
        raise BadInput(f"An outline has {len(ring)} corners.", "Draw at least three.")
    if not np.isfinite(ring).all():
        raise BadInput("An outline has a corner that is not a number.", "Draw it again.")
    return ring


def outlines_of(region: Any) -> list[list[list[list[float]]]]:
    """Return the outlines of a region as `region_of` takes them; rings are closed."""
    import shapely

    return [
        [np.asarray(ring.coords)[:, ::-1].tolist() for ring in (part.exterior, *part.interiors)]
        for part in shapely.get_parts(region)
    ]


def valid(region: Any) -> Any:
    """Return a region as it is where it is valid, else what its outlines enclose.

    Raises
    ------
    BadInput
        When that is nothing.
    """
    import shapely

    made = (
        region if region.is_valid else areas_only(shapely.make_valid(region, method="structure", keep_collapsed=False))
    )
    if made.is_empty or made.area <= 0:
        raise BadInput("The outline encloses no area.", "Draw around something.")
    return made


def areas_only(geometry: Any) -> Any:
    """Return the polygons of a geometry and leave its lines and points."""
    import shapely

    parts = [g for g in shapely.get_parts(geometry) if g.geom_type in ("Polygon", "MultiPolygon") and g.area > 0]
    flat = [p for g in parts for p in shapely.get_parts(g)]
    return flat[0] if len(flat) == 1 else shapely.MultiPolygon(flat)


def joined(regions: Sequence[Any]) -> Any:
    """Return the union of regions."""
    import shapely

    return areas_only(shapely.union_all(np.asarray(regions, dtype=object)))


def subtracted(region: Any, others: Sequence[Any]) -> Any:
    """Return what is left of a region without others.

    Raises
    ------
    BadInput
        When nothing is left, or nothing was taken.
    """
    import shapely

    taken = shapely.union_all(np.asarray(others, dtype=object))
    rest = areas_only(region.difference(taken))
    if rest.is_empty:
        raise BadInput("Nothing would be left of the region.", "Delete it instead.")
    if rest.area == region.area:
        raise BadInput("The two do not overlap.", "Draw over the region.")
    return rest


def kept_clear(region: Any, neighbours: Sequence[Any]) -> Any:
    """Return a region without what it overlaps of its neighbours; one inside the other is left so.

    Raises
    ------
    BadInput
        When nothing is left.
    """
    for other in neighbours:
        if region.covers(other) or other.covers(region):
            continue
        region = areas_only(region.difference(other))
        if region.is_empty:
            raise BadInput("The outline lies on other regions only.", "Draw where there is none.")
    return region


def shared_border(region: Any, neighbour: Any) -> tuple[Any, Any]:
    """Make two regions that touch have the same corners along their border, so that nothing lies between.

    Returns
    -------
    tuple
        The region with its corners on the neighbour's, and the neighbour with the region's corners inserted.
    """
    import shapely

    theirs = shapely.get_coordinates(neighbour)
    ours = shapely.get_coordinates(region)
    region = shapely.transform(region, lambda xy: _onto(xy, theirs))
    region = _with_corners(region, theirs)
    ours = shapely.get_coordinates(region)
    return region, _with_corners(neighbour, ours)


def _onto(xy: npt.NDArray[np.float64], corners: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Move corners onto others that are as good as there."""
    from scipy.spatial import cKDTree

    far, nearest = cKDTree(corners).query(xy, distance_upper_bound=CLOSE)
    found = np.isfinite(far)
    moved = xy.copy()
    moved[found] = corners[nearest[found]]
    return moved


def _with_corners(region: Any, corners: npt.NDArray[np.float64]) -> Any:
    """Insert those corners that lie on a region's border."""
    import shapely

    points = shapely.points(corners)
    near = np.unique(corners[shapely.dwithin(region.boundary, points, CLOSE)], axis=0)
    if not len(near):
        return region
    parts = [
        shapely.Polygon(
            _inserted(np.asarray(part.exterior.coords), near),
            [_inserted(np.asarray(hole.coords), near) for hole in part.interiors],
        )
        for part in shapely.get_parts(region)
    ]
    return parts[0] if region.geom_type == "Polygon" else shapely.MultiPolygon(parts)


def _inserted(ring: npt.NDArray[np.float64], corners: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    a, d = ring[:-1], np.diff(ring, axis=0)
    length = np.einsum("ij,ij->i", d, d)
    rel = corners[:, None, :] - a[None]
    t = np.einsum("kij,ij->ki", rel, d) / np.where(length > 0, length, 1)
    off = np.linalg.norm(rel - np.clip(t, 0, 1)[..., None] * d[None], axis=2)
    edge = off.argmin(axis=1)
    k = np.arange(len(corners))
    at_end = np.minimum(np.linalg.norm(corners - ring[edge], axis=1), np.linalg.norm(corners - ring[edge + 1], axis=1))
    new = (off[k, edge] <= CLOSE) & (at_end > CLOSE)
    edge, t, corners = edge[new], t[k, edge][new], corners[new]
    order = np.lexsort((t, edge))
    return np.insert(ring, edge[order] + 1, corners[order], axis=0)
