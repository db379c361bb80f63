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
    known = document.attribute("colours", {}).get(CLASS, {})
    used = [] if frame is None else [str(c) for c in frame[CLASS].unique()]
    return tuple(dict.fromkeys([*known, *sorted(used)]))


def class_colours(document: Document, annotations: str) -> dict[str, str]:
    """Return the colour of every class, "#rrggbb"; the same whatever else there is."""
    names = list(classes_of(document, annotations))
    known = document.attribute("colours", {}).get(CLASS, {})
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


def _centres(document: Document, table: str, system: str) -> npt.NDArray[np.float64] | None:
    """Return the centres of cells, (n, 2) as (y, x) in µm, where the table has them: no pixel is read then."""
    from .cells import table_name
    from .gather import pixel_size

    element, obs = document.annotated(table), document.table(table).obs
    if table != table_name(element) or not {"centroid_y_um", "centroid_x_um"} <= set(obs.columns):
        return None
    pixels = obs[["centroid_y_um", "centroid_x_um"]].to_numpy(dtype=float) / pixel_size(document, element)
    return document.affine(element, system).apply(pixels)


def units_inside(document: Document, annotations: str, table: str) -> dict[str, int]:
    """Return how many rows of a table (cells, spots or pixels) have their centre in each region."""
    return {region: len(rows) for region, rows in rows_inside(document, annotations, table).items()}


def rows_inside(document: Document, annotations: str, table: str) -> dict[str, npt.NDArray[np.int64]]:
    """Return which rows of a table (cells, spots or pixels) have their centre in each region, ascending."""
    import shapely

    from .gather import coordinates_of

    frame = frame_of(document, annotations)
    if frame is None:
        return {}
    placed = document.placed(annotations)
    system = GLOBAL if GLOBAL in placed else placed[0]
    where = _centres(document, table, system)
    if where is None:
        where = coordinates_of(document, table, system)
    region, row = shapely.STRtree(shapely.points(where[:, ::-1])).query(
        in_um(document, annotations, system), predicate="contains"
    )
    return {str(name): np.sort(row[region == k]).astype(np.int64) for k, name in enumerate(frame.index)}
