"""Preview: proportions by a quick method while the form changes, drawn and not stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.compat import isalive
from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QCheckBox, QProgressBar, QPushButton, QWidget

from ..core.deconvolution import Deconvolver
from ..core.method import parameters
from ..methods import method
from ..session import DeconvolutionSelection
from ..session.previewing_proportions import ProportionsPreview, proportions_preview
from ..views.proportions_preview import ProportionsLayer, legend_of
from ..views.state import Legend
from .desk import Desk
from .messages import Message, MessageLine, tell
from .preview_parts import lay_out_preview, set_up_preview
from .progress import Progress
from .runner import Runner

__all__ = ["ProportionsPreviewRow", "quick"]

_KEY, _QUICK, _WAIT_MS = "Alt+P", "weighted-nnls", 200


def quick(chosen: Deconvolver) -> Deconvolver:
    """Return the quick method with what the chosen one shares with it: the markers, the genes left out."""
    cls: Any = method("deconvolution", _QUICK)
    own = {p.name for p in parameters(cls)}
    made: Deconvolver = cls(**{**{k: v for k, v in chosen.settings().items() if k in own}, "errors": False})
    return made


class ProportionsPreviewRow(QWidget):
    """The button that previews, the tick that makes the preview follow the form, and what was found.

    Parameters
    ----------
    desk
        The desk.
    ask
        Returns the method chosen and what a run would work on; it may raise our errors. Called in the window's
        thread.
    """

    made = Signal(object)
    """A preview is on the canvas."""

    def __init__(
        self,
        desk: Desk,
        ask: Callable[[], tuple[Deconvolver, DeconvolutionSelection]],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._desk, self._ask = desk, ask
        self._layer = ProportionsLayer(desk.viewer)
        self._last: Any = None
        self.runner = Runner(self)
        self.button, self.follows, self.hide_button = QPushButton("Preview"), QCheckBox(), QPushButton("Hide")
        self.bar, self.message = QProgressBar(), MessageLine()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_WAIT_MS)
        self._timer.timeout.connect(self._again)
        self._set_up()
        self.runner.changed.connect(self._follow_state)
        self._follow_state()

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
        presenter = self._desk.presenter
        try:
            chosen, selection = self._ask()
            assert presenter is not None and self._desk.session is not None
            wanted = quick(chosen)
            if (wanted, selection) == self._last:
                return
            self._last = (wanted, selection)
            self._desk.show_over_histology(self._desk.session.document.annotated(selection.table))
            system = presenter.state.coordinate_system
            job = proportions_preview(self._desk.session.document, wanted, selection, system)
        except Exception as error:  # everything that can go wrong is told in this one place
            self._tell(tell(error))
            return
        self.runner.run(
            job,
            on_result=self._show,
            on_error=lambda error: self._tell(tell(error)),
            on_progress=self._on_progress,
            on_stopped=self._follow_state,
            title="Preview of proportions",
            key="preview",
            replace=True,
        )

    def _show(self, found: ProportionsPreview) -> None:
        presenter = self._desk.presenter
        if presenter is None:
            return
        self._layer.show(presenter, found)
        self._explain(legend_of(presenter, found))
        most, share = found.most()
        types, n = len(found.result.types), len(found.result.values)
        what = f"{types} types in {n:,} spots, most {most} ({100 * share:.0f} %)"
        how = f"by weighted least squares in {found.seconds:.1f} s"
        self._tell(Message("info", f"Preview, not stored: {what}, {how}. Run stores, with intervals."))
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
        self.bar.setRange(0, 1000 if progress.fraction > 0 else 0)
        self.bar.setValue(round(1000 * progress.fraction))

    def _follow_state(self) -> None:
        self.bar.setVisible(self.runner.state != "idle")
        self.hide_button.setVisible(self.shown)
        if not self.shown:  # a person may have deleted its layer
            self._explain(None)

    def _set_up(self) -> None:
        set_up_preview(
            self,
            _KEY,
            "Estimate the proportions by the quickest method, with these markers and merged types, and draw them "
            f"({_KEY}). Nothing is stored: "
            "the section and its history stay as they are.",
            "Preview again whenever the reference, its merged types or a value changes.",
            "Take the preview away.",
        )
        lay_out_preview(self)
