"""Several registrations of one pair: kept under names, swiped between, and compared in a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from ..core.report import Report
from ..session.alignment_report import AlignmentReport
from .file_dialogs import ask_where_to_save
from .run_row import RunRow
from .step import choose
from .style import SPACING, Quiet, Rows, Tool, tool_row

__all__ = ["KeptRegistrations"]

Prepare = Callable[[], Callable[[Report], AlignmentReport]]
_ROW = 24


class KeptRegistrations(QWidget):
    """Keep a registration, take one up again, and compare them.

    Parameters
    ----------
    report
        Returns what makes the report of the present registration and of those that are kept, beside the window.
    """

    kept = Signal(str)
    """A name under which the present one is to be kept."""
    used = Signal(str)
    """A kept one that is to be laid again."""
    forgotten = Signal(str)
    """A kept one that is no longer wanted."""
    swiped = Signal(str)
    """A kept one that is to be compared with the present one in place."""

    def __init__(
        self, report: Callable[[], Callable[[Report], AlignmentReport]], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.report: AlignmentReport | None = None
        self.name, self.names = QLineEdit(), QComboBox()
        self.name.setPlaceholderText("name to keep it by")
        self.name.setAccessibleName("Name of the registration")
        self.name.returnPressed.connect(self._keep)
        keep = QPushButton("Keep as")
        keep.setToolTip("Keep this registration under the name on the left, to compare another with it (Enter).")
        keep.clicked.connect(lambda _checked=False: self._keep())
        self._others = Rows()
        self._others.add("Kept", self.names, "A registration of this pair that was kept.")
        self._tools = tool_row(
            [
                Tool("Swipe between", "Compare the kept registration with the present one in place.",
                     self._send(self.swiped)),
                Tool("Use it", "Lay the moving side as the kept registration says.", self._send(self.used)),
                Tool("Forget", "Keep this registration no longer.", self._send(self.forgotten)),
            ]
        )  # fmt: skip
        self.run_row = RunRow(
            "Report", "Landmark error, likeness of the images, folds and bend of every registration.",
            report, self._done,
        )  # fmt: skip
        self.table, self.said = _table(), Quiet()
        self.export = QPushButton("Export…")
        self.export.setToolTip("Write the report as a table (.csv) or with the places where two differ (.json).")
        self.export.clicked.connect(lambda _checked=False: self._ask())
        line = QHBoxLayout()
        line.addWidget(self.name, 1)
        line.addWidget(keep)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        layout.addLayout(line)
        for part in (self._others, self._tools, self.run_row, self.table, self.said, self.export):
            layout.addWidget(part)
        self._show(None)

    def fill(self, names: Sequence[str]) -> None:
        """Offer the registrations that are kept of this pair."""
        choose(self.names, names)
        for part in (self._others, self._tools):
            part.setVisible(bool(names))

    def forget_report(self) -> None:
        """Take the report away: what it tells of has changed."""
        self._show(None)

    def write(self, path: Path) -> None:
        """Write the report to a file, as its ending says."""
        if self.report is not None:
            text = self.report.to_json() if path.suffix == ".json" else self.report.to_csv()
            path.write_text(text, encoding="utf-8")

    def _done(self, report: AlignmentReport) -> str:
        self._show(report)
        return ""

    def _show(self, report: AlignmentReport | None) -> None:
        self.report = report
        for part in (self.table, self.said, self.export):
            part.setVisible(report is not None)
        if report is None:
            return
        rows = report.rows()
        self.table.setColumnCount(1 + len(report.columns))
        self.table.setHorizontalHeaderLabels(["", *(c.name for c in report.columns)])
        self.table.setRowCount(len(rows))
        for at, row in enumerate(rows):
            self.table.setRowHeight(at, _ROW)
            for column, text in enumerate(row):
                item = QTableWidgetItem(text)
                side = Qt.AlignmentFlag.AlignRight if column else Qt.AlignmentFlag.AlignLeft
                item.setTextAlignment(side | Qt.AlignmentFlag.AlignVCenter)
                item.setToolTip(text)
                self.table.setItem(at, column, item)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in range(1, self.table.columnCount()):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        self.table.setFixedHeight(len(rows) * _ROW + max(header.height(), _ROW) + 2 * self.table.frameWidth() + 2)
        self.said.setText("\n".join(report.sentences()))
        self.said.setVisible(bool(report.sentences()))

    def _ask(self) -> None:
        ask_where_to_save(self, "Export the report", "registration.csv", ".csv", self.write)

    def _keep(self) -> None:
        self.kept.emit(self.name.text().strip())

    def _send(self, signal: Any) -> Callable[[], None]:
        def pressed() -> None:
            if self.names.currentData():
                signal.emit(str(self.names.currentData()))

        return pressed


def _table() -> QTableWidget:
    made = QTableWidget(0, 0)
    made.verticalHeader().hide()
    made.setShowGrid(False)
    made.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    made.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
    made.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
    made.horizontalHeader().setSectionsClickable(False)
    made.setAccessibleName("Report of the registrations")
    return made
