"""Keep one part of a dock in sight: what lies below the edge of a low window stands at its foot meanwhile."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, QPoint, QTimer
from qtpy.QtWidgets import QApplication, QScrollArea, QVBoxLayout, QWidget

from .style import MARGIN, SPACING

__all__ = ["Pinned"]

_ANY = 16777215
"""Qt's word for no greatest height."""


class Pinned(QWidget):
    """A scroll area with a foot, in which a part of the content stands while its own place is farther down.

    Parameters
    ----------
    area
        The area.
    part
        A part of its content that should be in sight: the Run button, its progress and what came out. It has to
        lie in a layout.
    """

    def __init__(self, area: QScrollArea, part: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._area, self._part = area, part
        self._place, self._foot = QWidget(), QWidget()
        home = part.parentWidget()
        assert home is not None and home.layout() is not None
        home.layout().replaceWidget(part, self._place)
        self._inside, self._outside = QVBoxLayout(self._place), QVBoxLayout(self._foot)
        self._inside.setContentsMargins(0, 0, 0, 0)
        self._outside.setContentsMargins(MARGIN, SPACING, MARGIN, SPACING)
        self._inside.addWidget(part)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(area, 1)
        layout.addWidget(self._foot)
        self._foot.hide()
        # in a turn of its own: a part that moves within the event that resized it would be laid out twice
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self.follow)
        area.verticalScrollBar().valueChanged.connect(self._timer.start)
        for watched in (self, area.widget(), part):
            watched.installEventFilter(self)

    @property
    def pinned(self) -> bool:
        """Whether the part stands at the foot."""
        return self._part.parentWidget() is self._foot

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Look again when the window, the content or the part has another height."""
        if event.type() in (QEvent.Type.Resize, QEvent.Type.LayoutRequest, QEvent.Type.Show):
            self._timer.start()
        return bool(super().eventFilter(watched, event))

    def follow(self) -> None:
        """Put the part where it can be seen: into its own place, or to the foot while that is below the edge."""
        if not self.isVisible():
            return
        wraps = self._part.hasHeightForWidth()
        height = self._part.heightForWidth(self._part.width()) if wraps else self._part.sizeHint().height()
        top = self._place.mapTo(self._area.widget(), QPoint(0, 0)).y() - self._area.verticalScrollBar().value()
        # the foot takes room from the area, so that not its height decides, but that of both
        below = top + height > self.height()
        # a place that was empty for a while no longer asks for the room of wrapped lines by itself
        self._place.setMinimumHeight(height)
        self._place.setMaximumHeight(height if below else _ANY)
        if below == self.pinned:
            return
        focus = QApplication.focusWidget()
        focus = focus if focus is not None and self._part.isAncestorOf(focus) else None
        (self._outside if below else self._inside).addWidget(self._part)
        self._foot.setVisible(below)
        if focus is not None:
            focus.setFocus()
