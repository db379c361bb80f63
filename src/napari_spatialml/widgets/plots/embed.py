"""Compute a UMAP of a table's rows, beside the window, into the document."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QSpinBox, QToolButton, QVBoxLayout, QWidget

from ...core.report import Report
from ...errors import DocumentError
from ...session import finish, prepare
from ...session.run import Job
from ...session.selection import EmbeddingSelection
from ..desk import Desk
from ..number import DecimalField
from ..run_row import RunRow
from ..style import SPACING, quiet_button
from .pane import Fields

__all__ = ["EmbedRow"]


class EmbedRow(QWidget):
    """Two numbers and the button that computes a UMAP."""

    done = Signal(str)
    """The name of the embedding that was computed."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk, self._table = desk, ""
        self._started: tuple[Any, Job] | None = None
        self.neighbours, self.distance = QSpinBox(), DecimalField()
        self.neighbours.setRange(2, 200)
        self.neighbours.setValue(15)
        self.distance.setRange(0.0, 1.0)
        self.distance.setSingleStep(0.1)
        self.distance.setValue(0.5)
        self._options = QWidget()
        fields = Fields(self._options)
        for word, field, help in (
            ("Neighbours", self.neighbours, "How many nearest rows each row keeps close: fewer show finer structure."),
            ("Distance", self.distance, "How far apart the closest points lie: smaller makes tighter clumps."),
        ):
            fields.add(word, field, help)
        self._options.hide()
        help = "Lay out the rows in two dimensions so that rows of similar expression lie close (scanpy)."
        self.run_row = RunRow("Compute UMAP", help, self._job, self._done)
        self.more = QToolButton()
        self.more.setText("Options")
        self.more.setCheckable(True)
        self.more.setToolTip("Choose the number of neighbours and the distance of a UMAP.")
        self.more.toggled.connect(self._options.setVisible)
        quiet_button(self.more)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACING)
        column.addWidget(self.run_row)
        column.addWidget(self.more, 0)
        column.addWidget(self._options)

    def set_table(self, table: str) -> None:
        """Say whose rows are laid out."""
        self._table = table

    def _job(self) -> Any:
        from ...methods import method

        assert self._desk.session is not None
        session, table = self._desk.session, self._table
        settings = {"n_neighbours": self.neighbours.value(), "min_distance": self.distance.value()}
        chosen = method("embedding", "umap").from_settings(settings)
        held = session.document.table(table)
        features = (
            "X" if held.X is not None and held.n_vars else next((f"obsm/{k}" for k in held.obsm if k != "spatial"), "X")
        )
        job = prepare(session, chosen, EmbeddingSelection(table, features))
        self._started = (session, job)

        def run(report: Report) -> Any:
            return job(report)

        return run

    def _done(self, finished: Any) -> str:
        assert self._started is not None
        session, job = self._started
        self._started = None
        if session is not self._desk.session:
            raise DocumentError("The section was closed while this ran.", "Open it again and run it there.")
        line = finish(session, job, finished)
        self.done.emit(job.selection.output)  # type: ignore[union-attr]
        return line
