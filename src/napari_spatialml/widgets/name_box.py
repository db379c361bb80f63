"""A combo box of names from files: one that is too long loses its middle, not its end without a sign."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtGui import QPaintEvent
from qtpy.QtWidgets import QComboBox, QStyle, QStyleOptionComboBox, QStylePainter

__all__ = ["NameBox"]

_SPARE = 6
"""Pixels that a style sheet keeps free beside the text."""


class NameBox(QComboBox):
    """A combo box whose current name is shortened to the room there is."""

    def shown(self) -> str:
        """Return the current name as it is drawn."""
        return self._option().currentText

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the box with the name in as much room as there is."""
        painter, option = QStylePainter(self), self._option()
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)

    def _option(self) -> QStyleOptionComboBox:
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        field = self.style().subControlRect(
            QStyle.ComplexControl.CC_ComboBox, option, QStyle.SubControl.SC_ComboBoxEditField, self
        )
        whole, room = option.currentText, max(field.width() - _SPARE, 0)
        option.currentText = self.fontMetrics().elidedText(whole, Qt.TextElideMode.ElideMiddle, room)
        return option
