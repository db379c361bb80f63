"""The field that chooses which rows are plotted."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from qtpy.QtWidgets import QComboBox, QWidget

from ..step import choose

__all__ = ["RowsField"]

Rows = tuple[str, str]
"""A table, and the element that its rows annotate."""


class RowsField(QComboBox):
    """A table and an element: the rows of the one that annotate the other."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._known: dict[str, Rows] = {}
        self.setToolTip("Which rows are plotted: those of a table that annotate an element.")
        self.setAccessibleName("Rows")
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)

    def offer(self, there: Sequence[Rows], visible: Callable[[str], bool]) -> Rows | None:
        """Offer rows; return those chosen, at first those of an element that is drawn."""
        self._known = {f"{table}\n{element}": (table, element) for table, element in there}
        drawn = next((key for key, (_, element) in self._known.items() if visible(element)), "")
        key = choose(self, self._known, drawn or next(iter(self._known), ""))
        blocked = self.blockSignals(True)
        for i in range(self.count()):
            table, element = self._known[self.itemData(i)]
            self.setItemText(i, f"{element} · table {table}")
        self.blockSignals(blocked)
        return self._known.get(key)

    def set_rows(self, table: str, element: str) -> None:
        """Choose rows."""
        self.setCurrentIndex(max(self.findData(f"{table}\n{element}"), 0))
