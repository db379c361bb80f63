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

__all__ = ["Entry", "entry_of", "fold", "readers_of", "who"]


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
        return () if self._command is None else self._command.changes

    def forget(self) -> None:
        """Drop the command from memory; the journal has it."""
        self._command = None

    @property
    def command(self) -> Command:
        """The command, read from the journal when this process did not make it."""
        if self._command is None:
            self._command = Command.decode(self.line.meta, self.line.buffers())
        return self._command


def fold(lines: Sequence[Line]) -> tuple[list[Entry], list[Entry], list[tuple[str, Entry]]]:
    """Return the steps done and undone at the last save, and what was done, undone and redone after it."""
    done: list[Entry] = []
    undone: list[Entry] = []
    saved: tuple[list[Entry], list[Entry]] = ([], [])
    pending: list[tuple[str, Entry]] = []
    for number, line in enumerate(lines):
        op = line.meta["op"]
        if op == "do":
            done, undone = [*done, entry_of(number, line)], []
            pending.append((op, done[-1]))
        elif op == "join":
            before, done, undone = done[-1], [*done[:-1], entry_of(number, line)], []
            known = bool(pending) and pending[-1][0] == "do" and pending[-1][1] is before
            pending = [*pending[:-1], ("do", done[-1])] if known else [*pending, ("undo", before), ("do", done[-1])]
        elif op == "undo":
            undone.append(done.pop())
            pending.append((op, undone[-1]))
        elif op == "redo":
            done.append(undone.pop())
            pending.append((op, done[-1]))
        elif op == "saved":
            saved, pending = (list(done), list(undone)), []
        elif op == "revert":
            done, undone, pending = list(saved[0]), list(saved[1]), []
    return list(saved[0]), list(saved[1]), pending


def entry_of(number: int, line: Line) -> Entry:
    """Return the step that a line of the journal tells."""
    meta = line.meta
    return Entry(number, meta["label"], meta.get("record", {}), meta.get("when", ""), meta.get("who", ""), line)


def readers_of(history: Sequence[Entry]) -> dict[str, int]:
    """Return who made steps of a history and how many, most first."""
    return dict(Counter(entry.who for entry in history if entry.who).most_common())
