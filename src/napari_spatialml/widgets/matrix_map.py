"""A matrix of pairs as coloured squares, with stars where chance hardly explains it; names along both sides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QImage, QMouseEvent, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from .style import mix

__all__ = ["MatrixMap", "diverging"]

_ENDS = ((33, 102, 172), (247, 247, 247), (178, 24, 43))
"""Blue, white and red, told apart by all kinds of colour vision (ColorBrewer's RdBu)."""
_LEAST, _MOST, _PAD, _KEY = 16.0, 44.0, 8.0, 46.0
_LONGEST = 190.0


def diverging(value: float, limit: float) -> QColor:
    """Return the colour of a value between −limit (blue) and limit (red)."""
    if not np.isfinite(value):
        return QColor(128, 128, 128, 60)
    share = float(np.clip(value / limit, -1, 1)) if limit > 0 else 0.0
    end = np.asarray(_ENDS[2] if share > 0 else _ENDS[0], float)
    return QColor(*(int(c) for c in np.rint(np.asarray(_ENDS[1]) + abs(share) * (end - np.asarray(_ENDS[1])))))


class MatrixMap(QWidget):
    """Squares for pairs of names; the one under the mouse is told by `pointed`."""

    pointed = Signal(int, int)
    """The row and the column under the mouse; −1 for none."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.names: tuple[str, ...] = ()
        self.values: npt.NDArray[np.float64] = np.zeros((0, 0))
        self.limit = 1.0
        self._stars: Callable[[int, int], str] = lambda _i, _j: ""
        self._at = (-1, -1)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Matrix")

    def set_matrix(self, names: Sequence[str], values: Any, stars: Callable[[int, int], str], limit: float) -> None:
        """Show (t, t) values between −limit and limit, and what stands in each square."""
        self.names, self.values = tuple(names), np.asarray(values, float)
        self._stars, self.limit, self._at = stars, limit, (-1, -1)
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """Return room for squares of a comfortable size."""
        side = 2 * _PAD + self._label() + 30.0 * max(len(self.names), 6)
        return QSize(int(side), int(side + _KEY))

    def minimumSizeHint(self) -> QSize:
        """Return room for the smallest squares."""
        side = 2 * _PAD + self._label() + _LEAST * max(len(self.names), 4)
        return QSize(int(side), int(side + _KEY))

    def picture(self, scale: float = 3.0) -> QImage:
        """Return what is shown, with so many pixels for one of the screen."""
        image = QImage(round(self.width() * scale), round(self.height() * scale), QImage.Format.Format_RGB32)
        image.fill(self.palette().window().color())
        painter = QPainter(image)
        painter.scale(scale, scale)
        self._draw(painter)
        painter.end()
        return image

    def pair_at(self, x: float, y: float) -> tuple[int, int]:
        """Return the row and the column at a place of the widget; −1 for none."""
        left, top, side = self._place()
        column, row = int((x - left) // side), int((y - top) // side)
        n = len(self.names)
        return (row, column) if 0 <= row < n and 0 <= column < n else (-1, -1)

    def middle_of(self, row: int, column: int) -> QPointF:
        """Return the middle of a square, in the widget's pixels."""
        left, top, side = self._place()
        return QPointF(left + (column + 0.5) * side, top + (row + 0.5) * side)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Tell the pair under the mouse."""
        self._point(self.pair_at(event.position().x(), event.position().y()))

    def leaveEvent(self, event: QEvent) -> None:
        """Tell that the mouse is gone."""
        self._point((-1, -1))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the squares, their names and the key of the colours."""
        painter = QPainter(self)
        self._draw(painter)
        painter.end()

    def _point(self, at: tuple[int, int]) -> None:
        if at != self._at:
            self._at = at
            self.pointed.emit(*at)
            self.update()

    def _label(self) -> float:
        metrics = self.fontMetrics()
        return min(max((float(metrics.horizontalAdvance(n)) for n in self.names), default=40.0) + 6, _LONGEST)

    def _place(self) -> tuple[float, float, float]:
        """Return the left and upper edge of the squares and the side of one."""
        label, n = self._label(), max(len(self.names), 1)
        room = min(self.width() - label, self.height() - label - _KEY) - 2 * _PAD
        return _PAD + label, _PAD + label, float(np.clip(room / n, _LEAST, _MOST))

    def _draw(self, painter: QPainter) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(self.font())
        left, top, side = self._place()
        for row, name in enumerate(self.names):
            self._name(painter, name, QRectF(_PAD, top + row * side, left - _PAD - 5, side), row in self._at)
            painter.save()
            painter.translate(left + (row + 0.5) * side, top - 5)
            painter.rotate(-90)
            self._name(painter, name, QRectF(0, -side / 2, self._label(), side), row in self._at, left=True)
            painter.restore()
            for column in range(len(self.names)):
                self._square(painter, row, column, QRectF(left + column * side, top + row * side, side, side))
        self._key(painter, left, top + side * len(self.names) + _PAD)

    def _name(self, painter: QPainter, name: str, room: QRectF, strong: bool, *, left: bool = False) -> None:
        painter.setPen(mix(self, 1.0 if strong else 0.8))
        side = Qt.AlignmentFlag.AlignLeft if left else Qt.AlignmentFlag.AlignRight
        text = painter.fontMetrics().elidedText(name, Qt.TextElideMode.ElideMiddle, int(room.width()))
        painter.drawText(room, int(side | Qt.AlignmentFlag.AlignVCenter), text)

    def _square(self, painter: QPainter, row: int, column: int, room: QRectF) -> None:
        fill = diverging(float(self.values[row, column]), self.limit)
        painter.fillRect(room.adjusted(0.5, 0.5, -0.5, -0.5), fill)
        stars = self._stars(row, column)
        if stars:
            painter.setPen(QColor("black") if fill.lightness() > 140 else QColor("white"))
            painter.drawText(room, int(Qt.AlignmentFlag.AlignCenter), stars)
        if (row, column) == self._at:
            painter.setPen(QPen(mix(self, 1.0), 2))
            painter.drawRect(room)

    def _key(self, painter: QPainter, left: float, top: float) -> None:
        wide, steps = 160.0, 64
        for k in range(steps):
            part = QRectF(left + k * wide / steps, top, wide / steps + 0.5, 10)
            painter.fillRect(part, diverging((2 * (k + 0.5) / steps - 1) * self.limit, self.limit))
        painter.setPen(mix(self, 0.7))
        below = QRectF(left, top + 11, wide, 16)
        for side, value in (
            (Qt.AlignmentFlag.AlignLeft, -self.limit),
            (Qt.AlignmentFlag.AlignHCenter, 0.0),
            (Qt.AlignmentFlag.AlignRight, self.limit),
        ):
            painter.drawText(below, int(side | Qt.AlignmentFlag.AlignTop), f"{value:.2g}".replace("-", "−"))
