"""The strokes that domains follow: into which domain, how many rows, why and by whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qtpy.QtCore import QPoint, Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QMenu, QTreeWidgetItem, QWidget

from .constraint_list import ConstraintList
from .style import swatch

__all__ = ["IGNORED", "StrokeList", "stroke_in_words"]

IGNORED = "ignored"
"""What stands in place of a domain where the hand said that there is no tissue to divide."""
_DOMAIN, _ROWS, _REASON, _BY = range(4)


def stroke_in_words(entry: Mapping[str, Any]) -> str:
    """Return what a stroke says: the name of its domain, or that its rows are ignored."""
    return str(entry.get("domain", "")) or IGNORED


class StrokeList(ConstraintList):
    """The strokes in the order in which they were laid; a later one wins over an earlier one."""

    reason_given = Signal(int, str)
    """The number of a stroke and its new reason, which was typed in its place."""
    moved = Signal(int, str)
    """The number of a stroke and the domain that it is to go into."""
    removal_wanted = Signal(int)
    """The number of a stroke that is to be taken away."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._colours: dict[str, str] = {}
        self.setHeaderLabels(["Stroke into", "Rows", "Reason", "By"])
        self.setAccessibleName("Strokes")
        self.setToolTip(
            "What you laid down. A click shows it on the canvas, a double click edits the reason, a right "
            "click moves it to another domain. A later line wins over an earlier one."
        )
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        header = self.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(_REASON, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(_BY, QHeaderView.ResizeMode.ResizeToContents)
        header.setMaximumSectionSize(150)
        self.itemDoubleClicked.connect(lambda _item, _column: self.edit_reason())
        self.itemChanged.connect(self._on_changed)
        self.customContextMenuRequested.connect(self._ask)

    def set_strokes(self, entries: Sequence[Mapping[str, Any]], colours: Mapping[str, str]) -> None:
        """Show strokes, each with the colour of its domain."""
        self._colours = dict(colours)
        self.set_entries(entries)

    def edit_reason(self) -> None:
        """Let the reason of the marked stroke be typed in its place."""
        if self.currentItem() is not None:
            self.editItem(self.currentItem(), _REASON)

    def menu(self) -> QMenu:
        """Return what can be done with the marked stroke."""
        number = self.current()
        into = stroke_in_words(self.entries[number])
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for name, colour in self._colours.items():
            if name != into:
                action = menu.addAction(swatch(colour), f"Into {name}")
                action.triggered.connect(lambda _checked=False, to=name: self.moved.emit(number, to))
        menu.addSeparator()
        menu.addAction("Reason").triggered.connect(lambda _checked=False: self.edit_reason())
        menu.addAction("Remove").triggered.connect(lambda _checked=False: self.removal_wanted.emit(number))
        return menu

    def _item(self, number: int, entry: Mapping[str, Any]) -> QTreeWidgetItem:
        name, n = stroke_in_words(entry), len(entry.get("instances", ()))
        reason, by = str(entry.get("reason", "")), str(entry.get("by", ""))
        item = QTreeWidgetItem([name, f"{n:,}", reason, by])
        if name in self._colours:
            item.setIcon(_DOMAIN, swatch(self._colours[name]))
        item.setTextAlignment(_ROWS, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        item.setFlags(item.flags() | Qt.ItemFlag.ItemIsEditable)
        when = str(entry.get("when", "")).replace("T", " ")[:16]
        told = [f"Stroke {number + 1}: {n:,} {'row' if n == 1 else 'rows'}, {name}"]
        told += [f"Reason: {reason}"] if reason else []
        told.append(" ".join(p for p in (f"by {by}" if by else "", when) if p))
        for column in range(4):
            item.setToolTip(column, "\n".join(t for t in told if t))
        return item

    def _on_changed(self, item: QTreeWidgetItem, column: int) -> None:
        number = self.indexOfTopLevelItem(item)
        said = item.text(_REASON).strip()
        if column == _REASON and 0 <= number < len(self.entries) and said != self.entries[number].get("reason", ""):
            self.reason_given.emit(number, said)

    def _ask(self, at: QPoint) -> None:
        item = self.itemAt(at)
        if item is not None:
            self.setCurrentItem(item)
            self.menu().popup(self.viewport().mapToGlobal(at))
