"""A part of a dock that is folded away until it is needed: its heading opens it."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QToolButton, QVBoxLayout, QWidget

from .style import SPACING, quiet_button, tooltip

__all__ = ["Folded"]


class Folded(QWidget):
    """A heading and, below it when it is open, what belongs to it.

    Parameters
    ----------
    text
        The heading.
    help
        Its tooltip.
    body
        What is shown when it is open.
    """

    opened = Signal(bool)
    """It was opened or folded."""

    def __init__(self, text: str, help: str, body: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text, self.body = text, body
        self.button = QToolButton()
        self.button.setCheckable(True)
        self.button.setObjectName(text)
        self.button.setAccessibleName(text)
        self.button.setToolTip(tooltip(help))
        self.button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        quiet_button(self.button)
        # the text, not the room around it, lines up with the edge of the rows
        flush = "QToolButton { padding-left: 0px; margin-left: -4px; font-weight: bold; }"
        self.button.setStyleSheet(self.button.styleSheet() + flush)
        self.button.toggled.connect(self.set_open)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        layout.addWidget(self.button)
        layout.addWidget(body)
        self.set_open(False)

    @property
    def is_open(self) -> bool:
        """Whether the body is shown."""
        return self.button.isChecked()

    def set_open(self, is_open: bool) -> None:
        """Open or fold it."""
        blocked = self.button.blockSignals(True)
        self.button.setChecked(is_open)
        self.button.blockSignals(blocked)
        self.button.setText(f"{'▾' if is_open else '▸'} {self._text}")
        self.body.setVisible(is_open)
        self.opened.emit(is_open)
