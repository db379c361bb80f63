"""What lies under the mouse, said beside it on the canvas."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QEvent, QObject, QPoint, Qt, QTimer
from qtpy.QtGui import QCursor
from qtpy.QtWidgets import QLabel, QWidget

from .desk import canvas_widget

if TYPE_CHECKING:
    from ..views.pointed import Pointed, Pointing
    from .desk import Desk

__all__ = ["Hover"]

_AWAY = QPoint(16, 18)
_WAIT_MS = 25


class Hover(QLabel):
    """A small label beside the mouse; never in its way, and gone while a gesture is under way.

    Parameters
    ----------
    desk
        The desk whose section is looked at.
    canvas
        The widget of the canvas.
    """

    def __init__(self, desk: Desk, canvas: QWidget) -> None:
        super().__init__(canvas)
        self._desk, self._canvas = desk, canvas
        self._pointing: Pointing | None = None
        self._um: Any = None
        self._pointed: Pointed | None = None
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setTextFormat(Qt.TextFormat.PlainText)  # names come from files
        self.setStyleSheet(
            "QLabel { background: rgba(20, 22, 26, 215); color: #f0f0f0; border-radius: 4px; padding: 3px 7px; }"
        )
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_WAIT_MS)
        self._timer.timeout.connect(self.look)
        desk.viewer.mouse_move_callbacks.append(_weakly(self._moved))
        desk.opened.connect(self.forget)
        canvas.installEventFilter(self)
        self.hide()

    @classmethod
    def over_canvas(cls, desk: Desk) -> Hover | None:
        """Return the label over the canvas of the desk's viewer, or None where it has no window."""
        canvas = canvas_widget(desk.viewer)
        return cls(desk, canvas) if canvas is not None else None

    def look(self) -> None:
        """Say what lies where the mouse is now."""
        presenter = self._desk.presenter
        if presenter is None or self._um is None or presenter.busy:
            self._tell(None)
            self.hide()
            return
        if self._pointing is None or self._pointing.of is not presenter:
            from ..views.pointed import Pointing

            self._pointing = Pointing(presenter)
        found = self._pointing.at(self._um)
        self._tell(found)
        self.setVisible(found is not None)
        if found is not None:
            self.setText("\n".join(found.lines))
            self.adjustSize()
            self._place(self._canvas.mapFromGlobal(QCursor.pos()))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Go with the mouse."""
        if event.type() in (QEvent.Type.Leave, QEvent.Type.MouseButtonPress, QEvent.Type.Wheel):
            self._um = None
            self._tell(None)
            self.hide()
        return False

    def _tell(self, found: Pointed | None) -> None:
        """Say what lies under the mouse to whoever shows more of it."""
        if found != self._pointed and self._desk.presenter is not None:
            self._pointed = found
            self._desk.presenter.pointed.emit(found)

    def _moved(self, viewer: Any, event: Any) -> None:
        self._um = np.asarray(event.position, dtype=float)[-2:]
        if not self._timer.isActive():
            self._timer.start()

    def forget(self) -> None:
        """Let go of the section."""
        self._pointing, self._um, self._pointed = None, None, None
        self.hide()

    def _place(self, at: QPoint) -> None:
        room = self._canvas.rect()
        x = min(at.x() + _AWAY.x(), room.width() - self.width() - 4)
        below = at.y() + _AWAY.y()
        y = below if below + self.height() < room.height() else at.y() - self.height() - 6
        self.move(max(x, 0), max(y, 0))
        self.raise_()


def _weakly(method: Any) -> Any:
    """Return what calls a method while its object lives: the viewer must not keep what keeps the viewer."""
    held = weakref.WeakMethod(method)

    def moved(viewer: Any, event: Any) -> None:
        call = held()
        if call is not None:
            call(viewer, event)

    return moved
