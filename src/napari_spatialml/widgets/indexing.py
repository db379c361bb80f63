"""Index the transcripts that cells count beside the window, as soon as a section is opened."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakMethod

from qtpy.QtCore import QObject, Signal

from ..core.report import Report
from ..session.transcript_source import ALL, Choice
from ..session.transcripts import index_beside, index_of, index_to_see
from .runner import Job, Progress

if TYPE_CHECKING:
    from ..session import Document
    from .desk import Desk

__all__ = ["Indexing"]


class Indexing(QObject):
    """Makes the indexes of a desk's section, with progress and Stop in napari's list of tasks.

    A correction that comes too early is refused in words; when the index is there, the person hears of it.
    After Stop, the next correction begins it again.

    Parameters
    ----------
    desk
        The desk.
    """

    indexed = Signal(str)
    """The index of all transcripts of these points is there."""
    failed = Signal(str, str)
    """The index of these points was not made; why, "" after Stop."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._desk = desk
        self._jobs: dict[tuple[str, Choice], Job] = {}
        self._asked = False
        desk.opened.connect(self._begin)

    @property
    def running(self) -> bool:
        """Whether an index is being made."""
        return bool(self._jobs)

    def _begin(self) -> None:
        for job in self._jobs.values():
            job.supersede()
        self._jobs, self._asked = {}, False
        session = self._desk.session
        if session is None:
            return
        # weakly: the document is asked for by the session that this desk holds, and neither would ever be let go
        ask = WeakMethod(self._ask)
        for points, choice in index_beside(session.document, partial(_call, ask)):
            self.start(points, choice)

    def _ask(self, points: str, choice: Choice) -> None:
        """A correction needs an index now."""
        self._asked = True
        self.start(points, choice)

    def start(self, points: str, choice: Choice = ALL, on_progress: Callable[[Progress], object] | None = None) -> None:
        """Open an index, or make it, unless that is being done."""
        session, wanted = self._desk.session, (points, choice)
        if session is None or wanted in self._jobs:
            return
        self._jobs[wanted] = self._desk.runner.run(
            partial(_made, session.document, points, choice),
            on_result=lambda _none: self._end(wanted, "ok", f"The transcripts '{points}' are indexed."),
            on_error=lambda error: self._end(wanted, "error", str(error)),
            on_stopped=lambda: self._end(wanted, "", ""),
            on_progress=on_progress,
            title=f"Index the transcripts '{points}'",
        )

    def _end(self, wanted: tuple[str, Choice], level: str, sentence: str) -> None:
        self._jobs.pop(wanted, None)
        if level == "error" or (level and self._asked):
            self._desk.told.emit(level, sentence)
        self._asked = self._asked and self.running
        if wanted[1] == ALL and level == "ok":
            self.indexed.emit(wanted[0])
        elif wanted[1] == ALL:
            self.failed.emit(wanted[0], sentence)


def _call(ask: WeakMethod[Callable[[str, Choice], None]], points: str, choice: Choice) -> None:
    found = ask()
    if found is not None:
        found(points, choice)


def _made(document: Document, points: str, choice: Choice, report: Report) -> None:
    if choice == ALL:
        index_to_see(document, points, report)
    else:
        index_of(document, points, report, choice)
