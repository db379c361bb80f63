"""The list of the selections that are kept by name."""

from __future__ import annotations

from qtpy.QtCore import QPoint, Qt, Signal
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QMenu, QTreeWidget, QTreeWidgetItem, QWidget

from ..session import Document
from ..session.selected import Kept, kept_selections, selected_rows
from .style import Faint

__all__ = ["KeptSelections"]

_ROW, _MOST = 22, 6


class KeptSelections(QTreeWidget):
    """Names and counts; Enter or a double click selects the rows, F2 renames, Delete drops."""

    wanted = Signal(object)
    """A `Kept` whose rows are to be selected."""
    renamed = Signal(object, str)
    """A `Kept` and its new name."""
    dropped = Signal(object)
    """A `Kept` that is to go."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._kept: tuple[Kept, ...] = ()
        self.setColumnCount(2)
        self.setHeaderHidden(True)
        self.setRootIsDecorated(False)
        self.setIndentation(0)
        self.setUniformRowHeights(True)
        self.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setStyleSheet(f"QTreeView::item {{ height: {_ROW}px; }}")
        self.setAccessibleName("Named selections")
        self.setToolTip("Double click: select these rows. F2: rename. Delete: drop.")
        self.setItemDelegateForColumn(1, Faint(self))
        header = self.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.itemDoubleClicked.connect(lambda item, _column: self.wanted.emit(self._of(item)))
        self.itemChanged.connect(self._on_changed)
        self.customContextMenuRequested.connect(self._ask)

    def refresh(self, document: Document, table: str) -> None:
        """List the selections of a table."""
        current = self.current()
        self._kept = kept_selections(document, table) if table else ()
        blocked = self.blockSignals(True)
        self.clear()
        for kept in self._kept:
            item = QTreeWidgetItem([kept.name, f"{len(selected_rows(document, kept)):,}"])
            item.setToolTip(0, kept.said or kept.name)
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsEditable)
            item.setTextAlignment(1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            self.addTopLevelItem(item)
            if current is not None and kept.name == current.name:
                self.setCurrentItem(item)
        self.blockSignals(blocked)
        self.setVisible(bool(self._kept))
        self.setFixedHeight(min(max(len(self._kept), 1), _MOST) * _ROW + 2 * self.frameWidth() + 4)

    def names(self) -> tuple[str, ...]:
        """Return the names that are listed."""
        return tuple(kept.name for kept in self._kept)

    def current(self) -> Kept | None:
        """Return the selection that is marked in the list."""
        return self._of(self.currentItem())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter selects, Delete drops."""
        kept = self.current()
        if kept is not None and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.wanted.emit(kept)
        elif kept is not None and event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.dropped.emit(kept)
        else:
            super().keyPressEvent(event)

    def _of(self, item: QTreeWidgetItem | None) -> Kept | None:
        at = self.indexOfTopLevelItem(item) if item is not None else -1
        return self._kept[at] if 0 <= at < len(self._kept) else None

    def _on_changed(self, item: QTreeWidgetItem, column: int) -> None:
        kept = self._of(item)
        if kept is not None and column == 0 and item.text(0).strip() != kept.name:
            self.renamed.emit(kept, item.text(0).strip())

    def _ask(self, at: QPoint) -> None:
        item = self.itemAt(at)
        kept = self._of(item)
        if item is None or kept is None:
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setCurrentItem(item)
        menu.addAction("Select").triggered.connect(lambda _checked=False: self.wanted.emit(kept))
        menu.addAction("Rename").triggered.connect(lambda _checked=False: self.editItem(item, 0))
        menu.addAction("Drop").triggered.connect(lambda _checked=False: self.dropped.emit(kept))
        menu.popup(self.viewport().mapToGlobal(at))
