"""Shows the cells of a run over a slide while it goes on; what is left when it is stopped is told."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QObject, QTimer

from ..session.slides.job import SlideJob
from ..views.presenter import Presenter
from ..views.streaming import Streaming
from .messages import Message
from .panel import MethodPanel

__all__ = ["Streamed"]

_INTERVAL_MS = 250


class Streamed(QObject):
    """Follows the jobs of a panel.

    Parameters
    ----------
    panel
        The panel whose jobs are shown; its parent.
    """

    def __init__(self, panel: MethodPanel) -> None:
        super().__init__(panel)
        self._panel = panel
        self.shown: Streaming | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(_INTERVAL_MS)
        self._timer.timeout.connect(self._refresh)

    def follow(self, presenter: Presenter | None, job: Any) -> None:
        """Show the cells of a job as they are found, where it works tile by tile."""
        self._end()
        if presenter is not None and isinstance(job, SlideJob):
            self.shown = Streaming(presenter, job)
            self._timer.start()

    def _refresh(self) -> None:
        if self.shown is None:
            return
        if self._panel.state != "idle":
            self.shown.refresh()
            return
        tiles, line = self.shown.tiles, self._panel.message.message
        self._end()
        if line is not None and line.text == "Stopped.":
            kept = f"Stopped. {tiles:,} tiles are kept: Run goes on from there."
            self._panel.message.show_message(Message("info", kept))

    def _end(self) -> None:
        self._timer.stop()
        if self.shown is not None:
            self.shown.close()
            self.shown = None
