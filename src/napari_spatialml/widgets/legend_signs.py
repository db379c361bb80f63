"""The signs beside colours in the legend, drawn as on the canvas: ring, outline, hatch, cross and fading."""

from __future__ import annotations

from qtpy.QtCore import QLineF, QRectF, Qt
from qtpy.QtGui import QColor, QLinearGradient, QPainter, QPainterPath, QPen

__all__ = ["draw_sign"]

_FACE, _DARK, _LIGHT = QColor(110, 140, 190), QColor(13, 13, 18), QColor(255, 255, 255)
_VOID = QColor(160, 160, 165)


def draw_sign(painter: QPainter, sign: str, box: QRectF) -> None:
    """Draw a sign of `Legend.signs` in a square box; one that is not known is left out."""
    painter.save()
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(_VOID if sign == "cross" else _FACE)
    disc = box.adjusted(1.5, 1.5, -1.5, -1.5)
    painter.drawEllipse(disc)
    whole = QPainterPath()
    whole.addEllipse(disc)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    if sign == "ring":
        painter.setPen(QPen(_LIGHT, 2.6))
        painter.drawEllipse(disc.adjusted(1, 1, -1, -1))
    elif sign == "outline":
        painter.setPen(QPen(_LIGHT, 3.0))
        painter.drawEllipse(disc)
        painter.setPen(QPen(_DARK, 1.4))
        painter.drawEllipse(disc)
    elif sign == "hatch":
        painter.setClipPath(whole)
        painter.setPen(QPen(_DARK, 1.6))
        for k in range(-3, 4):
            y = box.center().y() + 4.0 * k
            painter.drawLine(QLineF(box.left(), y + box.width() / 2, box.right(), y - box.width() / 2))
    elif sign == "fade":
        painter.setPen(Qt.PenStyle.NoPen)
        paler = QLinearGradient(disc.topLeft(), disc.topRight())
        paler.setColorAt(0, _FACE)
        paler.setColorAt(1, _LIGHT)
        painter.setBrush(paler)
        painter.drawEllipse(disc)
    elif sign == "cross":
        painter.setClipPath(whole)
        painter.setPen(QPen(_DARK, 1.6))
        painter.drawLine(QLineF(disc.topLeft(), disc.bottomRight()))
        painter.drawLine(QLineF(disc.topRight(), disc.bottomLeft()))
    painter.restore()
