"""The fit of all spots that follows what the hand has set: beside the window, the latest wins, one undo with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from ..core.report import Report
from ..errors import Stale
from ..session import finish_refit, refit
from .messages import Message, MessageLine, tell
from .progress import SHOWN_AFTER_S, Progress
from .progress_row import ProgressRow
from .runner import Runner

if TYPE_CHECKING:
    from ..session import Session
    from ..session.run import Finished
    from .desk import Desk

__all__ = ["Refitting"]


class Refitting(QWidget):
    """Fits again, and says so.

    Parameters
    ----------
    desk
        The desk.
    gather
        Takes the session, a table and a result of it; returns what fits it again, on any thread.
    finish
        Takes the session, that job and what it gave, and puts it into the document; returns it in one line.
    rows
        What a row of a table is called.
    """

    done = Signal()
    """A fit is in the document."""

    def __init__(
        self,
        desk: Desk,
        gather: Callable[[Session, str, str], Any] = refit,
        finish: Callable[[Session, Any, Finished], str] = finish_refit,
        rows: str = "spots",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._desk, self._gather, self._finish_fit, self._rows = desk, gather, finish, rows
        self.runner = Runner(self)
        self.row, self.message = ProgressRow(), MessageLine()
        self.bar = self.row.bar
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        for part in (self.row, self.message):
            layout.addWidget(part)
        self.runner.changed.connect(self._follow_state)
        desk.opened.connect(self.stop)
        self._follow_state()

    def start(self, table: str, output: str) -> None:
        """Fit all spots of a result again; a fit that is on its way gives way."""
        session = self._desk.session
        if session is None:
            return
        self._run(session, table, output, lambda: self._gather(session, table, output))

    def stop(self) -> None:
        """Stop, and say nothing."""
        self.runner.stop()
        self.message.show_message(None)

    def _run(self, session: Session, table: str, output: str, gather: Callable[[], Any]) -> None:
        def work(report: Report) -> tuple[Any, Finished]:
            job = gather()  # after a section was opened again, this reads the reference
            return job, job(report)

        n = session.document.table(table).n_obs
        self.row.begin(f"Fitting {n:,} {self._rows} again …")
        self.runner.run(
            work,
            on_result=lambda made: self._finish(session, table, output, *made),
            on_error=self._on_error,
            on_progress=self._on_progress,
            on_stopped=self._follow_state,
            title="Fit again",
            key="refit",
            replace=True,
        )

    def _finish(self, session: Session, table: str, output: str, job: Any, finished: Finished) -> None:
        if session is not self._desk.session:
            return  # another section lies on the desk

        try:
            line = self._finish_fit(session, job, finished)
        except Stale:
            again = self._gather(session, table, output)
            if again.number >= 0:  # a newer stroke; after an undo there is nothing to fit
                self._run(session, table, output, lambda: again)
            return
        took = f"{finished.seconds:.{2 if finished.seconds < 1 else 1}f} s"
        self.message.show_message(Message("ok", f"Fitted again in {took}: {line}"))
        self.done.emit()

    def _on_error(self, error: BaseException) -> None:
        self.message.show_message(tell(error))
        self._follow_state()

    def _on_progress(self, progress: Progress) -> None:
        if progress.elapsed < SHOWN_AFTER_S:
            return
        self.message.show_message(None)  # of the fit before
        self.row.show()
        self.row.bar.follow(progress)

    def _follow_state(self) -> None:
        if self.runner.state == "idle":
            self.row.hide()
