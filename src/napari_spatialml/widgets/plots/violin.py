"""The violin plot: how a number is spread within each category."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QPainterPath, QPen
from qtpy.QtWidgets import QCheckBox, QGraphicsPathItem, QVBoxLayout, QWidget

from ...core.distributions import Density, densities
from ...errors import BadInput
from ...views.columns import Axis, Colours
from ...views.state import TOTAL, ColourBy
from ..style import mix
from .board import Board
from .numbers import is_grouping, is_measured, logarithms, said
from .pane import Fields, Pane, first_of

__all__ = ["MOST", "ViolinPane", "most_numerous"]

MOST = 60
"""Categories drawn at most: those with most rows."""
_HALF = 0.42


class ViolinPane(Pane):
    """A violin a category, with its median and its quartiles."""

    title = "Violin"
    help = "How a number is spread within each category. Click a violin to select its rows; Shift adds, Alt takes away."

    def make(self) -> Board:
        """Make the fields and the board."""
        body = QVBoxLayout(self)
        body.setContentsMargins(0, 0, 0, 0)
        holder = QWidget()
        fields = Fields(holder)
        self.column(fields, "value", "Of", "A measured column, a gene or an m/z.")
        self.column(fields, "by", "By", "The categories: domains, cell types, clusters.")
        self.log = QCheckBox("values")
        self.log.toggled.connect(lambda _on: self.refresh(fit=True))
        fields.add("Log axis", self.log, "Draw the values in powers of ten; 0 and less have no place on it.")
        body.addWidget(holder)
        body.addStretch(1)
        self._items: list[QGraphicsPathItem] = []
        self._marks: list[QGraphicsPathItem] = []
        self._shown: npt.NDArray[np.int64] = np.empty(0, np.int64)
        self._values = np.empty(0)
        self.found: tuple[Density, ...] = ()
        board = Board(names=True)
        board.box.setMouseEnabled(x=True, y=True)
        board.clicked.connect(self._on_click)
        return board

    def offered(self, field: str) -> dict[str, ColourBy]:
        """Return categories for one field, and numbers for the other."""
        assert self.desk.session is not None
        document = self.desk.session.document
        return {n: c for n, c in self.choices.items() if is_grouping(document, c) == (field == "by")}

    def defaults(self) -> dict[str, str]:
        """Return the total by the category that the canvas shows, else by the first that divides the rows."""
        assert self.rows is not None and self.desk.session is not None
        document, now = self.desk.session.document, self.presenter.colour_of(self.rows.element)
        return {
            "value": first_of(
                self.choices,
                lambda _n, c: c.key == TOTAL,
                lambda _n, c: is_measured(document, c, telling=True),
                lambda _n, c: c.part in ("X", "obsm"),
            ),
            "by": first_of(
                self.choices,
                lambda _n, c: c == now and is_grouping(document, c),
                lambda _n, c: is_grouping(document, c, telling=True),
                lambda _n, c: is_grouping(document, c),
            ),
        }

    def draw(self) -> None:
        """Draw the violins."""
        value, by = self.axis("value"), self.axis("by")
        self.axes = (value, by)
        self._clear(self._items)
        self._check(value, by)
        assert value is not None and value.numbers is not None and by is not None and by.categories is not None
        assert self.rows is not None
        names, codes = by.categories.names, by.categories.codes
        self._shown = most_numerous(codes, len(names))
        self._values = logarithms(value.numbers) if self.log.isChecked() else value.numbers
        self.found = densities(self._values, codes, len(names))
        for x, code in enumerate(self._shown):
            self._items.append(self._violin(x, self.found[code], QColor(by.categories.colours[code])))
        self._span()
        below = [f"{self.found[c].n:,}" for c in self._shown]
        assert self.board.names is not None
        self.board.names.set_names([names[c] for c in self._shown], below)
        self.board.label(f"{by.title} (number of {self.rows.word} below)", value.label)
        self.board.getAxis("left").setLogMode(self.log.isChecked())
        self._note(by)

    def _span(self) -> None:
        held = [self.found[c].at for c in self._shown if self.found[c].n]
        if not held:
            return
        low, high = min(float(at[0]) for at in held), max(float(at[-1]) for at in held)
        room = (high - low) * 0.02 or 0.5
        self.board.span((-0.5, len(self._shown) - 0.5), (low - room, high + room))

    def mark(self) -> None:
        """Outline how the selected rows are spread within each category."""
        self._clear(self._marks)
        selected = self.marked()
        value, by = self.axes[:2] if len(self.axes) == 2 else (None, None)
        if selected is None or value is None or value.numbers is None or by is None or by.categories is None:
            return
        codes = np.where(selected, by.categories.codes, -1)
        found = densities(self._values, codes, len(by.categories.names))
        for x, code in enumerate(self._shown):
            if found[code].n:
                self._marks.append(self._outline(x, found[code]))

    def keyed(self) -> tuple[Axis | None, Colours | None]:
        """Return the categories."""
        return (self.axes[1] if len(self.axes) == 2 else None), None

    def frame(self) -> pd.DataFrame:
        """Return the rows with the number and the category."""
        return self.listed(*self.axes)

    def _check(self, value: Axis | None, by: Axis | None) -> None:
        if by is None or by.categories is None:
            raise BadInput("These rows have no categories.", "Find domains, or name cell types first.")
        if value is None or value.numbers is None:
            raise BadInput("There is no number to plot.", "Choose a measured column or a gene.")

    def _violin(self, x: int, density: Density, colour: QColor) -> QGraphicsPathItem:
        item = QGraphicsPathItem(_shape(x, density))
        item.setBrush(colour)
        item.setPen(_pen(mix(self, 0.5), 1.0))
        self.board.addItem(item)
        if density.n:
            lower, median, upper = density.quartiles
            inner = QGraphicsPathItem(_box(x, lower, median, upper), item)
            inner.setPen(_pen(QColor("#101014"), 1.6))
        return item

    def _outline(self, x: int, density: Density) -> QGraphicsPathItem:
        item = QGraphicsPathItem(_shape(x, density))
        pen = _pen(mix(self, 1.0), 2.0)
        pen.setStyle(Qt.PenStyle.DashLine)
        item.setPen(pen)
        item.setZValue(5)
        self.board.addItem(item)
        return item

    def _clear(self, items: list[QGraphicsPathItem]) -> None:
        for item in items:
            self.board.removeItem(item)
        items.clear()

    def _note(self, by: Axis) -> None:
        assert self.rows is not None and by.categories is not None
        missing = int((~np.isfinite(self._values) | (by.categories.codes < 0)).sum())
        notes = []
        if missing:
            why = " above 0" if self.log.isChecked() else ""
            notes.append(f"{missing:,} {self.rows.word} without a value{why} or a category are not drawn")
        notes += more_than_shown(by, self._shown, self.rows.word)
        notes.append("lines: median and quartiles; every violin has the same greatest width")
        self.notes = tuple(notes)

    def tip(self, x: float, y: float) -> str:
        """Return the category under the mouse, with its rows and its median."""
        code, by = self._code_at(x), self.axes[1] if len(self.axes) == 2 else None
        if code is None or by is None or by.categories is None or self.rows is None:
            return ""
        density = self.found[code]
        name, median = by.categories.names[code], density.quartiles[1]
        said_median = said(10.0**median if self.log.isChecked() else median) if density.n else "none"
        return f"{name}: {density.n:,} {self.rows.word}, median {said_median}"

    def _on_click(self, x: float, _y: float, how: str) -> None:
        code, by = self._code_at(x), self.axes[1] if len(self.axes) == 2 else None
        if code is not None and by is not None and by.categories is not None:
            self.select(by.categories.codes == code, f"{by.title} is {by.categories.names[code]}", how)

    def _code_at(self, x: float) -> int | None:
        place = round(x)
        there = self.drawn and 0 <= place < len(self._shown) and abs(x - place) <= _HALF
        return int(self._shown[place]) if there else None


def most_numerous(codes: npt.NDArray[np.int64], n: int) -> npt.NDArray[np.int64]:
    """Return the categories that have rows, in their order; of more than 60, those with most rows."""
    counts = np.bincount(codes[codes >= 0], minlength=n)
    there = np.flatnonzero(counts)
    if len(there) <= MOST:
        return there
    return np.sort(there[np.argsort(-counts[there], kind="stable")[:MOST]])


def more_than_shown(by: Axis, shown: npt.NDArray[np.int64], word: str) -> list[str]:
    """Return in words what is not drawn because there are too many categories."""
    assert by.categories is not None
    counts = by.categories.counts
    n, rest = int((counts > 0).sum()), int(counts.sum() - counts[shown].sum())
    if n <= len(shown):
        return []
    return [f"{by.title} has {n:,} categories: the {len(shown)} with most {word} are shown, {rest:,} {word} are not"]


def _shape(x: int, density: Density) -> QPainterPath:
    path = QPainterPath()
    if density.n == 0:
        return path
    at, half = density.at, density.height * _HALF
    if len(at) == 1:  # a constant: a line
        path.moveTo(x - _HALF, at[0])
        path.lineTo(x + _HALF, at[0])
        return path
    path.moveTo(x - half[0], at[0])
    for place, width in zip(at, half, strict=True):
        path.lineTo(x - width, place)
    for place, width in zip(at[::-1], half[::-1], strict=True):
        path.lineTo(x + width, place)
    path.closeSubpath()
    return path


def _box(x: int, lower: float, median: float, upper: float) -> QPainterPath:
    path = QPainterPath()
    for at, half in ((lower, 0.06), (median, 0.14), (upper, 0.06)):
        path.moveTo(x - half, at)
        path.lineTo(x + half, at)
    path.moveTo(x, lower)
    path.lineTo(x, upper)
    return path


def _pen(colour: QColor, width: float) -> QPen:
    pen = QPen(colour)
    pen.setCosmetic(True)
    pen.setWidthF(width)
    return pen
