"""Polygons as flat arrays, and back without loss: parts, holes, empty and missing ones, to the last bit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import BadInput

__all__ = ["Polygons", "polygons_of"]

MISSING, POLYGON, SEVERAL = 0, 1, 2
"""What a row holds: nothing, a polygon, or a multi-polygon (of any number of parts)."""
_CODES = (-1, 3, 6)
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Polygons:
    """Rows of polygons: a row has parts, a part has rings (its edge, then its holes), a ring has corners.

    Parameters
    ----------
    corners
        (m, 2) or (m, 3) as (x, y) or (x, y, z), ring after ring, the first corner again at each ring's end.
    rings
        (r + 1,) where each ring begins among the corners.
    parts
        (p + 1,) where each part begins among the rings; an empty part has none.
    rows
        (n + 1,) where each row begins among the parts.
    kinds
        (n,) `MISSING`, `POLYGON` or `SEVERAL`.
    """

    corners: npt.NDArray[np.float64]
    rings: Ints
    parts: Ints
    rows: Ints
    kinds: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.kinds)

    @property
    def rings_of_rows(self) -> Ints:
        """(n + 1,) where each row begins among the rings."""
        return self.parts[self.rows]

    @property
    def has_holes(self) -> bool:
        """Whether any part has a hole."""
        return bool(np.any(np.diff(self.parts) > 1))

    def geometry(self) -> npt.NDArray[np.object_]:
        """Return the polygons as they were given to `polygons_of`, (n,) of shapely's."""
        import shapely

        made = np.empty(len(self), dtype=object)
        if not len(self):
            return made
        of_corner = np.repeat(np.arange(len(self.rings) - 1), np.diff(self.rings))
        lines = shapely.linearrings(self.corners, indices=of_corner) if len(self.corners) else np.empty(0, object)
        parts = np.full(len(self.parts) - 1, shapely.Polygon(), dtype=object)
        of_ring = np.repeat(np.arange(len(parts)), np.diff(self.parts))
        if len(lines):
            shapely.polygons(lines, indices=of_ring, out=parts)
        single, several = self.kinds == POLYGON, np.flatnonzero(self.kinds == SEVERAL)
        made[single] = parts[self.rows[:-1][single]]
        for row in several:  # few; shapely has no bulk way that keeps those without parts
            made[row] = shapely.MultiPolygon(list(parts[self.rows[row] : self.rows[row + 1]]))
        return made


def polygons_of(geometry: npt.NDArray[np.object_]) -> Polygons:
    """Return polygons and multi-polygons as flat arrays.

    Parameters
    ----------
    geometry
        (n,) of shapely's; None where a row has no shape.

    Raises
    ------
    BadInput
        When something else is among them.

    Notes
    -----
    Half a million polygons of 25 corners take about half a second: only those with holes or several parts
    are taken apart one by one.
    """
    import shapely

    types = shapely.get_type_id(geometry)
    _check(geometry, types)
    kinds = np.select([types == 3, types == 6], [POLYGON, SEVERAL], MISSING).astype(np.uint8)
    n_parts = np.where(kinds == SEVERAL, shapely.get_num_geometries(geometry), kinds == POLYGON).astype(np.int64)
    rows = _starts(n_parts)
    n_rings = np.zeros(rows[-1], np.int64)
    simple = (kinds == POLYGON) & (shapely.get_num_interior_rings(geometry) == 0)
    lengths_of_rows = shapely.get_num_coordinates(geometry).astype(np.int64)
    n_rings[rows[:-1][simple]] = lengths_of_rows[simple] > 0
    lengths_simple = lengths_of_rows[simple & (lengths_of_rows > 0)]
    part, ring_lengths = _taken_apart(geometry, ~simple & (kinds != MISSING), rows)
    np.add.at(n_rings, part, 1)
    parts = _starts(n_rings)
    lengths = np.zeros(parts[-1], np.int64)
    first = parts[:-1][rows[:-1][simple & (lengths_of_rows > 0)]]
    lengths[first] = lengths_simple
    taken = np.zeros(len(lengths), bool)
    taken[first] = True
    lengths[~taken] = ring_lengths
    deep = bool(np.any(shapely.has_z(geometry)))
    corners = shapely.get_coordinates(geometry, include_z=deep)
    return Polygons(corners, _starts(lengths), parts, rows, kinds)


def _taken_apart(geometry: npt.NDArray[np.object_], which: npt.NDArray[np.bool_], rows: Ints) -> tuple[Ints, Ints]:
    """Return, of every ring of some rows in their order, the part that it belongs to and how many corners it has."""
    import shapely

    chosen = np.flatnonzero(which)
    parts, of_row = shapely.get_parts(geometry[chosen], return_index=True)
    nth = np.arange(len(of_row)) - np.searchsorted(of_row, of_row)
    place = rows[chosen[of_row]] + nth
    rings, of_part = shapely.get_rings(parts, return_index=True)
    lengths = shapely.get_num_coordinates(rings).astype(np.int64)
    held = lengths > 0
    return place[of_part[held]], lengths[held]


def _starts(counts: npt.NDArray[Any]) -> Ints:
    made = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=made[1:])
    return made


def _check(geometry: npt.NDArray[np.object_], types: npt.NDArray[Any]) -> None:
    other = ~np.isin(types, _CODES)
    if other.any():
        name = geometry[np.flatnonzero(other)[0]].geom_type
        raise BadInput(
            f"{int(other.sum())} of {len(types)} shapes are neither polygons nor multi-polygons (the first: {name}).",
            "Keep polygons in an element of their own.",
        )
