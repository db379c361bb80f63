"""A grid of tools with pictures, of which at most one is down; and a row of choices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qtpy.QtCore import QEvent, QSize, Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QButtonGroup, QGridLayout, QHBoxLayout, QPushButton, QSizePolicy, QToolButton, QWidget

from .icons import icon
from .style import ACCENT, mix, tooltip

__all__ = ["Choices", "ToolGrid"]

_SHEET = f"""
QToolButton, QPushButton {{ background: rgba(128, 128, 128, 38); border: none; border-radius: 5px; padding: 4px 1px; }}
QToolButton:hover:enabled, QPushButton:hover:enabled {{ background: rgba(128, 128, 128, 85); }}
QToolButton:checked, QPushButton:checked {{ background: {ACCENT}; color: white; }}
QToolButton:focus, QPushButton:focus {{ outline: none; border: 1px solid rgba(74, 143, 214, 200); }}
"""


class ToolGrid(QWidget):
    """Buttons with a picture and a word, side by side in rows.

    Parameters
    ----------
    tools
        (name, word) of each.
    columns
        How many stand side by side.
    """

    pressed = Signal(str, bool)
    """A tool's name, and whether its button is down now."""

    def __init__(self, tools: Sequence[tuple[str, str]], columns: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.buttons: dict[str, QToolButton] = {}
        self.setStyleSheet(_SHEET)
        self._columns = columns
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(3)
        for name, word in tools:
            button = QToolButton()
            button.setText(word)
            button.setAccessibleName(word)
            button.setCheckable(True)
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
            button.setIconSize(QSize(22, 22))
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            button.setMinimumWidth(0)
            button.clicked.connect(lambda down, n=name: self.pressed.emit(n, down))
            self.buttons[name] = button
        for column in range(columns):
            self._grid.setColumnStretch(column, 1)
        self.offer(tuple(self.buttons))
        self._colour()

    def offer(self, names: Sequence[str]) -> None:
        """Show these tools, in their order, and no others."""
        shown = [n for n in self.buttons if n in names]
        for name, button in self.buttons.items():
            self._grid.removeWidget(button)
            button.setVisible(name in shown)
        for k, name in enumerate(shown):
            self._grid.addWidget(self.buttons[name], k // self._columns, k % self._columns)

    def explain(self, help: Mapping[str, str]) -> None:
        """Give the buttons their tooltips."""
        for name, text in help.items():
            self.buttons[name].setToolTip(tooltip(text))

    def show_down(self, tool: str) -> None:
        """Let one button be down, or none; nothing is sent."""
        for name, button in self.buttons.items():
            blocked = button.blockSignals(True)
            button.setChecked(name == tool)
            button.blockSignals(blocked)

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.ParentChange) and hasattr(self, "_grid"):
            self._colour()

    def _colour(self) -> None:
        ink, faint = mix(self, 0.92), mix(self, 0.35)
        for name, button in self.buttons.items():
            button.setIcon(icon(name, ink, down=QColor("white"), faint=faint))


class Choices(QWidget):
    """A row of words of which exactly one is chosen."""

    changed = Signal(str)

    def __init__(self, choices: Mapping[str, str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setStyleSheet(_SHEET)
        self._group = QButtonGroup(self)
        self.buttons: dict[str, QPushButton] = {}
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        for name, word in choices.items():
            button = QPushButton(word)
            button.setCheckable(True)
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            button.clicked.connect(lambda _down=True, n=name: self.changed.emit(n))
            self._group.addButton(button)
            self.buttons[name] = button
            layout.addWidget(button)

    def choose(self, name: str) -> None:
        """Choose one; nothing is sent."""
        if name in self.buttons:
            self.buttons[name].setChecked(True)
