"""What a session keeps on disk: its journal, and which steps are done, undone, saved, and left to restore."""

from __future__ import annotations

import contextlib
import shutil
import threading
from pathlib import Path
from typing import Any, ClassVar

from filelock import FileLock
from psygnal import Signal

from ..errors import DocumentError
from .changes import Change, Put, Slot
from .command import Command
from .document import Document
from .history import Entry, fold, who
from .homes import locked, state_folder
from .journal import Journal, Line
from .saving import HOME

__all__ = ["Recorded"]


class Recorded:
    """The steps of a document, as its journal tells them.

    Parameters
    ----------
    document
        The document.
    home
        The folder of the journal.
    lock
        Of that folder, where it is held already.
    """

    history_changed: ClassVar[Signal] = Signal()
    """Emitted when the history or the save state changed."""

    def __init__(self, document: Document, home: Path, lock: FileLock | None = None) -> None:
        self.document = document
        self.home = document.home = home
        self.reader = who()
        """Who does the steps from now on, as the history names them."""
        self._done: list[Entry] = []
        self._undone: list[Entry] = []
        self._saved: tuple[int, ...] = ()
        self._pending: list[tuple[str, Entry]] = []
        self._dirty: set[Slot] = set()
        self._replaced: set[Slot] = set()
        self._hands_off = threading.RLock()
        """Held by each step, and by a save in another thread while it puts things in place."""
        self._lock = lock or locked(home)
        self.read_only = not self._lock.is_locked
        self._journal = Journal(home / "journal.log", read_only=self.read_only)
        self._length = _length(home)
        self.trouble = self._journal.damage
        """What went wrong while opening, in one sentence, or an empty string."""
        self.recoverable = self._fold()

    @property
    def history(self) -> tuple[Entry, ...]:
        """Every step, the undone ones last, in the order in which they would be done again."""
        return (*self._done, *reversed(self._undone))

    @property
    def position(self) -> int:
        """How many steps of `history` are done."""
        return len(self._done)

    @property
    def outgrown(self) -> bool:
        """Whether the section, read only here, was changed in another window since it was opened."""
        return self.read_only and _length(self.home) != self._length

    def recover(self) -> int:
        """Do again what was done after the last save. Return how many steps that were.

        A step that cannot be done again ends it: `trouble` says so, and the steps before it stay.
        """
        with self._hands_off:
            return self._recover()

    def _recover(self) -> int:
        steps, self._pending, self.recoverable = self._pending, [], 0
        for number, (op, entry) in enumerate(steps):
            try:
                self._apply(entry.command if op != "undo" else entry.command.inverse())
            except Exception as error:
                self.trouble = (
                    f"{len(steps) - number} of {len(steps)} unsaved steps could not be restored, from "
                    f"'{entry.label}' on ({error})."
                )
                self._keep(steps[:number])
                steps = steps[:number]
                break
            self._step(op, entry)
        if steps:
            self.history_changed.emit()
        return len(steps)

    def discard(self) -> None:
        """Forget what was done after the last save and not recovered."""
        with self._hands_off:
            if self._pending:
                self._append({"op": "revert"})
                self._pending = []
                self.recoverable = 0

    def _fold(self) -> int:
        """Read the history from the journal; return how many steps were not saved."""
        done, undone, self._pending = fold(self._journal.lines)
        self._done, self._undone = done, undone
        self._saved = tuple(e.number for e in done)
        return len(self._pending)

    def _keep(self, steps: list[tuple[str, Entry]]) -> None:
        """Say in the journal that, of what was done after the last save, only these steps stand."""
        if self.read_only:
            return
        self._append({"op": "revert"})
        for op, entry in steps:
            told = {**entry.line.meta, "op": op} if op == "do" else {"op": op}  # a joined step is one that is done
            entry.line = self._append(told, entry.line.buffers())
            entry.number = len(self._journal.lines) - 1

    def _append(self, meta: dict[str, Any], buffers: list[bytes] | None = None) -> Line:
        if self.read_only:
            raise DocumentError(
                "This section is open in another window, so it can only be looked at here.",
                "Close it there, then open it again.",
            )
        return self._journal.append(meta, buffers)

    def _step(self, op: str, entry: Entry) -> None:
        if op == "undo":
            self._undone.append(self._done.pop())
        elif op == "redo":
            self._done.append(self._undone.pop())
        else:
            self._done.append(entry)
            self._undone.clear()

    def _apply(self, command: Command) -> None:
        """Make the changes, all or none."""
        made: list[Change] = []
        try:
            for change in command.changes:
                made.append(change)
                change.apply(self.document)
        except Exception:
            for change in reversed(made):  # the one that failed too: it may have taken the old value away
                with contextlib.suppress(Exception):
                    change.inverse().apply(self.document)
            raise
        for change in command.changes:
            self._dirty.add(change.touched)
            if isinstance(change, Put) and len(change.slot) == 2 and change.slot[0] in ("labels", "tables"):
                self._replaced.add(change.slot)

    def _move_home(self, store: Path) -> None:
        """Keep the journal in the store from now on.

        Raises
        ------
        DocumentError
            When the store cannot be written; the session goes on as before.
        """
        home = store / HOME
        if home == self.home:
            return
        lock = locked(home)
        try:
            if not (home / "journal.log").exists():
                self._journal.copy_to(home / "journal.log")
            journal = Journal(home / "journal.log", read_only=not lock.is_locked)
        except OSError as error:
            lock.release()
            raise DocumentError(
                f"'{store.name}' cannot be written ({error.strerror or error}).", "Save the section to a new place."
            ) from error
        old, mine = self.home, not self.read_only
        self._journal.close()
        self._lock.release()
        self.home, self._lock, self._journal, self.read_only = home, lock, journal, not lock.is_locked
        self.document.home = home
        for entry in (*self._done, *self._undone):
            entry.line = journal.lines[entry.number]
        if mine and old.parent == state_folder():
            shutil.rmtree(old, ignore_errors=True)


def _length(home: Path) -> int:
    """Return how long the journal is: it grows with everything that is done or saved."""
    journal = home / "journal.log"
    return journal.stat().st_size if journal.exists() else 0
