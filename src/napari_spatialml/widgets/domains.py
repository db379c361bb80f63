"""The Domains dock: find spatial domains, and move spots from one to another by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
from qtpy.QtWidgets import QComboBox, QLineEdit, QVBoxLayout, QWidget

from ..errors import SpatialMLError
from ..io.document import neighbour_distance
from ..session import DomainsSelection, Selection
from ..session.gather import coordinates_of
from ..session.selection import by_hand
from .categories import CategoryList
from .hand import HandTools, length_field
from .step import MethodStep, choose
from .style import SPACING, Quiet, Rows, Tool

if TYPE_CHECKING:
    from ..views.state import ColourBy

__all__ = ["DomainsDock"]

_TOOLS = (("brush", "Brush", "Brush over spots, cells or pixels to put them into the domain marked in the list.",
           "Shift+B"),)  # fmt: skip


class DomainsDock(MethodStep):
    """Divide the section into spatial domains, and correct them."""

    kind = "domains"
    title = "Domains"
    sentence = "Divide the section into domains of alike neighbours. Corrections made by hand are kept by the next run."

    def make_inputs(self) -> QWidget:
        """Make the fields for the table, the features and the column."""
        self.tables, self.features, self.column = QComboBox(), QComboBox(), QLineEdit("domain")
        self._sized_for = ""
        self.tables.currentIndexChanged.connect(lambda _i: self.refresh_now())
        self.column.editingFinished.connect(self.refresh_now)
        rows = Rows()
        rows.add("On", self.tables, "The table whose rows are divided into domains.")
        rows.add("Features", self.features, "What the domains are found from.")
        rows.add("Column", self.column, "The name of the result; an equal name is replaced.")
        return rows

    def make_correct(self) -> QWidget:
        """Make the list of domains and the tools with which rows are moved."""
        self.categories = CategoryList()
        self.categories.renamed.connect(self._rename)
        self.categories.recoloured.connect(self._recolour)
        self.categories.hidden_changed.connect(self._hide)
        self.categories.chosen.connect(lambda _name: self.tools.options_changed())
        self.radius = length_field(60.0)
        self.radius.valueChanged.connect(lambda _v: self.tools.options_changed())
        others = [
            Tool("New domain", "Add a domain, then brush spots into it.", self._add),
            Tool("Rename", "Rename the domain marked in the list.", self.categories.edit_name),
            Tool("Colour…", "Choose a colour for the domain marked in the list.", self.categories.ask_for_colour),
            Tool("Merge", "Mark several domains in the list, then make one of them: the largest keeps its name.",
                 self._merge),
            Tool("Release", "Forget which rows were corrected by hand: the next run may change them.", self._release),
        ]  # fmt: skip
        self.tools = HandTools(self.desk, _TOOLS, self._options, others)
        self.by_hand = Quiet()
        rows = Rows()
        rows.add("Brush radius", self.radius, "In micrometres on the tissue.")
        self.correct = QWidget()
        layout = QVBoxLayout(self.correct)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        self.nothing = Quiet("No domains yet. Run the method, or press New domain and brush.")
        for part in (self.nothing, self.categories, rows, self.tools, self.by_hand):
            layout.addWidget(part)
        return self.correct

    def _on_opened(self) -> None:
        self._sized_for = ""
        super()._on_opened()

    def fill(self) -> None:
        """Offer the tables and features, and list the domains."""
        document = self.session.document
        on = {t: document.type_of(document.annotated(t)) for t in document.names("tables") if document.annotated(t)}
        table = choose(self.tables, sorted(on, key=lambda t: (on[t] != "shapes", t)))
        parts = []
        if table:
            held = document.table(table)
            layers, arrays = (f"layers/{k}" for k in held.layers), (f"obsm/{k}" for k in held.obsm if k != "spatial")
            parts = [*(["X"] if held.X is not None else []), *layers, *arrays]
        choose(self.features, parts, "X")
        if self.features.count() and self.features.itemData(0) == "X":
            self.features.setItemText(0, f"{held.n_vars:,} features of the table")
        self._fit_brush(table)
        self._list_domains(table)

    def waiting_for(self) -> str:
        """Return what is missing."""
        if not self.tables.currentData():
            return "This section has no table of spots, cells or pixels. Segment cells first, or open a table."
        return ""

    def selection(self) -> Selection:
        """Return the table, its features and the column."""
        return DomainsSelection(
            str(self.tables.currentData()), str(self.features.currentData() or "X"), self._column_name()
        )

    def show_result(self, selection: Selection) -> None:
        """Colour the element by its domains."""
        assert isinstance(selection, DomainsSelection)
        self._colour_by(selection.table, selection.column)

    def _column_name(self) -> str:
        return self.column.text().strip() or "domain"

    def _values(self, table: str) -> Any:
        return self.session.document.table(table).obs.get(self._column_name()) if table else None

    def _list_domains(self, table: str) -> None:
        values = self._values(table)
        rows: list[tuple[str, str, int]] = []
        hidden: frozenset[str] = frozenset()
        if values is not None and isinstance(values.dtype, pd.CategoricalDtype):
            rows = self._legend_rows(table) or _counted(values, self.session.document, self._column_name())
            hidden = self._hidden(table)
        self.categories.set_rows(rows, hidden)
        self.nothing.setVisible(not self.categories.rows())
        self.correct.setEnabled(bool(table) and not self.session.read_only)
        mark = by_hand(self._column_name())
        obs = self.session.document.table(table).obs if table else {}
        n = int(obs[mark].sum()) if mark in obs else 0
        self.by_hand.setText(f"{n:,} {'row' if n == 1 else 'rows'} corrected by hand; the next run keeps them.")
        self.by_hand.setVisible(n > 0)

    def _legend_rows(self, table: str) -> list[tuple[str, str, int]]:
        presenter = self.desk.presenter
        element = self.session.document.annotated(table)
        column = self._column_name()
        for legend in presenter.legends() if presenter is not None else ():
            if legend.element == element and legend.kind == "categories" and legend.title == column:
                return list(legend.categories)
        return []

    def _hidden(self, table: str) -> frozenset[str]:
        assert self.desk.presenter is not None
        element = self.session.document.annotated(table)
        return self.desk.presenter.state.hidden_categories.get(element, frozenset())

    def _colour_by(self, table: str, column: str) -> None:
        if self.desk.presenter is not None:
            element = self.session.document.annotated(table)
            self.desk.show_over_histology(element)
            self.desk.presenter.colour_by(element, _colour(table, f"obs/{column}"))

    def _fit_brush(self, table: str) -> None:
        """Make the brush as wide as about two spacings of the rows, once a table."""
        if not table or table == self._sized_for:
            return
        self._sized_for = table
        try:
            where = coordinates_of(self.session.document, table)
        except SpatialMLError:
            return  # a run says what is wrong with the table
        spacing = neighbour_distance(where)
        if spacing:
            self.radius.setValue(float(f"{1.1 * spacing:.1g}"))

    def _options(self, tool: str) -> dict[str, Any]:
        element = self.session.document.annotated(str(self.tables.currentData()))
        if not self.desk.visible(element):
            self.desk.show_over_histology(element)
        return {
            "table": self.tables.currentData(),
            "column": self._column_name(),
            "value": self.categories.current() or "D1",
            "radius_um": self.radius.value(),
        }

    def _add(self) -> None:
        taken = {name for name, _, _ in self.categories.rows()}
        free = next(f"D{k}" for k in range(1, len(taken) + 2) if f"D{k}" not in taken)
        self.categories.add_row(free)
        self.tools.buttons["brush"].click() if not self.tools.tool else self.tools.options_changed()

    def _rename(self, old: str, new: str) -> None:
        table = str(self.tables.currentData())
        if not self.desk.correct("rename-category", table=table, column=self._column_name(), old=old, new=new):
            self.refresh_now()

    def _recolour(self, name: str, colour: str) -> None:
        self.desk.correct("set-colour", column=self._column_name(), category=name, colour=colour)

    def _merge(self) -> None:
        marked = self.categories.marked()
        if len(marked) < 2:
            self.desk.told.emit("info", "Mark two or more domains in the list (Ctrl+click), then press Merge.")
            return
        counts = {name: n for name, _, n in self.categories.rows()}
        kept = max(marked, key=lambda name: counts.get(name, 0))
        for name in marked:
            if name != kept:
                self._rename(name, kept)

    def _release(self) -> None:
        self.desk.correct("release", table=str(self.tables.currentData()), column=self._column_name())

    def _hide(self, hidden: frozenset[str]) -> None:
        presenter = self.desk.presenter
        table = self.tables.currentData()
        if presenter is not None and table:
            element = self.session.document.annotated(table)
            presenter.show(hidden_categories={**presenter.state.hidden_categories, element: hidden})


def _colour(table: str, key: str) -> ColourBy:
    from ..views.state import ColourBy

    return ColourBy(table, key)


def _counted(values: Any, document: Any, column: str) -> list[tuple[str, str, int]]:
    """Return (name, colour, count) of each category, where no legend tells."""
    from ..core.colours import category_colours

    names = [str(c) for c in values.cat.categories]
    colours = category_colours(names, document.attribute("colours", {}).get(column, {}))
    counts = values.value_counts()
    return [(name, colours[name], int(counts.get(name, 0))) for name in names]
