"""Preview here: what is in view, segmented beside the window and drawn as outlines, to look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QPushButton, QWidget

from ..core.patch import Window
from ..core.report import Report
from ..core.segmentation import Segmenter
from ..session import SegmentationSelection
from ..session.previewing import Preview, Previewer, central
from ..views.previewing import Edges, PreviewLayer, edges_of
from .desk import Desk
from .messages import Message, MessageLine, tell
from .preview_parts import lay_out_preview, set_up_preview
from .progress import Progress
from .progress_row import ProgressBar
from .runner import Runner

__all__ = ["PreviewRow", "Wanted"]

_KEY = "Alt+P"


@dataclass(frozen=True)
class Wanted:
    """What is to be previewed: the method, what a run would work on, what is in view, and the expansion in µm."""

    method: Segmenter
    selection: SegmentationSelection
    window: Window
    expand_um: float = 0.0


class PreviewRow(QWidget):
    """The button that previews, the tick that makes the preview follow the form, and what was found.

    Parameters
    ----------
    desk
        The desk.
    ask
        Called in the window's thread with the window of the last preview, None for what is in view;
        returns what is to be previewed. It may raise our errors.
    """

    made = Signal(object)
    """A preview is on the canvas."""

    def __init__(self, desk: Desk, ask: Callable[[Window | None], Wanted], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk, self._ask = desk, ask
        self._previewer, self._layer = Previewer(), PreviewLayer(desk.viewer)
        self._window: Window | None = None
        self._whole: Window | None = None
        self.runner = Runner(self)
        self.button, self.follows, self.hide_button = QPushButton("Preview here"), QCheckBox(), QPushButton("Hide")
        self.bar, self.message = ProgressBar(), MessageLine()
        self._set_up()
        self.runner.changed.connect(self._follow_state)
        self._follow_state()

    def preview(self) -> None:
        """Segment what is in view, with the form's values."""
        self._start(None)

    def follow(self, *_: object) -> None:
        """Preview the same window again after a change of the form, if the tick is set and a preview is shown."""
        if self.follows.isChecked() and (self._layer.shown or self.runner.state != "idle"):
            self._start(self._window)

    def clear(self) -> None:
        """Take the outlines away; nothing was changed by them."""
        self.runner.stop()
        self._layer.remove()
        self._window = None
        self.message.show_message(None)
        self._follow_state()

    def forget(self) -> None:
        """Take the outlines away and keep nothing of the section."""
        self.clear()
        self._previewer.forget()

    def _start(self, window: Window | None) -> None:
        try:
            wanted, presenter = self._ask(window), self._desk.presenter
            assert presenter is not None and self._desk.session is not None
            place = presenter.place_of(wanted.selection.image)
            self._window = central(wanted.window)
            self._whole = wanted.window if window is None else self._whole
            job = self._previewer.job(
                self._desk.session.document, wanted.method, wanted.selection, self._window, wanted.expand_um
            )
            per_pixel = float(self._desk.viewer.scene.camera.zoom) * place.affine.scale_factors[0]
            width = max(1, round(1 / max(per_pixel, 1e-9)))
        except Exception as error:  # everything that can go wrong is told in this one place
            self._tell(tell(error))
            return

        def work(report: Report) -> tuple[Preview, Edges]:
            found = job(report)
            return found, edges_of(found.labels, found.around, width)

        self.runner.run(
            work,
            on_result=lambda made: self._show(*made, place.affine),
            on_error=lambda error: self._tell(tell(error)),
            on_progress=self._on_progress,
            on_stopped=self._follow_state,
            title="Preview",
            key="preview",
            replace=True,
        )

    def _show(self, found: Preview, edges: Edges, affine: Any) -> None:
        self._layer.show(edges, affine, (found.window[0], found.window[2]))
        self._tell(Message("ok" if found.cells else "warning", self._sentence(found)))
        self.made.emit(found)

    def _sentence(self, found: Preview) -> str:
        how = "" if found.from_network else ", by the thresholds alone"
        where = ""
        if found.window != self._whole:
            y0, y1, x0, x1 = found.window
            where = f" Only the middle of the view is previewed: {y1 - y0:,} × {x1 - x0:,} pixels."
        if not found.cells:
            return f"Nothing is found here. Lower the threshold, or check channel and diameter.{where}"
        size = f"median diameter {found.diameter_um:.1f} µm"
        return f"Preview: {found.cells:,} cells, {size} ({found.seconds:.1f} s{how}).{where}"

    def _tell(self, message: Message | None) -> None:
        self.message.show_message(message)
        self._follow_state()

    def _on_progress(self, progress: Progress) -> None:
        self.bar.follow(progress)

    def _follow_state(self) -> None:
        self.bar.setVisible(self.runner.state != "idle")
        self.hide_button.setVisible(self._layer.shown)

    def _set_up(self) -> None:
        set_up_preview(
            self,
            _KEY,
            f"Segment what is in view with these values and draw the outlines ({_KEY}). Nothing is stored: "
            "the section and its history stay as they are.",
            "Preview again whenever a value changes. Thresholds act at once; the others run the network again.",
            "Take the outlines away.",
        )
        lay_out_preview(self)
