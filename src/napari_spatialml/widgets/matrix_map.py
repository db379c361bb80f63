"""A matrix as coloured squares, with stars or numbers in them; names along both sides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QImage, QMouseEvent, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from .style import is_dark, mix

__all__ = ["MatrixMap", "diverging"]

_ENDS = ((33, 102, 172), (247, 247, 247), (178, 24, 43))
"""Blue, white and red, told apart by all kinds of colour vision (ColorBrewer's RdBu)."""
_ALL = ((99, 173, 242), (8, 81, 156))
"""What a share of one is drawn in on a dark and on a light ground; nothing is the ground."""
_LEAST, _MOST, _LARGE, _PAD, _KEY = 16.0, 44.0, 60.0, 8.0, 46.0
_LONGEST, _GAMMA = 190.0, 0.7


def diverging(value: float, limit: float) -> QColor:
    """Return the colour of a value between −limit (blue) and limit (red)."""
    if not np.isfinite(value):
        return QColor(128, 128, 128, 60)
    share = float(np.clip(value / limit, -1, 1)) if limit > 0 else 0.0
    end = np.asarray(_ENDS[2] if share > 0 else _ENDS[0], float)
    return QColor(*(int(c) for c in np.rint(np.asarray(_ENDS[1]) + abs(share) * (end - np.asarray(_ENDS[1])))))


class MatrixMap(QWidget):
    """Squares for pairs of names; the one under the mouse is told by `pointed`, one that is clicked by `clicked`.

    Parameters
    ----------
    shares
        Whether the values are shares, from 0 to the limit; else they lie on both sides of 0.
    """

    pointed = Signal(int, int)
    """The row and the column under the mouse; −1 for none."""
    clicked = Signal(int, int)
    """The row and the column of a square that was clicked."""

    def __init__(self, parent: QWidget | None = None, *, shares: bool = False) -> None:
        super().__init__(parent)
        self._shares = shares
        self.names: tuple[str, ...] = ()
        self.columns: tuple[str, ...] = ()
        self.values: npt.NDArray[np.float64] = np.zeros((0, 0))
        self.limit = 1.0
        self._stars: Callable[[int, int], str] = lambda _i, _j: ""
        self._at = (-1, -1)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("Matrix")

    def set_matrix(
        self,
        names: Sequence[str],
        values: Any,
        stars: Callable[[int, int], str],
        limit: float,
        columns: Sequence[str] | None = None,
    ) -> None:
        """Show (r, c) values up to a limit, and what stands in each square; the columns are the rows if not named."""
        self.names, self.values = tuple(names), np.asarray(values, float)
        self.columns = self.names if columns is None else tuple(columns)
        self._stars, self.limit, self._at = stars, limit, (-1, -1)
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """Return room for squares of a comfortable size."""
        return self._size(30.0, 6)

    def minimumSizeHint(self) -> QSize:
        """Return room for the smallest squares."""
        return self._size(_LEAST, 4)

    def _size(self, side: float, least: int) -> QSize:
        wide = 2 * _PAD + self._label(self.names) + side * max(len(self.columns), least)
        high = 2 * _PAD + self._label(self.columns) + side * max(len(self.names), least) + _KEY
        return QSize(int(wide), int(high))

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
        return (row, column) if 0 <= row < len(self.names) and 0 <= column < len(self.columns) else (-1, -1)

    def middle_of(self, row: int, column: int) -> QPointF:
        """Return the middle of a square, in the widget's pixels."""
        left, top, side = self._place()
        return QPointF(left + (column + 0.5) * side, top + (row + 0.5) * side)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Tell the pair under the mouse."""
        self._point(self.pair_at(event.position().x(), event.position().y()))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Tell the pair that was clicked."""
        at = self.pair_at(event.position().x(), event.position().y())
        if at[0] >= 0 and event.button() == Qt.MouseButton.LeftButton:
            self.clicked.emit(*at)

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

    def _label(self, names: Sequence[str]) -> float:
        metrics = self.fontMetrics()
        return min(max((float(metrics.horizontalAdvance(n)) for n in names), default=40.0) + 6, _LONGEST)

    def _place(self) -> tuple[float, float, float]:
        """Return the left and upper edge of the squares and the side of one."""
        beside, above = self._label(self.names), self._label(self.columns)
        across = (self.width() - beside - 2 * _PAD) / max(len(self.columns), 1)
        down = (self.height() - above - _KEY - 2 * _PAD) / max(len(self.names), 1)
        return _PAD + beside, _PAD + above, float(np.clip(min(across, down), _LEAST, _LARGE if self._shares else _MOST))

    def _draw(self, painter: QPainter) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(self.font())
        left, top, side = self._place()
        square = len(self.names) == len(self.columns) and self.names == self.columns
        for row, name in enumerate(self.names):
            strong = row in self._at if square else row == self._at[0]
            self._name(painter, name, QRectF(_PAD, top + row * side, left - _PAD - 5, side), strong)
            for column in range(len(self.columns)):
                self._square(painter, row, column, QRectF(left + column * side, top + row * side, side, side))
        for column, name in enumerate(self.columns):
            strong = column in self._at if square else column == self._at[1]
            painter.save()
            painter.translate(left + (column + 0.5) * side, top - 5)
            painter.rotate(-90)
            self._name(painter, name, QRectF(0, -side / 2, top - _PAD - 5, side), strong, left=True)
            painter.restore()
        self._key(painter, left, top + side * len(self.names) + _PAD)

    def _fill(self, value: float) -> QColor:
        if not self._shares:
            return diverging(value, self.limit)
        if not np.isfinite(value):
            return QColor(0, 0, 0, 0)
        ground, end = mix(self, 0.08), np.asarray(_ALL[0] if is_dark(self) else _ALL[1], float)
        low, share = np.asarray(ground.getRgb()[:3], float), float(np.clip(value / self.limit, 0, 1))
        return QColor(*(int(c) for c in np.rint(low + share**_GAMMA * (end - low))))

    def _name(self, painter: QPainter, name: str, room: QRectF, strong: bool, *, left: bool = False) -> None:
        painter.setPen(mix(self, 1.0 if strong else 0.8))
        side = Qt.AlignmentFlag.AlignLeft if left else Qt.AlignmentFlag.AlignRight
        text = painter.fontMetrics().elidedText(name, Qt.TextElideMode.ElideMiddle, int(room.width()))
        painter.drawText(room, int(side | Qt.AlignmentFlag.AlignVCenter), text)

    def _square(self, painter: QPainter, row: int, column: int, room: QRectF) -> None:
        fill = self._fill(float(self.values[row, column]))
        painter.fillRect(room.adjusted(0.5, 0.5, -0.5, -0.5), fill)
        stars = self._stars(row, column)
        if stars:
            painter.setPen(QColor("black") if fill.lightness() > 140 else QColor("white"))
            painter.drawText(room, int(Qt.AlignmentFlag.AlignCenter), stars)
        if (row, column) == self._at:
            painter.setPen(QPen(mix(self, 1.0), 2))
            painter.drawRect(room)

    def _key(self, painter: QPainter, left: float, top: float) -> None:
        wide, steps, low = 160.0, 64, 0.0 if self._shares else -self.limit
        for k in range(steps):
            part = QRectF(left + k * wide / steps, top, wide / steps + 0.5, 10)
            painter.fillRect(part, self._fill(low + (k + 0.5) / steps * (self.limit - low)))
        painter.setPen(mix(self, 0.7))
        below = QRectF(left, top + 11, wide, 16)
        for side, value in (
            (Qt.AlignmentFlag.AlignLeft, low),
            (Qt.AlignmentFlag.AlignHCenter, (low + self.limit) / 2),
            (Qt.AlignmentFlag.AlignRight, self.limit),
        ):
            said = f"{100 * value:.0f} %" if self._shares else f"{value:.2g}".replace("-", "−")
            painter.drawText(below, int(side | Qt.AlignmentFlag.AlignTop), said)
