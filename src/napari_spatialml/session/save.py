"""One save of a session: what is written is decided when it is made, and any thread may write it.

The document is frozen first (`frozen.frozen`), so that the person goes on while the thread stages. Only
for the moment in which the staged files go to their places, and the journal says "saved", a step waits.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.report import Report, silent
from ..errors import Cancelled, DocumentError
from .changes import Put, Slot
from .frozen import frozen
from .grid import LabelGrid
from .history import Entry, unsaved_from
from .planes import stack_name
from .saving import carry_out, finish, interrupted, put_in_place, settle, stage_changes, write_store

if TYPE_CHECKING:
    from .session import Session

__all__ = ["Save"]


@dataclass
class _Taken:
    """What a session did not know to be saved when the save began, and what was done by then."""

    dirty: set[Slot]
    replaced: frozenset[Slot]
    done: tuple[Entry, ...]
    records: int


class Save:
    """Write a session as it is now. Made by `Session.saving`, in the session's own thread.

    Parameters
    ----------
    session
        The session.
    path
        The place of a new store, or None for the store that it has.

    Raises
    ------
    DocumentError
        When no place is known, something is there already, another save runs, or it may not be written.
    """

    def __init__(self, session: Session, path: Path | None) -> None:
        self._session = session
        self.target = _place(session, path)
        """The store."""
        self._ended, self._stop, self._began = threading.Event(), threading.Event(), False
        self._into = self.target == session.store
        if self._into:
            session._move_home(self.target)
            if interrupted(self.target):  # a save that stopped halfway in this session: what it staged is complete
                finish(self.target)
                settle(self.target)
        elif self.target.exists():
            raise DocumentError(
                f"'{self.target.name}' is there already.", "Choose another name, or move it away first."
            )
        self._taken = _Taken(session._dirty, frozenset(session._replaced), tuple(session._done), _records(session))
        self._document = frozen(session.document)
        self._grids = self._hand_over()
        session._dirty, session._replaced = set(), set()
        session._save = self

    def write(self, report: Report = silent) -> Path:
        """Write what was there when the save was made; return the store.

        Raises
        ------
        DocumentError
            When the disk is full or cannot be written. Everything counts as unsaved then, as before.
        Cancelled
            When ``report`` raises it, or the session is closed. The same holds then.
        """

        def told(fraction: float, message: str = "") -> None:
            if self._stop.is_set():
                raise Cancelled
            report(fraction, message)

        with self._session._hands_off:
            if self._ended.is_set():
                raise Cancelled
            self._began = True
        try:
            if self._into:
                staged: Any = stage_changes(self._document, self.target, self._taken.dirty, self._taken.replaced, told)
            else:
                staged = write_store(self._document, self.target, told)
            told(0.98, "Putting it in place")
            with self._session._hands_off:
                self._commit(staged)
        except BaseException:
            self._end(saved=False)
            raise
        self._end(saved=True)
        return self.target

    def give_up(self) -> None:
        """Ask the writing thread to stop, and wait for its end: it stops before it puts anything in place."""
        self._stop.set()
        with self._session._hands_off:
            if not self._began and not self._ended.is_set():
                self._end(saved=False)
        self._ended.wait()

    def _end(self, *, saved: bool) -> None:
        session = self._session
        with session._hands_off:
            if not saved:
                for live, before in self._grids:
                    live.mark_unsaved(before)
                session._dirty |= self._taken.dirty
                session._replaced |= self._taken.replaced
            session._save = None
            self._ended.set()

    def _hand_over(self) -> list[tuple[LabelGrid, LabelGrid]]:
        """Let the session count from now on which tiles are unsaved; return its grids and the frozen ones."""
        document = self._session.document
        names = sorted({s[1] for s in self._taken.dirty if s[0] == "labels"})
        there = [name for name in names if stack_name(name) in document.sdata.labels]
        pairs = [(document.grid(name), self._document.grid(name)) for name in there]
        for live, _ in pairs:
            live.mark_saved()
        return pairs

    def _commit(self, staged: Any) -> None:
        """Put what was staged in its place, and say so in the journal."""
        session, taken = self._session, self._taken
        record: dict[str, Any] = {"op": "saved"}
        if len(session._journal.lines) > taken.records:  # steps were done meanwhile, which are not in the store
            record["at"] = taken.records
        if self._into:
            session.chunks_written = carry_out(self.target, {**staged, "at": taken.records})
            session._append(record)
            settle(self.target)
        else:
            put_in_place(staged, self.target, session._journal, record)
            session.document.sdata.path = self.target
            if session.store is not None and not session.read_only:
                session._append({"op": "revert"})  # what was not saved there is saved here
            session.store = self.target
            session._move_home(self.target)
        for entry in (*session._done, *session._undone):  # the files of what it replaced are gone: the journal has it
            if any(isinstance(c, Put) and len(c.slot) == 2 for c in entry.loaded):
                entry.forget()
        session._saved = tuple(entry.number for entry in taken.done)


def _records(session: Session) -> int:
    """Return how many records of the journal tell what the document holds: not the steps that may yet be restored."""
    lines = session._journal.lines
    return unsaved_from([line.meta for line in lines]) if session.recoverable else len(lines)


def _place(session: Session, path: Path | None) -> Path:
    """Return where a session is saved, if it may be."""
    target = session.store if path is None else Path(path).resolve()
    if session._save is not None:
        raise DocumentError("This section is being saved already.", "Wait for the end of that, or stop it.")
    if target is None:
        raise DocumentError("This section has not been saved yet.", "Choose where to save it: a name.zarr.")
    if session.read_only and target == session.store:
        raise DocumentError("This section is open in another window.", "Save it there, or save a copy.")
    if target == session.store and not (target / "zarr.json").exists():
        raise DocumentError(f"'{target.name}' is in an older format.", "Save it to a new place.")
    if target != session.store and session.outgrown:
        raise DocumentError(
            "This section was changed in another window since it was opened here.",
            "Open it again, then save a copy.",
        )
    if target != session.store and session.store is not None and target.is_relative_to(session.store):
        raise DocumentError(f"'{target.name}' would lie inside '{session.store.name}'.", "Choose another place.")
    return target
