"""A small plot of how stable maps are by their number of domains; a click takes a number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QEvent, Qt, Signal
from qtpy.QtWidgets import QWidget

from ..style import level_colour, mix
from .board import Board

if TYPE_CHECKING:
    from ...core.domain_number import DomainNumber

__all__ = ["StabilityPlot"]

_HEIGHT = 150


class StabilityPlot(Board):
    """Stability over the number of domains, with its spread; the suggested number is ringed."""

    chosen = Signal(int)
    """The number that was clicked."""

    def __init__(self, parent: QWidget | None = None) -> None:
        self.found: DomainNumber | None = None
        self.current = 0
        super().__init__(parent=parent)
        self.setFixedHeight(_HEIGHT)
        self.setAccessibleName("Stability by number of domains")
        self.setToolTip("How well maps of other starts agree, by the number of domains. A click takes a number.")
        self.box.setMouseEnabled(x=False, y=False)
        self.setMenuEnabled(False)
        self.label("domains", "stability")
        self.getAxis("bottom").setHeight(36)
        for side in ("left", "bottom"):
            self.getAxis(side).setStyle(maxTickLevel=0)
        self.bars = pg.ErrorBarItem(x=np.zeros(1), y=np.zeros(1), top=np.zeros(1), bottom=np.zeros(1), beam=0.2)
        self.line = pg.PlotDataItem(symbol="o", symbolSize=6)
        self.ring = pg.ScatterPlotItem(size=15, brush=None)
        self.here = pg.InfiniteLine(angle=90)
        for item in (self.here, self.bars, self.line, self.ring):
            self.addItem(item)
        self.clicked.connect(lambda x, _y, _how: self._take(x))
        self.hide()

    def show_numbers(self, found: DomainNumber | None, current: int = 0) -> None:
        """Draw what was found, and a line at the number in use; nothing is drawn where nothing was found."""
        self.found, self.current = found, current
        self.setVisible(found is not None)
        if found is not None:
            self._draw()

    def set_current(self, number: int) -> None:
        """Move the line to the number in use."""
        self.current = number
        if self.found is not None:
            self.here.setPos(number)
            self.here.setVisible(number in np.asarray(self.found.numbers))

    def words_at(self, x: float) -> str:
        """Return what the nearest number says of itself."""
        if self.found is None:
            return ""
        at = int(np.abs(np.asarray(self.found.numbers) - x).argmin())
        n, value, spread = (np.asarray(v)[at] for v in (self.found.numbers, self.found.stability, self.found.spread))
        return f"{int(n)} domains: stability {value:.2f} ± {spread:.2f}"

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.StyleChange, QEvent.Type.PaletteChange) and self.__dict__.get("found"):
            self._draw()

    def _draw(self) -> None:
        assert self.found is not None
        x = np.asarray(self.found.numbers, float)
        y, spread = np.asarray(self.found.stability, float), np.asarray(self.found.spread, float)
        quiet, blue = pg.mkPen(mix(self, 0.5), width=1.2), level_colour(self, "info")
        self.bars.setData(x=x, y=y, top=spread, bottom=spread, pen=quiet)
        self.line.setData(x, y, pen=pg.mkPen(blue, width=1.6), symbolBrush=blue, symbolPen=None)
        at = np.flatnonzero(x == self.found.suggested)
        self.ring.setData(x[at], y[at], pen=pg.mkPen(level_colour(self, "ok"), width=2), brush=None)
        self.here.setPen(pg.mkPen(mix(self, 0.6), width=1, style=Qt.PenStyle.DashLine))
        self.set_current(self.current)
        finite = np.isfinite(y)
        lowest = float((y - spread)[finite].min()) if finite.any() else 0.0
        step = max(1, round(len(x) / 8))
        self.getAxis("bottom").setTicks([[(float(v), f"{v:g}") for v in x[::step]]])
        self.span((float(x.min()) - 0.5, float(x.max()) + 0.5), (min(max(lowest - 0.05, 0.0), 0.9), 1.02))
        self.fit()

    def _take(self, x: float) -> None:
        if self.found is not None:
            numbers = np.asarray(self.found.numbers)
            self.chosen.emit(int(numbers[np.abs(numbers - x).argmin()]))
