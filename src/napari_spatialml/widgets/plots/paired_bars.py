"""What two sides are made of: two bars for each type, with the interval of each."""

from __future__ import annotations

import pandas as pd
from qtpy.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QHelpEvent, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from ..style import mix

__all__ = ["PairedBars"]

_ROW, _BAR, _NAME, _NUMBER = 26, 8, 150, 90
MOST = 8
"""So many types have bars: those that differ most."""


class PairedBars(QWidget):
    """Shares of the types that differ most between two sides, above each other; the thin line is the interval."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.frame: pd.DataFrame | None = None
        self._sides, self._colours = ("", ""), ("#888888", "#bbbbbb")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Composition of the two sides")

    def set_frame(self, frame: pd.DataFrame | None, sides: tuple[str, str], colours: tuple[str, str]) -> None:
        """Show what `napari_spatialml.session.domain_sizes.composed` gives; None for nothing."""
        there = None if frame is None else frame[(frame["one"] > 0) | (frame["other"] > 0)]
        self.frame, self._sides, self._colours = there, sides, colours
        self.setVisible(frame is not None)
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """Return a row a type, and a line for those that are left out."""
        n = 0 if self.frame is None else len(self.frame)
        return QSize(360, min(n, MOST) * _ROW + (18 if n > MOST else 0) + 2)

    minimumSizeHint = sizeHint

    def line(self, row: int) -> str:
        """Return what is said of a type."""
        assert self.frame is not None
        said = self.frame.iloc[row]
        parts = []
        for side, key in zip(self._sides, ("one", "other"), strict=True):
            ends = [said[f"{key}_lower"], said[f"{key}_upper"]]
            interval = "" if pd.isna(ends).any() else f" (90 % interval {_percent(ends[0])} to {_percent(ends[1])})"
            parts.append(f"{side} {_percent(said[key])}{interval}")
        return f"{said['type']}: {'; '.join(parts)}"

    def event(self, event: QEvent) -> bool:
        """Tell the numbers of the type under the mouse."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent) and self.frame is not None:
            row = event.pos().y() // _ROW
            QToolTip.showText(event.globalPos(), self.line(row) if row < min(len(self.frame), MOST) else "", self)
            return True
        return bool(super().event(event))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the bars."""
        if self.frame is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for row in range(min(len(self.frame), MOST)):
            self._type(painter, row)
        rest = len(self.frame) - MOST
        if rest > 0:
            painter.setPen(mix(self, 0.6))
            room = QRectF(0, MOST * _ROW, self.width(), 18)
            painter.drawText(room, Qt.AlignmentFlag.AlignVCenter, f"{rest} more differ less.")
        painter.end()

    def _type(self, painter: QPainter, row: int) -> None:
        assert self.frame is not None
        said, top = self.frame.iloc[row], row * _ROW
        painter.setPen(mix(self, 0.9))
        room = QRectF(0, top, _NAME, _ROW)
        name = painter.fontMetrics().elidedText(str(said["type"]), Qt.TextElideMode.ElideRight, _NAME - 6)
        painter.drawText(room, Qt.AlignmentFlag.AlignVCenter, name)
        wide = max(self.width() - _NAME - _NUMBER, 20)
        painter.drawText(
            QRectF(self.width() - _NUMBER, top, _NUMBER, _ROW),
            Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight,
            f"{_percent(said['one'])} : {_percent(said['other'])}",
        )
        for k, key in enumerate(("one", "other")):
            place = QRectF(_NAME, top + 4 + k * (_BAR + 2), wide, _BAR)
            ends = (float(said[f"{key}_lower"]), float(said[f"{key}_upper"]))
            self._bar(painter, place, float(said[key]), ends, QColor(self._colours[k]))

    def _bar(self, painter: QPainter, room: QRectF, share: float, ends: tuple[float, float], colour: QColor) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(mix(self, 0.1))
        painter.drawRect(room)
        painter.setBrush(colour)
        painter.drawRect(QRectF(room.left(), room.top(), room.width() * share, room.height()))
        if ends[0] == ends[0] and ends[1] > ends[0]:
            painter.setPen(QPen(mix(self, 0.95), 1.3))
            middle = room.center().y()
            left, right = (room.left() + room.width() * end for end in ends)
            painter.drawLine(QPointF(left, middle), QPointF(right, middle))


def _percent(share: float) -> str:
    """Return a share as a person reads it."""
    percent = 100 * float(share)
    return "<1 %" if 0 < percent < 0.5 else f"{percent:.0f} %"
