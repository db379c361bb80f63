"""What a person would wait for at the first run or stroke is made ready beside the window while it rests."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from qtpy.QtCore import QObject, QTimer

from ..core.report import Report
from .runner import Runner

__all__ = ["Warming"]

Work = Callable[[Report], Any]
_REST_MS = 500
"""The section is drawn first."""


class Warming(QObject):
    """Makes ready what is looked at, once for each thing.

    Parameters
    ----------
    parent
        The dock, with which it goes.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.runner = Runner(self)
        self._what: Hashable = None
        self._done: Hashable = None
        self._prepare: Callable[[], Work | None] = lambda: None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_REST_MS)
        self._timer.timeout.connect(self._start)

    def follow(self, what: Hashable, prepare: Callable[[], Work | None] = lambda: None) -> None:
        """Make something ready, unless it was the last that was.

        Parameters
        ----------
        what
            What it is; of None nothing is made ready.
        prepare
            Called in the window's thread, after a while; returns what runs beside the window, or None.
            If that returns a function, it is called in the window's thread at the end.
        """
        self._what, self._prepare = what, prepare
        if what is None:
            self.stop()
        elif what != self._done:
            self._timer.start()

    def stop(self) -> None:
        """Leave it to the first run or stroke."""
        self._timer.stop()
        self.runner.stop()

    def _forget(self) -> None:
        self._done = None

    def _start(self) -> None:
        work = self._prepare()
        if work is None:
            return
        self._done = self._what
        self.runner.run(
            work,
            on_result=lambda keep: None if keep is None else keep(),
            on_error=lambda _error: None,  # nobody has asked for anything yet: who does meets the same, and is told
            on_stopped=self._forget,
            key="warm",
            replace=True,
            listed=False,
        )
