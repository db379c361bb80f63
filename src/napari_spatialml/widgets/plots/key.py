"""What the colours of a plot mean: the categories with their counts, or the two ends of a map."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QImage, QPainter, QPaintEvent
from qtpy.QtWidgets import QAbstractItemView, QLabel, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from ...views.columns import Axis, Colours
from ..style import mix, swatch
from .numbers import said

__all__ = ["Key", "draw_key", "key_width"]

_WIDTH = 168
_ROW = 18
_MIDDLE = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)


class Key(QWidget):
    """The key of a plot. A click on a category tells its name."""

    chosen = Signal(int)
    """The number of a category."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedWidth(_WIDTH)
        self.title, self.names, self.ramp = QLabel(), QListWidget(), _Ramp()
        font = self.title.font()
        font.setBold(True)
        self.title.setFont(font)
        self.names.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.names.setFrameShape(QListWidget.Shape.NoFrame)
        self.names.setStyleSheet("QListWidget { background: transparent; }")
        self.names.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.names.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.names.setToolTip("Click a category to select its rows.")
        self.names.setAccessibleName("Categories")
        self.names.itemClicked.connect(lambda item: self.chosen.emit(int(item.data(Qt.ItemDataRole.UserRole))))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        for part, stretch in ((self.title, 0), (self.ramp, 0), (self.names, 1)):
            column.addWidget(part, stretch)
        column.addStretch(0)

    def show_axis(self, axis: Axis | None, colours: Colours | None) -> None:
        """Explain the colours of a column; nothing where there is none."""
        self.setVisible(axis is not None)
        if axis is None:
            return
        self.title.setText(self.title.fontMetrics().elidedText(axis.label, Qt.TextElideMode.ElideMiddle, _WIDTH))
        self.title.setToolTip(axis.label)
        self.names.setVisible(axis.categories is not None)
        self.ramp.setVisible(axis.categories is None and colours is not None)
        self.names.clear()
        if axis.categories is not None:
            for code in np.flatnonzero(axis.categories.counts):
                count = int(axis.categories.counts[code])
                text = f"{axis.categories.names[code]}  {count:,}"
                item = QListWidgetItem(swatch(axis.categories.colours[code]), text)
                item.setData(Qt.ItemDataRole.UserRole, int(code))
                self.names.addItem(item)
        elif colours is not None:
            self.ramp.show_map(colours.palette[:-1], colours.ends)


def key_width(axis: Axis | None, height: int) -> int:
    """Return how wide a key is drawn beside a plot of some height, in as many columns as it needs."""
    return 0 if axis is None else _WIDTH * len(_columns(axis, height))


def draw_key(
    painter: QPainter, left: int, height: int, axis: Axis | None, colours: Colours | None, text: QColor
) -> None:
    """Draw the key of a plot with every category, beside it."""
    if axis is None:
        return
    painter.setPen(text)
    painter.drawText(QRectF(left, 2, _WIDTH * len(_columns(axis, height)), _ROW), _MIDDLE, axis.label)
    if axis.categories is None:
        if colours is not None:
            _draw_ramp(painter, QRectF(left, _ROW + 4, _WIDTH - 12, 10), _image(colours.palette[:-1]), colours.ends)
        return
    for k, column in enumerate(_columns(axis, height)):
        for row, code in enumerate(column):
            x, y = left + k * _WIDTH, (row + 1) * _ROW + 4
            painter.fillRect(QRectF(x, y + 3, 11, 11), QColor(axis.categories.colours[code]))
            words = f"{axis.categories.names[code]}  {int(axis.categories.counts[code]):,}"
            cut = painter.fontMetrics().elidedText(words, Qt.TextElideMode.ElideMiddle, _WIDTH - 26)
            painter.drawText(QRectF(x + 17, y, _WIDTH - 20, _ROW), _MIDDLE, cut)


def _columns(axis: Axis, height: int) -> list[npt.NDArray[np.int64]]:
    """Return the categories that have rows, a column of the key each."""
    if axis.categories is None:
        return [np.empty(0, np.int64)]
    there, rows = np.flatnonzero(axis.categories.counts), max((height - _ROW - 8) // _ROW, 1)
    return [there[k : k + rows] for k in range(0, len(there), rows)] or [there]


def _image(palette: npt.NDArray[np.uint8]) -> QImage:
    held = np.ascontiguousarray(palette)
    return QImage(held.data, len(held), 1, QImage.Format.Format_RGBA8888).copy()


def _draw_ramp(painter: QPainter, area: QRectF, image: QImage, ends: tuple[float, float]) -> None:
    painter.drawImage(area, image)
    below = QRectF(area.left(), area.bottom() + 1, area.width(), _ROW)
    painter.drawText(below, int(Qt.AlignmentFlag.AlignLeft), said(ends[0]))
    painter.drawText(below, int(Qt.AlignmentFlag.AlignRight), said(ends[1]))


class _Ramp(QWidget):
    """A map of colours with the values at its two ends."""

    def __init__(self) -> None:
        super().__init__()
        self._image, self._ends = QImage(), (0.0, 1.0)

    def sizeHint(self) -> QSize:
        """Return room for the map and a line of text."""
        return QSize(_WIDTH, 16 + self.fontMetrics().height())

    minimumSizeHint = sizeHint

    def show_map(self, palette: npt.NDArray[np.uint8], ends: tuple[float, float]) -> None:
        """Show a map."""
        self._image, self._ends = _image(palette), ends
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the map and its ends."""
        painter = QPainter(self)
        painter.setPen(mix(self, 0.8))
        _draw_ramp(painter, QRectF(0, 2, self.width() - 4, 10), self._image, self._ends)
        painter.end()
