"""A button that starts a job beside the window and becomes Stop, with a bar and one line of outcome."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from ..core.report import Report
from .messages import Message, MessageLine, tell
from .progress import Progress
from .progress_row import ProgressBar
from .runner import Runner
from .style import SPACING, Quiet

__all__ = ["RunRow"]


class RunRow(QWidget):
    """Run something that is not a method: a long correction, a comparison, an export.

    Parameters
    ----------
    text
        What the button says while nothing runs: a verb.
    help
        Its tooltip.
    job
        Called in the window's thread; returns what runs beside it. It may raise our errors.
    done
        Takes the outcome in the window's thread; returns the line that tells it, or a message of another level.
    """

    def __init__(
        self,
        text: str,
        help: str,
        job: Callable[[], Callable[[Report], Any]],
        done: Callable[[Any], str | Message],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._text, self._job, self._done = text, job, done
        self._ready = True
        self.runner = Runner(self)
        self.runner.changed.connect(self._follow)
        self.button, self.bar, self.step, self.message = QPushButton(text), ProgressBar(), Quiet(), MessageLine()
        self.button.setToolTip(help)
        self.button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.button.clicked.connect(lambda _checked=False: self.run() if self.state == "idle" else self.runner.stop())
        line = QHBoxLayout()
        line.setSpacing(8)
        line.addWidget(self.button)
        line.addWidget(self.bar, 1)
        line.addStretch(0)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACING)
        column.addLayout(line)
        column.addWidget(self.step)
        column.addWidget(self.message)
        self._follow()

    @property
    def state(self) -> str:
        """Return "idle", "running" or "stopping"."""
        return self.runner.state

    def set_ready(self, ready: bool) -> None:
        """Say whether there is something to run on."""
        self._ready = ready
        self._follow()

    def run(self) -> None:
        """Start; what goes wrong is told under the button."""
        if self.state != "idle":
            return
        self.message.show_message(None)
        self.bar.wait()
        try:
            self.runner.run(
                self._job(),
                on_result=self._on_result,
                on_error=lambda error: self._end(tell(error)),
                on_progress=self._on_progress,
                on_stopped=lambda: self._end(Message("info", "Stopped.")),
                title=self._text,
                key=self._text,
            )
        except Exception as error:  # everything that can go wrong is told in this one place
            self._end(tell(error))

    def _on_result(self, outcome: Any) -> None:
        told = self._done(outcome)
        self._end(told if isinstance(told, Message) else Message("ok", told) if told else None)

    def _on_progress(self, progress: Progress) -> None:
        self.bar.follow(progress)
        self.step.setText(progress.words)
        self._follow()

    def _end(self, message: Message | None) -> None:
        self.step.clear()
        self.message.show_message(message)
        self._follow()

    def _follow(self) -> None:
        state = self.state
        self.button.setText({"running": "Stop", "stopping": "Stopping…"}.get(state, self._text))
        self.button.setEnabled(state == "running" or (state == "idle" and self._ready))
        self.bar.setVisible(state != "idle")
        self.step.setVisible(state != "idle" and bool(self.step.text()))
