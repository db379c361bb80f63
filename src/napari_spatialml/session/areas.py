"""Drawn areas of a document as one polygon a class, in µm."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from ..errors import BadInput
from .document import GLOBAL, Document
from .gather import full_resolution

__all__ = ["area_sets", "areas_of", "class_column", "section_box"]

_CLASS = ("class", "classification", "category", "label", "type", "name")
_READER = "annotator"


def area_sets(document: Document) -> tuple[str, ...]:
    """Return what can be compared as areas: each shapes element of polygons, and the part of each annotator."""
    found: list[str] = []
    for name in document.names("shapes"):
        frame = document.element(name)
        if not _is_polygons(frame):
            continue
        found.append(name)
        if _READER in frame:
            readers = sorted({str(v) for v in frame[_READER].dropna()})
            found += [f"{name}@{reader}" for reader in readers] if len(readers) > 1 else []
    return tuple(found)


def areas_of(document: Document, which: str) -> dict[str, Any]:
    """Return the union of the polygons of each class, in µm of "global", as (x, y).

    Parameters
    ----------
    document
        The document.
    which
        A shapes element, or "element@annotator".

    Raises
    ------
    BadInput, DocumentError
        When it holds no polygons, or none of this annotator.
    """
    import shapely

    name, _, reader = which.partition("@")
    frame = document.element(name)
    if document.type_of(name) != "shapes" or not _is_polygons(frame):
        raise BadInput(f"'{name}' holds no areas.", "Choose shapes of polygons.")
    if reader:
        frame = frame[frame[_READER].astype(str) == reader] if _READER in frame else frame[:0]
        if not len(frame):
            raise BadInput(f"'{name}' holds no area of '{reader}'.", "Choose another reader.")
    matrix = document.affine(name, GLOBAL).to_xy()
    classes = class_column(frame)
    named = pd.Series(["area"] * len(frame)) if not classes else frame[classes].astype(object).fillna("no class")
    geometry = shapely.make_valid(frame.geometry.to_numpy())
    moved = shapely.transform(geometry, lambda xy: xy @ matrix[:2, :2].T + matrix[:2, 2])
    groups = pd.Series(moved).groupby(named.astype(str).to_numpy(), sort=True)
    return {str(key): shapely.union_all(part.to_numpy()) for key, part in groups}


def class_column(frame: Any) -> str:
    """Return the column that says the class of a polygon, or ""."""
    return next((c for c in _CLASS if c in frame), "")


def section_box(document: Document, areas: Iterable[Any]) -> Any:
    """Return the rectangle of the section's images in µm; without an image, that of the areas."""
    import shapely

    corners: list[Any] = []
    for name in document.names("images"):
        if GLOBAL in document.placed(name):
            sizes = full_resolution(document, name).sizes
            ends = np.array([[0, 0], [0, sizes["x"]], [sizes["y"], 0], [sizes["y"], sizes["x"]]], float)
            corners.append(document.affine(name, GLOBAL).apply(ends)[:, ::-1])
    if not corners:
        bounds = np.array([g.bounds for g in areas if not g.is_empty])
        if not len(bounds):
            raise BadInput("There is no area to compare.", "Draw some first.")
        return shapely.box(*bounds[:, :2].min(0), *bounds[:, 2:].max(0))
    every = np.concatenate(corners)
    return shapely.box(*every.min(0), *every.max(0))


def _is_polygons(frame: Any) -> bool:
    return len(frame) > 0 and set(frame.geometry.geom_type) <= {"Polygon", "MultiPolygon"}
