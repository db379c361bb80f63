"""The line of a swipe: it lies over the canvas and is moved with the mouse."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QEvent, QObject, QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QWidget

__all__ = ["SwipeLine"]

_GRIP = 26
_LINE, _EDGE = QColor(255, 255, 255, 235), QColor(0, 0, 0, 120)


class SwipeLine(QWidget):
    """A line with a grip across the canvas.

    Parameters
    ----------
    canvas
        The widget of the canvas.
    comparison
        What moves with it.
    """

    def __init__(self, canvas: QWidget, comparison: Any) -> None:
        super().__init__(canvas)
        self._canvas, self._comparison = canvas, comparison
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setAccessibleName("Line between the two")
        canvas.installEventFilter(self)
        comparison.changed.connect(self.follow)
        self.follow()

    @property
    def upright(self) -> bool:
        """Whether the line goes from top to bottom."""
        return bool(self._comparison.mode != "swipe down")

    def follow(self) -> None:
        """Lie where the comparison has the line."""
        self.setVisible(self._comparison.mode in ("swipe", "swipe down"))
        if self.isHidden():
            return
        w, h, half = self._canvas.width(), self._canvas.height(), _GRIP // 2
        at = round(self._comparison.fraction * (w if self.upright else h))
        where = (at - half, 0, _GRIP, h) if self.upright else (0, at - half, w, _GRIP)
        self.setCursor(Qt.CursorShape.SplitHCursor if self.upright else Qt.CursorShape.SplitVCursor)
        self.setToolTip(f"{'Left' if self.upright else 'Above'}: {self._comparison.names[0]}, "
                        f"{'right' if self.upright else 'below'}: {self._comparison.names[1]}")  # fmt: skip
        self.setGeometry(*where)
        self.raise_()
        self.update()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Stay across the canvas when it changes its size."""
        if event.type() == QEvent.Type.Resize:
            self.follow()
        return False

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take the line."""
        if event.button() != Qt.MouseButton.LeftButton:
            event.ignore()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Move the line with the mouse."""
        if event.buttons() & Qt.MouseButton.LeftButton:
            at = self.mapToParent(event.position().toPoint())
            w, h = max(self._canvas.width(), 1), max(self._canvas.height(), 1)
            self._comparison.move(at.x() / w if self.upright else at.y() / h)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the line and its grip."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if not self.upright:
            painter.translate(0, self.height())
            painter.rotate(-90)
        across, along = _GRIP / 2, float(self.height() if self.upright else self.width())
        for width, colour in ((3.5, _EDGE), (1.5, _LINE)):
            painter.setPen(QPen(colour, width))
            painter.drawLine(QPointF(across, 0), QPointF(across, along))
        middle = along / 2
        painter.setPen(QPen(_EDGE, 1))
        painter.setBrush(_LINE)
        painter.drawEllipse(QRectF(2, middle - across + 2, _GRIP - 4, _GRIP - 4))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(40, 44, 52))
        for way in (-1, 1):
            tip, back = across + way * 7.5, across + way * 2.5
            arrow = [QPointF(tip, middle), QPointF(back, middle - 4), QPointF(back, middle + 4)]
            painter.drawPolygon(QPolygonF(arrow))
        painter.end()
