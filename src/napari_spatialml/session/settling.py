"""What is settled of a comparison, and what is left: read off the document, so that it survives a restart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..core.disagreement import KINDS, Disagreements, back_and_forth
from ..core.patch import Window
from ..errors import SpatialMLError
from .document import Document
from .gather import coordinates_of

__all__ = [
    "CONSENSUS",
    "KEEPS",
    "Left",
    "RowTask",
    "Task",
    "cell_tasks",
    "consensus_of",
    "decided_cells",
    "decided_rows",
    "decisions",
    "key_of",
    "left_of",
    "next_open",
    "row_tasks",
    "settled_mark",
    "settled_slot",
]

CONSENSUS = "consensus"
"""Our attribute that says of which two readers consensus labels and columns are made."""
KEEPS = ("A", "B", "both", "none", "skip")
_SHARD = 256


@dataclass(frozen=True)
class Task:
    """One disagreement about cells to settle.

    Parameters
    ----------
    group
        Its number in the comparison.
    kind
        What it is: see `core.disagreement.KINDS`.
    cells_a, cells_b
        The cells of either reader.
    window
        Where they lie: (y0, y1, x0, x1) in pixels.
    iou
        Intersection over union of a pair, NaN for others.
    """

    group: int
    kind: str
    cells_a: tuple[int, ...]
    cells_b: tuple[int, ...]
    window: Window
    iou: float

    @property
    def key(self) -> str:
        """The name under which a decision is kept."""
        return key_of(self.cells_a, self.cells_b)

    @property
    def keeps(self) -> tuple[str, ...]:
        """What can be decided."""
        return KEEPS if self.cells_a and self.cells_b else ("A", "B", "skip")

    @property
    def words(self) -> str:
        """What the person reads."""
        if self.kind == "split or merged":
            return f"{_cells(self.cells_a)} in A, {_cells(self.cells_b)} in B"
        pair = f"cell {self.cells_a[0]} in A" if self.cells_a else ""
        other = f"cell {self.cells_b[0]} in B" if self.cells_b else ""
        shared = f", IoU {self.iou:.2f}" if self.kind == "different outline" else ""
        return " and ".join(part for part in (pair, other) if part) + shared

    def correction(self, labels: str, keep: str) -> tuple[str, dict[str, Any]]:
        """Return the name and the arguments of the correction that decides it."""
        told = {"cells_a": list(self.cells_a), "cells_b": list(self.cells_b), "keep": keep, "window": list(self.window)}
        return "settle-cells", {"labels": labels, **told}


def _cells(cells: tuple[int, ...]) -> str:
    return f"{len(cells)} cell{'s' if len(cells) != 1 else ''}"


@dataclass(frozen=True)
class RowTask:
    """One row to which two readers gave different classes.

    Parameters
    ----------
    row
        Its place in the table.
    table, instance
        The table, and the id of what the row annotates.
    class_a, class_b
        What either reader called it; "" for nothing.
    """

    row: int
    table: str
    instance: Any
    class_a: str
    class_b: str
    kind: str = "different class"
    keeps: tuple[str, ...] = ("A", "B", "none", "skip")

    @property
    def key(self) -> str:
        """The name under which a decision is kept."""
        return str(self.row)

    @property
    def words(self) -> str:
        """What the person reads."""
        said = (f"{side} says {name or 'nothing'}" for side, name in (("A", self.class_a), ("B", self.class_b)))
        return f"{self.instance}: {', '.join(said)}"

    def correction(self, column: str, keep: str) -> tuple[str, dict[str, Any]]:
        """Return the name and the arguments of the correction that decides it."""
        return "settle-rows", {"table": self.table, "column": column, "rows": [self.row], "keep": keep}


@dataclass(frozen=True)
class Left:
    """How far the settling is."""

    total: int
    settled: int
    skipped: int

    @property
    def open(self) -> int:
        """How many nobody has decided on; the skipped ones among them."""
        return self.total - self.settled


def key_of(cells_a: tuple[int, ...], cells_b: tuple[int, ...]) -> str:
    """Return the name of a group of cells, which stays while A and B are what they are."""
    return f"a{min(cells_a)}" if cells_a else f"b{min(cells_b)}"


def settled_slot(labels: str, key: str) -> tuple[str, str]:
    """Return the address of the decisions among which that on a group is kept.

    A few hundred lie together: so a decision is journalled with them, not with all that were made.
    """
    return "attrs", f"settled {labels} {int(key[1:]) // _SHARD}"


def consensus_of(document: Document, name: str) -> dict[str, Any]:
    """Return of which two readers labels or a column (as "table/column") are the consensus; empty if of none."""
    return dict(document.attribute(CONSENSUS, {}).get(name, {}))


def decisions(document: Document, labels: str) -> dict[str, dict[str, Any]]:
    """Return every decision on consensus labels by its key."""
    made: dict[str, dict[str, Any]] = {}
    for slot in document.slots():
        if slot[0] == "attrs" and slot[1].startswith(f"settled {labels} "):
            made |= document.get(slot)
    return made


def settled_mark(column: str) -> str:
    """Return the column that says how each row of a consensus column was settled."""
    return f"{column}_settled"


def cell_tasks(groups: Disagreements) -> list[Task]:
    """Return every disagreement about cells, in the order of the queue."""
    tasks = []
    for group in groups.queue():
        a, b = groups.cells(int(group))
        kind = KINDS[groups.kinds[group]]
        tasks.append(Task(int(group), kind, a, b, groups.box(int(group)), float(groups.iou[group])))
    return tasks


def row_tasks(document: Document, table: str, column_a: str, column_b: str) -> list[RowTask]:
    """Return every row to which two columns of a table give different classes."""
    obs, instances = document.table(table).obs, document.instances(table)
    a, b = (obs[c].astype(object).where(obs[c].notna(), "").astype(str).to_numpy() for c in (column_a, column_b))
    rows = np.flatnonzero(a != b)
    try:
        where = coordinates_of(document, table)[rows]
    except SpatialMLError:  # rows without a place come in their own order
        where = np.zeros((len(rows), 2))
    rows = rows[back_and_forth(where, max(float(np.ptp(where[:, 0])) / 20, 1e-9))] if len(rows) else rows
    return [RowTask(int(r), table, instances[r], a[r], b[r]) for r in rows]


def decided_cells(document: Document, labels: str, tasks: Sequence[Task]) -> list[str]:
    """Return what was decided on each task: one of `KEEPS`, or ""."""
    made = decisions(document, labels)
    return [str(made.get(task.key, {}).get("keep", "")) for task in tasks]


def decided_rows(document: Document, column: str, tasks: Sequence[RowTask]) -> list[str]:
    """Return what was decided on each row: one of `KEEPS`, or ""."""
    if not tasks or settled_mark(column) not in document.table(tasks[0].table).obs:
        return [""] * len(tasks)
    marks = document.table(tasks[0].table).obs[settled_mark(column)].astype(object)
    return ["" if pd.isna(v) else str(v) for v in marks.iloc[[t.row for t in tasks]]]


def left_of(decided: Sequence[str]) -> Left:
    """Count what is settled, skipped and left."""
    skipped = sum(d == "skip" for d in decided)
    return Left(len(decided), sum(d != "" for d in decided) - skipped, skipped)


def next_open(decided: Sequence[str], after: int = -1) -> int:
    """Return the place of the next task that nobody decided on, then of the next skipped one; -1 if none is left."""
    order = [*range(after + 1, len(decided)), *range(min(after + 1, len(decided)))]
    for wanted in ("", "skip"):
        found = next((k for k in order if decided[k] == wanted), -1)
        if found >= 0:
            return found
    return -1
