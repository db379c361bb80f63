"""The first stroke need not wait: what it needs is made ready beside the window, once the map is looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer

from ..core.report import Report
from ..session.warming_domains import warm_domains
from .runner import Runner

if TYPE_CHECKING:
    from .desk import Desk

__all__ = ["Warming"]

_REST_MS = 500
"""The section is drawn first."""


class Warming(QObject):
    """Makes ready what strokes on a map need, once for each map.

    Parameters
    ----------
    desk
        The desk.
    parent
        The dock, with which it goes.
    """

    def __init__(self, desk: Desk, parent: QObject) -> None:
        super().__init__(parent)
        self.desk = desk
        self.runner = Runner(self)
        self._place, self._done = ("", ""), None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_REST_MS)
        self._timer.timeout.connect(self._start)

    def follow(self, table: str, column: str) -> None:
        """Make a map ready, or none where the table is ""."""
        self._place = table, column
        if not table:
            self.stop()
        elif self._moment() != self._done:
            self._timer.start()

    def stop(self) -> None:
        """Leave it to the first stroke."""
        self._timer.stop()
        self.runner.stop()

    def _forget(self) -> None:
        self._done = None

    def _moment(self) -> Any:
        presenter = self.desk.presenter
        return self._place, id(presenter), presenter.state.coordinate_system if presenter is not None else ""

    def _start(self) -> None:
        presenter, session, (table, column) = self.desk.presenter, self.desk.session, self._place
        if presenter is None or session is None:
            return
        self._done = self._moment()
        document, system = session.document, presenter.state.coordinate_system
        element, memory, warm = document.annotated(table), presenter.memory, warm_domains(document, table, column)

        def work(report: Report) -> Any:
            from ..views.row_layout import prepared_layout

            keep = prepared_layout(document, table, element, system)
            report(0.0)
            warm(report)
            return keep

        self.runner.run(
            work,
            on_result=lambda keep: keep(memory),
            on_error=lambda _error: None,  # nobody has asked for anything yet: a stroke meets the same, and tells it
            on_stopped=self._forget,
            key="warm",
            replace=True,
            listed=False,
        )
