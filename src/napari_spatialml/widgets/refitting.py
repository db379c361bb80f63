"""The fit of all spots that follows what the hand has set: beside the window, the latest wins, one undo with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QProgressBar, QVBoxLayout, QWidget

from ..core.report import Report
from ..errors import Stale
from ..session import finish_refit, refit
from .messages import Message, MessageLine, tell
from .progress import Progress
from .runner import Runner
from .style import Quiet, thin_bar

if TYPE_CHECKING:
    from ..session import Session
    from ..session.refitting import RefitJob
    from ..session.run import Finished
    from .desk import Desk

__all__ = ["Refitting"]


class Refitting(QWidget):
    """Fits again, and says so.

    Parameters
    ----------
    desk
        The desk.
    """

    done = Signal()
    """A fit is in the document."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self.runner = Runner(self)
        self.bar, self.step, self.message = QProgressBar(), Quiet(), MessageLine()
        thin_bar(self.bar)
        self.bar.setRange(0, 0)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        for part in (self.bar, self.step, self.message):
            layout.addWidget(part)
        self.runner.changed.connect(self._follow_state)
        desk.opened.connect(self.stop)
        self._follow_state()

    def start(self, table: str, output: str) -> None:
        """Fit all spots of a result again; a fit that is on its way gives way."""
        session = self._desk.session
        if session is None:
            return
        self._run(session, table, lambda: refit(session, table, output))

    def stop(self) -> None:
        """Stop, and say nothing."""
        self.runner.stop()
        self.message.show_message(None)

    def _run(self, session: Session, table: str, gather: Callable[[], RefitJob]) -> None:
        def work(report: Report) -> tuple[RefitJob, Finished]:
            job = gather()  # after a section was opened again, this reads the reference
            return job, job(report)

        n = session.document.table(table).n_obs
        self.step.setText(f"Fitting {n:,} spots again …")
        self.message.show_message(None)
        self.runner.run(
            work,
            on_result=lambda made: self._finish(session, *made),
            on_error=self._on_error,
            on_progress=self._on_progress,
            on_stopped=self._follow_state,
            title="Fit again",
            key="refit",
            replace=True,
        )

    def _finish(self, session: Session, job: RefitJob, finished: Finished) -> None:
        if session is not self._desk.session:
            return  # another section lies on the desk

        try:
            line = finish_refit(session, job, finished)
        except Stale:
            again = refit(session, job.selection.table, job.selection.output)
            if again.number >= 0:  # a newer stroke; after an undo there is nothing to fit
                self._run(session, job.selection.table, lambda: again)
            return
        self.message.show_message(Message("ok", f"Fitted again in {finished.seconds:.1f} s: {line}"))
        self.done.emit()

    def _on_error(self, error: BaseException) -> None:
        self.message.show_message(tell(error))
        self._follow_state()

    def _on_progress(self, progress: Progress) -> None:
        self.bar.setRange(0, 1000 if progress.fraction > 0 else 0)
        self.bar.setValue(round(1000 * progress.fraction))

    def _follow_state(self) -> None:
        running = self.runner.state != "idle"
        for part in (self.bar, self.step):
            part.setVisible(running)
