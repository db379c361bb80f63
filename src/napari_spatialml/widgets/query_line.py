"""A line for a query, with completion of columns, genes and categories where the cursor stands."""

from __future__ import annotations

import keyword
import re
from typing import Any

from qtpy.QtCore import QStringListModel, Qt
from qtpy.QtWidgets import QCompleter, QLineEdit, QWidget

from ..session import Document
from ..session.named_values import Words, named_values, names_in

__all__ = ["QueryLine"]

_WORD = re.compile(r"(`[^`]*|[A-Za-z_][\w.\-/]*)$")
_VALUE = re.compile(r"(?:`([^`]+)`|([A-Za-z_]\w*))\s*(?:==|!=|(?:not\s+)?in\s*[\[(][^\])]*?)\s*(['\"])([^'\"]*)$")
_JOINS = {"and", "or", "not", "in"}
_MOST = 12


class QueryLine(QLineEdit):
    """One line of a query; Enter asks."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._document: Document | None = None
        self._table, self._token = "", None
        self._names: tuple[str, ...] = ()
        self._start, self._values = 0, False
        self.setPlaceholderText("domain == 'L4' and EPCAM > 2")
        self.setAccessibleName("Query")
        self._model = QStringListModel(self)
        self.offer = QCompleter(self._model, self)
        self.offer.setWidget(self)
        self.offer.setFilterMode(Qt.MatchFlag.MatchContains)
        self.offer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.offer.setMaxVisibleItems(_MOST)
        self.offer.activated.connect(self.insert_offered)
        self.textEdited.connect(lambda _text: self._offer())

    def set_table(self, document: Document | None, table: str) -> None:
        """Say which table is asked."""
        token: Any = None if document is None else (document, table, document.revision(("tables", table)))
        if token == self._token:
            return
        self._document, self._table, self._token = document, table, token
        self._names = names_in(document, table) if document is not None and table else ()

    def offered(self) -> list[str]:
        """Return what is offered where the cursor stands."""
        before = self.text()[: self.cursorPosition()]
        value, word = _VALUE.search(before), _WORD.search(before)
        self._values = value is not None
        if value is not None:
            self._start = value.start(4)
            return self._categories(value[1] or value[2])
        if word is None or word[0] in _JOINS or before[: word.start()].count("'") % 2:
            return []
        self._start = word.start()
        return list(self._names)

    def insert_offered(self, name: str) -> None:
        """Put a name, in backticks where it needs them, or a category in the place of what was begun."""
        at, text = self.cursorPosition(), self.text()
        if self._values:
            quote = text[self._start - 1]
            made = name if text[at : at + 1] == quote else name + quote
        else:
            plain = name.isidentifier() and not keyword.iskeyword(name)
            made = name if plain else f"`{name}`"
        self.setText(text[: self._start] + made + text[at:])
        self.setCursorPosition(self._start + len(made))

    def _offer(self) -> None:
        offered = self.offered()
        begun = self.text()[self._start : self.cursorPosition()].lstrip("`")
        if not offered or (not begun and not self._values) or begun in offered:
            self.offer.popup().hide()
            return
        if offered != self._model.stringList():
            self._model.setStringList(offered)
        self.offer.setCompletionPrefix(begun)
        self.offer.complete()

    def _categories(self, name: str) -> list[str]:
        if self._document is None or name not in self._names:
            return []
        found = named_values(self._document, self._table, name)
        return list(found.categories) if isinstance(found, Words) else []
