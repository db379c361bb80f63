"""Corrections of annotations: draw, reshape, cut holes, join, subtract, classify, delete, and take in a file.

Outlines are parts of a region, each an outline and its holes, each of these corners (y, x) in µm of a
coordinate system. Regions are named by their ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import numpy as np

from ...core.colours import category_colours
from ...core.regions import Outlines, joined, kept_clear, region_of, shared_border, subtracted, valid
from ...errors import BadInput
from ...io.regions_file import CLASS, COLUMNS, regions_frame
from ..annotating import class_colours, frame_of, moved, region
from ..changes import Change, Put
from ..document import GLOBAL, Document
from ..history import who
from ..shape_rows import edit_shapes
from ..store import put_entry
from .registry import Made, completed_by, correction, unpacked

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
    geometry = _own(document, annotations, region_of(outlines), system)
    if frame is not None and region in frame.index:
        raise BadInput(f"'{annotations}' has a region '{region}' already.", "Leave the id out.")
    changed: dict[str, Any] = {}
    if beside and frame is not None:
        geometry, changed = _fitted(frame, geometry, ())
    row = regions_frame([geometry], [region], _filled(1, class_name, annotator, note, created), _places(frame, system))
    changes = [_written(document, annotations, [row, _reshaped(frame, changed)])]
    changes += _coloured(document, annotations, [class_name])
    return f"draw {_named(class_name)} in {annotations}", changes


@correction
def edit_annotation(
    document: Document, annotations: str, region: str, outlines: Outlines, system: str = GLOBAL, beside: bool = False
) -> Made:
    """Give a region other outlines."""
    row = _row(document, annotations, region)
    frame = frame_of(document, annotations)
    geometry = _own(document, annotations, region_of(outlines), system)
    changed: dict[str, Any] = {}
    if beside:
        geometry, changed = _fitted(frame, geometry, (region,))
    changed[region] = geometry
    return f"reshape {_named(row[CLASS])} in {annotations}", [_geometry(document, annotations, changed)]


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

    frame, row = frame_of(document, annotations), _row(document, annotations, region)
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
    return f"move a corner of {_named(row[CLASS])} in {annotations}", [_geometry(document, annotations, changed)]


@correction
def delete_annotation(document: Document, annotations: str, regions: Sequence[str]) -> Made:
    """Take regions away."""
    rows = [_row(document, annotations, r) for r in regions]
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
    frame = _complete(frame_of(document, annotations))
    rows = frame.loc[[str(_row(document, annotations, r).name) for r in regions]].copy()
    for column, value in new.items():
        rows[column] = value
    changes: list[Change] = [_written(document, annotations, [rows])]
    changes += [] if class_name is None else _coloured(document, annotations, [class_name])
    what = "the region" if len(regions) == 1 else f"{len(regions)} regions"
    told = f"{what} becomes {_named(class_name)}" if class_name is not None else f"{' and '.join(new)} of {what}"
    return told, changes


@correction
def cut_hole(document: Document, annotations: str, region: str, outlines: Outlines, system: str = GLOBAL) -> Made:
    """Take what an outline encloses out of a region."""
    row = _row(document, annotations, region)
    hole = _own(document, annotations, region_of(outlines), system)
    changed = {region: subtracted(row.geometry, [hole])}
    return f"cut a hole into {_named(row[CLASS])} in {annotations}", [_geometry(document, annotations, changed)]


@correction
def join_annotations(document: Document, annotations: str, regions: Sequence[str]) -> Made:
    """Make one region of several; the first keeps its id, class and note."""
    names = list(dict.fromkeys(regions))
    if len(names) < 2:
        raise BadInput("Fewer than two regions are selected.", "Select the regions to join.")
    rows = [_row(document, annotations, r) for r in names]
    frame = frame_of(document, annotations)
    one = frame.loc[[names[0]]].copy()
    one.geometry = [joined([r.geometry for r in rows])]
    change = edit_shapes(document, annotations, _like(one, frame), drop=names[1:])
    return f"join {len(names)} regions of {annotations}", [change]


@correction
def subtract_annotations(document: Document, annotations: str, region: str, others: Sequence[str]) -> Made:
    """Take other regions out of one; they stay as they are."""
    row = _row(document, annotations, region)
    taken = [_row(document, annotations, r).geometry for r in others if r != region]
    if not taken:
        raise BadInput("No other region is selected.", "Select the region to keep, then those to take out of it.")
    changed = {region: subtracted(row.geometry, taken)}
    return f"subtract {len(taken)} from {_named(row[CLASS])} in {annotations}", [
        _geometry(document, annotations, changed)
    ]


@correction
def rename_class(document: Document, old: str, new: str) -> Made:
    """Rename a class in all annotations; taking the name of another one makes one class of the two."""
    from ..annotating import annotation_names

    if not new.strip():
        raise BadInput("The new name is empty.", "Give it a name.")
    known = document.colours(CLASS)
    changes: list[Change] = []
    for name in annotation_names(document):
        frame = frame_of(document, name)
        rows = frame[frame[CLASS] == old].copy()
        if len(rows):
            known.setdefault(old, class_colours(document, name)[old])
            rows[CLASS] = new
            changes.append(_written(document, name, [rows]))
    if old not in known:
        raise BadInput(f"There is no class '{old}'.", "Choose one of the classes.")
    verb = "join" if new in known else "rename"
    colours = {(new if c == old else c): v for c, v in known.items() if not (c == old and new in known)}
    return f"{verb} {old} into {new}", [*changes, put_entry(document, "colours", CLASS, colours)]


@correction
def remove_class(document: Document, class_name: str) -> Made:
    """Take a class without regions out of the list."""
    from ..annotating import annotation_names

    if any((frame_of(document, n)[CLASS] == class_name).any() for n in annotation_names(document)):
        raise BadInput(f"There are regions of the class '{class_name}'.", "Give them another class first.")
    known = document.colours(CLASS)
    if class_name not in known:
        raise BadInput(f"There is no class '{class_name}'.", "Choose one of the classes.")
    del known[class_name]
    return f"remove the class {class_name}", [put_entry(document, "colours", CLASS, known or None)]


@correction
def import_annotations(
    document: Document,
    annotations: str,
    ids: Sequence[str],
    geometry: Any,
    columns: dict[str, list[str]],
    colours: dict[str, str] | None = None,
    source: str = "",
    system: str = GLOBAL,
) -> Made:
    """Add the regions of a file.

    Parameters
    ----------
    document
        The document.
    annotations
        Where they go; made if it is not there.
    ids
        (n,) their ids; one that is taken gets a number.
    geometry
        Their well-known binary as `packed` bytes with `packed` lengths: ``{"bytes": …, "lengths": …}``.
    columns
        Of "class", "annotator", "note" and "created", (n,) each.
    colours
        Those of classes that have none yet.
    source
        The file's name, for the history.
    system
        The coordinate system of the geometry, in µm.
    """
    import shapely

    frame = frame_of(document, annotations)
    data, ends = unpacked(geometry["bytes"]).tobytes(), np.cumsum(unpacked(geometry["lengths"]))
    binary = [data[a:b] for a, b in zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True)]
    shapes = [_own(document, annotations, g, system) for g in shapely.from_wkb(binary)]
    taken = set() if frame is None else set(frame.index)
    rows = regions_frame(shapes, _free(ids, taken), columns, _places(frame, system))
    changes: list[Change] = [_written(document, annotations, [rows])]
    changes += _coloured(document, annotations, sorted(set(rows[CLASS])), colours)
    n = len(rows)
    return f"import {n:,} {'region' if n == 1 else 'regions'}{f' of {source}' if source else ''}", changes


@correction
def import_cells(document: Document, labels: str, image: str, masks: Any, source: str = "") -> Made:
    """Add the cells of a file as labels on an image, with their table."""
    from ...core.segmentation import Masks
    from ..selection import SegmentationSelection
    from ..store import store

    changes, _ = store(document, SegmentationSelection(image, output=labels), Masks(unpacked(masks)))
    return f"import cells{f' of {source}' if source else ''} into {labels}", changes


def _free(ids: Sequence[str], taken: set[str]) -> list[str]:
    made: list[str] = []
    for name in map(str, ids):
        number, new = 1, name
        while new in taken:
            number, new = number + 1, f"{name}-{number + 1}"
        taken.add(new)
        made.append(new)
    return made


def _row(document: Document, annotations: str, name: str) -> Any:
    return region(document, annotations, name)


def _named(class_name: Any) -> str:
    return str(class_name) or "a region"


def _filled(n: int, class_name: str, annotator: str, note: str, created: str) -> dict[str, list[str]]:
    return {CLASS: [class_name] * n, "annotator": [annotator] * n, "note": [note] * n, "created": [created] * n}


def _own(document: Document, annotations: str, geometry: Any, system: str) -> Any:
    """Return a geometry of a coordinate system in the element's own coordinates."""
    import shapely

    if annotations not in document.names("shapes"):
        return geometry
    affine = document.affine(annotations, system)
    if np.array_equal(affine.matrix, np.eye(3)):
        return geometry
    back = affine.inverse()
    return shapely.transform(geometry, lambda xy: moved(xy, back))


def _places(frame: Any, system: str) -> dict[str, Any]:
    from ..elements import matrices

    return {system: np.eye(3).tolist()} if frame is None else matrices(frame)


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


def _geometry(document: Document, annotations: str, changed: dict[str, Any]) -> Change:
    frame = frame_of(document, annotations)
    rows = _reshaped(frame, changed)
    if rows is None:
        raise BadInput("Nothing was changed.", "Move it farther.")
    return edit_shapes(document, annotations, rows)


def _reshaped(frame: Any, changed: dict[str, Any]) -> Any:
    if not changed:
        return None
    rows = frame.loc[list(changed)].copy()
    rows.geometry = list(changed.values())
    return _like(rows, frame)


def _like(rows: Any, frame: Any) -> Any:
    """Give rows the columns and the place of a frame."""
    made = rows.reindex(columns=frame.columns, fill_value="")
    made.attrs = dict(frame.attrs)
    return made


def _complete(frame: Any) -> Any:
    """Return a frame with all columns that annotations have."""
    missing = [c for c in COLUMNS if c not in frame]
    if not missing:
        return frame
    made = frame.copy()
    for column in missing:
        made[column] = ""
    made.attrs = dict(frame.attrs)
    return made


def _written(document: Document, annotations: str, parts: Sequence[Any]) -> Change:
    """Return the change that puts rows into the element, which is made, or gets missing columns, where it must."""
    import geopandas
    import pandas as pd

    frame = frame_of(document, annotations)
    given = [p for p in parts if p is not None]
    if frame is None:
        return Put(("shapes", annotations), None, given[0])
    whole = _complete(frame)
    rows = geopandas.GeoDataFrame(pd.concat([_like(p, whole) for p in given]))
    rows.attrs = dict(frame.attrs)
    if whole is frame:
        return edit_shapes(document, annotations, rows)
    new = rows.index.difference(whole.index, sort=False)
    made = geopandas.GeoDataFrame(pd.concat([whole, rows.loc[new]]))
    made.loc[rows.index] = rows
    made.attrs = dict(frame.attrs)
    return Put(("shapes", annotations), frame, made)


def _coloured(
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
