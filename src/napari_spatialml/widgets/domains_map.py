"""The map as a list of its domains: names, colours, counts, order; merged, split and begun by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from .categories import CategoryList
from .correction_row import CorrectionRow
from .domains_strokes import LOCKED
from .style import SPACING, Quiet, Tool, tool_row, tooltip

if TYPE_CHECKING:
    from .desk import Desk

__all__ = ["MapPart"]

_MARK_ONE = "Click a domain of the list first."


class MapPart(QWidget):
    """The list of domains, and what can be done with whole domains.

    Parameters
    ----------
    desk
        The desk.
    """

    chosen = Signal(str)
    """The domain that strokes go into."""
    begun = Signal()
    """A new domain is in the list, to be filled by a stroke."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.desk = desk
        self.table, self.column, self.made = "", "", False
        self.nothing = Quiet()
        self.categories = CategoryList(ordering=True)
        self.categories.setAccessibleName("Domains")
        self.categories.renamed.connect(self._rename)
        self.categories.recoloured.connect(self._recolour)
        self.categories.hidden_changed.connect(self._hide)
        self.categories.reordered.connect(self._reorder)
        self.categories.chosen.connect(self._on_chosen)
        self.categories.itemSelectionChanged.connect(self._follow)
        self.tools = tool_row(
            [
                Tool("New domain", "Add a domain, then brush rows into it.", self.begin),
                Tool("Rename", "Rename the domain marked in the list (double click).", self.categories.edit_name),
                Tool("Colour…", "Choose a colour for the domain marked.", self.categories.ask_for_colour),
                Tool("Up", "", lambda: self.categories.move_current(-1)),
                Tool("Down", "", lambda: self.categories.move_current(1)),
                Tool("Merge", "", self.merge),
                Tool("Split in 2", "", self.split),
            ]
        )
        self._to_split = ""
        self.splitting = CorrectionRow(desk, "Split", "Divide the domain.", "split-domain", self._split)
        self.splitting.only_while_running()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        for part in (self.nothing, self.categories, self.tools, self.splitting):
            layout.addWidget(part)

    def set_place(self, table: str, column: str, made: bool) -> None:
        """List the domains of a column; ``made`` says whether a method has divided it."""
        if (table, column) != (self.table, self.column):
            self.categories.forget()
        self.table, self.column, self.made = table, column, made
        values = self._values()
        rows: list[tuple[str, str, int]] = []
        hidden: frozenset[str] = frozenset()
        if values is not None and isinstance(values.dtype, pd.CategoricalDtype):
            rows = _counted(values, self._document, column)
            hidden = self._hidden()
        self.categories.set_rows(rows, hidden)
        self.nothing.setText("No domains yet. Press Run, or press New domain and brush.")
        self.nothing.setVisible(not self.categories.rows())
        self._follow()

    def button(self, text: str) -> QPushButton:
        """Return one of the buttons."""
        found = self.tools.findChild(QPushButton, text)
        assert found is not None
        return found

    def colours(self) -> dict[str, str]:
        """Return the colour of each domain."""
        return {name: colour for name, colour, _ in self.categories.rows()}

    def target(self) -> str:
        """Return the domain that strokes go into."""
        return self.categories.current() or self._free()

    def begin(self) -> None:
        """Add a domain to the list; it is in the document with its first stroke."""
        self.categories.add_row(self._free())
        self.begun.emit()

    def merge(self) -> None:
        """Make one domain of those marked; the largest keeps its name."""
        marked = self.categories.marked()
        if len(marked) < 2:
            self.desk.told.emit("info", "Mark two or more domains in the list (Ctrl+click), then press Merge.")
        else:
            self.desk.correct("merge-domains", table=self.table, names=list(marked), column=self.column)

    def split(self) -> None:
        """Divide the marked domain in two."""
        name = self.categories.current()
        if not name:
            self.desk.told.emit("info", _MARK_ONE)
        elif self.splitting.state == "idle":
            self._to_split = name
            self.splitting.run()

    def _split(self) -> dict[str, Any]:
        return {"table": self.table, "name": self._to_split, "column": self.column, "parts": 2}

    @property
    def _document(self) -> Any:
        assert self.desk.session is not None
        return self.desk.session.document

    def _values(self) -> Any:
        return self._document.table(self.table).obs.get(self.column) if self.table else None

    def _hidden(self) -> frozenset[str]:
        assert self.desk.presenter is not None
        element = self._document.annotated(self.table)
        return self.desk.presenter.state.hidden_categories.get(element, frozenset())

    def _free(self) -> str:
        taken = {name for name, _, _ in self.categories.rows()}
        return next(f"D{k}" for k in range(1, len(taken) + 2) if f"D{k}" not in taken)

    def _rename(self, old: str, new: str) -> None:
        if not self.desk.correct("rename-category", table=self.table, column=self.column, old=old, new=new):
            self.set_place(self.table, self.column, self.made)

    def _recolour(self, name: str, colour: str) -> None:
        self.desk.correct("set-colour", column=self.column, category=name, colour=colour)

    def _reorder(self, names: object) -> None:
        held = [str(c) for c in self._values().cat.categories]
        order = [n for n in names if n in held]  # type: ignore[attr-defined]  # one that is new is in no map yet
        if not self.desk.correct("order-categories", table=self.table, column=self.column, names=order):
            self.set_place(self.table, self.column, self.made)

    def _hide(self, hidden: frozenset[str]) -> None:
        if self.desk.presenter is not None and self.table:
            self.desk.presenter.hide_categories(self._document.annotated(self.table), hidden)

    def _on_chosen(self, name: str) -> None:
        self._follow()
        self.chosen.emit(name)

    def _follow(self) -> None:
        """Enable what can be done now; what cannot says why."""
        n, read_only = len(self.categories.rows()), self.desk.session is not None and self.desk.session.read_only
        one = self.categories.current() != ""
        many = len(self.categories.marked()) > 1
        locked = LOCKED if read_only else ""
        about = {
            "New domain": ("Add a domain, then brush rows into it.", ""),
            "Rename": ("Rename the domain marked (double click).", "" if one else _MARK_ONE),
            "Colour…": ("Choose a colour for the domain marked.", "" if one else _MARK_ONE),
            "Up": ("Move the domain marked up (Ctrl+Up).", "" if one and n > 1 else _MARK_ONE),
            "Down": ("Move the domain marked down (Ctrl+Down).", "" if one and n > 1 else _MARK_ONE),
            "Merge": (
                "Make one domain of those marked: the largest keeps its name.",
                "" if many else "Mark two or more domains in the list first (Ctrl+click).",
            ),
            "Split in 2": (
                "Divide the domain marked in two, by its features.",
                "Run a method first: it is its features that a domain is split by." if not self.made
                else "" if one else _MARK_ONE,
            ),
        }  # fmt: skip
        for text, (does, why_not) in about.items():
            button, reason = self.button(text), locked or why_not
            button.setVisible(n > 0 or text == "New domain")
            button.setEnabled(not reason)
            button.setToolTip(tooltip(f"{does} {reason}".strip()))


def _counted(values: Any, document: Any, column: str) -> list[tuple[str, str, int]]:
    """Return (name, colour, count) of each domain; one without rows is listed too, for strokes may go into it."""
    from ..core.colours import category_colours

    names = [str(c) for c in values.cat.categories]
    colours = category_colours(names, document.colours(column))
    counts = values.value_counts()
    return [(name, colours[name], int(counts.get(name, 0))) for name in names]
