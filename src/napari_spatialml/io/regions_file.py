"""What a file of regions says, whatever its format: outlines, classes, notes, and in which unit they are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from .document import GLOBAL
from .writing import written

__all__ = ["CLASS", "COLUMNS", "LARGEST", "RegionsFile", "built", "bytes_of", "regions_frame", "write_text"]

LARGEST = 1_000_000_000
"""Bytes of text that are read: more would not fit into memory once they are parsed."""
MICROMETRES, PIXELS = "µm", "px"
CLASS = "class"
"""The column of the class; its colours are those of the document's attribute ``colours`` for this column."""
COLUMNS = (CLASS, "annotator", "note", "created")


@dataclass(frozen=True, eq=False)
class RegionsFile:
    """The regions of a file.

    Parameters
    ----------
    geometry
        (n,) polygons and multi-part polygons as (x, y), valid.
    ids
        (n,) strings, each different.
    classes, notes, annotators, created
        (n,) strings, "" where the file says nothing.
    kinds
        (n,) "annotation", "detection" or "cell".
    unit
        "px" for pixels of the image, "µm", or "" where the file does not say.
    nuclei
        (n,) outlines of nuclei or None; empty where there are none.
    colours
        "#rrggbb" by class.
    said
        Sentences about what was mended or left out.
    """

    geometry: npt.NDArray[np.object_]
    ids: tuple[str, ...]
    classes: tuple[str, ...]
    notes: tuple[str, ...]
    annotators: tuple[str, ...]
    created: tuple[str, ...]
    kinds: tuple[str, ...]
    unit: str = ""
    nuclei: npt.NDArray[np.object_] = field(default_factory=lambda: np.empty(0, object))
    colours: dict[str, str] = field(default_factory=dict)
    said: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    def columns(self) -> dict[str, list[str]]:
        """Return the columns of the element of annotations."""
        return {
            "class": list(self.classes),
            "annotator": list(self.annotators),
            "note": list(self.notes),
            "created": list(self.created),
        }

    def placed(self, matrix: npt.ArrayLike) -> RegionsFile:
        """Return the regions in µm, by a 3 × 3 matrix on (x, y, 1)."""
        import shapely

        m = np.asarray(matrix, dtype=float)
        moved = shapely.transform(self.geometry, lambda xy: xy @ m[:2, :2].T + m[:2, 2])
        return replace(self, geometry=moved, unit=MICROMETRES)


def regions_frame(geometry: Any, ids: Any, columns: dict[str, Any], transforms: dict[str, Any] | None = None) -> Any:
    """Return regions as an element of annotations holds them.

    Parameters
    ----------
    geometry
        (n,) polygons as (x, y), n ≥ 1.
    ids
        (n,) strings, each different.
    columns
        Of `COLUMNS`, those that are known.
    transforms
        3 × 3 on (x, y, 1) by coordinate system; the identity to "global" if None.
    """
    import geopandas
    import pandas as pd
    from spatialdata.models import ShapesModel
    from spatialdata.transformations import Affine, Identity

    n = len(ids)
    index = pd.Index([str(i) for i in ids], name="id", dtype=object)
    held = {c: np.array([str(v) for v in columns.get(c, [""] * n)], dtype=object) for c in COLUMNS}
    frame = geopandas.GeoDataFrame({**held, "geometry": list(geometry)}, index=index, geometry="geometry")
    given = transforms or {GLOBAL: np.eye(3).tolist()}
    axes = ("x", "y")
    places = {s: Identity() if np.array_equal(m, np.eye(3)) else Affine(m, axes, axes) for s, m in given.items()}
    return ShapesModel.parse(frame, transformations=places)


def bytes_of(path: Path, largest: int = LARGEST) -> bytes:
    """Return what is in a file, unpacked where it is gzipped.

    Raises
    ------
    BadInput
        When it is too large, or damaged.
    """
    import gzip
    import zlib

    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path) if zipped else path.open("rb") as file:
            data = file.read(largest + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BadInput(f"'{path.name}' is damaged or cut short ({error}).", "Export or copy it again.") from error
    if len(data) > largest:
        raise BadInput(f"'{path.name}' holds more than {largest:,} bytes.", "Export fewer objects at a time.")
    return data


def write_text(path: Path, pieces: Iterable[str]) -> None:
    """Write a file so that it is there whole or not at all; gzipped where its name ends in ".gz"."""
    import gzip

    with written(path) as raw, gzip.GzipFile("", "wb", 6, raw, 0) if path.name.endswith(".gz") else raw as file:
        for piece in pieces:
            file.write(piece.encode())


def built(shapes: list[list[list[Any]]], said: list[str]) -> npt.NDArray[np.object_]:
    """Return the geometry of outlines, None where they enclose nothing.

    Parameters
    ----------
    shapes
        For each region its parts; of each its outline and its holes; each (k, 2) as (x, y), k ≥ 3, finite.
    said
        Gets a sentence about what was mended.
    """
    import shapely

    if not shapes:
        return np.empty(0, object)
    parts = [part for parts in shapes for part in parts]
    rings = [ring for part in parts for ring in part]
    lengths = [len(ring) for ring in rings]
    xy = np.concatenate(rings)
    ends = np.cumsum(lengths)
    opened = int((xy[ends - 1] != xy[ends - np.array(lengths)]).any(axis=1).sum())
    if opened:
        said.append(f"{opened:,} outlines were not closed; they were closed." if opened > 1 else
                    "1 outline was not closed; it was closed.")  # fmt: skip
    linear = shapely.linearrings(xy, indices=np.repeat(np.arange(len(rings)), lengths))
    polygons = shapely.polygons(linear, indices=np.repeat(np.arange(len(parts)), [len(part) for part in parts]))
    counts = np.array([len(parts) for parts in shapes])
    made = np.full(len(shapes), None, dtype=object)
    first = np.cumsum(counts) - counts
    made[counts == 1] = polygons[first[counts == 1]]
    several = np.flatnonzero(counts > 1)
    if len(several):
        owner = np.repeat(np.arange(len(shapes)), counts)
        mine = np.isin(owner, several)
        made[several] = shapely.multipolygons(polygons[mine], indices=np.searchsorted(several, owner[mine]))
    return _mended(made, said)


def _mended(geometry: npt.NDArray[np.object_], said: list[str]) -> npt.NDArray[np.object_]:
    """Replace outlines that cross themselves by what they enclose, and by None where that is nothing."""
    import shapely

    from ..core.regions import areas_only

    wrong = np.flatnonzero(~shapely.is_valid(geometry))
    if len(wrong):
        mended = shapely.make_valid(geometry[wrong], method="structure", keep_collapsed=False)
        geometry[wrong] = [areas_only(g) for g in mended]
    empty = shapely.area(geometry) <= 0
    crossing = int((~empty[wrong]).sum())
    if crossing:
        said.append(f"{crossing:,} {'outlines cross' if crossing > 1 else 'outline crosses'} themselves: "
                    "what they enclose was taken.")  # fmt: skip
    if empty.any():
        n = int(empty.sum())
        said.append(f"{n:,} {'outlines enclose' if n > 1 else 'outline encloses'} no area and was left out.")
        geometry[empty] = None
    return geometry
