"""Corrections that make one of two readers' work: a consensus of cells, and a consensus of classes.

The consensus begins as a copy of reader A's. Each decision makes it, at one disagreement, what one of
the readers had there; nothing else of it changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...core.patch import Window, diff, found_in
from ...errors import BadInput
from ..cells import pixels_known, table_name
from ..changes import Change, EditColumn
from ..comparing import require_same_frame
from ..document import Document
from ..elements import LabelsElement, matrices
from ..grid import LabelGrid
from ..row_words import counted
from ..settling import CONSENSUS, KEEPS, consensus_of, key_of, settled_mark, settled_slot
from ..store import put, put_entry
from .cells import labels_changes, named
from .registry import Made, correction, unpacked

__all__ = ["LARGEST", "copied_labels"]

LARGEST = 150_000_000
"""Pixels of labels that are copied whole, in memory and into the journal."""


@correction
def start_consensus(document: Document, labels: str, labels_a: str, labels_b: str) -> Made:
    """Begin labels on which two readers are to agree, as a copy of those of the first."""
    require_same_frame(document, labels_a, document, labels_b)
    if labels in document.names("labels") and not consensus_of(document, labels):
        raise BadInput(f"'{labels}' are labels of their own.", "Give the consensus a new name.")
    if labels in (labels_a, labels_b):
        raise BadInput(f"'{labels}' is one of the two that are compared.", "Give the consensus a new name.")
    changes = [*copied_labels(document, document, labels_a, labels), *_forgotten(document, labels)]
    changes.append(put_entry(document, CONSENSUS, labels, {"a": labels_a, "b": labels_b}))
    return f"begin {labels} from {labels_a}", changes


def copied_labels(source: Document, target: Document, name: str, new: str) -> list[Change]:
    """Return the changes that bring labels, with the table of their cells, into a document under a new name.

    Raises
    ------
    BadInput
        When they are too large to be copied.
    """
    grid = source.grid(name)
    if grid.shape[0] * grid.shape[1] > LARGEST:
        raise BadInput(
            f"'{name}' has {grid.shape[0]:,} × {grid.shape[1]:,} pixels, too many for a copy.",
            "They can be compared as they are; correct one of the two where they disagree.",
        )
    dtype = grid.dtype if grid.dtype.itemsize >= 4 else np.dtype(np.int32)  # there is to be room for new ids
    levels = [grid.read(None, k).astype(dtype) for k in range(len(grid.levels))]
    transforms = matrices(source.element(name))
    changes: list[Change] = [put(target, ("labels", new), LabelsElement(LabelGrid(levels), transforms))]
    own = table_name(name)
    if own in source.tables_of(name):
        changes.append(put(target, ("tables", table_name(new)), _of_region(source.table(own), new)))
    about = source.attribute("segmentations", {}).get(name)
    if about is not None:
        changes.append(put_entry(target, "segmentations", new, dict(about)))
    return changes


def _of_region(table: Any, region: str) -> Any:
    """Return a copy of a table that annotates another element."""
    made = table.copy()
    keys = dict(made.uns["spatialdata_attrs"])
    made.obs[keys["region_key"]] = pd.Categorical([region] * made.n_obs, categories=[region])
    made.uns["spatialdata_attrs"] = {**keys, "region": region}
    return made


def _forgotten(document: Document, labels: str) -> list[Change]:
    """Return the changes that forget the decisions on an earlier consensus of this name."""
    slots = [s for s in document.slots() if s[0] == "attrs" and s[1].startswith(f"settled {labels} ")]
    return [put(document, slot, None) for slot in slots]


# cells -------------------------------------------------------------------------------------------


@correction
def settle_cells(
    document: Document,
    labels: str,
    cells_a: Sequence[int],
    cells_b: Sequence[int],
    keep: str,
    window: Window,
    new_id: int,
) -> Made:
    """Settle one disagreement in consensus labels.

    A's cells keep their ids. A cell of B takes the id of the cell of A that it overlaps most, and that
    overlaps it most; the others get ``new_id`` and the ids after it, in the order of ``cells_b``. No
    pixel of another cell is taken.
    """
    readers = _require_readers(document, labels, keep)
    a, b = tuple(int(c) for c in cells_a), tuple(int(c) for c in cells_b)
    if not a and not b:
        raise BadInput("No cell is to be settled.", "Choose one of the disagreements.")
    slot = settled_slot(labels, key := key_of(a, b))
    held = document.get(slot) or {}
    before = held.get(key, {})
    changes: list[Change] = []
    new: dict[int, int] = {}
    if keep != "skip":
        box = _grown(window, document.grid(labels).shape)
        of_a, of_b = (_masks(document, readers[k], cells, box) for k, cells in (("a", a), ("b", b)))
        new = _ids_of_b(of_a, of_b, int(new_id), keep)
        wanted = (of_a if keep in ("A", "both") else {}) | {
            new[cell]: mask for cell, mask in (of_b if keep in ("B", "both") else {}).items()
        }
        ours = [*a, *(int(i) for i in before.get("new", []))]
        changes = _replaced(document, labels, ours, wanted, box)
    fresh = sorted(set(new.values()) - set(a)) or (before.get("new", []) if keep == "skip" else [])
    changes.append(put(document, slot, {**held, key: {"keep": keep, "new": fresh}}))
    return f"{_verb(keep)}: {_which(a, b)} in {labels}", changes


def _require_readers(document: Document, labels: str, keep: str) -> dict[str, Any]:
    if keep not in KEEPS:
        raise BadInput(f"'{keep}' is no decision.", f"Choose one of {', '.join(KEEPS)}.")
    readers = consensus_of(document, labels)
    if not readers or labels not in document.names("labels"):
        raise BadInput(f"'{labels}' is not the consensus of two readers.", "Begin it under Compare.")
    return readers


def _verb(keep: str) -> str:
    return {"skip": "skip", "both": "keep both", "none": "keep none"}.get(keep, f"keep {keep}")


def _which(a: tuple[int, ...], b: tuple[int, ...]) -> str:
    return ", ".join(f"{named(cells)} of {side}" for side, cells in (("A", a), ("B", b)) if cells)


def _grown(window: Window, shape: tuple[int, int]) -> Window:
    """Return the window and a pixel around it, so that a cell that fills it is seen to end."""
    y0, y1, x0, x1 = (int(v) for v in window)
    return max(y0 - 1, 0), min(y1 + 1, shape[0]), max(x0 - 1, 0), min(x1 + 1, shape[1])


Masks = dict[int, npt.NDArray[np.bool_]]


def _masks(document: Document, labels: str, cells: tuple[int, ...], window: Window) -> Masks:
    """Return the pixels of cells in a window, in which they have to lie wholly."""
    level: Any = document.grid(labels).levels[0]
    shape = window[1] - window[0], window[3] - window[2]
    made: Masks = {}
    for cell in cells:
        mask, (y, x) = found_in(level, cell, window)
        made[cell] = np.zeros(shape, dtype=bool)
        made[cell][y - window[0] : y - window[0] + mask.shape[0], x - window[2] : x - window[2] + mask.shape[1]] = mask
    return made


def _ids_of_b(of_a: Masks, of_b: Masks, new_id: int, keep: str) -> dict[int, int]:
    """Return the id that each cell of B gets."""
    shared = {(i, j): int((p & q).sum()) for i, p in of_a.items() for j, q in of_b.items()}
    made: dict[int, int] = {}
    for number, cell in enumerate(of_b):
        best = max(of_a, key=lambda i: shared[i, cell], default=None)
        mutual = best is not None and shared[best, cell] > 0 and cell == max(of_b, key=lambda j: shared[best, j])
        made[cell] = best if mutual and best is not None and keep != "both" else new_id + number
    return made


def _replaced(document: Document, labels: str, ours: list[int], wanted: Masks, window: Window) -> list[Change]:
    """Return the changes that put cells in the place of others."""
    grid = document.grid(labels)
    box = _with_all(grid, ours, pixels_known(document, labels, tuple(ours)), window)
    old = grid.read(box)
    top = int(np.iinfo(old.dtype).max)
    new = np.where(np.isin(old, ours), old.dtype.type(0), old)
    y, x = window[0] - box[0], window[2] - box[2]
    part = new[y : y + window[1] - window[0], x : x + window[3] - window[2]]
    for cell, mask in wanted.items():
        free = mask & (part == 0)
        if not free.any():
            raise BadInput(f"There is no free pixel for cell {cell}.", "Settle the cells that lie on it first.")
        if cell > top:
            raise BadInput(f"The labels cannot hold the cell id {cell}.", f"Use numbers up to {top}.")
        part[free] = cell
    patch = diff(old, new, (box[0], box[2]))
    return [] if patch is None else labels_changes(document, labels, patch)


def _with_all(grid: LabelGrid, cells: list[int], known: dict[int, int], window: Window) -> Window:
    """Return the window grown until it holds the cells wholly: the hand may have made them larger."""
    while True:
        hit = np.isin(grid.read(window), cells)
        beyond = window[0] > 0, window[1] < grid.shape[0], window[2] > 0, window[3] < grid.shape[1]
        rim = hit[0], hit[-1], hit[:, 0], hit[:, -1]
        cut = any(more and bool(line.any()) for more, line in zip(beyond, rim, strict=True))
        if not any(beyond) or (not cut and int(hit.sum()) >= sum(known.values())):
            return window
        margin = max(window[1] - window[0], window[3] - window[2])
        y0, y1, x0, x1 = window
        window = (max(y0 - margin, 0), min(y1 + margin, grid.shape[0]),
                  max(x0 - margin, 0), min(x1 + margin, grid.shape[1]))  # fmt: skip


# classes -----------------------------------------------------------------------------------------


@correction
def start_consensus_column(document: Document, table: str, column: str, column_a: str, column_b: str) -> Made:
    """Begin a column of classes on which two readers are to agree, as a copy of that of the first."""
    obs = document.table(table).obs
    for name in (column_a, column_b):
        if name not in obs:
            raise BadInput(f"The table '{table}' has no column '{name}'.", f"It has: {', '.join(obs.columns)}.")
    key = f"{table}/{column}"
    if column in (column_a, column_b) or (column in obs and not consensus_of(document, key)):
        raise BadInput(f"'{column}' is a column of its own.", "Give the consensus a new name.")
    names = list(dict.fromkeys(str(v) for c in (column_a, column_b) for v in obs[c].dropna().unique()))
    first = obs[column_a].astype(object).map(lambda v: None if pd.isna(v) else str(v))
    made = pd.Series(pd.Categorical(first, categories=names), index=obs.index)
    changes = [
        put(document, ("tables", table, "obs", column), made),
        put(document, ("tables", table, "obs", settled_mark(column)), _undecided(obs.index)),
        put_entry(document, CONSENSUS, key, {"a": column_a, "b": column_b}),
    ]
    return f"begin {column} from {column_a}", changes


def _undecided(index: Any) -> pd.Series[Any]:
    return pd.Series(pd.Categorical([None] * len(index), categories=[k for k in KEEPS if k != "both"]), index=index)


@correction
def settle_rows(document: Document, table: str, column: str, rows: Any, keep: str) -> Made:
    """Settle the class of rows on which two readers disagree: as A or as B has it, none, or skip."""
    readers = consensus_of(document, f"{table}/{column}")
    obs = document.table(table).obs
    if not readers or column not in obs or settled_mark(column) not in obs:
        raise BadInput(f"'{column}' is not the consensus of two readers.", "Begin it under Compare.")
    if keep not in ("A", "B", "none", "skip"):
        raise BadInput(f"'{keep}' is no decision on a class.", "Choose A, B, none or skip.")
    at = np.unique(unpacked(rows).astype(np.int64))
    if not len(at) or at[0] < 0 or at[-1] >= len(obs):
        raise BadInput(f"The table '{table}' has {len(obs)} rows.", "Choose rows that are there.")
    marks = obs[settled_mark(column)].iloc[at].reset_index(drop=True)
    now = pd.Series(pd.Categorical([keep] * len(at), dtype=marks.dtype))
    changes: list[Change] = [EditColumn(table, settled_mark(column), at, marks, now)]
    if keep != "skip":
        old = obs[column].iloc[at].reset_index(drop=True)
        source = pd.Series([None] * len(at)) if keep == "none" else obs[readers[keep.lower()]].iloc[at]
        values = source.astype(object).map(lambda v: None if pd.isna(v) else str(v)).to_numpy()
        changes.append(EditColumn(table, column, at, old, pd.Series(pd.Categorical(values, dtype=old.dtype))))
    return f"{_verb(keep)} for {counted(document, table, len(at))} in {column}", changes
