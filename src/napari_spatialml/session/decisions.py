"""Who decided what on which cell, and when: read from the history, where it cannot be lost or rewritten."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import numpy as np

from ..errors import BadInput, DocumentError
from .changes import EditRows
from .history import Entry
from .review import Review
from .reviewed import parted
from .session import Session

__all__ = ["COLUMNS", "decisions", "pace", "write_csv"]

COLUMNS = ("cell", "score", "reason", "state", "who", "when", "note")
PACE_OF = 20
"""How many of the last decisions say how fast the person is."""
_NAMING = ("accept-cells", "flag-cells", "reopen-cells")
_KEEPING = (*_NAMING, "judge-cell", "dismiss-missing", "rank-cells", "draw-sample")


def decisions(session: Session, labels: str) -> dict[int, Entry]:
    """Return the last step that decided on each cell, or touched it, of those that are done now."""
    found: dict[int, Entry] = {}
    for entry in session.history[: session.position]:
        for cell in _cells_of(entry, labels):
            found[cell] = entry
    return found


def _cells_of(entry: Entry, labels: str) -> Iterator[int]:
    arguments = entry.record.get("arguments", {})
    if arguments.get("labels") != labels:
        return
    name = entry.record.get("name")
    if name in _NAMING:
        yield from (int(c) for c in arguments["cells"])
    elif name == "judge-cell":
        yield int(arguments["cell"])
    elif name not in _KEEPING:
        in_memory = bool(entry.loaded)
        for change in entry.command.changes:
            if isinstance(change, EditRows) and "instance_id" in change.new.table.obs:
                yield from (int(c) for c in change.new.table.obs["instance_id"])
        if not in_memory:
            entry.forget()  # the journal keeps it: a long history must not fill the memory


def pace(session: Session, labels: str) -> float | None:
    """Return the seconds that a cell takes: the median of the last ones; None before there are three decisions."""
    moments: list[tuple[datetime, int]] = []
    for entry in reversed(session.history[: session.position]):
        record = entry.record
        arguments = record.get("arguments", {})
        if arguments.get("labels") == labels and record.get("name") not in ("rank-cells", "draw-sample"):
            at_once = arguments.get("cells", ()) if record.get("name") in _NAMING else arguments.get("places", ())
            moments.append((datetime.fromisoformat(entry.when), max(len(at_once), 1)))
        if len(moments) > PACE_OF:
            break
    steps = [[(b - a).total_seconds() / n] * n for (b, n), (a, _) in pairwise(moments)]
    return statistics.median(s for step in steps for s in step) if len(steps) >= 3 else None


def write_csv(review: Review, path: Path) -> int:
    """Write the queue as a table: cell, score, reason, state, who, when, note. Return the number of cells.

    Raises
    ------
    BadInput
        When the cells are not ranked.
    DocumentError
        When the file cannot be written.
    """
    if not review.table:
        raise BadInput(f"The cells of '{review.labels}' are not ranked yet.", "Rank them first.")
    decided = decisions(review.session, review.labels)
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            for cell, score, reasons, state in review.rows():
                words = "; ".join(words for words, _ in parted(reasons))
                told = "" if np.isnan(score) else f"{score:.4f}"
                writer.writerow((cell, told, _plain_text(words), state, *_by_whom(decided.get(cell))))
    except OSError as error:
        raise DocumentError(f"'{path}' could not be written ({error.strerror}).", "Choose another place.") from error
    return len(review.queue.cells)


def _by_whom(entry: Entry | None) -> tuple[str, str, str]:
    if entry is None:
        return "", "", ""
    note = str(entry.record.get("arguments", {}).get("note", ""))
    return _plain_text(entry.who), entry.when, _plain_text(note)


def _plain_text(text: str) -> str:
    """Return text that a spreadsheet does not take for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text
