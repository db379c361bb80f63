"""Windows that a person marked as done: every cell in them was corrected, and where there is none, there is none."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from .changes import Change
from .document import Document
from .store import put_entry

__all__ = ["DONE", "Done", "done_of", "done_windows", "forgotten", "kept"]

DONE = "done"
"""Our attribute that keeps the windows, by labels."""
Window = tuple[int, int, int, int]


@dataclass(frozen=True)
class Done:
    """A window of labels that is done.

    Parameters
    ----------
    labels
        The name of the labels.
    window
        (y0, y1, x0, x1) in pixels of the labels, ends exclusive.
    who, when
        The reader who marked it, and the moment (ISO 8601, UTC).
    """

    labels: str
    window: Window
    who: str = ""
    when: str = ""


def done_windows(document: Document) -> tuple[Done, ...]:
    """Return all windows that are done, of labels that are there, in the order in which they were marked."""
    there = set(document.names("labels"))
    found = [d for labels in document.attribute(DONE, {}) if labels in there for d in done_of(document, labels)]
    return tuple(sorted(found, key=lambda d: d.when))


def done_of(document: Document, labels: str) -> tuple[Done, ...]:
    """Return the windows of one labels element that are done, in the order in which they were marked."""
    found = []
    for held in document.attribute(DONE, {}).get(labels, []):
        y0, y1, x0, x1 = (int(v) for v in held["window"])
        found.append(Done(labels, (y0, y1, x0, x1), str(held.get("who", "")), str(held.get("when", ""))))
    return tuple(found)


def kept(document: Document, labels: str, windows: tuple[Done, ...]) -> Change:
    """Return the change after which these windows of labels are done, and no others."""
    plain = [{k: list(v) if k == "window" else v for k, v in asdict(d).items() if k != "labels"} for d in windows]
    return put_entry(document, DONE, labels, plain or None)


def forgotten(document: Document, labels: str) -> list[Change]:
    """Return the change that goes with labels that are replaced or removed: what was done is no longer there."""
    held: dict[str, Any] = document.attribute(DONE, {})
    return [kept(document, labels, ())] if labels in held else []
