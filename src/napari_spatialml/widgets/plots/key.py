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

__all__ = ["Key"]

_WIDTH = 168


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
        held = np.ascontiguousarray(palette)
        self._image = QImage(held.data, len(held), 1, QImage.Format.Format_RGBA8888).copy()
        self._ends = ends
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the map and its ends."""
        painter = QPainter(self)
        painter.drawImage(QRectF(0, 2, self.width() - 4, 10), self._image)
        painter.setPen(QColor(mix(self, 0.8)))
        area = QRectF(0, 13, self.width() - 4, self.fontMetrics().height() + 2)
        painter.drawText(area, int(Qt.AlignmentFlag.AlignLeft), said(self._ends[0]))
        painter.drawText(area, int(Qt.AlignmentFlag.AlignRight), said(self._ends[1]))
        painter.end()
