"""What the hand has laid down about proportions: what, how many spots, why and by whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTreeWidget, QTreeWidgetItem, QWidget

__all__ = ["ConstraintList", "constraint_in_words"]

_ROW, _MOST = 22, 7


def constraint_in_words(entry: Mapping[str, Any]) -> str:
    """Return what a constraint says: "tumour = 80 %", "no hepatocytes", "stroma ≥ 20 %", "artefact"."""
    name, share = str(entry.get("cell_type", "")), f"{100 * float(entry.get('value') or 0.0):g} %"
    what = entry.get("what")
    if what == "override":
        return f"{name} = {share}"
    if what == "forbidden":
        return f"no {name}"
    return f"{name} ≥ {share}" if what == "minimum" else "artefact"


class ConstraintList(QTreeWidget):
    """The constraints in the order in which they were given; a later one wins over an earlier one."""

    chosen = Signal(int)
    """The number of the constraint that was clicked, from 0."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.entries: tuple[Mapping[str, Any], ...] = ()
        self.setHeaderLabels(["By hand", "Spots", "Reason"])
        self.setRootIsDecorated(False)
        self.setIndentation(0)
        self.setUniformRowHeights(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setStyleSheet(f"QTreeView::item {{ height: {_ROW}px; }}")
        self.setAccessibleName("Constraints")
        self.setToolTip(
            "What you laid down. A click selects its spots on the canvas. A later line wins over an earlier."
        )
        header = self.header()
        header.setStretchLastSection(True)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        header.setMaximumSectionSize(170)
        self.itemClicked.connect(lambda item, _column: self.chosen.emit(self.indexOfTopLevelItem(item)))
        self.hide()

    def set_entries(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """Show constraints; the one that was marked stays so, where it is still there."""
        marked = self.current()
        self.entries = tuple(entries)
        blocked = self.blockSignals(True)
        self.clear()
        for number, entry in enumerate(self.entries):
            self.addTopLevelItem(self._item(number, entry))
        if 0 <= marked < len(self.entries):
            self.setCurrentItem(self.topLevelItem(marked))
        self.blockSignals(blocked)
        self.setVisible(bool(self.entries))
        head = max(self.header().height(), _ROW)
        self.setFixedHeight(min(max(len(self.entries), 1), _MOST) * _ROW + head + 2 * self.frameWidth() + 4)

    def current(self) -> int:
        """Return the number of the constraint that is marked, -1 for none."""
        item = self.currentItem()
        return self.indexOfTopLevelItem(item) if item is not None else -1

    def mark(self, number: int) -> None:
        """Mark one, as a click does; nothing is sent."""
        self.setCurrentItem(self.topLevelItem(number) if 0 <= number < len(self.entries) else None)

    def _item(self, number: int, entry: Mapping[str, Any]) -> QTreeWidgetItem:
        reason, by = str(entry.get("reason", "")), str(entry.get("by", ""))
        item = QTreeWidgetItem([constraint_in_words(entry), f"{len(entry.get('instances', ())):,}", reason or "–"])
        item.setTextAlignment(1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        when = str(entry.get("when", "")).replace("T", " ")[:16]
        told = [f"Constraint {number + 1}: {constraint_in_words(entry)}", f"Reason: {reason}" if reason else ""]
        told.append(" ".join(p for p in (f"by {by}" if by else "", when) if p))
        for column in range(3):
            item.setToolTip(column, "\n".join(t for t in told if t))
        return item
