"""What annotations are: polygons that a person drew, with class, annotator, note and the moment of drawing."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.colours import category_colours
from ..core.transform import Affine
from ..errors import BadInput
from ..io.regions_file import CLASS
from .document import ELEMENT_TYPES, GLOBAL, Document

__all__ = [
    "annotation_names",
    "class_colours",
    "classes_of",
    "frame_of",
    "in_um",
    "is_annotations",
    "region",
    "rows_inside",
    "units_inside",
]


def is_annotations(document: Document, name: str) -> bool:
    """Return whether an element holds annotations: polygons with a class."""
    shapes = document.sdata.shapes
    return name in shapes and CLASS in shapes[name].columns and "radius" not in shapes[name].columns


def annotation_names(document: Document) -> tuple[str, ...]:
    """Return the names of the elements that hold annotations."""
    return tuple(name for name in document.names("shapes") if is_annotations(document, name))


def frame_of(document: Document, annotations: str) -> Any:
    """Return the rows of annotations, or None where there is no such element yet.

    Raises
    ------
    BadInput
        When the element holds something else.
    """
    held = [t for t in ELEMENT_TYPES if annotations in document.names(t)]
    if not held:
        return None
    if not is_annotations(document, annotations):
        raise BadInput(f"'{annotations}' holds no annotations.", "Choose another name for them.")
    return document.sdata.shapes[annotations]


def region(document: Document, annotations: str, number: str) -> Any:
    """Return one row of annotations.

    Raises
    ------
    BadInput
        When it is not there.
    """
    frame = frame_of(document, annotations)
    if frame is None or number not in frame.index:
        raise BadInput(f"'{annotations}' has no region '{number}'.", "It may have been deleted: choose another.")
    return frame.loc[number]


def classes_of(document: Document, annotations: str) -> tuple[str, ...]:
    """Return the classes that can be given: those with a colour, then those in use; sorted as they came."""
    frame = frame_of(document, annotations)
    known = document.colours(CLASS)
    used = [] if frame is None else [str(c) for c in frame[CLASS].unique()]
    return tuple(dict.fromkeys([*known, *sorted(used)]))


def class_colours(document: Document, annotations: str) -> dict[str, str]:
    """Return the colour of every class, "#rrggbb"; the same whatever else there is."""
    names = list(classes_of(document, annotations))
    known = document.colours(CLASS)
    return {name: known.get(name, colour) for name, colour in category_colours(names, known).items()}


def in_um(document: Document, annotations: str, system: str = GLOBAL) -> Any:
    """Return the geometries of annotations in µm of a coordinate system, as (x, y), and where they lie exactly."""
    import shapely

    frame = frame_of(document, annotations)
    affine = document.affine(annotations, system)
    geometry = frame.geometry.to_numpy()
    if np.array_equal(affine.matrix, np.eye(3)):
        return geometry
    return shapely.transform(geometry, lambda xy: moved(xy, affine))


def moved(xy: npt.NDArray[np.float64], affine: Affine) -> npt.NDArray[np.float64]:
    """Apply an affine on (y, x) to (x, y)."""
    return affine.apply(xy[:, ::-1])[:, ::-1]


def units_inside(document: Document, annotations: str, table: str) -> dict[str, int]:
    """Return how many rows of a table (cells, spots or pixels) have their centre in each region."""
    return {region: len(rows) for region, rows in rows_inside(document, annotations, table).items()}


def rows_inside(document: Document, annotations: str, table: str) -> dict[str, npt.NDArray[np.int64]]:
    """Return which rows of a table (cells, spots or pixels) have their centre in each region, ascending."""
    import shapely

    frame = frame_of(document, annotations)
    if frame is None:
        return {}
    placed = document.placed(annotations)
    system = GLOBAL if GLOBAL in placed else placed[0]
    rows, where = _places(document, table, system)
    found = {}
    for name, geometry in zip(frame.index, in_um(document, annotations, system), strict=True):
        x0, y0, x1, y1 = geometry.bounds
        near = (where[:, 1] >= x0) & (where[:, 1] <= x1) & (where[:, 0] >= y0) & (where[:, 0] <= y1)
        at = np.flatnonzero(near)
        shapely.prepare(geometry)
        found[str(name)] = rows[at[shapely.contains_xy(geometry, where[at, 1], where[at, 0])]]
    return found


def _places(document: Document, table: str, system: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return the rows of a table, ascending, and where they lie, (n, 2) as (y, x) in µm of a coordinate system."""
    from .row_places import row_places

    elements = document.regions(table)
    if not elements:
        raise BadInput(f"The table '{table}' annotates no element.", "Choose a table of cells, spots or pixels.")
    held = [(element, row_places(document, table, element)) for element in elements]
    rows = np.concatenate([places.rows for _, places in held])
    where = np.concatenate([document.affine(element, system).apply(places.where) for element, places in held])
    order = np.argsort(rows, kind="stable")
    return rows[order], where[order]
