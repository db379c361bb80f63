"""A histogram with two limits that are moved with the mouse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QLinearGradient, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

from .style import mix

if TYPE_CHECKING:
    from ..views.channels import Histogram

__all__ = ["LimitsPlot"]

_REACH = 9
_HEIGHT, _BAR, _SIDE = 84, 8, 6


class LimitsPlot(QWidget):
    """How often each value occurs, what is drawn dark and bright, and the colours between."""

    moved = Signal(float, float)
    """The limits while one of them is dragged."""
    settled = Signal(float, float)
    """The limits when it was let go."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._histogram: Histogram | None = None
        self.limits = (0.0, 1.0)
        self._colour = QColor("white")
        self._held: int | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        self.setAccessibleName("Histogram with both limits")

    def sizeHint(self) -> QSize:
        """Return room for the curve and the bar of colours."""
        return QSize(280, _HEIGHT)

    def show_values(self, histogram: Histogram | None, limits: tuple[float, float], colour: str) -> None:
        """Show a channel."""
        self._histogram, self._colour = histogram, QColor(colour)
        if self._held is None:
            self.limits = limits
        self.update()

    @property
    def range(self) -> tuple[float, float]:
        """The values at the left and the right end."""
        low, high = self.limits
        if self._histogram is None:
            return low, high
        return min(self._histogram.low, low), max(self._histogram.high, high)

    def x_of(self, value: float) -> float:
        """Return where a value stands, in pixels."""
        low, high = self.range
        return _SIDE + (value - low) / max(high - low, 1e-12) * (self.width() - 2 * _SIDE)

    def value_at(self, x: float) -> float:
        """Return the value at a pixel."""
        low, high = self.range
        share = (x - _SIDE) / max(self.width() - 2 * _SIDE, 1)
        return low + min(max(share, 0.0), 1.0) * (high - low)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take the nearer limit."""
        if self._histogram is not None and event.button() == Qt.MouseButton.LeftButton:
            away = [abs(event.position().x() - self.x_of(v)) for v in self.limits]
            self._held = int(np.argmin(away))
            self._drag(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Move the limit that is held; show that one can be taken."""
        if self._held is not None:
            self._drag(event)
            return
        near = any(abs(event.position().x() - self.x_of(v)) < _REACH for v in self.limits)
        self.setCursor(Qt.CursorShape.SizeHorCursor if near else Qt.CursorShape.ArrowCursor)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let go of the limit."""
        if self._held is not None:
            self._held = None
            self.settled.emit(*self.limits)

    def _drag(self, event: QMouseEvent) -> None:
        (low, high), value = self.limits, self.value_at(event.position().x())
        least = (self.range[1] - self.range[0]) * 1e-3 or 1e-12
        self.limits = (min(value, high - least), high) if self._held == 0 else (low, max(value, low + least))
        self.update()
        self.moved.emit(*self.limits)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the curve, the limits and the bar of colours."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(_SIDE, 2, self.width() - 2 * _SIDE, self.height() - _BAR - 6)
        painter.fillRect(area, QColor(16, 18, 22))
        if self._histogram is not None:
            self._curve(painter, area)
        left, right = (self.x_of(v) for v in self.limits)
        for x in (left, right):
            painter.setPen(QPen(QColor(255, 255, 255), 1.4))
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
            painter.setBrush(QColor(255, 255, 255))
            painter.drawRoundedRect(QRectF(x - 3, area.center().y() - 7, 6, 14), 2, 2)
        bar = QRectF(area.left(), area.bottom() + 3, area.width(), _BAR)
        ramp = QLinearGradient(left, 0, max(right, left + 1), 0)
        ramp.setColorAt(0, QColor("black"))
        ramp.setColorAt(1, self._colour)
        painter.fillRect(bar, ramp)
        painter.setPen(mix(self, 0.3))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(bar)
        painter.end()

    def _curve(self, painter: QPainter, area: QRectF) -> None:
        """Draw the logarithm of the counts: tissue would else drown in the empty glass around it."""
        assert self._histogram is not None
        counts = np.log1p(self._histogram.counts.astype(float))
        top = counts.max() or 1.0
        edges = np.linspace(self._histogram.low, self._histogram.high, len(counts) + 1)
        points = [QPointF(self.x_of(float(edges[0])), area.bottom())]
        for k, n in enumerate(counts):
            y = area.bottom() - n / top * (area.height() - 4)
            points += [QPointF(self.x_of(float(edges[k])), y), QPointF(self.x_of(float(edges[k + 1])), y)]
        points.append(QPointF(self.x_of(float(edges[-1])), area.bottom()))
        fill = QColor(self._colour)
        fill.setAlpha(170)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(fill)
        painter.drawPolygon(QPolygonF(points))
