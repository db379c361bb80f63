"""Save beside the window: progress and Stop; what is written is decided when the person presses Save."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QWidget

from .messages import Message, tell
from .progress_row import ProgressRow
from .runner import Runner

if TYPE_CHECKING:
    from .desk import Desk

__all__ = ["Saving", "SavingPanel"]


class Saving(QObject):
    """Everything that saves the section of one desk goes through here.

    Parameters
    ----------
    desk
        The desk with the section.
    """

    changed = Signal()
    """A save began, is stopping, or ended."""
    progressed = Signal(object)
    """A `Progress`."""
    ended = Signal(object)
    """The `Message` that tells what came out."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._desk = desk
        self._runner = Runner(self)
        self._runner.changed.connect(self.changed)
        self._waiting: list[Callable[[], object]] = []

    @property
    def running(self) -> bool:
        """Whether a save runs."""
        return self._runner.state != "idle"

    @property
    def stopping(self) -> bool:
        """Whether a save was asked to stop."""
        return self._runner.state == "stopping"

    def save(self, path: Path | None = None) -> None:
        """Save to a new store, or into the one that the section has; what comes out is told by `ended`.

        Parameters
        ----------
        path
            The place of a new store.
        """
        session = self._desk.session
        if session is None or self.running:
            return
        try:
            save = session.saving(path)
        except Exception as error:  # everything that can go wrong is told in the same place
            self._end(tell(error))
            return
        self._runner.run(
            save.write,
            on_result=lambda store: self._end(Message("ok", f"Saved in {store.name}."), done=True),
            on_error=lambda error: self._end(tell(error)),
            on_progress=self.progressed.emit,
            on_stopped=lambda: self._end(
                Message("info", "Stopped: nothing was saved.", "Your work is in the journal.")
            ),
            title=f"Save {save.target.name}",
            key="saving",
        )

    def stop(self) -> None:
        """Ask the save to stop: it does at its next report, and then nothing of it stands."""
        self._waiting.clear()
        self._runner.stop()

    def first(self, call: Callable[[], object]) -> bool:
        """Call something when the save that runs has ended well; return whether one runs."""
        if self.running:
            self._waiting.append(call)
        return self.running

    def _end(self, message: Message, *, done: bool = False) -> None:
        waiting, self._waiting = self._waiting, []
        if self._desk.session is not None:
            self._desk.session.history_changed.emit()
        self.ended.emit(message)
        for call in waiting if done else []:
            call()


class SavingPanel(ProgressRow):
    """The row of a save that runs; nothing while none runs.

    Parameters
    ----------
    saving
        The saves of one desk.
    """

    def __init__(self, saving: Saving, parent: QWidget | None = None) -> None:
        super().__init__(saving.stop, "Stop saving: the store stays as it was.", parent)
        self._saving = saving
        saving.changed.connect(self._follow_state)
        saving.progressed.connect(self.follow)
        self._follow_state()

    def _follow_state(self) -> None:
        running = self._saving.running
        if running and not self.isVisibleTo(self.parentWidget()):
            self.begin("Saving")
        self.button.setText("Stopping…" if self._saving.stopping else "Stop")
        self.button.setEnabled(running and not self._saving.stopping)
        self.setVisible(running)
