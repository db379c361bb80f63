"""What the hand does: each correction is made by name and plain arguments, so that it can be replayed.

``correct(document, "merge-cells", labels="nuclei", cells=[12, 19])`` returns the command; executing it
is the session's. The window, the command line and the replay all come through here.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core import labels as edits
from ..core.patch import Patch, Window
from ..errors import BadInput
from .cells import follow
from .changes import Change, EditColumn, EditLabels, Put
from .command import Command
from .document import GLOBAL, Document
from .selection import by_hand
from .store import put, put_entry
from .values import Encoder, decode

__all__ = ["correct", "corrections", "packed", "unpacked"]

Made = tuple[str, Sequence[Change]]
_MADE: dict[str, Callable[..., Made]] = {}
_LARGEST = 64_000_000


def corrections() -> tuple[str, ...]:
    """Return the names of all corrections."""
    return tuple(_MADE)


def correct(document: Document, name: str, /, **arguments: Any) -> Command:
    """Make the command of a correction. Nothing changes until a session executes it.

    Raises
    ------
    BadInput, DocumentError
        When there is no such correction, or it cannot be made.
    """
    if name not in _MADE:
        raise BadInput(f"There is no correction '{name}'.", f"Choose one of {', '.join(_MADE)}.")
    if name in ("draw-cell", "split-cell") and "new_id" not in arguments:
        arguments["new_id"] = document.grid(arguments["labels"]).maximum() + 1  # recorded, so that a replay uses it
    label, changes = _MADE[name](document, **arguments)
    return Command(label, tuple(changes), {"type": "correction", "name": name, "arguments": arguments})


def _correction(function: Callable[..., Made]) -> Callable[..., Made]:
    _MADE[function.__name__.replace("_", "-")] = function
    return function


def packed(array: npt.NDArray[Any]) -> dict[str, Any]:
    """Return an array as plain values, compressed, for the arguments of a correction."""
    encoder = Encoder()
    meta = encoder.array(np.ascontiguousarray(array))
    return {"meta": meta, "data": [base64.b64encode(b).decode() for b in encoder.buffers]}


def unpacked(value: Any) -> npt.NDArray[Any]:
    """Return the array again."""
    if isinstance(value, dict):
        return np.asarray(decode(value["meta"], [base64.b64decode(b) for b in value["data"]]))
    return np.asarray(value)


# cells ---------------------------------------------------------------------------------------


@_correction
def paint_labels(document: Document, labels: str, offset: Sequence[int], values: Any) -> Made:
    """Replace a window of labels by what was painted."""
    new = unpacked(values)
    y, x = int(offset[0]), int(offset[1])
    grid = document.grid(labels)
    old = grid.read((y, y + new.shape[0], x, x + new.shape[1]))
    if old.shape != new.shape:
        raise BadInput("The stroke reaches outside the labels.", "Draw inside the image.")
    patch = edits.diff(old, new.astype(grid.dtype), (y, x))
    if patch is None:
        return "paint", ()
    return f"paint {_named(patch.touched)} in {labels}", _labels_changes(document, labels, patch)


@_correction
def merge_cells(document: Document, labels: str, cells: Sequence[int], window: Window | None = None) -> Made:
    """Make one cell of several; the largest keeps its id."""
    patch = edits.merge_cells(_pixels(document, labels, window), cells, window=window)
    return f"merge {_named(cells)} in {labels}", _labels_changes(document, labels, patch)


@_correction
def delete_cells(document: Document, labels: str, cells: Sequence[int], window: Window | None = None) -> Made:
    """Turn cells into background."""
    patch = edits.delete_cells(_pixels(document, labels, window), cells, window=window)
    return f"delete {_named(cells)} in {labels}", _labels_changes(document, labels, patch)


@_correction
def split_cell(
    document: Document,
    labels: str,
    cell: int,
    line: Sequence[Sequence[float]],
    new_id: int,
    how: Any = "straight",
    window: Window | None = None,
) -> Made:
    """Cut a cell in two along a line of (y, x) pixel positions; the larger part keeps the id."""
    pixels = _pixels(document, labels, window)
    patch = edits.split_cell(pixels, cell, line, new_id=new_id, how=how, window=window)
    return f"split cell {cell} in {labels}", _labels_changes(document, labels, patch)


@_correction
def draw_cell(document: Document, labels: str, outline: Sequence[Sequence[float]], new_id: int) -> Made:
    """Add a cell by its outline of (y, x) pixel positions, on background only."""
    pixels: Any = document.grid(labels).levels[0]  # only the outline's box is read
    patch = edits.draw_outline(pixels, outline, new_id)
    return f"draw cell {new_id} in {labels}", _labels_changes(document, labels, patch)


def _pixels(document: Document, labels: str, window: Window | None) -> Any:
    """Return what an edit reads: with a window the labels as they lie, else all of them."""
    grid = document.grid(labels)
    if window is not None:
        return grid.levels[0]
    if grid.shape[0] * grid.shape[1] > _LARGEST:
        raise BadInput(
            f"'{labels}' has {grid.shape[0]} × {grid.shape[1]} pixels.",
            "Zoom in, so that only what is in view is read.",
        )
    return grid.read()


def _labels_changes(document: Document, labels: str, patch: Patch) -> list[Change]:
    change = EditLabels(labels, patch.offset, np.array(patch.old), np.array(patch.new))
    if not document.tables_of(labels):
        return [change]
    return [change, *follow(document, labels, patch)]


def _named(cells: Sequence[int]) -> str:
    ids = [str(int(c)) for c in cells]
    if len(ids) == 1:
        return f"cell {ids[0]}"
    if len(ids) > 4:
        return f"{len(ids)} cells"
    return f"cells {', '.join(ids[:-1])} and {ids[-1]}"


# domains and other columns -------------------------------------------------------------------


@_correction
def relabel(document: Document, table: str, column: str, rows: Any, value: str) -> Made:
    """Give rows of a table a value of a categorical column by hand; a run keeps it."""
    obs = document.table(table).obs
    at = np.unique(unpacked(rows).astype(np.int64))
    if len(at) == 0:
        raise BadInput("Nothing is selected.", "Brush over some spots first.")
    if at[0] < 0 or at[-1] >= len(obs):
        raise BadInput(f"The table '{table}' has {len(obs)} rows, but row {at[-1]} was named.", "Select again.")
    mark = by_hand(column)
    changes: list[Change] = []
    if column not in obs:
        empty = pd.Series(pd.Categorical([None] * len(obs), categories=[value]), index=obs.index)
        changes.append(Put(("tables", table, "obs", column), None, empty))
        before = empty
    else:
        before = obs[column]
    if mark not in obs:
        false = pd.Series(np.zeros(len(obs), dtype=bool), index=obs.index)
        changes.append(Put(("tables", table, "obs", mark), None, false))
    old, new = _piece(before, at, value, column)
    changes.append(EditColumn(table, column, at, old, new))
    was = obs[mark].to_numpy(dtype=bool)[at] if mark in obs else np.zeros(len(at), dtype=bool)
    changes.append(EditColumn(table, mark, at, pd.Series(was), pd.Series(np.ones(len(at), dtype=bool))))
    return f"{len(at)} {'row' if len(at) == 1 else 'rows'} of {table} into {value}", changes


def _piece(
    before: pd.Series[Any], rows: npt.NDArray[np.int64], value: str, column: str
) -> tuple[pd.Series[Any], pd.Series[Any]]:
    old = before.iloc[rows].reset_index(drop=True)
    if not isinstance(before.dtype, pd.CategoricalDtype):
        if before.dtype.kind not in "OUT":
            raise BadInput(f"The column '{column}' holds numbers.", "Choose a column of categories.")
        return old, pd.Series([value] * len(rows), dtype=object)
    categories = [str(c) for c in before.cat.categories]
    wanted = categories if value in categories else [*categories, value]
    new = pd.Series(pd.Categorical([value] * len(rows), categories=wanted, ordered=before.cat.ordered))
    return old, new


@_correction
def release(document: Document, table: str, column: str, rows: Any = None) -> Made:
    """Say that rows (all, if none are named) are no longer given by hand; the next run may change them."""
    obs, mark = document.table(table).obs, by_hand(column)
    if mark not in obs or not obs[mark].any():
        raise BadInput(f"Nothing in '{column}' was given by hand.", "Brush over some spots first.")
    at = np.flatnonzero(obs[mark].to_numpy(dtype=bool))
    if rows is not None:
        at = np.intersect1d(at, unpacked(rows).astype(np.int64))
    false = pd.Series(np.zeros(len(at), dtype=bool))
    return f"release {len(at)} rows of {table}", [EditColumn(table, mark, at, ~false, false)]


@_correction
def rename_category(document: Document, table: str, column: str, old: str, new: str) -> Made:
    """Rename a domain or another category; taking the name of another one merges the two."""
    values = document.get(("tables", table, "obs", column))
    if values is None or not isinstance(values.dtype, pd.CategoricalDtype) or old not in values.cat.categories:
        raise BadInput(f"'{column}' of '{table}' has no category '{old}'.", "Choose one of its categories.")
    if not new.strip():
        raise BadInput("The new name is empty.", "Give it a name.")
    names = list(dict.fromkeys(new if c == old else str(c) for c in values.cat.categories))
    made = values.astype(object).replace({old: new})
    column_after = pd.Series(pd.Categorical(made, categories=names, ordered=values.cat.ordered), index=values.index)
    verb = "merge" if new in values.cat.categories else "rename"
    return f"{verb} {old} into {new}", [put(document, ("tables", table, "obs", column), column_after)]


@_correction
def set_colour(document: Document, column: str, category: str, colour: str) -> Made:
    """Give a category of a column a colour, as ``#rrggbb``."""
    code = colour.removeprefix("#")
    if len(code) != 6 or any(c not in "0123456789abcdefABCDEF" for c in code):
        raise BadInput(f"'{colour}' is not a colour.", "Write it as #rrggbb.")
    kept = dict(document.attribute("colours", {}).get(column, {}))
    kept[category] = "#" + code.lower()
    return f"colour of {category}", [put_entry(document, "colours", column, kept)]


# landmarks and places ------------------------------------------------------------------------


@_correction
def add_landmark(
    document: Document, landmarks: str, fixed_um: Sequence[float], moving_um: Sequence[float], fixed: str = GLOBAL
) -> Made:
    """Add a pair of landmarks, each as (y, x) in µm of its own coordinate system."""
    held = _landmarks(document, landmarks, fixed)
    pair = [[float(v) for v in side] for side in (fixed_um, moving_um)]
    made = {**held, "fixed_um": [*held["fixed_um"], pair[0]], "moving_um": [*held["moving_um"], pair[1]]}
    n = len(made["fixed_um"])
    return f"add landmark {n} of {landmarks}", [put_entry(document, "landmarks", landmarks, made)]


@_correction
def move_landmark(document: Document, landmarks: str, number: int, side: str, to_um: Sequence[float]) -> Made:
    """Move one side ("fixed" or "moving") of a landmark; the first is number 1."""
    held = _landmark(document, landmarks, number)
    key = f"{side}_um"
    if key not in held:
        raise BadInput(f"A landmark has no side '{side}'.", "Choose fixed or moving.")
    points = [list(p) for p in held[key]]
    points[number - 1] = [float(v) for v in to_um]
    made = {**held, key: points}
    return f"move landmark {number} of {landmarks}", [put_entry(document, "landmarks", landmarks, made)]


@_correction
def delete_landmark(document: Document, landmarks: str, number: int) -> Made:
    """Delete a pair of landmarks; the first is number 1."""
    held = _landmark(document, landmarks, number)
    made = {
        **held,
        **{k: [p for i, p in enumerate(held[k]) if i != number - 1] for k in ("fixed_um", "moving_um")},
    }
    return f"delete landmark {number} of {landmarks}", [put_entry(document, "landmarks", landmarks, made)]


def _landmarks(document: Document, name: str, fixed: str) -> dict[str, Any]:
    empty = {"fixed": fixed, "moving": name, "fixed_um": [], "moving_um": []}
    return dict(document.attribute("landmarks", {}).get(name, empty))


def _landmark(document: Document, name: str, number: int) -> dict[str, Any]:
    held = _landmarks(document, name, GLOBAL)
    if not 1 <= number <= len(held["fixed_um"]):
        raise BadInput(f"'{name}' has {len(held['fixed_um'])} landmarks, but no number {number}.", "Choose another.")
    return held


@_correction
def set_unit(document: Document, coordinate_system: str, um_per_unit: float) -> Made:
    """Say how many µm what counted as 1 µm in a coordinate system really is: everything in it is scaled."""
    if not np.isfinite(um_per_unit) or um_per_unit <= 0:
        raise BadInput(f"{um_per_unit} µm is not a size.", "Give a number above 0.")
    if coordinate_system not in document.coordinate_systems():
        have = ", ".join(document.coordinate_systems())
        raise BadInput(f"There is no coordinate system '{coordinate_system}'.", f"There are: {have}.")
    scale = np.diag([float(um_per_unit), float(um_per_unit), 1.0])
    slots = [s for s in document.transform_slots() if s[3] == coordinate_system]
    changes: list[Change] = [put(document, s, (scale @ np.asarray(document.get(s))).tolist()) for s in slots]
    held = document.attribute("landmarks", {})
    for name, pairs in held.items():
        sides = [s for s in ("fixed", "moving") if pairs.get(s) == coordinate_system]
        if sides:
            points = {f"{s}_um": (np.asarray(pairs[f"{s}_um"]) * um_per_unit).tolist() for s in sides}
            changes.append(put_entry(document, "landmarks", name, {**pairs, **points}))
    return f"one unit of {coordinate_system} is {um_per_unit:g} µm", changes


@_correction
def remove_element(document: Document, name: str) -> Made:
    """Take an element or a table out of the document."""
    slot = (document.type_of(name), name)
    return f"remove {name}", [Put(slot, document.get(slot), None)]


@_correction
def accept_result(document: Document, name: str) -> Made:
    """Say that a person has looked at an element and found it right."""
    document.type_of(name)
    return f"accept {name}", [put_entry(document, "accepted", name, True)]
