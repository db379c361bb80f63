"""The board on which a plot is drawn: axes in the tones of the theme, a lasso, and clicks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QEvent, QPointF, Qt, Signal
from qtpy.QtGui import QColor, QFontMetrics, QPainterPath, QPen
from qtpy.QtWidgets import QGraphicsPathItem, QWidget

from ..style import level_colour, mix

__all__ = ["Board", "NamesAxis", "how_of"]

pg.setConfigOption("exitCleanup", False)  # its own clean-up at exit would touch widgets that Qt has deleted


def how_of(modifiers: Any) -> str:
    """Return how a gesture joins the selection before it: Shift adds, Alt takes away, both keep what is in either."""
    shift, alt = (bool(modifiers & key) for key in (Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.AltModifier))
    return "both" if shift and alt else "add" if shift else "take away" if alt else "new"


class _Box(pg.ViewBox):
    """The area of a plot: dragging draws a lasso, the wheel zooms, dragging with the middle button moves."""

    lassoed = Signal(object, str)
    clicked = Signal(float, float, str)

    def __init__(self, *, lasso: bool) -> None:
        super().__init__(enableMenu=False)
        self._lasso, self._corners = lasso, []
        self.outline = QGraphicsPathItem()
        self.outline.setZValue(1e9)
        self.outline.hide()
        self.addItem(self.outline, ignoreBounds=True)

    def mouseDragEvent(self, ev: Any, axis: int | None = None) -> None:
        """Draw the lasso."""
        if ev.button() != Qt.MouseButton.LeftButton or not self._lasso or axis is not None:
            super().mouseDragEvent(ev, axis)
            return
        ev.accept()
        if ev.isStart():
            self._corners = [self.mapToView(ev.buttonDownPos())]
        self._corners.append(self.mapToView(ev.pos()))
        self.outline.setPath(_path(self._corners))
        self.outline.show()
        if ev.isFinish():
            corners, self._corners = self._corners, []
            self.outline.hide()
            self.lassoed.emit(np.array([(p.x(), p.y()) for p in corners]), how_of(ev.modifiers()))

    def mouseClickEvent(self, ev: Any) -> None:
        """Tell where the left button was pressed."""
        if ev.button() == Qt.MouseButton.LeftButton:
            ev.accept()
            at = self.mapToView(ev.pos())
            self.clicked.emit(at.x(), at.y(), how_of(ev.modifiers()))


class NamesAxis(pg.AxisItem):
    """An axis of names at 0, 1, 2 …, each cut to the room that it has."""

    def __init__(self) -> None:
        super().__init__("bottom")
        self._names: tuple[str, ...] = ()
        self._below: tuple[str, ...] = ()

    def set_names(self, names: Sequence[str], below: Sequence[str]) -> None:
        """Show names, and a second line below each."""
        self._names, self._below = tuple(names), tuple(below)
        self.picture = None
        self.update()

    def tickValues(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, list[float]]]:
        """Return a tick a name; where there is no room for all, every second, third …"""
        room = size / max(maxVal - minVal, 1e-9)
        step = max(1, int(np.ceil(24 / max(room, 1e-9))))
        first, last = max(int(np.ceil(minVal)), 0), min(int(np.floor(maxVal)), len(self._names) - 1)
        return [(step, [float(k) for k in range(first, last + 1) if k % step == 0])]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:
        """Return the names, elided."""
        low, high = self.range
        room = int(self.width() / max(high - low, 1e-9) * max(spacing, 1)) - 6
        metrics = QFontMetrics(self.style["tickFont"] or self.font())

        def fit(text: str) -> str:
            return metrics.elidedText(text, Qt.TextElideMode.ElideRight, room)

        return [f"{fit(self._names[int(v)])}\n{fit(self._below[int(v)])}" for v in values]


class Board(pg.PlotWidget):
    """A plot with its axes.

    Parameters
    ----------
    lasso
        Whether dragging draws a lasso; else it moves the view.
    names
        Whether the axis below has names in place of numbers.
    """

    lassoed = Signal(object, str)
    """The corners (k, 2) as (x, y) on the axes, and how they join the selection."""
    clicked = Signal(float, float, str)
    """A place (x, y) on the axes, and how it joins the selection."""
    hovered = Signal(float, float)
    """The place (x, y) on the axes under the mouse."""

    def __init__(self, *, lasso: bool = False, names: bool = False, parent: QWidget | None = None) -> None:
        self._ready = False
        self._span = ((0.0, 1.0), (0.0, 1.0))
        self.box = _Box(lasso=lasso)
        self.names = NamesAxis() if names else None
        super().__init__(parent, background=None, viewBox=self.box, axisItems={"bottom": self.names} if names else None)
        self.hideButtons()
        self.setMinimumSize(200, 120)
        self.box.lassoed.connect(self.lassoed)
        self.box.clicked.connect(self.clicked)
        self.scene().sigMouseMoved.connect(self._on_moved)
        for side in ("left", "bottom"):
            self.getAxis(side).enableAutoSIPrefix(False)
        self.getAxis("bottom").setHeight(58 if names else 42)
        self._ready = True
        self.follow_theme()

    def _on_moved(self, where: QPointF) -> None:
        at = self.box.mapSceneToView(where)
        self.hovered.emit(at.x(), at.y())

    def follow_theme(self) -> None:
        """Draw the axes in the tones of the theme."""
        line, text = mix(self, 0.35), mix(self, 0.8)
        for side in ("left", "bottom"):
            axis = self.getAxis(side)
            axis.setPen(pg.mkPen(line))
            axis.setTextPen(pg.mkPen(text))
        pen = QPen(level_colour(self, "info"))
        pen.setCosmetic(True)
        pen.setWidthF(1.6)
        self.box.outline.setPen(pen)
        wash = QColor(pen.color())
        wash.setAlpha(40)
        self.box.outline.setBrush(wash)

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme."""
        super().changeEvent(event)
        # Qt calls this while the board is being made, when it has no attribute yet
        if event.type() in (QEvent.Type.StyleChange, QEvent.Type.PaletteChange) and self.__dict__.get("_ready"):
            self.follow_theme()

    def label(self, bottom: str, left: str) -> None:
        """Name the axes, with their units."""
        self.setLabel("bottom", bottom)
        self.setLabel("left", left)

    def span(self, x: tuple[float, float], y: tuple[float, float]) -> None:
        """Say from where to where the plot goes."""
        self._span = (x, y)

    def fit(self) -> None:
        """Show everything."""
        (x0, x1), (y0, y1) = self._span
        self.box.setRange(xRange=(x0, x1), yRange=(y0, y1), padding=0.03, disableAutoRange=True)


def _path(corners: Sequence[QPointF]) -> QPainterPath:
    path = QPainterPath(corners[0])
    for corner in corners[1:]:
        path.lineTo(corner)
    path.closeSubpath()
    return path
