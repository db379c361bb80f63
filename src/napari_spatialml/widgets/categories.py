"""A list of categories: swatch, name, count and whether it is drawn; names and colours can be edited in place."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from qtpy.QtCore import QPoint, Qt, Signal
from qtpy.QtGui import QColor, QDropEvent, QKeyEvent
from qtpy.QtWidgets import QAbstractItemView, QColorDialog, QHeaderView, QMenu, QTreeWidget, QTreeWidgetItem, QWidget

from .style import Faint, swatch

__all__ = ["CategoryList"]

_ROW = 22
_NAME, _COUNT = 0, 1
Row = tuple[str, str, int]


class CategoryList(QTreeWidget):
    """Categories that can be ticked, renamed (double click), recoloured (right click) and marked."""

    renamed = Signal(str, str)
    """The old and the new name."""
    recoloured = Signal(str, str)
    """The name and its new colour as "#rrggbb"."""
    hidden_changed = Signal(object)
    """The frozenset of names that are not drawn."""
    chosen = Signal(str)
    """The name that the brush gives."""
    reordered = Signal(object)
    """All names in their new order, where the list can be ordered."""

    def __init__(self, parent: QWidget | None = None, *, ordering: bool = False) -> None:
        super().__init__(parent)
        self._ordering = ordering
        self._rows: list[Row] = []
        self._extra: list[str] = []
        self.setColumnCount(2)
        self.setHeaderHidden(True)
        self.setRootIsDecorated(False)
        self.setIndentation(0)
        self.setUniformRowHeights(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.DoubleClicked | QAbstractItemView.EditTrigger.EditKeyPressed)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setStyleSheet(
            f"QTreeView::item {{ height: {_ROW}px; }}"
            "QTreeView::indicator:unchecked { border: 1px solid rgba(128, 128, 128, 170); border-radius: 2px; }"
        )
        self.setAccessibleName("Domains")
        self.setToolTip("Double click: rename. Right click: colour. The tick: whether it is drawn.")
        if ordering:
            self.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
            self.setToolTip(f"{self.toolTip()} Drag, or Ctrl with an arrow key: order.")
            self.setAccessibleName("Categories")
        self.setItemDelegateForColumn(_COUNT, Faint(self))
        self.header().setStretchLastSection(False)
        self.header().setSectionResizeMode(_NAME, QHeaderView.ResizeMode.Stretch)
        self.header().setSectionResizeMode(_COUNT, QHeaderView.ResizeMode.ResizeToContents)
        self.itemChanged.connect(self._on_changed)
        self.currentItemChanged.connect(lambda _new, _old: self.chosen.emit(self.current()))
        self.customContextMenuRequested.connect(self._ask)

    def set_rows(self, rows: Sequence[Row], hidden: frozenset[str] = frozenset()) -> None:
        """Show categories; the one that was current stays so."""
        current = self.current()
        self._extra = [name for name in self._extra if name not in {r[0] for r in rows}]
        self._rows = [*rows, *((name, "", 0) for name in self._extra)]
        blocked = self.blockSignals(True)
        self.clear()
        for name, colour, count in self._rows:
            self.addTopLevelItem(self._item(name, colour, count, name not in hidden))
        self._set_current(current)
        self.blockSignals(blocked)
        self.setVisible(bool(self._rows))
        self.setFixedHeight(min(max(len(self._rows), 1), 10) * _ROW + 2 * self.frameWidth() + 4)

    def add_row(self, name: str) -> None:
        """Add a category that has no rows yet, and make it current."""
        self._extra.append(name)
        self.set_rows([row for row in self._rows if row[0] not in self._extra], self.hidden())
        self._set_current(name)
        self.chosen.emit(name)

    def forget(self) -> None:
        """Forget the categories that have no rows yet: another column is listed."""
        self._extra = []

    def rows(self) -> tuple[Row, ...]:
        """Return name, colour and count of each."""
        return tuple(self._rows)

    def current(self) -> str:
        """Return the name that the brush gives, or ""."""
        item = self.currentItem()
        return str(item.data(_NAME, Qt.ItemDataRole.UserRole)) if item is not None else ""

    def marked(self) -> tuple[str, ...]:
        """Return the names marked in the list."""
        return tuple(str(i.data(_NAME, Qt.ItemDataRole.UserRole)) for i in self.selectedItems())

    def hidden(self) -> frozenset[str]:
        """Return the names that are not ticked."""
        items = (self.topLevelItem(i) for i in range(self.topLevelItemCount()))
        return frozenset(
            str(i.data(_NAME, Qt.ItemDataRole.UserRole))
            for i in items
            if i is not None and i.checkState(_NAME) != Qt.CheckState.Checked
        )

    def move_current(self, by: int) -> None:
        """Move the current category up or down."""
        names = [name for name, _, _ in self._rows]
        current = self.current()
        at = names.index(current) + by if current in names else -1
        if self._ordering and 0 <= at < len(names):
            names.remove(current)
            names.insert(at, current)
            self.reordered.emit(names)

    def dropEvent(self, event: QDropEvent) -> None:
        """Take the order in which the categories were dropped."""
        before = self._names()
        super().dropEvent(event)
        if sorted(self._names()) == sorted(before) and self._names() != before:
            self.reordered.emit(self._names())
        else:
            self.set_rows([row for row in self._rows if row[0] not in self._extra], self.hidden())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Ctrl with an arrow key moves the current category."""
        by = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}.get(Qt.Key(event.key()), 0)
        if by and self._ordering and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.move_current(by)
        else:
            super().keyPressEvent(event)

    def _names(self) -> list[str]:
        items = (self.topLevelItem(i) for i in range(self.topLevelItemCount()))
        return [str(i.data(_NAME, Qt.ItemDataRole.UserRole)) for i in items if i is not None]

    def edit_name(self) -> None:
        """Let the name of the current category be typed in its place."""
        if self.currentItem() is not None:
            self.editItem(self.currentItem(), _NAME)

    def ask_for_colour(self) -> None:
        """Let a colour be chosen for the current category."""
        name = self.current()
        if not name:
            return
        colour = next((c for n, c, _ in self._rows if n == name), "") or "#888888"
        dialog = QColorDialog(QColor(colour), self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.colorSelected.connect(partial(self._send_colour, name))
        dialog.open()

    def _item(self, name: str, colour: str, count: int, shown: bool) -> QTreeWidgetItem:
        item = QTreeWidgetItem([name, f"{count:,}"])
        item.setData(_NAME, Qt.ItemDataRole.UserRole, name)
        if colour:
            item.setIcon(_NAME, swatch(colour))
        item.setTextAlignment(_COUNT, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        item.setFlags(
            Qt.ItemFlag.ItemIsEnabled
            | Qt.ItemFlag.ItemIsSelectable
            | Qt.ItemFlag.ItemIsUserCheckable
            | Qt.ItemFlag.ItemIsEditable
            | (Qt.ItemFlag.ItemIsDragEnabled if self._ordering else Qt.ItemFlag.NoItemFlags)
        )
        item.setCheckState(_NAME, Qt.CheckState.Checked if shown else Qt.CheckState.Unchecked)
        return item

    def _set_current(self, name: str) -> None:
        items = [self.topLevelItem(i) for i in range(self.topLevelItemCount())]
        found = [i for i in items if i is not None and i.data(_NAME, Qt.ItemDataRole.UserRole) == name]
        first = next(iter([*found, *(i for i in items if i is not None)]), None)
        if first is not None:
            self.setCurrentItem(first)

    def _on_changed(self, item: QTreeWidgetItem, column: int) -> None:
        old, new = str(item.data(_NAME, Qt.ItemDataRole.UserRole)), item.text(_NAME).strip()
        if column != _NAME:
            return
        if new != old and old not in self._extra:
            self.renamed.emit(old, new)
        elif new != old and new:
            self._extra[self._extra.index(old)] = new
            self.set_rows([row for row in self._rows if row[0] != old], self.hidden())
        else:
            self.hidden_changed.emit(self.hidden())

    def _ask(self, at: QPoint) -> None:
        item = self.itemAt(at)
        if item is None:
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setCurrentItem(item)
        menu.addAction("Colour…").triggered.connect(lambda _checked=False: self.ask_for_colour())
        menu.addAction("Rename").triggered.connect(lambda _checked=False: self.edit_name())
        if self._ordering:
            menu.addAction("Up").triggered.connect(lambda _checked=False: self.move_current(-1))
            menu.addAction("Down").triggered.connect(lambda _checked=False: self.move_current(1))
        menu.popup(self.viewport().mapToGlobal(at))

    def _send_colour(self, name: str, colour: QColor) -> None:
        self.recoloured.emit(name, colour.name())
