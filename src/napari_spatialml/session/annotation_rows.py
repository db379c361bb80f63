"""Rows of annotations as they are written: in the element's own coordinates, with all its columns and colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.colours import category_colours
from ..errors import BadInput
from ..io.regions_file import CLASS, COLUMNS
from .annotating import class_colours, frame_of, moved
from .changes import Change, Put
from .document import Document
from .elements import matrices
from .shape_rows import edit_shapes
from .store import put_entry

__all__ = ["coloured", "complete", "like", "own", "places_of_rows", "reshaped", "reshaped_change", "written"]


def own(document: Document, annotations: str, geometry: Any, system: str) -> Any:
    """Return a geometry of a coordinate system in the element's own coordinates."""
    import shapely

    if annotations not in document.names("shapes"):
        return geometry
    affine = document.affine(annotations, system)
    if np.array_equal(affine.matrix, np.eye(3)):
        return geometry
    back = affine.inverse()
    return shapely.transform(geometry, lambda xy: moved(xy, back))


def places_of_rows(frame: Any, system: str) -> dict[str, Any]:
    """Return where annotations lie; those that are not there yet, in the coordinate system where they are drawn."""
    return {system: np.eye(3).tolist()} if frame is None else matrices(frame)


def reshaped_change(document: Document, annotations: str, changed: dict[str, Any]) -> Change:
    """Return the change that gives regions, by their ids, another geometry."""
    frame = frame_of(document, annotations)
    rows = reshaped(frame, changed)
    if rows is None:
        raise BadInput("Nothing was changed.", "Move it farther.")
    return edit_shapes(document, annotations, rows)


def reshaped(frame: Any, changed: dict[str, Any]) -> Any:
    """Return the rows of a frame that get another geometry, with it; None where there is none."""
    if not changed:
        return None
    rows = frame.loc[list(changed)].copy()
    rows.geometry = list(changed.values())
    return like(rows, frame)


def like(rows: Any, frame: Any) -> Any:
    """Give rows the columns and the place of a frame."""
    made = rows.reindex(columns=frame.columns, fill_value="")
    made.attrs = dict(frame.attrs)
    return made


def complete(frame: Any) -> Any:
    """Return a frame with all columns that annotations have."""
    missing = [c for c in COLUMNS if c not in frame]
    if not missing:
        return frame
    made = frame.copy()
    for column in missing:
        made[column] = ""
    made.attrs = dict(frame.attrs)
    return made


def written(document: Document, annotations: str, parts: Sequence[Any]) -> Change:
    """Return the change that puts rows into the element, which is made, or gets missing columns, where it must."""
    import geopandas
    import pandas as pd

    frame = frame_of(document, annotations)
    given = [p for p in parts if p is not None]
    if frame is None:
        return Put(("shapes", annotations), None, given[0])
    whole = complete(frame)
    rows = geopandas.GeoDataFrame(pd.concat([like(p, whole) for p in given]))
    rows.attrs = dict(frame.attrs)
    if whole is frame:
        return edit_shapes(document, annotations, rows)
    new = rows.index.difference(whole.index, sort=False)
    made = geopandas.GeoDataFrame(pd.concat([whole, rows.loc[new]]))
    made.loc[rows.index] = rows
    made.attrs = dict(frame.attrs)
    return Put(("shapes", annotations), frame, made)


def coloured(
    document: Document, annotations: str, classes: Sequence[str], colours: dict[str, str] | None = None
) -> list[Change]:
    """Return the change that gives classes a colour, where they have none: it stays whatever else is drawn."""
    known = document.colours(CLASS)
    given = {**(class_colours(document, annotations) if annotations in document.names("shapes") else {}), **known}
    new = [c for c in classes if c and c not in known]
    if not new:
        return []
    offered = {c: v for c, v in (colours or {}).items() if c in new}
    made = category_colours(new, {**given, **offered})
    return [put_entry(document, "colours", CLASS, {**known, **{c: made[c].lower() for c in new}})]
