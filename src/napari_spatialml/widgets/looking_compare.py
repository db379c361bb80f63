"""Choose two layers and a way to compare them in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from ..views.looking import MODES, comparable
from .name_box import NameBox
from .number import DecimalField
from .step import choose
from .style import SPACING, Quiet, Rows, Tool, tool_row

if TYPE_CHECKING:
    from .desk import Desk

__all__ = ["ComparePanel"]

_BUTTONS = {"Swipe": "swipe", "Swipe down": "swipe down", "Checkerboard": "checkerboard", "Blink": "blink"}
_HELP = {
    "swipe": "One left and the other right of a line that you drag.",
    "swipe down": "One above and the other below a line that you drag.",
    "checkerboard": "One on the white and the other on the black squares.",
    "blink": "One and then the other, at the pace chosen below.",
}


class ComparePanel(QWidget):
    """Two layers, and the way in which they are compared.

    Parameters
    ----------
    desk
        The desk.
    """

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self.first, self.second = NameBox(), NameBox()
        self.edge, self.pace = DecimalField(), DecimalField()
        rows = Rows()
        for label, field, call in (("Show", self.first, self._again), ("against", self.second, self._again)):
            rows.add(label, field, "An element, one of its channels, or any other layer.")
            field.activated.connect(lambda _i, c=call: c())
        self.tools = tool_row(
            [Tool(text, _HELP[mode], lambda down, m=mode: self.press(m, down), stays_down=True)
             for text, mode in _BUTTONS.items()]
        )  # fmt: skip
        for field, low, high, start, unit in ((self.edge, 0.1, 1e5, 100.0, " µm"), (self.pace, 0.05, 10.0, 0.5, " s")):
            field.setRange(low, high)
            field.setValue(start)
            field.setSuffix(unit)
        self.edge.valueChanged.connect(lambda v: self._compared() and self._compared().squares(v))
        self.pace.valueChanged.connect(lambda v: desk.looking.blink_every(v))
        self._options = Rows()
        self._edge_label = self._options.add("Edge of a square", self.edge)
        self._pace_label = self._options.add("Each for", self.pace, "How long each of the two is shown.")
        self.hint = Quiet()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        for part in (rows, self.tools, self._options, self.hint):
            layout.addWidget(part)
        self.follow()

    def refresh(self) -> None:
        """Offer what is on the canvas; at first the two lowest of different elements."""
        presenter = self._desk.presenter
        found = comparable(presenter.canvas) if presenter is not None else ()
        # at first two images where there are two, else two channels, else an image and what lies over it
        images = [s for s in found if s.pictured]
        whole = [s for s in images if len(s.layers) > 1]
        images = [s for s in images if s not in whole] if len(whole) == 1 and len(images) > 2 else images
        ordered = [s.name for s in images] + [s.name for s in found if not s.pictured]
        choose(self.first, [s.name for s in found], next(iter(ordered), ""))
        other = next((n for n in ordered if n != self.first.currentData()), "")
        choose(self.second, [s.name for s in found], other)
        if other and self.second.currentData() == self.first.currentData():
            self.second.setCurrentIndex(self.second.findData(other))
        self.follow()

    def press(self, mode: str, down: bool) -> None:
        """Begin to compare in a way, or stop."""
        if down:
            first, second = str(self.first.currentData() or ""), str(self.second.currentData() or "")
            self._desk.looking.compare(mode, first, second)
            comparison = self._compared()
            if mode == "checkerboard" and comparison is not None and comparison.on:
                comparison.squares(self.edge.value())
        else:
            self._desk.looking.stop()
        self.follow()

    def follow(self) -> None:
        """Show which way is in use."""
        comparison = self._compared()
        mode = comparison.mode if comparison is not None else ""
        for text, name in _BUTTONS.items():
            button: Any = self.tools.findChild(QPushButton, text)
            button.setChecked(name == mode)
            button.setEnabled(comparison is not None and self.first.count() > 1)
        for part in (self.edge, self._edge_label):
            part.setVisible(mode == "checkerboard")
        for part in (self.pace, self._pace_label):
            part.setVisible(mode == "blink")
        self._options.setVisible(mode in ("checkerboard", "blink"))
        words = {"swipe": "Drag the line on the canvas.", "swipe down": "Drag the line on the canvas."}
        said = words.get(mode, "" if self.first.count() > 1 else "Show two layers to compare them.")
        self.hint.setText(said)
        self.hint.setVisible(bool(said))

    def _again(self) -> None:
        comparison = self._compared()
        if comparison is not None and comparison.on:
            self.press(comparison.mode, True)

    def _compared(self) -> Any:
        return self._desk.looking.comparison


assert set(_BUTTONS.values()) == set(MODES)
