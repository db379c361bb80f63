"""What is settled of a comparison, and what is left: read off the document, so that it survives a restart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.disagreement import KINDS, Disagreements
from ..core.patch import Window
from .document import Document

__all__ = [
    "CONSENSUS",
    "KEEPS",
    "Left",
    "Task",
    "consensus_of",
    "decisions",
    "key_of",
    "left_of",
    "settled_slot",
    "tasks_of",
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
    decision
        What was kept, "skip", or "" while it is open.
    """

    group: int
    kind: str
    cells_a: tuple[int, ...]
    cells_b: tuple[int, ...]
    window: Window
    iou: float
    decision: str

    @property
    def words(self) -> str:
        """What the person reads."""
        if self.kind == "split or merged":
            return f"{_cells(self.cells_a)} in A, {_cells(self.cells_b)} in B"
        pair = f"cell {self.cells_a[0]} in A" if self.cells_a else ""
        other = f"cell {self.cells_b[0]} in B" if self.cells_b else ""
        shared = f", IoU {self.iou:.2f}" if self.kind == "different outline" else ""
        return " and ".join(part for part in (pair, other) if part) + shared


def _cells(cells: tuple[int, ...]) -> str:
    return f"{len(cells)} cell{'s' if len(cells) != 1 else ''}"


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


def tasks_of(document: Document, labels: str, groups: Disagreements) -> list[Task]:
    """Return every disagreement of a comparison with its decision, in the order of the queue."""
    made = decisions(document, labels)
    tasks = []
    for group in groups.queue():
        a, b = groups.cells(int(group))
        decision = str(made.get(key_of(a, b), {}).get("keep", ""))
        kind = KINDS[groups.kinds[group]]
        tasks.append(Task(int(group), kind, a, b, groups.box(int(group)), float(groups.iou[group]), decision))
    return tasks


def left_of(decided: list[str]) -> Left:
    """Count what is settled, skipped and left."""
    held = np.array(decided, dtype=object)
    skipped = int((held == "skip").sum())
    return Left(len(held), int((held != "").sum()) - skipped, skipped)
