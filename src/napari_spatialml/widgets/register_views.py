"""How the two sides are looked at: side by side, one over the other, its edges, and compared in place."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakMethod

from qtpy.QtCore import QObject, Qt, QTimer, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSlider, QVBoxLayout, QWidget

from .style import SPACING, Tool, tool_row

if TYPE_CHECKING:
    from ..views.presenter import Presenter
    from .desk import Desk

__all__ = ["RegisterViews", "Sharpening"]

VIEWS = {
    "Side by side": ("beside", "Draw the moving side to the right of the fixed one, to place landmarks."),
    "Overlaid": ("overlaid", "Draw the moving side over the fixed one, as it lies now."),
    "Edges": ("edges", "Draw only the contours of the moving side over the fixed one."),
}
WAYS = {
    "Swipe": ("swipe", "Moving left and fixed right of a line that you drag."),
    "Checkerboard": ("checkerboard", "Moving and fixed on the squares of a board."),
    "Blink": ("blink", "Moving and fixed in turn."),
}
_AFTER_MS = 150


class RegisterViews(QWidget):
    """Buttons for the views, and how much the moving side hides."""

    view_wanted = Signal(str)
    """ "beside", "overlaid" or "edges"."""
    compared = Signal(str, bool)
    """A way to compare, and whether it begins."""
    opacity_wanted = Signal(float)
    """0: the fixed side alone; 1: the moving side alone."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        looks = [Tool(text, help, self._caller(self.view_wanted, name), stays_down=True)
                 for text, (name, help) in VIEWS.items()]  # fmt: skip
        ways = [Tool(text, help, self._comparer(name), stays_down=True) for text, (name, help) in WAYS.items()]
        rows = tool_row(looks), tool_row(ways)
        self.buttons: dict[str, QPushButton] = {}
        for row, held in zip(rows, (VIEWS, WAYS), strict=True):
            for text, (name, _) in held.items():
                found: Any = row.findChild(QPushButton, text)
                self.buttons[name] = found
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, 100)
        self.slider.setValue(55)
        self.slider.setAccessibleName("Opacity of the moving side")
        self.slider.setToolTip("How much of the fixed side the moving one hides.")
        self.slider.valueChanged.connect(lambda v: self.opacity_wanted.emit(v / 100))
        self._mix = QWidget()
        line = QHBoxLayout(self._mix)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(8)
        for part in (QLabel("Fixed"), self.slider, QLabel("Moving")):
            line.addWidget(part)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        for part in (*rows, self._mix):
            layout.addWidget(part)

    def follow(self, view: str, way: str) -> None:
        """Show which view and which way to compare are in use."""
        for name, button in self.buttons.items():
            button.setChecked(name in (view, way))
        self._mix.setVisible(view == "overlaid" and not way)

    @staticmethod
    def _caller(signal: Any, name: str) -> Any:
        return lambda _down=False: signal.emit(name)

    def _comparer(self, name: str) -> Any:
        return lambda down=False: self.compared.emit(name, bool(down))


def _if_alive(method: WeakMethod[Any], *given: Any) -> None:
    held = method()
    if held is not None:
        held(*given)


class Sharpening(QObject):
    """Reads the moving side as finely as the screen shows it, once the view stands still.

    Parameters
    ----------
    desk
        The desk.
    """

    def __init__(self, desk: Desk, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_AFTER_MS)
        self._timer.timeout.connect(self._sharpen)
        camera = desk.viewer.scene.camera.events
        for moved in (camera.center, camera.zoom):
            moved.connect(self._moved)
        desk.opened.connect(self._take)
        self._take()

    def _take(self) -> None:
        presenter: Presenter | None = self._desk.presenter
        if presenter is not None:
            # the overlay outlives the window's widgets, and must not keep them
            presenter.overlay.later = partial(_if_alive, WeakMethod(self._read))

    def _moved(self, event: Any = None) -> None:
        presenter = self._desk.presenter
        if presenter is not None and presenter.overlay.on:
            self._timer.start()

    def _sharpen(self) -> None:
        presenter = self._desk.presenter
        if presenter is not None:
            presenter.overlay.sharpen()

    def _read(self, job: Any, done: Any) -> None:
        told = self._desk.told
        self._desk.runner.run(
            lambda _report: job(),
            on_result=done,
            on_error=lambda error: told.emit("error", str(error)),
            key="overlay picture",
            replace=True,
            listed=False,
        )
