"""Choose what colours an element: a column, a gene, an m/z or a proportion, found by a part of its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QToolButton, QWidget

from .column_field import ColumnField
from .style import quiet_button

if TYPE_CHECKING:
    from ..views.state import ColourBy
    from .desk import Desk

__all__ = ["ColourField"]


class ColourField(ColumnField):
    """A search field over everything that an element can be coloured by.

    Parameters
    ----------
    desk
        The desk.
    """

    nothing = "nothing to colour it by"

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self.element = ""
        self.plain = QToolButton()
        self.plain.setText("×")
        self.plain.setAccessibleName("No colours")
        self.plain.setToolTip("Show it without colours.")
        self.plain.clicked.connect(lambda _checked=False: self.clear())
        quiet_button(self.plain)
        self.layout().addWidget(self.plain)

    def set_element(self, element: str) -> None:
        """Say which element is coloured."""
        self.element = element
        self.refresh()

    def refresh(self) -> None:
        """Offer what the element can be coloured by now, and show what colours it."""
        presenter = self._desk.presenter
        choices: dict[str, ColourBy] = {}
        for choice in presenter.choices(self.element) if presenter is not None and self.element else ():
            name = choice.title
            choices[name if name not in choices else f"{name} ({choice.table}, {choice.key})"] = choice
        self.offer(choices, self._current())

    def take(self, name: str, choice: ColourBy) -> None:
        """Colour the element by what was chosen."""
        if self._desk.presenter is not None:
            self._desk.presenter.colour_by(self.element, choice)

    def clear(self) -> None:
        """Show the element without colours."""
        if self._desk.presenter is not None and self.element:
            self.line.clear()
            self._desk.presenter.colour_by(self.element, None)

    def _current(self) -> str:
        presenter = self._desk.presenter
        if presenter is None:
            return ""
        legends = [legend for legend in presenter.legends() if legend.element == self.element]
        return legends[0].title if legends else ""
