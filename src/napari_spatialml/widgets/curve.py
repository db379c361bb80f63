"""A small plot of capture against purity: one line a segmentation, a point for each size of its cells."""

from __future__ import annotations

from math import isfinite

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QHelpEvent, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from ..session.judgement import Judgement, Point
from .style import mix

__all__ = ["CapturePlot"]

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
"""Okabe and Ito's, told apart by everyone, and dark enough for white ground."""
_ON_DARK = ("#56b4e9", "#e69f00", "#009e73", "#cc79a7")
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 24, 34
_NEAR = 9.0


class CapturePlot(QWidget):
    """Purity over the share of transcripts in cells; a ring marks the cells as they are drawn."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.found: Judgement | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Transcripts in cells against purity")

    def sizeHint(self) -> QSize:
        """Return a size that fits the dock."""
        return QSize(360, 210)

    def show_judgement(self, found: Judgement | None) -> None:
        """Draw other curves."""
        self.found = found
        self.update()

    def colour(self, k: int) -> QColor:
        """Return the colour of a segmentation."""
        dark = mix(self, 0.0).lightness() < 128
        return QColor((_ON_DARK if dark else _COLOURS)[k % len(_COLOURS)])

    def _curves(self) -> list[list[Point]]:
        found = self.found.curves if self.found is not None else ()
        return [[p for p in curve if isfinite(p.purity)] for curve in found]

    def _scale(self) -> tuple[float, float]:
        """Return the ends of the axis of purity: of what is there, and never less than five per cent of it."""
        values = [p.purity for curve in self._curves() for p in curve] or [0.5, 1.0]
        low, high = min(values), max(values)
        room = max(0.05 - (high - low), 0.1 * (high - low))
        return max(low - room / 2, 0.0), min(high + room / 2, 1.0)

    def _place(self, point: Point) -> QPointF:
        low, high = self._scale()
        width, height = self.width() - _LEFT - _RIGHT, self.height() - _TOP - _BOTTOM
        return QPointF(_LEFT + point.assigned * width, _TOP + (high - point.purity) / max(high - low, 1e-9) * height)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw axes, lines, points and names."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._draw_axes(painter)
        for k, curve in enumerate(self._curves()):
            painter.setPen(QPen(self.colour(k), 2))
            painter.drawPolyline([self._place(p) for p in curve])
            painter.setBrush(self.colour(k))
            for point in curve:
                as_drawn = point.grown_um == 0
                painter.drawEllipse(self._place(point), *((5.5, 5.5) if as_drawn else (2.0, 2.0)))
            painter.setBrush(Qt.BrushStyle.NoBrush)
        self._draw_names(painter)

    def _draw_axes(self, painter: QPainter) -> None:
        painter.setPen(QPen(mix(self, 0.25), 1))
        low, high = self._scale()
        box = QRectF(_LEFT, _TOP, self.width() - _LEFT - _RIGHT, self.height() - _TOP - _BOTTOM)
        painter.drawLine(box.bottomLeft(), box.bottomRight())
        painter.drawLine(box.topLeft(), box.bottomLeft())
        painter.setPen(mix(self, 0.75))
        font = painter.font()
        font.setPointSizeF(max(font.pointSizeF() * 0.85, 7))
        painter.setFont(font)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        for share, at in ((high, box.top()), (low, box.bottom())):
            painter.drawText(QRectF(0, at - 8, _LEFT - 6, 16), right, f"{100 * share:.0f} %")
        for share in (0.0, 0.5, 1.0):
            x = box.left() + share * box.width()
            where = QRectF(min(x - 24, self.width() - 48), box.bottom() + 2, 48, 14)
            painter.drawText(where, Qt.AlignmentFlag.AlignCenter, f"{100 * share:.0f} %")
        below = QRectF(box.left(), box.bottom() + 16, box.width(), 16)
        painter.drawText(below, Qt.AlignmentFlag.AlignCenter, "transcripts in cells")
        painter.save()
        painter.translate(12, box.center().y())
        painter.rotate(-90)
        painter.drawText(QRectF(-50, -8, 100, 16), Qt.AlignmentFlag.AlignCenter, "purity")
        painter.restore()

    def _draw_names(self, painter: QPainter) -> None:
        x = float(_LEFT)
        for k, name in enumerate(self.found.names if self.found is not None else ()):
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self.colour(k))
            painter.drawEllipse(QPointF(x + 5, 11), 4.0, 4.0)
            painter.setPen(mix(self, 0.85))
            width = painter.fontMetrics().horizontalAdvance(name)
            painter.drawText(QRectF(x + 13, 2, width + 2, 18), Qt.AlignmentFlag.AlignVCenter, name)
            x += width + 28

    def event(self, event: object) -> bool:
        """Tell of the point under the mouse."""
        if isinstance(event, QHelpEvent):
            said = self.words_at(QPointF(event.pos()))
            if said:
                QToolTip.showText(event.globalPos(), said, self)
                return True
        return bool(super().event(event))  # type: ignore[arg-type]

    def words_at(self, where: QPointF) -> str:
        """Return what the point near a place of the plot says, or ""."""
        assert self.found is not None or not self._curves()
        for name, curve in zip(self.found.names if self.found else (), self._curves(), strict=True):
            for point in curve:
                away = self._place(point) - where
                if away.x() ** 2 + away.y() ** 2 <= _NEAR**2:
                    return (
                        f"{name}, {size_words(point.grown_um)}: {100 * point.assigned:.1f} % in cells, "
                        f"purity {100 * point.purity:.1f} %"
                    )
        return ""


def size_words(grown_um: float) -> str:
    """Return how cells differ from those that are drawn."""
    if grown_um == 0:
        return "as drawn"
    return f"grown by {grown_um:g} µm" if grown_um > 0 else f"shrunk by {-grown_um:g} µm"
