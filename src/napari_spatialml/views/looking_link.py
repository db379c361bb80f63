"""Two views that move together, and the place under the mouse of one shown in the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from ..session import Document, Session
from ..session.changes import Slot
from .canvas import Canvas
from .memory import Memory
from .pie_specs import draw_pies_in
from .plan import plan
from .specs import LabelsSpec
from .state import ViewState

__all__ = ["Link", "SecondScene"]


class Stage(Protocol):
    """What is needed of the presenter."""

    session: Session
    state: ViewState

    @property
    def document(self) -> Document: ...


class Link:
    """Keeps the cameras of two viewers as far apart as they are when it is made. Whoever makes it must keep it.

    Parameters
    ----------
    first, second
        Models of viewers, in µm.
    same
        Whether both are at the same place from now on, instead of as far apart as they stand.
    """

    def __init__(self, first: Any, second: Any, *, same: bool) -> None:
        self._cameras = (first.scene.camera, second.scene.camera)
        self._busy = False
        a, b = self._cameras
        self.apart = (
            (0.0, 0.0) if same else tuple(float(q - p) for p, q in zip(a.center[-2:], b.center[-2:], strict=True))
        )
        a.events.center.connect(self._first_moved)
        a.events.zoom.connect(self._first_moved)
        b.events.center.connect(self._second_moved)
        b.events.zoom.connect(self._second_moved)
        self._first_moved()

    def cut(self) -> None:
        """Let them move apart."""
        a, b = self._cameras
        for camera, call in ((a, self._first_moved), (b, self._second_moved)):
            camera.events.center.disconnect(call)
            camera.events.zoom.disconnect(call)

    def _first_moved(self, event: Any = None) -> None:
        self._follow(0, 1, 1.0)

    def _second_moved(self, event: Any = None) -> None:
        self._follow(1, 0, -1.0)

    def _follow(self, leader: int, other: int, sign: float) -> None:
        if self._busy:
            return
        self._busy = True
        try:
            lead, follows = self._cameras[leader], self._cameras[other]
            y, x = (float(v) for v in lead.center[-2:])
            follows.zoom = lead.zoom
            follows.center = (0.0, y + sign * self.apart[0], x + sign * self.apart[1])
        finally:
            self._busy = False


class SecondScene:
    """The layers of a second viewer: computed from the same document, looked at and never painted on.

    Parameters
    ----------
    viewer
        The model of the second viewer.
    stage
        The presenter of the first.
    window
        Returns napari's canvas of vispy on which the second viewer draws, or None.
    """

    def __init__(self, viewer: Any, stage: Stage, window: Callable[[], Any] = lambda: None) -> None:
        self._stage, self._memory, self._window = stage, Memory(), window
        self.canvas = Canvas(viewer)
        self.system = ""
        self.shown: tuple[str, ...] | None = None
        stage.session.changed.connect(self._on_changed)

    @property
    def state(self) -> ViewState:
        """What is shown: the colours of the first view, of the elements that were chosen for this one."""
        own = self._stage.state
        return replace(
            own, coordinate_system=self.system or own.coordinate_system, shown=self.shown, beside="", also=(),
            landmarks="", correcting=None, compared=None, loose=None,
        )  # fmt: skip

    def show(self) -> None:
        """Show the document as it is now."""
        self.canvas.apply(plan(self._stage.document, self.state, self._memory))
        draw_pies_in(self._window(), self.canvas)
        for _, layer in self.canvas.layers():
            layer.editable = False

    def close(self) -> None:
        """Let go of the document."""
        self._stage.session.changed.disconnect(self._on_changed)
        self.canvas.clear()

    def _on_changed(self, slots: frozenset[Slot]) -> None:
        self.show()
        touched = {slot[1] for slot in slots if slot[0] == "labels" and len(slot) > 1}
        for spec, layer in self.canvas.layers():
            if not isinstance(spec, LabelsSpec) or spec.key.element not in touched:
                continue
            if spec.live:
                layer.refresh()
            else:
                layer.data, layer.editable = spec.make(), False  # its array is a copy of the document's
