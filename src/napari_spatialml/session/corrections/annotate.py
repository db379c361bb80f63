"""Corrections of annotations: draw, reshape, cut holes, join, subtract, classify, delete.

Outlines are parts of a region, each an outline and its holes, each of these corners (y, x) in µm of a
coordinate system. Regions are named by their ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import numpy as np

from ...core.regions import Outlines, joined, kept_clear, region_of, shared_border, subtracted, valid
from ...errors import BadInput
from ...io.regions_file import CLASS, regions_frame
from ..annotating import frame_of
from ..annotating import region as region_named
from ..annotation_rows import coloured, complete, like, own, places_of_rows, reshaped, reshaped_change, written
from ..changes import Change
from ..document import GLOBAL, Document
from ..history import who
from ..shape_rows import edit_shapes
from .registry import Made, completed_by, correction

__all__: list[str] = []


def _signed(arguments: dict[str, Any]) -> dict[str, Any]:
    """Fill in who drew it, when, and the id of what was drawn."""
    drawn = {
        "annotator": arguments.get("annotator") or who(),
        "created": arguments.get("created") or datetime.now(UTC).isoformat(timespec="seconds"),
        "region": arguments.get("region") or str(uuid4()),
    }
    return {**arguments, **drawn}


@correction
@completed_by(_signed)
def add_annotation(
    document: Document,
    annotations: str,
    outlines: Outlines,
    class_name: str,
    note: str = "",
    annotator: str = "",
    created: str = "",
    region: str = "",
    system: str = GLOBAL,
    beside: bool = False,
) -> Made:
    """Add a region by its outlines; with ``beside``, it ends where its neighbours begin, at the same corners."""
    frame = frame_of(document, annotations)
    geometry = own(document, annotations, region_of(outlines), system)
    if frame is not None and region in frame.index:
        raise BadInput(f"'{annotations}' has a region '{region}' already.", "Leave the id out.")
    changed: dict[str, Any] = {}
    if beside and frame is not None:
        geometry, changed = _fitted(frame, geometry, ())
    row = regions_frame(
        [geometry], [region], _filled(1, class_name, annotator, note, created), places_of_rows(frame, system)
    )
    changes = [written(document, annotations, [row, reshaped(frame, changed)])]
    changes += coloured(document, annotations, [class_name])
    return f"draw {_named(class_name)} in {annotations}", changes


@correction
def edit_annotation(
    document: Document, annotations: str, region: str, outlines: Outlines, system: str = GLOBAL, beside: bool = False
) -> Made:
    """Give a region other outlines."""
    row = region_named(document, annotations, region)
    frame = frame_of(document, annotations)
    geometry = own(document, annotations, region_of(outlines), system)
    changed: dict[str, Any] = {}
    if beside:
        geometry, changed = _fitted(frame, geometry, (region,))
    changed[region] = geometry
    return f"reshape {_named(row[CLASS])} in {annotations}", [reshaped_change(document, annotations, changed)]


@correction
def move_vertex(
    document: Document,
    annotations: str,
    region: str,
    from_um: Sequence[float],
    to_um: Sequence[float],
    system: str = GLOBAL,
) -> Made:
    """Move the corner of a region at a place to another; neighbours that share the corner follow."""
    import shapely

    frame, row = frame_of(document, annotations), region_named(document, annotations, region)
    back = document.affine(annotations, system).inverse()
    places = np.asarray([from_um, to_um], dtype=float)
    if places.shape != (2, 2) or not np.isfinite(places).all():
        raise BadInput(f"{list(to_um)} is not a place.", "Give y and x in µm.")
    start, stop = back.apply(places)[:, ::-1]
    corners = shapely.get_coordinates(row.geometry)
    start = corners[np.linalg.norm(corners - start, axis=1).argmin()]
    near = frame.index[frame.geometry.distance(shapely.Point(start)) <= 1e-9]
    changed = {}
    for name in dict.fromkeys([region, *near]):
        before = frame.geometry[name]
        after = shapely.transform(before, lambda xy: np.where((xy == start).all(axis=1)[:, None], stop, xy))
        if not after.equals_exact(before, 0):
            changed[str(name)] = valid(after)
    return f"move a corner of {_named(row[CLASS])} in {annotations}", [reshaped_change(document, annotations, changed)]


@correction
def delete_annotation(document: Document, annotations: str, regions: Sequence[str]) -> Made:
    """Take regions away."""
    rows = [region_named(document, annotations, r) for r in regions]
    if not rows:
        raise BadInput("No region is selected.", "Select the regions to delete.")
    what = _named(rows[0][CLASS]) if len(rows) == 1 else f"{len(rows)} regions"
    return f"delete {what} in {annotations}", [edit_shapes(document, annotations, None, drop=dict.fromkeys(regions))]


@correction
def set_annotation(
    document: Document,
    annotations: str,
    regions: Sequence[str],
    class_name: str | None = None,
    note: str | None = None,
    annotator: str | None = None,
) -> Made:
    """Give regions another class, note or annotator; what is left out stays."""
    said = {CLASS: class_name, "note": note, "annotator": annotator}
    new = {column: value for column, value in said.items() if value is not None}
    if not regions or not new:
        raise BadInput("There is nothing to change.", "Select regions and choose a class or write a note.")
    frame = complete(frame_of(document, annotations))
    rows = frame.loc[[str(region_named(document, annotations, r).name) for r in regions]].copy()
    for column, value in new.items():
        rows[column] = value
    changes: list[Change] = [written(document, annotations, [rows])]
    changes += [] if class_name is None else coloured(document, annotations, [class_name])
    what = "the region" if len(regions) == 1 else f"{len(regions)} regions"
    told = f"{what} becomes {_named(class_name)}" if class_name is not None else f"{' and '.join(new)} of {what}"
    return told, changes


@correction
def cut_hole(document: Document, annotations: str, region: str, outlines: Outlines, system: str = GLOBAL) -> Made:
    """Take what an outline encloses out of a region."""
    row = region_named(document, annotations, region)
    hole = own(document, annotations, region_of(outlines), system)
    changed = {region: subtracted(row.geometry, [hole])}
    return f"cut a hole into {_named(row[CLASS])} in {annotations}", [reshaped_change(document, annotations, changed)]


@correction
def join_annotations(document: Document, annotations: str, regions: Sequence[str]) -> Made:
    """Make one region of several; the first keeps its id, class and note."""
    names = list(dict.fromkeys(regions))
    if len(names) < 2:
        raise BadInput("Fewer than two regions are selected.", "Select the regions to join.")
    rows = [region_named(document, annotations, r) for r in names]
    frame = frame_of(document, annotations)
    one = frame.loc[[names[0]]].copy()
    one.geometry = [joined([r.geometry for r in rows])]
    change = edit_shapes(document, annotations, like(one, frame), drop=names[1:])
    return f"join {len(names)} regions of {annotations}", [change]


@correction
def subtract_annotations(document: Document, annotations: str, region: str, others: Sequence[str]) -> Made:
    """Take other regions out of one; they stay as they are."""
    row = region_named(document, annotations, region)
    taken = [region_named(document, annotations, r).geometry for r in others if r != region]
    if not taken:
        raise BadInput("No other region is selected.", "Select the region to keep, then those to take out of it.")
    changed = {region: subtracted(row.geometry, taken)}
    return f"subtract {len(taken)} from {_named(row[CLASS])} in {annotations}", [
        reshaped_change(document, annotations, changed)
    ]


def _named(class_name: Any) -> str:
    return str(class_name) or "a region"


def _filled(n: int, class_name: str, annotator: str, note: str, created: str) -> dict[str, list[str]]:
    return {CLASS: [class_name] * n, "annotator": [annotator] * n, "note": [note] * n, "created": [created] * n}


def _fitted(frame: Any, geometry: Any, but: Sequence[str]) -> tuple[Any, dict[str, Any]]:
    """Return a region that ends where its neighbours begin, and the neighbours whose borders got its corners."""
    near = [i for i in frame.index[frame.geometry.distance(geometry) <= 1e-6] if i not in but]
    geometry = kept_clear(geometry, [frame.geometry[i] for i in near])
    changed = {}
    for name in near:
        before = frame.geometry[name]
        geometry, after = shared_border(geometry, before)
        if after.is_valid and not after.equals_exact(before, 0):
            changed[str(name)] = after
    return valid(geometry), changed
