"""A table of figures to be read, not edited, and the two files that it can be written to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from .file_dialogs import ask_where_to_save
from .style import Tool, tool_row

__all__ = ["FigureTable", "export_row"]

_ROW = 22


class FigureTable(QTableWidget):
    """Figures by row: a name that takes the room, and values as wide as they are.

    Parameters
    ----------
    name
        What a screen reader calls it.
    """

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(0, 1, parent)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(_ROW)
        self.setShowGrid(False)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName(name)

    def set_heads(self, *heads: str) -> None:
        """Name the columns of the values."""
        self.setColumnCount(1 + len(heads))
        self.setHorizontalHeaderLabels(["", *heads])
        header = self.horizontalHeader()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in range(1, self.columnCount()):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)

    def show_rows(self, rows: Sequence[tuple[Sequence[str], str]], most: int | None = None) -> None:
        """Show rows of texts, each with its tooltip, and be as high as they are, or as ``most`` of them."""
        self.setRowCount(len(rows))
        for i, (texts, help) in enumerate(rows):
            for column, text in enumerate(texts):
                item = QTableWidgetItem(text)
                item.setToolTip(help)
                if column:
                    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.setItem(i, column, item)
        high = len(rows) if most is None else min(len(rows), most)
        self.setFixedHeight(_ROW * high + self.horizontalHeader().sizeHint().height() + 4)


def export_row(parent: QWidget, what: str, name: str, export: Callable[[Path], object]) -> QWidget:
    """Return the buttons that write a report as JSON and its figures as a table; ``what`` the report holds."""

    def ask(title: str, suffix: str) -> None:
        ask_where_to_save(parent, title, f"{name}{suffix}", suffix, export)

    return tool_row(
        [
            Tool("Export report…", f"Write {what} as JSON.", lambda: ask("Export the report", ".json")),
            Tool("Export table…", "Write the figures as comma-separated values.",
                 lambda: ask("Export the table", ".csv")),
        ]
    )  # fmt: skip
