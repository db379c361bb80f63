"""The table of regions: class, area, what is inside, and note; a click marks a region on the canvas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import QAbstractTableModel, QItemSelection, QItemSelectionModel, QModelIndex, Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from .style import swatch

__all__ = ["RegionRow", "RegionTable", "area_text"]

_ROW = 24
_MOST = 9
"""Rows shown before the table scrolls."""


@dataclass(frozen=True)
class RegionRow:
    """One region of the table; ``inside`` is None until it was counted."""

    id: str
    class_name: str
    colour: str
    area_um2: float
    inside: int | None
    note: str


def area_text(um2: float) -> str:
    """Return an area in µm², or in mm² from a hundredth of one on."""
    return f"{um2 / 1e6:.3g} mm²" if um2 >= 1e4 else f"{um2:,.0f} µm²"


class _Model(QAbstractTableModel):
    """The rows as Qt reads them: thousands cost nothing that is not in view."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.rows: tuple[RegionRow, ...] = ()
        self.heads = ("Class", "Area", "Inside", "Note")

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        return len(self.rows)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        return len(self.heads)

    def headerData(self, section: int, orientation: Any, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        horizontal = orientation == Qt.Orientation.Horizontal
        return self.heads[section] if horizontal and role == Qt.ItemDataRole.DisplayRole else None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row, column = self.rows[index.row()], index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            inside = "…" if row.inside is None else f"{row.inside:,}"
            return (row.class_name or "no class", area_text(row.area_um2), inside, row.note)[column]
        if role == Qt.ItemDataRole.DecorationRole and column == 0:
            return swatch(row.colour)
        if role == Qt.ItemDataRole.TextAlignmentRole and column in (1, 2):
            right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            return getattr(right, "value", right)  # PyQt6 takes the flags of a model as a number
        if role == Qt.ItemDataRole.ToolTipRole and column == 3:
            return row.note
        return None

    def set_rows(self, rows: tuple[RegionRow, ...], heads: tuple[str, ...]) -> None:
        self.beginResetModel()
        self.rows, self.heads = rows, heads
        self.endResetModel()


class RegionTable(QTableView):
    """Regions by class; several can be marked."""

    marked = Signal(object)
    """The ids that the person marked."""
    visited = Signal(str)
    """The id of the region to look at."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = _Model(self)
        self._quiet = False
        self.setModel(self._model)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(_ROW)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setAccessibleName("Regions")
        self.setToolTip(
            "A click marks a region on the canvas, Ctrl or Shift and a click several; a double click goes there."
        )
        header = self.horizontalHeader()
        for column, width in ((0, 124), (1, 84), (2, 54)):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
            self.setColumnWidth(column, width)
        header.setSectionResizeMode(3, QHeaderView.ResizeMode.Stretch)
        header.setSectionsClickable(False)
        self.selectionModel().selectionChanged.connect(self._on_selection)
        self.doubleClicked.connect(lambda index: self.visited.emit(self._model.rows[index.row()].id))
        self.hide()

    @property
    def rows(self) -> tuple[RegionRow, ...]:
        """The rows shown."""
        return self._model.rows

    def set_rows(self, rows: Sequence[RegionRow], marked: Sequence[str], unit: str = "") -> None:
        """Show regions, and which of them are marked; ``unit`` is what was counted inside, "" for nothing."""
        heads = ("Class", "Area", unit, "Note")
        self.setColumnHidden(2, not unit)
        if tuple(rows) != self._model.rows or heads != self._model.heads:
            self._quiet = True
            self._model.set_rows(tuple(rows), heads)
            self._quiet = False
        self._mark(marked)
        self.setVisible(bool(rows))
        head = max(self.horizontalHeader().height(), _ROW)
        self.setFixedHeight(min(len(rows), _MOST) * _ROW + head + 2 * self.frameWidth() + 2)

    def ids(self) -> tuple[str, ...]:
        """Return the ids that are marked, in the order of the table."""
        return tuple(self._model.rows[i.row()].id for i in sorted(self.selectionModel().selectedRows()))

    def _mark(self, ids: Sequence[str]) -> None:
        wanted = {i for i in ids if i}
        if wanted == set(self.ids()):
            return
        picked = QItemSelection()
        for k, row in enumerate(self._model.rows):
            if row.id in wanted:
                picked.select(self._model.index(k, 0), self._model.index(k, self._model.columnCount() - 1))
        self._quiet = True
        self.selectionModel().select(picked, QItemSelectionModel.SelectionFlag.ClearAndSelect)
        self._quiet = False
        if not picked.isEmpty():
            self.scrollTo(picked.indexes()[0])

    def _on_selection(self, *_: object) -> None:
        if not self._quiet:
            self.marked.emit(self.ids())
