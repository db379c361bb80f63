"""Several registrations of one pair: kept under names, compared in a table, and swiped between."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from .landmark_table import length
from .style import SPACING, Tool, tool_row

__all__ = ["NOW", "KeptTable"]

NOW = "now"
_ROW = 24


class KeptTable(QWidget):
    """A row for the present registration and one for each that is kept."""

    kept = Signal(str)
    """A name under which the present one is to be kept."""
    used = Signal(str)
    """A kept one that is to be laid again."""
    forgotten = Signal(str)
    """A kept one that is no longer wanted."""
    swiped = Signal(str)
    """A kept one that is to be compared with the present one in place."""
    exported = Signal()
    """The table is to be written to a file."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.name = QLineEdit()
        self.name.setPlaceholderText("name to keep it by")
        self.name.setAccessibleName("Name of the registration")
        self.name.returnPressed.connect(self._keep)
        self.table = QTableWidget(0, 4)
        self.table.setHorizontalHeaderLabels(["registration", "landmarks", "trust", "likeness"])
        self.table.verticalHeader().hide()
        self.table.setShowGrid(False)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setAccessibleName("Registrations of this pair")
        self.table.setToolTip(
            "Landmarks: the median distance between pairs. Likeness: mutual information of the images, in bits."
        )
        header = self.table.horizontalHeader()
        header.setSectionsClickable(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column, width in ((1, 78), (2, 52), (3, 66)):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
            self.table.setColumnWidth(column, width)
        keep = QPushButton("Keep as")
        keep.setToolTip("Keep this registration under the name on the left, to compare another with it (Enter).")
        keep.clicked.connect(lambda _checked=False: self._keep())
        others = tool_row(
            [
                Tool(
                    "Swipe", "Compare the marked registration with the present one in place.", self._send(self.swiped)
                ),
                Tool("Use", "Lay the moving side as the marked registration says.", self._send(self.used)),
                Tool("Forget", "Keep the marked registration no longer.", self._send(self.forgotten)),
                Tool("Export…", "Write this comparison to a table.", self.exported.emit),
            ]
        )
        self._others = others
        line = QHBoxLayout()
        line.addWidget(self.name, 1)
        line.addWidget(keep)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        layout.addLayout(line)
        for part in (self.table, others):
            layout.addWidget(part)

    @property
    def marked(self) -> str:
        """The kept registration that is marked; the only one where none is; "" for the present one."""
        row = self.table.currentRow()
        names = self.names
        if row >= 1:
            return names[row]
        return names[1] if len(names) == 2 else ""

    @property
    def names(self) -> list[str]:
        """What the rows are called, the present one first."""
        items = (self.table.item(row, 0) for row in range(self.table.rowCount()))
        return [item.text() for item in items if item is not None]

    def fill(self, rows: Mapping[str, Mapping[str, Any]]) -> None:
        """Show registrations by name: "landmarks_um", "trust" and "likeness" of each, where they are known."""
        self.table.setRowCount(len(rows))
        for at, (name, row) in enumerate(rows.items()):
            trust, likeness = row.get("trust"), row.get("likeness")
            texts = (
                name,
                length(row.get("landmarks_um")),
                "–" if trust is None else f"{100 * trust:.0f} %",
                "–" if likeness is None else f"{likeness:.3f}",
            )
            self.table.setRowHeight(at, _ROW)
            for column, text in enumerate(texts):
                item = QTableWidgetItem(text)
                right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
                left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
                item.setTextAlignment(left if column == 0 else right)
                self.table.setItem(at, column, item)
        several = len(rows) > 1
        self.table.setVisible(several)
        self._others.setVisible(several)
        head = self.table.horizontalHeader().height() or _ROW
        self.table.setFixedHeight(min(len(rows), 6) * _ROW + max(head, _ROW) + 2 * self.table.frameWidth() + 2)

    def _keep(self) -> None:
        self.kept.emit(self.name.text().strip())

    def _send(self, signal: Any) -> Any:
        def pressed() -> None:
            if self.marked:
                signal.emit(self.marked)

        return pressed
