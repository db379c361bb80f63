"""A bar for each cell type: what some spots hold of it, its interval, and what the section holds on average."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QHelpEvent, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from .style import mix

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..session.spot_proportions import MeanShares

__all__ = ["CompositionBars"]

_ROW, _SWATCH, _NUMBER, _NAME = 20, 11, 44, 120
MOST = 14
"""So many types have a bar; of the others, the sum is told."""


class CompositionBars(QWidget):
    """Horizontal bars, one a cell type, in an order that stays while the mouse moves.

    The bar is the share here, the thin line its 90 % interval, the upright stroke the section's mean.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.shown: MeanShares | None = None
        self._order: list[int] = []
        self._colours: Mapping[str, str] = {}
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Composition")
        self.setMinimumWidth(200)

    def set_composition(self, found: MeanShares | None, colours: Mapping[str, str]) -> None:
        """Show a composition in the colours of its types; None for nothing."""
        former = 0 if self.shown is None else self._rows()
        self.shown, self._colours = found, colours
        if found is not None:
            self._order = list(np.argsort(-found.section, kind="stable"))
        self.setVisible(found is not None)
        if found is not None and former != self._rows():
            self.updateGeometry()
        self.update()

    def lines(self) -> tuple[str, ...]:
        """Return what is said of each type, in the order of the bars."""
        return tuple(self._said(k) for k in self._order[: self._rows()]) if self.shown is not None else ()

    def sizeHint(self) -> QSize:
        """Return a row a type, and one for those that are summed up."""
        n = 0 if self.shown is None else self._rows() + (self._rest() is not None)
        return QSize(280, max(n, 1) * _ROW + 4)

    minimumSizeHint = sizeHint

    def event(self, event: QEvent) -> bool:
        """Tell the numbers of the type under the mouse."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent) and self.shown is not None:
            row = event.pos().y() // _ROW
            said = self.lines()
            QToolTip.showText(event.globalPos(), said[row] if row < len(said) else "", self)
            return True
        return bool(super().event(event))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the bars."""
        if self.shown is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for row, k in enumerate(self._order[: self._rows()]):
            self._draw(painter, row * _ROW, k)
        rest = self._rest()
        if rest is not None:
            painter.setPen(mix(self, 0.6))
            area = QRectF(_SWATCH + 7, self._rows() * _ROW, self.width(), _ROW)
            painter.drawText(area, Qt.AlignmentFlag.AlignVCenter, rest)
        painter.end()

    def _draw(self, painter: QPainter, top: float, k: int) -> None:
        shown = self.shown
        assert shown is not None
        colour = QColor(self._colours.get(shown.types[k], "#888888"))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        painter.drawRoundedRect(QRectF(0, top + (_ROW - _SWATCH) / 2, _SWATCH, _SWATCH), 2, 2)
        painter.setPen(mix(self, 0.9))
        room = QRectF(_SWATCH + 7, top, _NAME, _ROW)
        name = painter.fontMetrics().elidedText(shown.types[k], Qt.TextElideMode.ElideRight, int(room.width()))
        painter.drawText(room, Qt.AlignmentFlag.AlignVCenter, name)
        left, wide = room.right() + 6, self.width() - room.right() - 6 - _NUMBER
        painter.drawText(
            QRectF(self.width() - _NUMBER, top, _NUMBER, _ROW),
            Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight,
            _percent(float(shown.here[k])),
        )
        self._draw_bar(painter, k, QRectF(left, top, max(wide, 10.0), _ROW), colour)

    def _draw_bar(self, painter: QPainter, k: int, room: QRectF, colour: QColor) -> None:
        shown = self.shown
        assert shown is not None
        middle = room.center().y()
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(mix(self, 0.12))
        painter.drawRect(QRectF(room.left(), middle - 5, room.width(), 10))
        painter.setBrush(colour)
        painter.drawRect(QRectF(room.left(), middle - 5, room.width() * float(shown.here[k]), 10))
        if shown.lower is not None and shown.upper is not None:
            ends = [room.left() + room.width() * float(v[k]) for v in (shown.lower, shown.upper)]
            painter.setPen(QPen(mix(self, 0.95), 1.4))
            painter.drawLine(QPointF(ends[0], middle), QPointF(ends[1], middle))
            for x in ends:
                painter.drawLine(QPointF(x, middle - 3), QPointF(x, middle + 3))
        at = room.left() + room.width() * float(shown.section[k])
        painter.setPen(QPen(mix(self, 0.7), 2.0))
        painter.drawLine(QPointF(at, middle - 8), QPointF(at, middle + 8))

    def _rows(self) -> int:
        n = 0 if self.shown is None else len(self.shown.types)
        return n if n <= MOST else MOST - 1

    def _rest(self) -> str | None:
        if self.shown is None or self._rows() == len(self.shown.types):
            return None
        others = self._order[self._rows() :]
        return f"{len(others)} other types: {_percent(float(self.shown.here[others].sum()))}"

    def _said(self, k: int) -> str:
        shown = self.shown
        assert shown is not None
        interval = ""
        if shown.lower is not None and shown.upper is not None:
            interval = f" (90 % interval {_percent(float(shown.lower[k]))} to {_percent(float(shown.upper[k]))})"
        here, mean = _percent(float(shown.here[k])), _percent(float(shown.section[k]))
        return f"{shown.types[k]}: {here}{interval}; section's mean {mean}"


def _percent(share: float) -> str:
    """Return a share as a person reads it."""
    percent = 100 * share
    return "<1 %" if 0 < percent < 0.5 else f"{percent:.0f} %"
