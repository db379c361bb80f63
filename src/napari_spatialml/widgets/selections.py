"""Select cells, spots or pixels: by the mouse, by a query, by a name; keep, export, and give them a category."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.compat import isalive
from qtpy.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ..errors import SpatialMLError
from ..session.corrections import packed
from ..session.query import query_rows
from ..session.selected import HOW, Kept, Selected, selected_rows
from ..session.selection_files import export_cells, export_outline, export_rows, import_cells
from .file_dialogs import ask_for_files, ask_where_to_save
from .kept_selections import KeptSelections
from .messages import Message, MessageLine, tell
from .query_line import QueryLine
from .style import SPACING, Heading, Quiet, tooltip

if TYPE_CHECKING:
    from ..views.presenter import Presenter
    from .desk import Desk

__all__ = ["SelectionPart"]

_TOOLS = {
    "select": ("Lasso", "Alt+S", "Drag around cells, or click one. Shift adds, Alt takes away, both keep the overlap."),
    "select-polygon": ("Polygon", "Alt+G", "Click corners; a double click, or one on the first corner, selects."),
}
_JOINS = {
    "new": ("New", "What is selected next takes the place of the selection."),
    "add": ("Add", "What is selected next joins the selection."),
    "take away": ("Take away", "What is selected next leaves the selection."),
    "both": ("Both", "Of the selection stays what is selected next."),
}
_EXPORTS: dict[str, tuple[str, Callable[..., str]]] = {
    "Rows and columns…": ("rows", export_rows),
    "Cells for Xenium Explorer…": ("cells", export_cells),
    "Outline for Xenium Explorer…": ("outline", export_outline),
}


class SelectionPart(QWidget):
    """The part of a dock that selects the rows of an element.

    Parameters
    ----------
    desk
        The desk.
    """

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.desk, self.element = desk, ""
        self._heard: Presenter | None = None
        self.query, self.message, self.hint = QueryLine(), MessageLine(), Quiet()
        self.query.setToolTip(tooltip("Rows of which this is true. Names with spaces or signs stand in backticks."))
        self.query.returnPressed.connect(self.ask)
        self.count, self.tables, self.kept = QLabel(), QComboBox(), KeptSelections()
        self.tables.setToolTip(tooltip("The table whose rows are selected."))
        self.tables.currentIndexChanged.connect(lambda _i: self.refresh())
        self.kept.wanted.connect(lambda kept: self.take(selected_rows(self._document, kept)))
        self.kept.renamed.connect(self._rename)
        self.kept.dropped.connect(self._drop)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        asked = _row(self.query, self._button("Select", self.ask, "Select the rows of which the query is true."))
        parts = (Heading("Selection"), self.tables, asked, self._mouse(), self.hint, self._counted())
        for part in (*parts, self._keeping(), self.kept, self._setting(), self.message):
            layout.addWidget(part)
        self.hint.hide()
        self.count.setIndent(0)
        desk.tool_changed.connect(self._show_tool)  # no lambda: Qt lets go of a method when the widget goes

    # what is shown -------------------------------------------------------------------------------

    @property
    def table(self) -> str:
        """The table whose rows are selected; "" where the element has none."""
        return str(self.tables.currentData() or "")

    @property
    def how(self) -> str:
        """How what is selected next joins the selection."""
        return HOW[max(self.joins.checkedId(), 0)]

    def set_element(self, element: str) -> None:
        """Say of which element rows are selected."""
        if element != self.element:
            self.element = element
            if self._tool_here() and self.desk.presenter is not None:
                self.desk.presenter.use("")
        self.refresh()

    def refresh(self) -> None:
        """Show what is selected, and what is kept."""
        from .step import choose

        presenter = self.desk.presenter
        document = self.desk.session.document if self.desk.session is not None else None
        if presenter is not None and presenter is not self._heard:
            self._heard = presenter
            presenter.selected.changed.connect(self._show_count)
        holds = document is not None and self.element != ""
        holds = holds and self.element in {*document.names("labels"), *document.names("shapes")}  # type: ignore[union-attr]
        found = document.tables_of(self.element) if holds and document is not None else ()
        choose(self.tables, found, self.table)
        self.tables.setVisible(len(found) > 1)
        self.setVisible(bool(found))
        if document is not None and found:
            self.query.set_table(document, self.table)
            self.kept.refresh(document, self.table)
            self._offer_columns(document)
            self._show_count()
            self._show_tool()

    @property
    def _document(self) -> Any:
        assert self.desk.session is not None
        return self.desk.session.document

    def _show_count(self) -> None:
        from ..session.row_words import word_for

        if not isalive(self) or self.desk.presenter is None or not self.table:
            return  # a dock that was closed is told as long as its Python side lives
        now, n = self.desk.presenter.selected.now, self._document.table(self.table).n_obs
        mine = now is not None and now.table == self.table
        words = f"{len(now):,} of {n:,}" if mine and now is not None else f"none of {n:,}"
        self.count.setText(f"{words} {word_for(self._document, self.element, n)}")
        self.count.setToolTip(now.said if mine and now is not None else "")
        for button in self._needing:
            button.setEnabled(bool(mine and now is not None and len(now)))

    def _show_tool(self, _name: str = "") -> None:
        presenter = self.desk.presenter
        if presenter is None:
            return
        for name, button in self.tools.items():
            button.setChecked(presenter.tool == name)
        self.hint.setVisible(self._tool_here())
        self.hint.setText(presenter.hint if self._tool_here() else "")

    def _tool_here(self) -> bool:
        return self.desk.presenter is not None and self.desk.presenter.tool in _TOOLS

    def _offer_columns(self, document: Any) -> None:
        from ..views.values import categories_of

        columns = [c for c in map(str, document.table(self.table).obs.columns) if _named(document, self.table, c)]
        for box, names in ((self.column, columns), (self.value, categories_of(document, self.table, self._column()))):
            kept = box.currentText()
            if [box.itemText(i) for i in range(box.count())] != list(names):
                box.clear()
                box.addItems(list(names))
                box.setEditText(kept)

    def _column(self) -> str:
        return self.column.currentText().strip()

    # what is done --------------------------------------------------------------------------------

    def use(self, tool: str, on: bool = True) -> None:
        """Take a tool into the hand, or put it down."""
        if self.desk.presenter is not None:
            given = {"element": self.element, "table": self.table, "how": self.how}
            self.desk.presenter.use(tool if on else "", **(given if on else {}))
            self._show_tool()

    def ask(self) -> None:
        """Select the rows of which the query is true."""
        self._attempt(lambda: self.take(query_rows(self._document, self.table, self.query.text())))

    def take(self, selected: Selected) -> None:
        """Join rows to the selection, as the buttons say."""
        assert self.desk.presenter is not None
        self.message.show_message(None)
        self.desk.presenter.selected.take(selected, self.how)

    def invert(self) -> None:
        """Select the rows that are not selected."""
        assert self.desk.presenter is not None
        now, n = self.desk.presenter.selected.now, self._document.table(self.table).n_obs
        rest = ~now.mask(n) if now is not None and now.table == self.table else np.ones(n, dtype=bool)
        said = f"all but {now.said}" if now is not None else "all"
        self.desk.presenter.selected.take(Selected(self.table, np.flatnonzero(rest), said))

    def clear(self) -> None:
        """Select nothing."""
        if self.desk.presenter is not None:
            self.desk.presenter.selected.clear()

    def keep(self) -> None:
        """Keep the selection in the document, by the name in the field."""
        now = self._now()
        if now is not None:
            self._attempt(
                lambda: self._do("keep-selection", name=self.name.text(), rows=packed(now.rows), said=now.said)
            )

    def give(self) -> None:
        """Put the selected rows into a category of a column."""
        now = self._now()
        if now is not None and self._column() and self.value.currentText().strip():
            value = self.value.currentText().strip()
            self._attempt(lambda: self._do("relabel", column=self._column(), rows=packed(now.rows), value=value))

    def export_to(self, text: str, path: Path) -> None:
        """Write the selection to a file; ``text`` is that of the menu."""
        now, write, document = self._now(), _EXPORTS[text][1], self._document
        if now is not None:
            self.desk.runner.run(
                lambda report: write(document, now, path),
                on_result=lambda said: self.message.show_message(Message("ok", said)),
                on_error=lambda error: self.message.show_message(tell(error)),
                title="Export the selection",
            )

    def import_from(self, paths: list[str]) -> None:
        """Select the cells that a file of Xenium Explorer names."""

        def read() -> None:
            found, said = import_cells(self._document, self.table, Path(paths[0]))
            self.take(found)
            self.message.show_message(Message("ok", said))

        self._attempt(read)

    def _now(self) -> Selected | None:
        now = self.desk.presenter.selected.now if self.desk.presenter is not None else None
        return now if now is not None and now.table == self.table else None

    def _rename(self, kept: Kept, new: str) -> None:
        self._attempt(lambda: self._do("rename-selection", old=kept.name, new=new))
        self.refresh()

    def _drop(self, kept: Kept) -> None:
        self._attempt(lambda: self._do("drop-selection", name=kept.name))

    def _do(self, name: str, /, **arguments: Any) -> None:
        from ..session import correct

        assert self.desk.session is not None
        self.desk.session.execute(correct(self._document, name, table=self.table, **arguments))
        self.message.show_message(None)

    def _attempt(self, what: Callable[[], object]) -> None:
        try:
            what()
        except (SpatialMLError, OSError) as error:
            self.message.show_message(tell(error))

    # how it is made ------------------------------------------------------------------------------

    def _mouse(self) -> QWidget:
        self.tools: dict[str, QPushButton] = {}
        for name, (text, key, help) in _TOOLS.items():
            button = self._button(text, lambda _checked=False: None, f"{help} ({key})")
            button.setCheckable(True)
            button.setShortcut(key)
            button.clicked.connect(partial(self.use, name))
            self.tools[name] = button
        self.joins = QButtonGroup(self)
        joins = [self._button(_JOINS[how][0], self._join, _JOINS[how][1]) for how in HOW]
        for k, button in enumerate(joins):
            button.setCheckable(True)
            button.setChecked(k == 0)
            self.joins.addButton(button, k)
        return _row(*self.tools.values(), None, *joins)

    def _join(self) -> None:
        if self._tool_here() and self.desk.presenter is not None:
            self.use(self.desk.presenter.tool)

    def _counted(self) -> QWidget:
        invert = self._button("Invert", self.invert, "Select what is not selected.")
        clear = self._button("Clear", self.clear, "Select nothing.")
        self._needing = [clear]
        return _row(self.count, None, invert, clear)

    def _keeping(self) -> QWidget:
        self.name = QLineEdit()
        self.name.setPlaceholderText("name")
        self.name.setAccessibleName("Name of the selection")
        self.name.returnPressed.connect(self.keep)
        keep = self._button("Keep", self.keep, "Keep the selection in the section, by this name.")
        export = self._button("Export", lambda: None, "Write the selection to a file, or read one.")
        menu = QMenu(export)
        for text, (name, _write) in _EXPORTS.items():
            menu.addAction(text).triggered.connect(partial(self._ask_where, text, name))
        menu.addSeparator()
        reading = menu.addAction("Select cells from Xenium Explorer…")
        reading.triggered.connect(lambda _checked=False: ask_for_files(self, self.import_from))
        export.setMenu(menu)
        self._needing += [keep]
        return _row(self.name, keep, export)

    def _ask_where(self, text: str, name: str, _checked: bool = False) -> None:
        ask_where_to_save(
            self, text.removesuffix("…"), f"{self.table}_{name}.csv", ".csv", partial(self.export_to, text)
        )

    def _setting(self) -> QWidget:
        self.column, self.value = QComboBox(), QComboBox()
        for box, words in ((self.column, "column"), (self.value, "category")):
            box.setEditable(True)
            box.setMinimumContentsLength(6)
            box.setAccessibleName(words)
            box.setCurrentIndex(-1)
            box.lineEdit().setPlaceholderText(words)
        self.column.currentTextChanged.connect(lambda _text: self.table and self._offer_columns(self._document))
        give = self._button("Set", self.give, "Put the selected rows into this category of this column, by hand.")
        self._needing += [give]
        return _row(self.column, self.value, give, stretch=(1, 1, 0))

    def _button(self, text: str, call: Callable[[], object], help: str) -> QPushButton:
        button = QPushButton(text)
        button.setObjectName(text)
        button.setToolTip(tooltip(help))
        button.setStyleSheet("QPushButton { padding: 3px 7px; }")
        button.clicked.connect(lambda _checked=False: call())
        return button


def _row(*parts: QWidget | None, stretch: tuple[int, ...] = ()) -> QWidget:
    """Return parts side by side; None is room between."""
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(4)
    for k, part in enumerate(parts):
        if part is None:
            layout.addStretch(1)
        else:
            wide = isinstance(part, QLineEdit)
            layout.addWidget(part, stretch[k] if stretch else int(wide))
    return row


def _named(document: Any, table: str, column: str) -> bool:
    import pandas as pd

    dtype = document.table(table).obs[column].dtype
    ties = document.table(table).uns.get("spatialdata_attrs") or {}
    return isinstance(dtype, pd.CategoricalDtype) and column not in (ties.get("region_key"), ties.get("instance_key"))
