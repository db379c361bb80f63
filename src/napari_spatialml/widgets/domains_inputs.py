"""What domains are found from: a table, further sections divided with it, its features, and the column that results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QLineEdit, QMenu, QToolButton, QVBoxLayout, QWidget

from ..session import DomainsSelection
from ..session.domain_maps import about_map
from .step import choose
from .style import Rows, tooltip

if TYPE_CHECKING:
    from ..session import Document
    from .desk import Desk

__all__ = ["DomainsInputs", "TableTicks", "feature_words", "goes_with"]

DEFAULT_COLUMN = "domain"
_MOST_TYPES = 200
_KEYS = ("region", "instance_id", "instance_key")
"""Columns that say what a row annotates."""


def feature_words(document: Document, table: str, key: str) -> str:
    """Return what a part of a table is called: "33,538 genes", "proportions of 8 cell types", "layer log"."""
    held, (part, _, name) = document.table(table), key.partition("/")
    if part == "X":
        return f"{held.n_vars:,} features of the table"
    if part == "layers":
        return f"layer {name}"
    if part == "obs":
        return f"neighbourhood by {name}"
    values = held.obsm[name]
    width = values.shape[1] if getattr(values, "ndim", 2) == 2 else 1
    if isinstance(values, pd.DataFrame) and "proportions" in name:
        return f"{name}: {width:,} cell types"
    return f"{name}: {width:,} {'column' if width == 1 else 'columns'}"


_ARROW = 22
"""Pixels that are left free for the arrow, which is drawn over the words otherwise."""


class TableTicks(QToolButton):
    """A button whose menu ticks further tables; it says how many are ticked."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._menu = QMenu(self)
        self.offered: tuple[str, ...] = ()
        """The tables of the menu."""
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setMenu(self._menu)
        self.setStyleSheet(
            f"QToolButton {{ padding: 3px {_ARROW}px 3px 6px; }}"
        )  # the arrow is drawn over the text else
        self._follow()

    def set_tables(self, names: tuple[str, ...]) -> None:
        """Offer tables; those that were ticked stay so."""
        if names == self.offered:
            return
        ticked = self.ticked()
        self.offered = names
        self._menu.clear()
        for name in names:
            action = self._menu.addAction(name)
            action.setCheckable(True)
            action.setChecked(name in ticked)
            action.toggled.connect(lambda _on: self._told())
        self._follow()

    def ticked(self) -> tuple[str, ...]:
        """Return the tables that are ticked, in the order in which they are offered."""
        return tuple(a.text() for a in self._menu.actions() if a.isChecked())

    def tick(self, names: tuple[str, ...]) -> None:
        """Tick these and no others."""
        for action in self._menu.actions():
            action.setChecked(action.text() in names)

    def _told(self) -> None:
        self._follow()
        self.changed.emit()

    def _follow(self) -> None:
        names = self.ticked()
        self.setText("this one alone" if not names else names[0] if len(names) == 1 else f"{len(names)} further")
        self.setToolTip(tooltip(", ".join(names) or "Tick tables that are divided together with this one."))


class DomainsInputs(QWidget):
    """The fields of the inputs.

    Parameters
    ----------
    desk
        The desk.
    """

    changed = Signal()
    """Something else is chosen."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.desk = desk
        self.tables, self.features, self.column = QComboBox(), QComboBox(), QLineEdit(DEFAULT_COLUMN)
        self.others = TableTicks()
        self._shown_map: tuple[str, str, tuple[str, ...]] = ("", "", ())
        for box in (self.tables, self.features):
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(10)
        rows = Rows()
        rows.add("On", self.tables, "The table whose rows are divided into domains.")
        self._others_label = rows.add(
            "Together with", self.others, "Further sections that get the same domains: they are divided as one."
        )
        rows.add("Features", self.features, "What the domains are found from.")
        rows.add("Column", self.column, "The name of the result; an equal name is replaced.")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(rows)
        self.tables.currentIndexChanged.connect(lambda _i: self.changed.emit())
        self.features.activated.connect(lambda _i: self.changed.emit())
        self.column.editingFinished.connect(self.changed)
        self.others.changed.connect(self.changed)

    @property
    def table(self) -> str:
        """The table, or ""."""
        return str(self.tables.currentData() or "")

    @property
    def name(self) -> str:
        """The name of the column."""
        return self.column.text().strip() or DEFAULT_COLUMN

    def fill(self) -> None:
        """Offer the tables, what could be divided with the chosen one, and its features."""
        assert self.desk.session is not None
        document = self.desk.session.document
        on = {t: document.type_of(document.annotated(t)) for t in document.names("tables") if document.annotated(t)}
        offered = sorted(on, key=lambda t: (on[t] != "shapes", t))
        divided = next((t for t in offered if self.name in document.table(t).obs), "")
        table = choose(self.tables, offered, divided)
        parts = _parts(document, table, self.name) if table else []
        choose(self.features, parts, "X")
        for i, key in enumerate(parts):
            self.features.setItemText(i, feature_words(document, table, key))
        key = str(self.features.currentData() or "")
        self.others.set_tables(tuple(t for t in on if t != table and key and goes_with(document, t, table, key)))
        self._follow_map(document, table)
        for part in (self.others, self._others_label):
            part.setVisible(bool(self.others.offered))

    def _follow_map(self, document: Document, table: str) -> None:
        """Tick the sections that a map was divided together with, whenever it is another one."""
        made = tuple(about_map(document, table, self.name).get("tables", ())) if table else ()
        if (table, self.name, made) != self._shown_map:
            self._shown_map = (table, self.name, made)
            blocked = self.others.blockSignals(True)
            self.others.tick(tuple(t for t in made if t != table))
            self.others.blockSignals(blocked)

    def selection(self) -> DomainsSelection:
        """Return what a run works on."""
        return DomainsSelection(
            self.table, str(self.features.currentData() or "X"), self.name, others=self.others.ticked()
        )


def _parts(document: Document, table: str, column: str) -> list[str]:
    """Return the parts of a table that can serve as features."""
    held = document.table(table)
    layers, arrays = (f"layers/{k}" for k in held.layers), (f"obsm/{k}" for k in held.obsm if _is_array(held, k))
    kinds = (f"obs/{c}" for c in held.obs if c != column and _names_types(held.obs, c))
    return [*(["X"] if held.X is not None else []), *layers, *arrays, *kinds]


def _is_array(held: Any, name: str) -> bool:
    """Return whether an array describes rows: not where they lie, nor what was found of domains."""
    made = name.endswith(("_probabilities", "_computed"))
    return name != "spatial" and not made


def _names_types(obs: pd.DataFrame, column: str) -> bool:
    """Return whether a column names cell types, or other groups, of which a neighbourhood is composed."""
    values = obs[column]
    grouped = isinstance(values.dtype, pd.CategoricalDtype) and 2 <= len(values.cat.categories) <= _MOST_TYPES
    return grouped and column not in _KEYS


def goes_with(document: Document, other: str, table: str, key: str) -> bool:
    """Return whether another table has the same features: most of them by name, or an array as wide."""
    a, b, (part, _, name) = document.table(table), document.table(other), key.partition("/")
    if part == "obs":
        return name in b.obs and _names_types(b.obs, name)
    if part == "obsm":
        return name in b.obsm and b.obsm[name].shape[1:] == a.obsm[name].shape[1:]
    if (part == "layers" and name not in b.layers) or (part == "X" and b.X is None):
        return False
    shared = len(a.var_names.intersection(b.var_names))
    return 2 * shared > min(a.n_vars, b.n_vars) > 0
