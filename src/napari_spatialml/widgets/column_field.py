"""A search field over the columns, features and embeddings of a table: any is found by a part of its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject, QStringListModel, Qt, QTimer, Signal
from qtpy.QtWidgets import QCompleter, QHBoxLayout, QLineEdit, QWidget

if TYPE_CHECKING:
    from ..views.state import ColourBy

__all__ = ["ColumnField"]


class ColumnField(QWidget):
    """A line in which a name is typed, or chosen from all that there are."""

    chosen = Signal(str)
    """The name that was chosen."""
    prompt = "type a gene, m/z or column"
    nothing = "nothing to choose"

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._choices: dict[str, ColourBy] = {}
        self.line = QLineEdit()
        self.line.setPlaceholderText(self.prompt)
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
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.line, 1)

    def offer(self, choices: Mapping[str, ColourBy], shown: str) -> None:
        """Offer names, and show the one in use unless another is being typed."""
        self._choices = dict(choices)
        names = list(self._choices)
        if names != self._model.stringList():
            self._model.setStringList(names)
        self.setEnabled(bool(names))
        self.line.setPlaceholderText(self.prompt if names else self.nothing)
        if not self.line.hasFocus() or not self.line.isModified():
            self.line.setText(shown)
            self.line.setCursorPosition(0)

    def choose(self, name: str) -> None:
        """Choose what has this name."""
        if name in self._choices:
            self.line.setModified(False)
            self.line.setText(name)
            self.take(name, self._choices[name])

    def take(self, name: str, choice: ColourBy) -> None:
        """Do what follows from a choice."""
        self.chosen.emit(name)

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
