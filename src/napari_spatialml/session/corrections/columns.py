"""Corrections of columns: relabel rows by hand, release them, rename and recolour categories."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...errors import BadInput
from ..changes import Change, EditColumn, Put
from ..document import Document
from ..domain_maps import about_map, held_map
from ..row_words import counted
from ..selection import by_hand
from ..store import put, put_entry
from .cell_types import output_of, renamed_type
from .domains import joined_domains, relabelled, released
from .registry import Made, correction, unpacked


@correction
def relabel(document: Document, table: str, column: str, rows: Any, value: str) -> Made:
    """Give rows of a table a value of a categorical column by hand; a run keeps it."""
    obs = document.table(table).obs
    if about_map(document, table, column):
        return relabelled(document, table, column, rows, value)
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
        if isinstance(before.dtype, pd.CategoricalDtype) and not all(isinstance(c, str) for c in before.cat.categories):
            before = before.cat.rename_categories([str(c) for c in before.cat.categories])
            changes.append(put(document, ("tables", table, "obs", column), before))
    if mark not in obs:
        false = pd.Series(np.zeros(len(obs), dtype=bool), index=obs.index)
        changes.append(Put(("tables", table, "obs", mark), None, false))
    old, new = _piece(before, at, value, column)
    changes.append(EditColumn(table, column, at, old, new))
    was = obs[mark].to_numpy(dtype=bool)[at] if mark in obs else np.zeros(len(at), dtype=bool)
    changes.append(EditColumn(table, mark, at, pd.Series(was), pd.Series(np.ones(len(at), dtype=bool))))
    return f"{counted(document, table, len(at))} of {table} into {value}", changes


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


@correction
def release(document: Document, table: str, column: str, rows: Any = None) -> Made:
    """Say that rows (all, if none are named) are no longer given by hand; the next run may change them."""
    obs, mark = document.table(table).obs, by_hand(column)
    if mark not in obs or not obs[mark].any():
        raise BadInput(f"Nothing in '{column}' was given by hand.", "Brush over some spots first.")
    at = np.flatnonzero(obs[mark].to_numpy(dtype=bool))
    if rows is not None:
        at = np.intersect1d(at, unpacked(rows).astype(np.int64))
    label = f"release {counted(document, table, len(at))} of {table}"
    if about_map(document, table, column):
        return label, released(document, table, column, at)
    false = pd.Series(np.zeros(len(at), dtype=bool))
    return label, [EditColumn(table, mark, at, ~false, false)]


@correction
def rename_category(document: Document, table: str, column: str, old: str, new: str) -> Made:
    """Rename a domain, a learnt cell type or another category; of a name that is taken, the two are merged.

    Cell types are not merged, and those of a reference keep their names.
    """
    values = document.get(("tables", table, "obs", column))
    if values is None or not isinstance(values.dtype, pd.CategoricalDtype) or old not in values.cat.categories:
        raise BadInput(f"'{column}' of '{table}' has no category '{old}'.", "Choose one of its categories.")
    new = new.strip()
    if not new:
        raise BadInput("The new name is empty.", "Give it a name.")
    verb = "merge" if new in values.cat.categories else "rename"
    if about_map(document, table, column):
        found = held_map(document, table, column)
        return f"{verb} {old} into {new}", joined_domains(document, found, {old: new})
    output = output_of(document, table, column)
    beside = renamed_type(document, table, output, old, new) if output else []
    kept = document.colours(column)
    if old in kept:
        kept = {(new if c == old and new not in kept else c): v for c, v in kept.items() if c != old or new not in kept}
        recoloured = [put_entry(document, "colours", column, kept)]
    else:
        recoloured = []
    names = list(dict.fromkeys(new if c == old else str(c) for c in values.cat.categories))
    made = values.astype(object).replace({old: new})
    column_after = pd.Series(pd.Categorical(made, categories=names, ordered=values.cat.ordered), index=values.index)
    renamed = put(document, ("tables", table, "obs", column), column_after)
    return f"{verb} {old} into {new}", [renamed, *recoloured, *beside]


@correction
def set_colour(document: Document, column: str, category: str, colour: str) -> Made:
    """Give a category of a column a colour, as ``#rrggbb``."""
    code = colour.removeprefix("#")
    if len(code) != 6 or any(c not in "0123456789abcdefABCDEF" for c in code):
        raise BadInput(f"'{colour}' is not a colour.", "Write it as #rrggbb.")
    kept = document.colours(column)
    kept[category] = "#" + code.lower()
    return f"colour of {category}", [put_entry(document, "colours", column, kept)]
