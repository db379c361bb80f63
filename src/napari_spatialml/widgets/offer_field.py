"""The editor of a text for which values are offered: one of them, or a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QComboBox, QFileDialog, QWidget

__all__ = ["OfferField"]

_FILE = "file…"


class OfferField(QComboBox):
    """One of the values that a function offers, looked up whenever the list is opened, or a file of one's own."""

    changed = Signal()

    def __init__(self, offered: Callable[[], Sequence[tuple[str, str]]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._offered = offered
        self._value = ""
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(8)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._fill()
        self.activated.connect(self._choose)

    def value(self) -> str:
        """Return the value chosen."""
        return self._value

    def set_value(self, value: str) -> None:
        """Choose a value; one that is not offered is added."""
        before, self._value = self._value, value
        self._fill()
        if value != before:
            self.changed.emit()

    def showPopup(self) -> None:
        """Offer what there is now."""
        self._fill()
        super().showPopup()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Change only with the focus, so that scrolling a dock changes nothing."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    def _fill(self) -> None:
        items = [*self._offered()]
        if self._value not in [value for value, _ in items]:
            items.append((self._value, Path(self._value).name))
        blocked = self.blockSignals(True)
        self.clear()
        for value, title in items:
            self.addItem(title, value)
            self.setItemData(self.count() - 1, value or title, Qt.ItemDataRole.ToolTipRole)
        self.addItem(_FILE, None)
        self.setCurrentIndex(next(i for i, (value, _) in enumerate(items) if value == self._value))
        self.blockSignals(blocked)

    def _choose(self, index: int) -> None:
        chosen = self.itemData(index)
        if chosen is not None:
            self.set_value(chosen)
            return
        self._fill()
        dialog = QFileDialog(self.window(), "Choose weights")
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self.set_value)
        dialog.open()
