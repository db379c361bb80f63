"""A preview of rows that follows the form: computed beside the window, drawn, and never stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.compat import isalive
from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QCheckBox, QPushButton, QWidget

from ..core.report import Report
from ..views.preview_layer import RowsLayer
from ..views.state import Legend
from .desk import Desk
from .messages import Message, MessageLine, tell
from .preview_parts import lay_out_preview, set_up_preview
from .progress import SHOWN_AFTER_S, Progress
from .progress_row import ProgressBar
from .runner import Runner

__all__ = ["LivePreview"]

KEY = "Alt+P"


class LivePreview(QWidget):
    """The button that previews, the tick that makes the preview follow the form, and what was found.

    Parameters
    ----------
    desk
        The desk.
    layer
        Where the preview is drawn.
    title
        What runs, in napari's list of tasks.
    does, again
        What the button and the tick say of themselves.
    wait_ms
        How long the form must rest before the preview follows it.
    """

    made = Signal(object)
    """A preview is on the canvas."""

    def __init__(
        self,
        desk: Desk,
        layer: RowsLayer,
        title: str,
        does: str,
        again: str,
        wait_ms: int = 200,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._desk, self._layer, self._title = desk, layer, title
        self._last: Any = None
        self.runner = Runner(self)
        self.button, self.follows, self.hide_button = QPushButton("Preview"), QCheckBox(), QPushButton("Hide")
        self.bar, self.message = ProgressBar(), MessageLine()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(wait_ms)
        self._timer.timeout.connect(self._again)
        set_up_preview(self, KEY, f"{does} ({KEY}). Nothing is stored: the section and its history stay as they are.",
                       again, "Take the preview away.")  # fmt: skip
        lay_out_preview(self)
        self.runner.changed.connect(self._follow_state)
        self._follow_state()

    def wanted(self) -> tuple[Any, Callable[[Report], Any]]:
        """Return what is chosen now, as a value, and what previews it; may raise our errors."""
        raise NotImplementedError

    def draw(self, found: Any) -> tuple[Legend, Message]:
        """Draw what was found; return what its colours mean, and what is said of it."""
        raise NotImplementedError

    @property
    def shown(self) -> bool:
        """Whether a preview is on the canvas."""
        return self._layer.shown

    def preview(self) -> None:
        """Preview with what is chosen now."""
        self._last = None
        self._start()

    def follow(self, *_: object) -> None:
        """Preview again after a change, if the tick is set and a preview is shown; the latest wins."""
        if self.follows.isChecked() and (self.shown or self.runner.state != "idle"):
            self._timer.start()

    def clear(self) -> None:
        """Take the preview away; nothing was changed by it."""
        self._timer.stop()
        self.runner.stop()
        self._layer.remove()
        self._explain(None)
        self._last = None
        self.message.show_message(None)
        self._follow_state()

    def _again(self) -> None:
        if self.shown or self.runner.state != "idle":
            self._start()

    def _start(self) -> None:
        try:
            chosen, job = self.wanted()
            if chosen == self._last:
                return
            self._last = chosen
        except Exception as error:  # everything that can go wrong is told in this one place
            self._tell(tell(error))
            return
        self.runner.run(
            job,
            on_result=self._show,
            on_error=lambda error: self._tell(tell(error)),
            on_progress=self._on_progress,
            on_stopped=self._follow_state,
            title=self._title,
            key="preview",
            replace=True,
        )

    def _show(self, found: Any) -> None:
        if self._desk.presenter is None:
            return
        legend, message = self.draw(found)
        self._explain(legend)
        self._tell(message)
        self.made.emit(found)

    def _explain(self, legend: Legend | None) -> None:
        """Say on the canvas that it is a preview, and what its colours mean."""
        legends: Any = self._desk.legend
        if legends is not None and isalive(legends):
            legends.preview = legend
            legends.later()

    def _tell(self, message: Message | None) -> None:
        self.message.show_message(message)
        self._follow_state()

    def _on_progress(self, progress: Progress) -> None:
        if progress.elapsed < SHOWN_AFTER_S:
            return
        self.bar.show()
        self.bar.follow(progress)

    def _follow_state(self) -> None:
        running = self.runner.state != "idle"
        if not running:
            self.bar.hide()
        self.hide_button.setText("Hide" if self.shown else "Stop")
        self.hide_button.setVisible(self.shown or running)
        if not self.shown:  # a person may have deleted its layer
            self._explain(None)
