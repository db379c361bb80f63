"""The hand's tools of a step: buttons that stay down while the tool is in the hand, and what to do with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from .number import DecimalField
from .style import SPACING, Quiet, Tool, tool_row

if TYPE_CHECKING:
    from .desk import Desk

__all__ = ["HandTools", "length_field"]


def length_field(value: float, low: float = 0.5, high: float = 5000.0) -> DecimalField:
    """Return a field for a length in µm."""
    field = DecimalField()
    field.setRange(low, high)
    field.setDecimals(1)
    field.setSuffix(" µm")
    field.setValue(value)
    field.setKeyboardTracking(False)
    field.setAlignment(Qt.AlignmentFlag.AlignCenter)
    return field


class HandTools(QWidget):
    """Tools of which at most one is in the hand.

    Parameters
    ----------
    desk
        The desk whose presenter holds the tool.
    tools
        (name, text, help, key) of each tool.
    options
        Returns what the presenter has to know for a tool: which labels, how large a brush.
    others
        Buttons that act at once, in the same row.
    """

    def __init__(
        self,
        desk: Desk,
        tools: Sequence[tuple[str, str, str, str]],
        options: Callable[[str], dict[str, Any]],
        others: Sequence[Tool] = (),
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._desk, self._options = desk, options
        self.names = tuple(name for name, *_ in tools)
        made = [Tool(text, f"{help} ({key})", self._caller(name), stays_down=True) for name, text, help, key in tools]
        self.row = row = tool_row([*made, *others])
        self.buttons: dict[str, QPushButton] = {}
        for name, text, _, key in tools:
            button = row.findChild(QPushButton, text)
            assert button is not None
            button.setShortcut(key)
            self.buttons[name] = button
        self.hint = Quiet()
        self.hint.setVisible(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        layout.addWidget(row)
        layout.addWidget(self.hint)
        desk.tool_changed.connect(self.follow)
        desk.hint_changed.connect(self.follow)
        desk.opened.connect(self.follow)

    @property
    def tool(self) -> str:
        """The tool in the hand, if it is one of these, else ""."""
        presenter = self._desk.presenter
        return presenter.tool if presenter is not None and presenter.tool in self.names else ""

    def options_changed(self) -> None:
        """Tell the presenter of another brush size, or of other labels."""
        if self.tool:
            self._use(self.tool)

    def put_down(self) -> None:
        """Look only."""
        if self.tool and self._desk.presenter is not None:
            self._desk.presenter.use("")

    def follow(self, *_: object) -> None:
        """Show which tool is in the hand, and what to do with it."""
        for name, button in self.buttons.items():
            blocked = button.blockSignals(True)
            button.setChecked(name == self.tool)
            button.blockSignals(blocked)
        hint = self._desk.presenter.hint if self.tool and self._desk.presenter is not None else ""
        self.hint.setText(hint)
        self.hint.setVisible(bool(hint))

    def _caller(self, name: str) -> Callable[[bool], None]:
        def pressed(down: bool) -> None:
            self._use(name if down else "")

        return pressed

    def _use(self, name: str) -> None:
        presenter = self._desk.presenter
        if presenter is not None:
            self._desk.attempt(lambda: presenter.use(name, **(self._options(name) if name else {})))
        self.follow()
