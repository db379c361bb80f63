"""A real window, and a mouse in it."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from napari_spatialml.session import Session
from napari_spatialml.views import Presenter

from ..views.conftest import own_state, section  # noqa: F401

_BETWEEN_MOVES = 25
"""In milliseconds. VisPy drops a move within 10 ms of the one before, and napari within 5: a hand is slower."""


class Window:
    """A presenter in a napari window."""

    def __init__(self, viewer, presenter):
        self.viewer, self.presenter = viewer, presenter
        self.canvas = viewer.window._qt_viewer.canvas

    def settle(self):
        from qtpy.QtWidgets import QApplication

        for _ in range(3):
            QApplication.processEvents()

    def at(self, um):
        """Return the canvas pixel (x, y) of a place (y, x) in µm."""
        x, y = self.canvas.view.scene.transform.map([um[1], um[0], 0, 1])[:2]
        return round(float(x)), round(float(y))

    def colours(self, *places):
        """Return the colours that are seen at places in µm."""
        self.settle()
        picture = self.viewer.screenshot(canvas_only=True, flash=False)
        ratio = picture.shape[1] / self.canvas.native.width()
        pixels = [(int(y * ratio), int(x * ratio)) for x, y in map(self.at, places)]
        return [tuple(int(v) for v in picture[y, x, :3]) for y, x in pixels]

    def drag(self, *places):
        """Drag with the left button through places in µm."""
        from qtpy.QtCore import QPoint, Qt
        from qtpy.QtTest import QTest

        points = [QPoint(*self.at(p)) for p in places]
        native = self.canvas.native
        QTest.mouseMove(native, points[0])
        QTest.mousePress(native, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, points[0])
        self.settle()
        for point in points[1:]:
            QTest.qWait(_BETWEEN_MOVES)
            _moved(native, point)
            self.settle()
        QTest.qWait(_BETWEEN_MOVES)
        QTest.mouseRelease(native, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, points[-1])
        self.settle()

    def key(self, key, modifier):
        from qtpy.QtTest import QTest

        QTest.keyClick(self.canvas.native, key, modifier)
        self.settle()


def _moved(native, point):
    """Send a move with the button down; QTest's own moves carry no button."""
    from qtpy.QtCore import QEvent, QPointF, Qt
    from qtpy.QtGui import QMouseEvent
    from qtpy.QtWidgets import QApplication

    where, left = QPointF(point), Qt.MouseButton.LeftButton
    there = QPointF(native.mapToGlobal(point))
    event = QMouseEvent(
        QEvent.Type.MouseMove, where, there, Qt.MouseButton.NoButton, left, Qt.KeyboardModifier.NoModifier
    )
    QApplication.sendEvent(native, event)


@contextmanager
def opened(make_napari_viewer, session, **state):
    """Show a session in a window, and close both at the end."""
    viewer = make_napari_viewer(show=True)
    viewer.window._qt_window.resize(1200, 800)
    presenter = Presenter(viewer, session)
    made = Window(viewer, presenter)
    made.settle()
    presenter.show(**state)
    made.settle()
    yield made
    presenter.close()
    session.close()


@pytest.fixture
def window(make_napari_viewer):
    with opened(make_napari_viewer, Session.start(section())) as made:
        yield made
