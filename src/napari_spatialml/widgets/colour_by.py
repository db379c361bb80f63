"""Choose what colours an element: a column, a gene, an m/z or a proportion, found by a part of its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject, QStringListModel, Qt, QTimer
from qtpy.QtWidgets import QCompleter, QHBoxLayout, QLineEdit, QToolButton, QWidget

from .style import quiet_button

if TYPE_CHECKING:
    from ..views.state import ColourBy
    from .desk import Desk

__all__ = ["ColourField"]


class ColourField(QWidget):
    """A search field over everything that an element can be coloured by.

    Parameters
    ----------
    desk
        The desk.
    """

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self.element = ""
        self._choices: dict[str, ColourBy] = {}
        self.line = QLineEdit()
        self.line.setPlaceholderText("type a gene, m/z or column")
        self.line.setClearButtonEnabled(False)
        self._model = QStringListModel(self)
        self.completer = QCompleter(self._model, self)
        self.completer.setFilterMode(Qt.MatchFlag.MatchContains)
        self.completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.completer.setMaxVisibleItems(14)
        self.completer.activated.connect(self.choose)
        self.line.setCompleter(self.completer)
        self.line.returnPressed.connect(self._enter)
        self.line.installEventFilter(self)
        self.plain = QToolButton()
        self.plain.setText("×")
        self.plain.setAccessibleName("No colours")
        self.plain.setToolTip("Show it without colours.")
        self.plain.clicked.connect(lambda _checked=False: self.clear())
        quiet_button(self.plain)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.line, 1)
        layout.addWidget(self.plain)

    def set_element(self, element: str) -> None:
        """Say which element is coloured."""
        self.element = element
        self.refresh()

    def refresh(self) -> None:
        """Offer what the element can be coloured by now, and show what colours it."""
        presenter = self._desk.presenter
        choices = presenter.choices(self.element) if presenter is not None and self.element else ()
        self._choices = {}
        for choice in choices:
            name = choice.title
            self._choices[name if name not in self._choices else f"{name} ({choice.table}, {choice.key})"] = choice
        names = list(self._choices)
        if names != self._model.stringList():
            self._model.setStringList(names)
        self.setEnabled(bool(names))
        self.line.setPlaceholderText("type a gene, m/z or column" if names else "nothing to colour it by")
        if not self.line.hasFocus() or not self.line.isModified():
            self.line.setText(self._current())

    def choose(self, name: str) -> None:
        """Colour the element by what has this name."""
        presenter = self._desk.presenter
        if presenter is not None and name in self._choices:
            self.line.setModified(False)
            presenter.colour_by(self.element, self._choices[name])

    def clear(self) -> None:
        """Show the element without colours."""
        if self._desk.presenter is not None and self.element:
            self.line.clear()
            self._desk.presenter.colour_by(self.element, None)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Offer everything on a click into the field, before a letter is typed."""
        if event.type() == QEvent.Type.MouseButtonPress and self._choices:
            QTimer.singleShot(0, self._offer_all)
        return False

    def _offer_all(self) -> None:
        self.line.selectAll()
        self.completer.setCompletionPrefix("")
        self.completer.complete()

    def _enter(self) -> None:
        typed = self.line.text().strip().lower()
        exact = [name for name in self._choices if name.lower() == typed]
        found = exact or [name for name in self._choices if typed and typed in name.lower()]
        if found:
            self.choose(found[0])

    def _current(self) -> str:
        presenter = self._desk.presenter
        if presenter is None:
            return ""
        legends = [legend for legend in presenter.legends() if legend.element == self.element]
        return legends[0].title if legends else ""
