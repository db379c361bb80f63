"""The histogram: thresholds that filter the canvas while they are dragged."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyqtgraph as pg
from qtpy.QtCore import QTimer
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from ...core.distributions import bin_edges
from ...errors import BadInput
from ...session.selected import Selected
from ...views.columns import PLAIN, Axis
from ...views.state import TOTAL
from ..style import level_colour, mix
from .board import Board
from .numbers import is_measured, logarithms, said
from .pane import Fields, Pane, first_of

__all__ = ["HistogramPane"]


class HistogramPane(Pane):
    """How many rows have which value, with two thresholds."""

    title = "Histogram"
    help = "How many rows have which value. Drag the two lines: only the rows between them stay on the canvas."

    def make(self) -> Board:
        """Make the fields and the board."""
        body = QVBoxLayout(self)
        body.setContentsMargins(0, 0, 0, 0)
        holder = QWidget()
        fields = Fields(holder)
        self.column(fields, "x", "Of", "A measured column, a gene or an m/z.")
        self.log = {name: QCheckBox(text) for name, text in (("x", "values"), ("y", "counts"))}
        line = QWidget()
        row = QHBoxLayout(line)
        row.setContentsMargins(0, 0, 0, 0)
        for box in self.log.values():
            box.toggled.connect(lambda _on: self._rescaled())
            row.addWidget(box)
        row.addStretch(1)
        fields.add("Log axis", line, "Draw an axis in powers of ten; values of 0 or less have no place on it.")
        self.select_them = QPushButton("Select these")
        self.select_them.setToolTip("Select the rows between the two lines, on the canvas and in every plot.")
        self.select_them.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.select_them.clicked.connect(lambda _checked=False: self._select())
        body.addWidget(holder)
        body.addWidget(self.select_them)
        body.addStretch(1)
        return self._board()

    def _board(self) -> Board:
        board = Board()
        self.bars = pg.BarGraphItem(x0=[0.0], x1=[1.0], height=[0.0])
        self.marks = pg.BarGraphItem(x0=[0.0], x1=[1.0], height=[0.0])
        self.band = pg.LinearRegionItem(brush=QColor(*PLAIN[:3], 26), swapMode="block")
        self.band.setZValue(10)
        self._ends = [
            pg.InfLineLabel(line, "", position=0.93, anchors=[(1, 0.5), (1, 0.5)]) for line in self.band.lines
        ]
        for item in (self.bars, self.marks, self.band):
            board.addItem(item)
        board.box.setMouseEnabled(x=True, y=False)
        self.band.sigRegionChanged.connect(lambda _band: self._timer.start())
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)  # several moves at once cost one filter
        self._timer.timeout.connect(self._filter)
        self._values = np.empty(0)
        self._edges = np.array([0.0, 1.0])
        self._drawn: object = None
        return board

    def defaults(self) -> dict[str, str]:
        """Return the first measured column, else the total."""
        assert self.desk.session is not None
        document = self.desk.session.document
        return {
            "x": first_of(
                self.choices,
                lambda _n, c: is_measured(document, c, telling=True),
                lambda _n, c: c.key == TOTAL,
                lambda _n, c: c.part in ("X", "obsm"),
            )
        }

    def draw(self) -> None:
        """Draw the bars; the thresholds stay where they are unless another column is shown."""
        axis = self.axis("x")
        self.axes = (axis,)
        self._check(axis)
        assert axis is not None and axis.numbers is not None and self.rows is not None
        self._values = self._placed(axis.numbers)
        finite = self._values[np.isfinite(self._values)]
        if not len(finite):
            raise BadInput(f"No row has a value of {axis.title} that can be drawn.", "Choose another column.")
        self._edges = bin_edges(finite)
        self._bar(self.bars, np.ones(len(self._values), bool), QColor(*PLAIN[:3], 190))
        self._span()
        self.board.label(axis.label, f"{self.rows.word} in a bin")
        self.board.getAxis("bottom").setLogMode(self.log["x"].isChecked())
        self.board.getAxis("left").setLogMode(self.log["y"].isChecked())
        self._rule(axis)

    def mark(self) -> None:
        """Show how the selected rows are spread, and how many the thresholds leave."""
        selected = self.marked()
        pen = pg.mkPen(level_colour(self, "warning"), width=2)
        for line, label in zip(self.band.lines, self._ends, strict=True):
            line.setPen(pen)
            line.setHoverPen(pg.mkPen(mix(self, 1.0), width=3))
            label.setColor(mix(self, 0.9))
        self.marks.setVisible(selected is not None and bool(selected.any()))
        if selected is not None:
            self._bar(self.marks, selected, mix(self, 0.95))
        self._note()

    def thresholds(self) -> tuple[float, float]:
        """Return the two values between which rows stay drawn."""
        low, high = self.band.getRegion()
        return (float(10.0**low), float(10.0**high)) if self.log["x"].isChecked() else (float(low), float(high))

    def set_thresholds(self, low: float, high: float) -> None:
        """Move the two lines."""
        ends = (np.log10(low), np.log10(high)) if self.log["x"].isChecked() else (low, high)
        self.band.setRegion(ends)

    def reset(self) -> None:
        """Move the lines to the two ends."""
        self.band.setRegion((float(self._edges[0]), float(self._edges[-1])))

    def apply(self) -> None:
        """Filter by the thresholds, once the program is idle."""
        self._timer.start()

    def frame(self) -> pd.DataFrame:
        """Return the bins: from, to, rows, selected rows."""
        edges = 10.0**self._edges if self.log["x"].isChecked() else self._edges
        selected = self.marked()
        return pd.DataFrame(
            {
                "from": edges[:-1],
                "to": edges[1:],
                "rows": self._counts(np.ones(len(self._values), bool)),
                "selected": self._counts(np.zeros(len(self._values), bool) if selected is None else selected),
            }
        )

    def _check(self, axis: Axis | None) -> None:
        shown = axis is not None and axis.numbers is not None
        self._timer.start()
        for part in (self.bars, self.marks, self.band):
            part.setVisible(shown)
        if axis is None:
            raise BadInput("Nothing is chosen.", "Choose a measured column or a gene.")
        if not shown:
            raise BadInput(f"{axis.title} holds categories, not numbers.", "Choose a measured column or a gene.")

    def _placed(self, numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        if not self.log["x"].isChecked():
            return numbers
        return logarithms(numbers)

    def _counts(self, which: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        held = self._values[which & np.isfinite(self._values)]
        return np.asarray(np.histogram(held, self._edges)[0], dtype=np.int64)

    def _bar(self, item: Any, which: npt.NDArray[np.bool_], colour: QColor) -> None:
        n = self._counts(which)
        # on a log axis one row would have no height: it gets that of a third of a decade
        height = np.where(n > 0, np.log10(np.maximum(n, 1)) + 0.3, 0.0) if self.log["y"].isChecked() else n
        low = -0.3 if self.log["y"].isChecked() else 0.0
        item.setOpts(
            x0=self._edges[:-1], x1=self._edges[1:], y0=np.full(len(n), low), height=height,
            pen=None, brush=colour,
        )  # fmt: skip

    def _span(self) -> None:
        top = float(self._counts(np.ones(len(self._values), bool)).max())
        log = self.log["y"].isChecked()
        ends = (-0.3, float(np.log10(max(top, 1)))) if log else (0.0, top)
        self.board.span((float(self._edges[0]), float(self._edges[-1])), ends)

    def _rule(self, axis: Axis) -> None:
        """Let the lines move over all values; for another column, lay them at the ends."""
        ends = (float(self._edges[0]), float(self._edges[-1]))
        key = (self.rows.table, self.rows.element, axis.colour, self.log["x"].isChecked()) if self.rows else None
        blocked = self.band.blockSignals(True)
        self.band.setBounds((None, None))
        if key != self._drawn:
            self.band.setRegion(ends)
        self.band.setBounds(ends)
        self.band.blockSignals(blocked)
        if key != self._drawn:
            self._drawn = key
            self._timer.start()

    def _rescaled(self) -> None:
        self.refresh(fit=True)

    def _within(self) -> npt.NDArray[np.bool_]:
        low, high = self.band.getRegion()
        return (self._values >= low) & (self._values <= high)

    def _filter(self) -> None:
        """Leave what lies between the lines on the canvas; everything while they stand at the ends."""
        if self.presenter is None or self.rows is None:
            return
        if not self.drawn:  # no line is in sight
            self.presenter.selected.filter(None)
            return
        low, high = self.band.getRegion()
        if low <= self._edges[0] and high >= self._edges[-1]:
            self.presenter.selected.filter(None)
        else:
            rows = self.rows.places[self._within()]
            self.presenter.selected.filter(Selected(self.rows.table, rows, self._said()))
        self._note()

    def _select(self) -> None:
        if self.drawn:
            self.select(self._within(), self._said())

    def _said(self) -> str:
        axis = self.axes[0]
        assert axis is not None
        low, high = self.thresholds()
        return f"histogram {axis.title} {said(low)} – {said(high)} {axis.unit}".strip()

    def _note(self) -> None:
        assert self.rows is not None
        axis = self.axes[0]
        missing = int((~np.isfinite(self._values)).sum())
        notes = []
        if missing:
            why = " or at 0 and below" if self.log["x"].isChecked() else ""
            notes.append(f"{missing:,} {self.rows.word} without a value{why} are not drawn")
        if axis is not None and len(self._values):
            low, high = (f"{said(v)} {axis.unit}".strip() for v in self.thresholds())
            notes.append(f"{int(self._within().sum()):,} {self.rows.word} from {low} to {high}")
            for label, line in zip(self._ends, self.band.lines, strict=True):
                label.setText(said(10.0 ** line.value() if self.log["x"].isChecked() else line.value()))
        if self.marks.isVisible():
            notes.append("the lighter bars are the selected rows")
        self.notes = tuple(notes)
        self.noted.emit()
