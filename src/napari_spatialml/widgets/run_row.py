"""A button that starts a long job and becomes Stop, its progress, and what came out, for docks without a method."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from ..core.report import Report
from .messages import Message, MessageLine, tell
from .progress import Progress, time_left
from .runner import Runner
from .style import SPACING, accent, thin_bar, tooltip

__all__ = ["RunRow"]

Prepared = tuple[Callable[[Report], Any], Callable[[Any], str]]


class RunRow(QWidget):
    """Runs one thing beside the window.

    Parameters
    ----------
    text, help
        Of the button.
    prepare
        Gathers the inputs; returns the job, which runs in a thread, and what stores its result and tells it in a line.
    """

    def __init__(self, text: str, help: str, prepare: Callable[[], Prepared], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text, self._prepare, self._ready = text, prepare, True
        self.runner = Runner(self)
        self.runner.changed.connect(self._follow)
        self.button = QPushButton(text)
        self.button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.button.setMinimumWidth(84)
        self.button.setToolTip(tooltip(help))
        self.button.clicked.connect(lambda _checked=False: self.run() if self.runner.state == "idle" else self.stop())
        self._bar, self._share, self.message = QProgressBar(), QLabel(), MessageLine()
        thin_bar(self._bar)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.button)
        row.addWidget(self._bar, 1)
        row.addWidget(self._share)
        row.addStretch(0)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACING)
        column.addLayout(row)
        column.addWidget(self.message)
        self._follow()

    def set_ready(self, ready: bool) -> None:
        """Say whether what the job needs is there."""
        self._ready = ready
        self._follow()

    def run(self) -> None:
        """Start. What goes wrong is told under the button."""
        if self.runner.state != "idle":
            return
        self.message.show_message(None)
        try:
            job, self._done = self._prepare()
            self._bar.setRange(0, 0)
            self.runner.run(
                job,
                on_result=self._on_result,
                on_error=self._on_error,
                on_progress=self._on_progress,
                on_stopped=self._on_stopped,
                title=self._text,
                key=self._text,
            )
        except Exception as error:  # everything that can go wrong is told in this one place
            self._on_error(error)

    def stop(self) -> None:
        """Ask the job to stop."""
        self.runner.stop()

    def _follow(self) -> None:
        state = self.runner.state
        self.button.setText({"idle": self._text, "running": "Stop", "stopping": "Stopping…"}[state])
        self.button.setEnabled(state == "running" or (state == "idle" and self._ready))
        if state == "idle":
            accent(self.button)
        else:
            self.button.setStyleSheet("")
        for part in (self._bar, self._share):
            part.setVisible(state != "idle")

    def _on_progress(self, progress: Progress) -> None:
        known = progress.fraction > 0
        self._bar.setRange(0, 1000 if known else 0)
        self._bar.setValue(round(1000 * progress.fraction))
        self._share.setText(f"{100 * progress.fraction:.0f} %  {time_left(progress.remaining)}" if known else "")

    def _on_result(self, result: Any) -> None:
        self.message.show_message(Message("ok", self._done(result)))

    def _on_error(self, error: BaseException) -> None:
        self.message.show_message(tell(error))
        self._follow()

    def _on_stopped(self) -> None:
        self.message.show_message(Message("info", "Stopped."))
