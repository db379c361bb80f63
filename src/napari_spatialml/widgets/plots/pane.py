"""What the kinds of plots share: fields on the left, a board on the right, and the way to the selection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFormLayout, QLabel, QWidget

from ...errors import SpatialMLError
from ...session.selected import Selected
from ...views.columns import Axis, Colours, PlottedRows, axis_of
from ...views.state import ColourBy
from ..column_field import ColumnField
from ..desk import Desk
from ..messages import Message, tell
from ..style import SPACING
from .board import Board

__all__ = ["Fields", "Pane"]


class Fields(QFormLayout):
    """Rows of a short label and a field."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setContentsMargins(0, 0, 0, 0)
        self.setHorizontalSpacing(8)
        self.setVerticalSpacing(SPACING)
        self.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)

    def add(self, label: str, field: QWidget, help: str) -> None:
        """Append a row; ``help`` is the tooltip of both."""
        name = QLabel(label)
        for part in (name, field):
            part.setToolTip(help)
        field.setAccessibleName(label)
        self.addRow(name, field)


class Pane(QWidget):
    """One kind of plot. The widget itself holds the fields; the board stands beside it.

    Parameters
    ----------
    desk
        The desk.
    """

    title: ClassVar[str] = ""
    help: ClassVar[str] = ""
    noted = Signal()
    """What is written under the plot has changed."""
    failed = Signal(object)
    """A `Message` about what cannot be plotted; None once it can."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.desk = desk
        self.rows: PlottedRows | None = None
        self.choices: dict[str, ColourBy] = {}
        self.notes: tuple[str, ...] = ()
        self.axes: tuple[Axis | None, ...] = ()
        self.drawn = False
        self._wanted: dict[str, str] = {}
        self._fields: dict[str, ColumnField] = {}
        self.board = self.make()
        self.board.hovered.connect(lambda x, y: self.board.setToolTip(self.tip(x, y)))

    # what each kind says -----------------------------------------------------------------------

    def make(self) -> Board:
        """Make the fields and the board."""
        raise NotImplementedError

    def defaults(self) -> dict[str, str]:
        """Return what each field shows at first, by the field's name."""
        raise NotImplementedError

    def draw(self) -> None:
        """Draw the rows; may raise our errors."""
        raise NotImplementedError

    def mark(self) -> None:
        """Show the selection and the filter."""

    def keyed(self) -> tuple[Axis | None, Colours | None]:
        """Return what the key explains; nothing where there are no colours."""
        return None, None

    def tip(self, x: float, y: float) -> str:
        """Return what is said of a place on the axes; "" for nothing."""
        return ""

    def frame(self) -> pd.DataFrame:
        """Return what is plotted, as a table for other programs."""
        raise NotImplementedError

    # what they share ---------------------------------------------------------------------------

    def set_rows(self, rows: PlottedRows, choices: Mapping[str, ColourBy]) -> None:
        """Plot these rows, by columns of these names."""
        again = self.rows is None or (self.rows.table, self.rows.element) != (rows.table, rows.element)
        self.rows, self.choices = rows, dict(choices)
        lost = [] if again else [n for n, said in self._wanted.items() if said and said not in self.offered(n)]
        if again or lost:
            first = self.defaults()
            self._wanted = first if again else {**self._wanted, **{name: first[name] for name in lost}}
        self.refresh(fit=again)

    def set_columns(self, **names: str) -> None:
        """Plot other columns, by the names of the fields."""
        self._wanted |= names
        self.refresh(fit=True)

    def refresh(self, *, fit: bool = False) -> None:
        """Draw what the document holds now, and say what cannot be drawn."""
        for name, field in self._fields.items():
            field.offer(self.offered(name), self._wanted.get(name, ""))
        try:
            self.drawn = False
            self.draw()
            self.drawn = True
            self.mark()
            self.failed.emit(None)
        except SpatialMLError as error:
            self.notes = ()
            self.failed.emit(tell(error))
        if fit:
            self.board.fit()
        self.noted.emit()

    def offered(self, field: str) -> dict[str, ColourBy]:
        """Return what a field offers."""
        return self.choices

    def column(self, fields: Fields, name: str, label: str, help: str) -> ColumnField:
        """Add a field for a column."""
        field = ColumnField()
        field.chosen.connect(lambda said, n=name: self.set_columns(**{n: said}))
        fields.add(label, field, help)
        self._fields[name] = field
        return field

    def axis(self, name: str) -> Axis | None:
        """Return the column that a field names; None where it names none."""
        said = self._wanted.get(name, "")
        if self.rows is None or said not in self.choices or self.desk.session is None:
            return None
        return axis_of(self.desk.session.document, self.choices[said], self.rows)

    @property
    def presenter(self) -> Any:
        """The presenter of the open section."""
        return self.desk.presenter

    def marked(self) -> npt.NDArray[np.bool_] | None:
        """Return which of the rows are selected; None where nothing is."""
        return self._mask(self.presenter.selected.now)

    def limited(self) -> npt.NDArray[np.bool_] | None:
        """Return which of the rows a filter leaves; None for all."""
        return self._mask(self.presenter.selected.limit)

    def select(self, which: npt.NDArray[np.bool_], said: str, how: str = "new") -> None:
        """Select rows on the canvas and in every plot."""
        assert self.rows is not None
        self.presenter.selected.take(Selected(self.rows.table, self.rows.places[which], said), how)

    def tell(self, level: Any, text: str) -> None:
        """Say something under the plot."""
        self.failed.emit(Message(level, text))

    def listed(self, *axes: Axis | None) -> pd.DataFrame:
        """Return the rows by name, with the columns plotted and whether each row is selected."""
        assert self.rows is not None and self.desk.session is not None
        document, rows = self.desk.session.document, self.rows
        table = {"row": document.table(rows.table).obs_names[rows.places].to_numpy()}
        table |= {"instance": document.instances(rows.table)[rows.places]}
        for axis in filter(None, axes):
            held = axis.categories
            named = None if held is None else np.append(np.array(held.names, object), "")[held.codes]
            table[axis.label] = axis.numbers if named is None else named
        selected = self.marked()
        table["selected"] = np.zeros(len(rows.places), bool) if selected is None else selected
        return pd.DataFrame(table)

    def _mask(self, held: Selected | None) -> npt.NDArray[np.bool_] | None:
        if held is None or self.rows is None or held.table != self.rows.table or self.desk.session is None:
            return None
        return held.mask(self.desk.session.document.table(held.table).n_obs)[self.rows.places]


def first_of(choices: Mapping[str, ColourBy], *wanted: Any) -> str:
    """Return the first name whose choice meets the first condition that any meets, or ""."""
    for condition in wanted:
        for name, choice in choices.items():
            if condition(name, choice):
                return name
    return ""
