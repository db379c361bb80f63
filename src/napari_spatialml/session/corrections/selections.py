"""Corrections of named selections: keep one in the document, drop it, rename it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ...errors import BadInput
from ..changes import Change, EditColumn, Put
from ..document import Document
from ..row_words import counted
from ..selected import SELECTIONS, column_for, kept_selection, kept_selections
from ..store import put, put_entry
from .registry import Made, correction, unpacked


@correction
def keep_selection(document: Document, table: str, name: str, rows: Any, said: str = "") -> Made:
    """Keep rows of a table as a selection by name; one that has the name already holds these rows from now on."""
    obs, name = document.table(table).obs, _named(name)
    at = np.unique(unpacked(rows).astype(np.int64))
    if len(at) == 0:
        raise BadInput("Nothing is selected.", "Select some rows first.")
    if at[0] < 0 or at[-1] >= len(obs):
        raise BadInput(f"The table '{table}' has {len(obs)} rows, but row {at[-1]} was named.", "Select again.")
    held = {k.name: k for k in kept_selections(document, table)}
    column = held[name].column if name in held else column_for(name, obs.columns)
    new = np.zeros(len(obs), dtype=bool)
    new[at] = True
    changes: list[Change] = [_set(document, table, column, new), _entry(document, table, name, column, said)]
    verb = "replace" if name in held else "keep"
    return f"{verb} the selection {name} ({counted(document, table, len(at))} of {table})", changes


@correction
def drop_selection(document: Document, table: str, name: str) -> Made:
    """Take a kept selection out of the document."""
    kept = kept_selection(document, table, name)
    gone = put(document, ("tables", table, "obs", kept.column), None)
    return f"drop the selection {name}", [gone, _entries(document, table, {name: None})]


@correction
def rename_selection(document: Document, table: str, old: str, new: str) -> Made:
    """Give a kept selection another name; its column goes with it."""
    kept, new = kept_selection(document, table, old), _named(new)
    if any(k.name == new for k in kept_selections(document, table)):
        raise BadInput(f"There is a selection '{new}' already.", "Choose another name.")
    obs = document.table(table).obs
    column = column_for(new, [c for c in obs.columns if c != kept.column])
    moved: list[Change] = []
    if column != kept.column:
        moved = [put(document, ("tables", table, "obs", kept.column), None)]
        moved.append(put(document, ("tables", table, "obs", column), obs[kept.column]))
    entry = _entries(document, table, {old: {"column": column, "said": kept.said}}, {old: new})
    return f"rename the selection {old} to {new}", [*moved, entry]


def _named(name: str) -> str:
    if not name.strip():
        raise BadInput("The selection has no name.", "Give it one.")
    return name.strip()


def _set(document: Document, table: str, column: str, new: Any) -> Change:
    """Return the change that sets a boolean column: of one that is there, only the rows that differ."""
    obs = document.table(table).obs
    if column not in obs or obs[column].dtype != bool:
        return put(document, ("tables", table, "obs", column), pd.Series(new, index=obs.index))
    old = obs[column].to_numpy()
    at = np.flatnonzero(old != new)
    return EditColumn(table, column, at, pd.Series(old[at]), pd.Series(new[at]))


def _entry(document: Document, table: str, name: str, column: str, said: str) -> Put:
    return _entries(document, table, {name: {"column": column, "said": said}})


def _entries(
    document: Document, table: str, changed: dict[str, dict[str, str] | None], names: dict[str, str] | None = None
) -> Put:
    """Return the change of what is said of a table's selections; they keep their order."""
    held = {**document.attribute(SELECTIONS, {}).get(table, {}), **changed}
    wanted = {(names or {}).get(name, name): entry for name, entry in held.items() if entry is not None}
    return put_entry(document, SELECTIONS, table, wanted or None)
