"""The minimap: the whole scene in a corner of the canvas, with a frame around what is in view."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QEvent, QObject, QPointF, QRectF, Qt, QTimer
from qtpy.QtGui import QColor, QImage, QMouseEvent, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QWidget

from ..views.looking_overview import Overview, overview
from ..views.memory import Memory

if TYPE_CHECKING:
    from .desk import Desk

__all__ = ["Minimap"]

LONGEST = 190
_MARGIN, _PAD = 12, 3


class Minimap(QWidget):
    """The scene as a small picture; a click or a drag in it moves the view.

    Parameters
    ----------
    desk
        The desk.
    canvas
        The widget of the canvas.
    """

    def __init__(self, desk: Desk, canvas: QWidget) -> None:
        super().__init__(canvas)
        self._desk, self._canvas = desk, canvas
        self._wanted = False
        self._memory = Memory(64)
        self.picture: Overview | None = None
        self._image = QImage()
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setAccessibleName("Minimap")
        self.setToolTip("Click to go there.")
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(150)
        self._timer.timeout.connect(self.refresh)
        for news in (desk.opened, desk.state_changed, desk.document_changed, desk.layers_changed):
            news.connect(self.later)
        camera = desk.viewer.scene.camera.events
        camera.center.connect(self._moved)
        camera.zoom.connect(self._moved)
        canvas.installEventFilter(self)
        self.hide()

    @property
    def wanted(self) -> bool:
        """Whether the person wants to see it."""
        return self._wanted

    def want(self, on: bool) -> None:
        """Show it, or put it away."""
        self._wanted = on
        self.refresh()

    def later(self, *_: object) -> None:
        """Draw the scene again soon."""
        if self._wanted:
            self._timer.start()

    def refresh(self) -> None:
        """Draw the scene again."""
        presenter = self._desk.presenter
        shown = self._wanted and presenter is not None
        self.picture = overview(presenter.canvas, LONGEST, self._memory) if shown and presenter is not None else None
        self.setVisible(self.picture is not None)
        if self.picture is not None:
            rgb = np.ascontiguousarray(self.picture.rgb)
            h, w = rgb.shape[:2]
            self._image = QImage(rgb.tobytes(), w, h, 3 * w, QImage.Format.Format_RGB888).copy()
            self.resize(w + 2 * _PAD, h + 2 * _PAD)
            self._place()
            self.update()

    def place_of(self, x: float, y: float) -> tuple[float, float]:
        """Return the place (y, x) in µm of a pixel of this widget."""
        assert self.picture is not None
        top, left = self.picture.origin_um
        return top + (y - _PAD) * self.picture.um, left + (x - _PAD) * self.picture.um

    def frame(self) -> QRectF:
        """Return what is in view, in pixels of this widget."""
        assert self.picture is not None
        viewer = self._desk.viewer
        height, width = (float(v) / float(viewer.scene.camera.zoom) for v in viewer.canvas.size)
        y, x = (float(v) for v in viewer.scene.camera.center[-2:])
        (top, left), um = self.picture.origin_um, self.picture.um
        return QRectF(
            (x - width / 2 - left) / um + _PAD, (y - height / 2 - top) / um + _PAD, width / um, height / um
        )  # fmt: skip

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Stay in the corner when the canvas changes its size."""
        if event.type() == QEvent.Type.Resize and self.picture is not None:
            self._place()
        return False

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go to the place under the mouse."""
        self._go(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Follow the mouse while its button is down."""
        self._go(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the scene and the frame."""
        if self.picture is None:
            return
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(150, 156, 166, 200))
        painter.fillRect(self.rect().adjusted(1, 1, -1, -1), QColor(20, 22, 26))
        painter.drawImage(_PAD, _PAD, self._image)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        seen = self.frame().intersected(QRectF(self.rect().adjusted(1, 1, -2, -2)))
        if seen.width() < 6 or seen.height() < 6:  # too small to be found by its frame alone
            painter.setPen(QPen(QColor(255, 214, 0), 1.6))
            painter.drawEllipse(self.frame().center(), 6.0, 6.0)
        for pen in (QPen(QColor(0, 0, 0, 150), 3), QPen(QColor(255, 214, 0), 1.6)):
            painter.setPen(pen)
            painter.drawRect(seen)
        painter.end()

    def _go(self, event: QMouseEvent) -> None:
        if self.picture is not None and event.buttons() & Qt.MouseButton.LeftButton:
            where: QPointF = event.position()
            self._desk.look_at(*self.place_of(where.x(), where.y()))

    def _moved(self, event: object = None) -> None:
        if self.isVisible():
            self.update()

    def _place(self) -> None:
        self.move(_MARGIN, max(self._canvas.height() - self.height() - _MARGIN, 0))
        self.raise_()
