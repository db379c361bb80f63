"""The history: what the journal's lines add up to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .changes import Change, Slot, slot_of
from .command import Command
from .journal import Line
from .reader import who

__all__ = ["Entry", "entry_of", "fold", "readers_of", "unsaved_from", "who"]


@dataclass
class Entry:
    """One step of the history."""

    number: int
    label: str
    record: dict[str, Any]
    when: str
    who: str
    line: Line
    _command: Command | None = None

    @cached_property
    def touched(self) -> frozenset[Slot]:
        """The addresses that change, without reading what changed."""
        return frozenset(slot_of(change) for change in self.line.meta["changes"])

    @property
    def loaded(self) -> tuple[Change, ...]:
        """The changes, if they are in memory."""
        held = self._command
        return () if held is None else held.changes

    def forget(self) -> None:
        """Drop the command from memory; the journal has it."""
        self._command = None

    @property
    def command(self) -> Command:
        """The command, read from the journal when this process did not make it."""
        held = self._command  # a save may forget it meanwhile
        if held is None:
            held = self._command = Command.decode(self.line.meta, self.line.buffers())
        return held


def fold(lines: Sequence[Line]) -> tuple[list[Entry], list[Entry], list[tuple[str, Entry]]]:
    """Return the steps done and undone at the last save, and what was done, undone and redone after it.

    A record "saved" may say ``at`` how many records it counts: what was done while the save ran is not in the store.
    """
    marks = {line.meta["at"] for line in lines if line.meta["op"] == "saved" and "at" in line.meta}
    held: dict[int, tuple[list[Entry], list[Entry], int]] = {}
    done: list[Entry] = []
    undone: list[Entry] = []
    saved: tuple[list[Entry], list[Entry]] = ([], [])
    trail: list[tuple[str, Entry]] = []
    since = border = 0  # where in the trail the unsaved steps begin, and before what nothing is put together
    for number, line in enumerate(lines):
        if number in marks:
            held[number], border = (list(done), list(undone), len(trail)), len(trail)
        op = line.meta["op"]
        if op == "do":
            done, undone = [*done, entry_of(number, line)], []
            trail.append((op, done[-1]))
        elif op == "join":
            before, done, undone = done[-1], [*done[:-1], entry_of(number, line)], []
            if len(trail) > border and trail[-1][0] == "do" and trail[-1][1] is before:
                trail[-1] = ("do", done[-1])
            else:
                trail += [("undo", before), ("do", done[-1])]
        elif op == "undo":
            undone.append(done.pop())
            trail.append((op, undone[-1]))
        elif op == "redo":
            done.append(undone.pop())
            trail.append((op, done[-1]))
        elif op == "saved":
            kept, taken, since = held.get(line.meta.get("at", -1), (list(done), list(undone), len(trail)))
            saved = kept, taken
            border = max(border, since)
        elif op == "revert":
            done, undone, since = list(saved[0]), list(saved[1]), len(trail)
            border = since
    return list(saved[0]), list(saved[1]), trail[since:]


def unsaved_from(records: Sequence[dict[str, Any]]) -> int:
    """Return how many records of a journal, from the first, tell what the store holds."""
    for number in range(len(records) - 1, -1, -1):
        if records[number]["op"] == "revert":
            return number + 1
        if records[number]["op"] == "saved":
            return int(records[number].get("at", number + 1))
    return 0


def entry_of(number: int, line: Line) -> Entry:
    """Return the step that a line of the journal tells."""
    meta = line.meta
    return Entry(number, meta["label"], meta.get("record", {}), meta.get("when", ""), meta.get("who", ""), line)


def readers_of(history: Sequence[Entry]) -> dict[str, int]:
    """Return who made steps of a history and how many, most first."""
    return dict(Counter(entry.who for entry in history if entry.who).most_common())
