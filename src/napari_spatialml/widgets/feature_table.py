"""A table of features with their effect sizes: sorted by any column, searched by a part of the name, copied."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt, Signal
from qtpy.QtGui import QGuiApplication, QKeyEvent, QKeySequence, QResizeEvent
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

__all__ = ["EFFECTS", "Effect", "FeatureTable"]

_ROW, _WIDE, _NAME = 22, 67, 124


class Effect(NamedTuple):
    """A column of the table: what it is called, what it says, and how its numbers are written."""

    head: str
    help: str
    text: Callable[[float], str]


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−") if abs(value) >= 0.005 else "0.00"


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %"


def _mean(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


EFFECTS = {
    "auroc": Effect(
        "AUROC", "The chance that a row of the domain has more of it than a row outside: 1 always, 0.5 no "
        "difference, 0 never.", lambda v: f"{v:.2f}"),
    "log2_fold_change": Effect(
        "log₂ fold", "How often the mean doubles from outside to inside: +1 is twice as much, −1 half as much.",
        _signed),
    "cohens_d": Effect(
        "Cohen's d", "The difference of the means in standard deviations (of logarithms where these are counts): "
        "0.2 is small, 0.8 is large.", _signed),
    "mean_in": Effect("mean in", "Mean within the domain; of counts, at the median depth.", _mean),
    "mean_out": Effect("mean out", "Mean outside; of counts, at the median depth.", _mean),
    "share_in": Effect("rows in", "Share of the rows within that have any of it.", _percent),
    "share_out": Effect("rows out", "Share of the rows outside that have any of it.", _percent),
}  # fmt: skip


class _Features(QAbstractTableModel):
    """The rows of a frame that a search leaves, in the order of a column; nothing is copied."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.frame = pd.DataFrame({"feature": []})
        self.columns: list[str] = []
        self.word = "feature"
        self.shown: npt.NDArray[np.int64] = np.empty(0, np.int64)
        self.sought, self.by, self.descending = "", "", True
        self._names: list[str] = []
        self._folded: list[str] = []
        self._values: dict[str, npt.NDArray[np.float64]] = {}

    def set_frame(self, frame: pd.DataFrame, word: str) -> None:
        self.beginResetModel()
        self.frame, self.word = frame, word
        self.columns = [c for c in EFFECTS if c in frame]
        self._names = [str(n) for n in frame["feature"]]
        self._folded = [n.casefold() for n in self._names]
        self._values = {c: frame[c].to_numpy(float) for c in self.columns}
        self._choose()
        self.endResetModel()

    def search(self, text: str) -> None:
        self.beginResetModel()
        self.sought = text.strip().casefold()
        self._choose()
        self.endResetModel()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.DescendingOrder) -> None:
        self.beginResetModel()
        self.by = ["feature", *self.columns][column] if 0 <= column <= len(self.columns) else ""
        self.descending = order == Qt.SortOrder.DescendingOrder
        self._choose()
        self.endResetModel()

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.shown)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else 1 + len(self.columns)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role == Qt.ItemDataRole.TextAlignmentRole and index.column():
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role not in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return None
        row = int(self.shown[index.row()])
        if not index.column():
            return self._names[row]
        column = self.columns[index.column() - 1]
        value = float(self._values[column][row])
        return EFFECTS[column].text(value) if np.isfinite(value) else "–"

    def headerData(self, section: int, way: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if way != Qt.Orientation.Horizontal or section > len(self.columns):
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return EFFECTS[self.columns[section - 1]].head if section else self.word
        if role == Qt.ItemDataRole.ToolTipRole:
            said = EFFECTS[self.columns[section - 1]].help if section else "A click colours the section by it."
            return f"{said} Click here to sort."
        return None

    def name_at(self, row: int) -> str:
        return self._names[int(self.shown[row])] if 0 <= row < len(self.shown) else ""

    def row_of(self, name: str) -> int:
        at = np.flatnonzero(np.array([self._names[k] == name for k in self.shown], bool))
        return int(at[0]) if len(at) else -1

    def _choose(self) -> None:
        kept = np.array([k for k, n in enumerate(self._folded) if self.sought in n], np.int64)
        if self.by and len(kept):
            if self.by == "feature":
                order = np.array(sorted(range(len(kept)), key=lambda i: _natural(self._names[kept[i]])), np.int64)
                order = order[::-1] if self.descending else order
            else:
                values = self._values.get(self.by, np.zeros(len(self._names)))[kept]
                order = np.argsort(
                    np.where(np.isnan(values), np.inf, -values if self.descending else values), kind="stable"
                )
            kept = kept[order]
        self.shown = kept


def _natural(name: str) -> tuple[float, str]:
    """Return a key by which masses stand by their number, and genes by their letters."""
    try:
        return float(name), ""
    except ValueError:
        return np.inf, name.casefold()


class FeatureTable(QTableView):
    """Features, one a row; a click or an arrow key chooses one, a click on a head sorts."""

    chosen = Signal(str)
    """The feature that was chosen by hand."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows = _Features(self)
        self.setModel(self._rows)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(_ROW)
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.setShowGrid(False)
        self.setAlternatingRowColors(False)
        self.setWordWrap(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setAccessibleName("Features")
        header = self.horizontalHeader()
        header.setStretchLastSection(False)
        header.setHighlightSections(False)
        header.setSortIndicatorShown(True)
        header.setSectionsClickable(True)
        header.setSortIndicator(-1, Qt.SortOrder.DescendingOrder)
        header.sectionClicked.connect(self._on_head)
        self.clicked.connect(lambda index: self._tell(index.row()))

    def set_frame(self, frame: pd.DataFrame, word: str) -> None:
        """Show the features of a frame with a column ``feature`` and any of `EFFECTS`; search and order stay."""
        current = self.current()
        self._rows.set_frame(frame, word)
        for column in range(1, self._rows.columnCount()):
            self.setColumnWidth(column, _WIDE)
        self._give_room()
        self.mark(current)

    def search(self, text: str) -> None:
        """Leave the features whose name holds a text."""
        current = self.current()
        self._rows.search(text)
        self.mark(current)

    def sort_by(self, column: str, *, descending: bool = True) -> None:
        """Sort by a column of the frame."""
        order = Qt.SortOrder.DescendingOrder if descending else Qt.SortOrder.AscendingOrder
        at = ["feature", *self._rows.columns].index(column)
        self.horizontalHeader().setSortIndicator(at, order)
        current = self.current()
        self._rows.sort(at, order)
        self.mark(current)

    def current(self) -> str:
        """Return the feature that is marked, or ""."""
        return self._rows.name_at(self.currentIndex().row()) if self.currentIndex().isValid() else ""

    def mark(self, feature: str) -> None:
        """Mark a feature and scroll to it, without telling so; nothing where it is not shown."""
        row = self._rows.row_of(feature) if feature else -1
        if row >= 0:
            self.setCurrentIndex(self._rows.index(row, 0))
            self.scrollTo(self.currentIndex())

    def names(self) -> list[str]:
        """Return the features as they stand, from the top."""
        return [self._rows.name_at(row) for row in range(self._rows.rowCount())]

    def shown(self) -> pd.DataFrame:
        """Return the rows of the frame that are shown, in their order; of several that are marked, those."""
        rows = sorted({index.row() for index in self.selectionModel().selectedRows()})
        places = self._rows.shown[rows] if len(rows) > 1 else self._rows.shown
        return self._rows.frame.iloc[places]

    def copy(self) -> int:
        """Put what `shown` returns on the clipboard, as a table with tabs; return the number of rows."""
        frame = self.shown()
        QGuiApplication.clipboard().setText(frame.to_csv(index=False, sep="\t"))
        return len(frame)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Copy by the usual keys; the arrow keys choose."""
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
            return
        before = self.currentIndex().row()
        super().keyPressEvent(event)
        if self.currentIndex().row() != before:
            self._tell(self.currentIndex().row())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Give the names the room that the numbers leave."""
        super().resizeEvent(event)
        self._give_room()

    def _give_room(self) -> None:
        others = sum(self.columnWidth(column) for column in range(1, self._rows.columnCount()))
        self.setColumnWidth(0, max(self.viewport().width() - others, _NAME))

    def _on_head(self, section: int) -> None:
        column = ["feature", *self._rows.columns][section]
        again = self._rows.by == column
        self.sort_by(column, descending=not self._rows.descending if again else section > 0)

    def _tell(self, row: int) -> None:
        name = self._rows.name_at(row)
        if name:
            self.chosen.emit(name)
