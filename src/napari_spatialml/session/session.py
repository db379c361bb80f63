"""The session: the one place where the document changes, with its history and its journal."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from filelock import FileLock
from psygnal import Signal

from ..core.report import Report, silent
from ..errors import DocumentError, SpatialMLError
from .ahead import Ahead
from .changes import Slot
from .command import Command
from .document import Document
from .history import Entry, entry_of
from .homes import locked, of_another, state_folder, state_home
from .left_behind import completed, put_aside
from .names import check_names
from .recorded import Recorded
from .save import Save
from .saving import HOME, settle

__all__ = ["Entry", "Session"]


class Session(Recorded):
    """A document with its history. Make one with `open_store` or `start`.

    Everything is executed at once, journalled to disk before it is applied, and can be undone.
    """

    changed: ClassVar[Signal] = Signal(frozenset)
    """Emitted with the addresses that changed, after execute, undo and redo."""

    def __init__(
        self, document: Document, home: Path, *, store: Path | None = None, lock: FileLock | None = None
    ) -> None:
        super().__init__(document, home, lock)
        self.store = store
        self.chunks_written = 0
        """How many chunks of painted labels the last save into the store wrote."""
        self._save: Save | None = None

    # opening ---------------------------------------------------------------------------------

    @classmethod
    def open_store(cls, path: Path | str, *, recover: bool = True, um_per_unit: float | None = None) -> Session:
        """Open a SpatialData zarr store that this program has saved, or any other one.

        Parameters
        ----------
        path
            The store.
        recover
            Do again what was not saved when the program ended. Otherwise `recoverable` says how
            many steps there are, and `recover` does them later.
        um_per_unit
            How many µm one unit of its coordinates is, where the store does not say it.

        Raises
        ------
        DocumentError, BadInput
            When it is not a store, or a damaged one.
        UnitNeeded
            When it does not say its unit, and ``um_per_unit`` does neither.
        """
        from ..io import open_files

        store = Path(path).resolve()
        ours = (store / HOME / "journal.log").exists()
        home = store / HOME if ours else state_home(str(store))
        lock, trouble = locked(home), ""
        try:
            finished, at, trouble = completed(store) if ours and lock.is_locked else (False, None, "")
            document = Document(open_files(store, um_per_unit=um_per_unit))
            if not ours and lock.is_locked and of_another(home, store):
                trouble = put_aside(home, store)
            session = cls(document, home, store=store, lock=lock)
        except BaseException:
            lock.release()  # the caller may try again with an answer, while this error is still held
            raise
        session.trouble = " ".join(t for t in (trouble, session.trouble) if t)
        if not ours:  # it may have been scaled to µm, which the first save has to write down
            session._dirty |= set(document.transform_slots()) | {("attrs", "um_per_unit")}
        if finished:  # what was done while that save ran is not in the store
            later = at is not None and at < len(session._journal.lines)
            session._append({"op": "saved", "at": at} if later else {"op": "saved"})
            settle(store)
            session.recoverable = session._fold()
        if recover:
            session.recover()
        return session

    @classmethod
    def start(cls, sdata: Any, *, source: str = "", recover: bool = False) -> Session:
        """Begin with what was opened from other files; nothing is saved until `save` names a place.

        Parameters
        ----------
        sdata
            A SpatialData object. The session takes it over.
        source
            Names the files, so that unsaved work on them is found again; a fresh name if empty.
        recover
            Do again what was not saved the last time these files were open.
        """
        name = source or f"new {datetime.now(UTC).isoformat()} {id(sdata)}"
        session = cls(Document(sdata), state_home(name))
        if recover:
            session.recover()
        return session

    def close(self) -> None:
        """Let go of the journal and the lock. What is not saved stays in the journal.

        A save that still runs in another thread stops, unless it puts things in place already.
        """
        if self._save is not None:
            self._save.give_up()
        self._journal.close()
        self._lock.release()
        if not self._journal.lines and self.home.parent == state_folder() and not self.read_only:
            shutil.rmtree(self.home, ignore_errors=True)  # nothing was done: nothing to find again

    # changing --------------------------------------------------------------------------------

    def execute(self, command: Command, ahead: Ahead | None = None) -> None:
        """Do a command: first into the journal, then to the document.

        Parameters
        ----------
        command
            What is done.
        ahead
            What of it was packed for the journal in another thread.

        Raises
        ------
        DocumentError
            When the document is open for reading only, the journal cannot be written, or a change
            cannot be made; nothing has changed then.
        BadInput
            When a name cannot be saved or is taken.
        """
        if not command.changes:
            return
        with self._hands_off:
            check_names(self.document, command.changes)
            now = datetime.now(UTC).isoformat(timespec="seconds")
            entry = self._journalled({"op": "do", "when": now, "who": self.reader}, command, command, ahead)
            self._step("do", entry)
        self._tell(command.touched)

    def join(self, command: Command, number: int) -> bool:
        """Do a command as a part of the last step: one undo takes both back. Return whether it could join.

        Parameters
        ----------
        command
            What follows from the step, such as the fit of all spots after one was set by hand.
        number
            Of the step it follows from, as `Entry.number` says. Where that is no longer the last one
            that is done, the command becomes a step of its own.

        Raises
        ------
        DocumentError, BadInput
            As for `execute`.
        """
        last = self._done[-1] if self._done else None
        if last is None or last.number != number or not command.changes:
            self.execute(command)
            return False
        with self._hands_off:
            check_names(self.document, command.changes)
            both = last.command.joined(command)
            entry = self._journalled({"op": "join", "when": last.when, "who": last.who}, both, command)
            self._done[-1] = entry
            self._undone.clear()
        self._tell(command.touched)
        return True

    def _journalled(self, meta: dict[str, Any], whole: Command, new: Command, ahead: Ahead | None = None) -> Entry:
        """Write a step into the journal, then do what is new of it; the journal forgets it where that fails."""
        packed = whole.encode(ahead)
        if self._pending:
            self.discard()
        entry = entry_of(len(self._journal.lines), self._append({**meta, **packed.meta}, packed.buffers))
        entry._command = whole
        try:
            self._apply(new)
        except Exception as error:
            self._journal.retract()
            if isinstance(error, SpatialMLError):
                raise
            raise DocumentError(f"'{new.label}' could not be done ({error}).", "Nothing was changed.") from error
        return entry

    def undo(self) -> str:
        """Take the last step back; return its label, or "" when there is none."""
        if not self._done:
            return ""
        entry = self._done[-1]
        with self._hands_off:
            self._append({"op": "undo"})
            self._apply(entry.command.inverse())
            self._step("undo", entry)
        self._tell(entry.command.touched)
        return entry.label

    def redo(self) -> str:
        """Do the last undone step again; return its label, or "" when there is none."""
        if not self._undone:
            return ""
        entry = self._undone[-1]
        with self._hands_off:
            self._append({"op": "redo"})
            self._apply(entry.command)
            self._step("redo", entry)
        self._tell(entry.command.touched)
        return entry.label

    def jump(self, position: int) -> None:
        """Undo or redo until ``position`` steps are done, 0 <= position <= number of steps."""
        position = min(max(position, 0), len(self._done) + len(self._undone))
        while len(self._done) > position:
            self.undo()
        while len(self._done) < position:
            self.redo()

    def _tell(self, touched: frozenset[Slot]) -> None:
        self.changed.emit(touched)
        self.history_changed.emit()

    @property
    def unsaved(self) -> bool:
        """Whether the document differs from what is saved."""
        return self.store is None or tuple(e.number for e in self._done) != self._saved

    # saving ----------------------------------------------------------------------------------

    def save(self, path: Path | str | None = None, report: Report = silent) -> Path:
        """Save what changed into the store, or everything to a new one; return when it is done.

        Parameters
        ----------
        path
            The place of a new store; needed when the document has none yet.
        report
            Progress, and the place where a save is stopped.

        Raises
        ------
        DocumentError
            When no place is known, something is there already, or the disk is full.
        """
        save = self.saving(path)
        try:
            return save.write(report)
        finally:
            self.history_changed.emit()

    def saving(self, path: Path | str | None = None) -> Save:
        """Return a save of what is there now. Its ``write`` may run in another thread while steps are done here.

        Parameters
        ----------
        path
            As for `save`.

        Raises
        ------
        DocumentError
            When no place is known, something is there already, or another save runs.
        """
        return Save(self, None if path is None else Path(path))
