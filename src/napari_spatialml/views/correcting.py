"""The window of large labels that is corrected: what is in view, as an array in memory that can be painted.

napari paints no multiscale labels. So while cells are corrected, the part in view of the full
resolution is a layer of its own, which moves with the view; the rest stays as it is shown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from ..core.patch import Window
from ..errors import BadInput
from ..session import Document
from ..session.changes import EditLabels
from .rasters import is_small
from .state import ViewState
from .tools import Place

__all__ = ["Correcting", "outside_view", "pixels_in_view", "require_one_view"]

SIDE = 4096
"""The longest side of the window in pixels."""
_MARGIN = 512
_STEP = 64
"""The window begins and ends at a multiple of this, so that coarser levels can leave it out exactly."""
_SURVEY_S = 0.01


def pixels_in_view(viewer: Any, place: Place, shape: tuple[int, int]) -> Window:
    """Return the pixels of an element that are in view; none where y1 <= y0 or x1 <= x0."""
    camera, (ch, cw) = viewer.scene.camera, viewer.canvas.size
    centre = np.asarray(camera.center, dtype=float)[-2:]
    half = np.array([ch, cw]) / 2 / camera.zoom
    corners = place.own(centre + half * np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]]))
    y0, x0 = np.clip(np.floor(corners.min(0)), 0, shape).astype(int)
    y1, x1 = np.clip(np.ceil(corners.max(0)), 0, shape).astype(int)
    return int(y0), int(y1), int(x0), int(x1)


class Owner(Protocol):
    """What correcting needs of the presenter."""

    viewer: Any
    state: ViewState

    @property
    def document(self) -> Document: ...
    def place_of(self, element: str) -> Place: ...
    def window_moved(self) -> None: ...
    def flush(self) -> None: ...
    def tell(self, level: str, sentence: str) -> None: ...


class Correcting:
    """Keeps the window over what is in view, as long as a tool for cells is in the hand.

    Parameters
    ----------
    owner
        The presenter. Its state says where the window is.
    later
        Calls a function one turn of the event loop later; None where there is no loop.
    """

    def __init__(self, owner: Owner, later: Callable[[Callable[[], None]], Any] | None) -> None:
        self._owner, self._later = owner, later
        self.labels, self._waiting, self._closed = "", False, False

    @property
    def window(self) -> Window | None:
        """Where the window is in the labels, or None."""
        held = self._owner.state.correcting
        return held[1] if held is not None and held[0] == self.labels else None

    @property
    def sentence(self) -> str:
        """What the person has to do before cells can be painted; "" where nothing."""
        if not self.labels or self.window is not None:
            return ""
        y0, y1, x0, x1 = self._in_view()
        if y1 <= y0 or x1 <= x0:
            return f"'{self.labels}' is not in view. Move the view over the cells."
        times = max(y1 - y0, x1 - x0) / SIDE
        return (
            f"{y1 - y0:,} × {x1 - x0:,} pixels of '{self.labels}' are in view; up to {SIDE:,} × {SIDE:,} can be "
            f"corrected. Zoom in {np.ceil(times * 10) / 10:g} times."
        )

    def begin(self, labels: str) -> None:
        """Correct labels in view, where they are too large to be one array in memory."""
        if is_small(self._owner.document.grid(labels)):
            self.end()
            return
        if labels != self.labels:
            self.end()
            self.labels = labels
        told = self.window is not None
        self._follow()
        if self.sentence and not told:
            self._owner.tell("warning", self.sentence)

    def end(self) -> None:
        """Leave: bring in what was painted, and take the window away."""
        if self.labels:
            self._owner.flush()
            self.labels = ""
            self._move(None)

    def follow_view(self, *_: Any) -> None:
        """Move the window when the view has moved out of it; soon, when there is an event loop."""
        if not self.labels or self._waiting:
            return
        if self._later is None:
            self._follow()
            return
        self._waiting = True
        self._later(self._arrive)

    def _arrive(self) -> None:
        self._waiting = False
        self._follow()

    def _follow(self) -> None:
        """Put the window over what is in view, unless a stroke is in progress: its end calls again."""
        if not self.labels or getattr(self._owner, "busy", False):
            return
        if self.labels not in self._owner.document.names("labels"):
            self.labels = ""
            self._move(None)
            return
        view, held = self._in_view(), self.window
        if view[1] <= view[0] or view[3] <= view[2]:
            return  # the cells are beside the view: the window waits where it is
        if max(view[1] - view[0], view[3] - view[2]) > SIDE:
            self._owner.flush()
            self._move(None)
        elif held is None or not _holds(held, view):
            self._owner.flush()
            self._move(self._around(view))

    def _in_view(self) -> Window:
        shape = self._owner.document.grid(self.labels).shape
        return pixels_in_view(self._owner.viewer, self._owner.place_of(self.labels), shape)

    def _around(self, view: Window) -> Window:
        """Return the view with a margin, so that not every step of the mouse moves the window."""
        shape = self._owner.document.grid(self.labels).shape
        ends: list[int] = []
        for low, high, length in ((view[0], view[1], shape[0]), (view[2], view[3], shape[1])):
            margin = min(_MARGIN, (SIDE - (high - low)) // 2)
            ends += [max((low - margin) // _STEP * _STEP, 0), min(-(-(high + margin) // _STEP) * _STEP, length)]
        return ends[0], ends[1], ends[2], ends[3]

    def _move(self, window: Window | None) -> None:
        held = None if window is None else (self.labels, window)
        if held != self._owner.state.correcting:
            self._owner.state = replace(self._owner.state, correcting=held)
            self._owner.window_moved()

    def survey(self) -> None:
        """Look for the largest ids between the events of the window, so that the first new cell need not wait."""
        document = self._owner.document
        if self._later is None or self._closed:
            return
        grids = (document.grid(name) for name in document.names("labels"))
        unknown = next((grid for grid in grids if grid.largest is None and not is_small(grid)), None)
        if unknown is not None:
            unknown.survey(_SURVEY_S)
            self._later(self.survey)

    def close(self) -> None:
        """Do nothing any more."""
        self.end()
        self._closed = True


def require_one_view(window: Window, labels: str) -> Window:
    """Return the window, or say why cells cannot be corrected in it.

    Raises
    ------
    BadInput
        When more is in view than can be searched, or nothing.
    """
    y0, y1, x0, x1 = window
    if (y1 - y0) * (x1 - x0) > SIDE**2:
        raise BadInput(f"{y1 - y0:,} × {x1 - x0:,} pixels of '{labels}' are in view.", "Zoom in to correct cells.")
    if y1 <= y0 or x1 <= x0:
        raise BadInput(f"'{labels}' is not in view.", "Move the view over the cells.")
    return window


def outside_view(viewer: Any, stage: Any, change: EditLabels) -> str:
    """Return where a change of labels lies, in words, or "" where some of it is in view."""
    (y, x), (h, w) = change.offset, change.new.shape
    place = stage.place_of(change.name)
    y0, y1, x0, x1 = pixels_in_view(viewer, place, stage.document.grid(change.name).shape)
    if y < y1 and y + h > y0 and x < x1 and x + w > x0:
        return ""
    at = place.affine.apply(np.array([[y + h / 2, x + w / 2]]))[0] - place.offset
    return f", outside the view at y {at[0]:,.0f} µm, x {at[1]:,.0f} µm"


def _holds(outer: Window, inner: Window) -> bool:
    return outer[0] <= inner[0] and outer[1] >= inner[1] and outer[2] <= inner[2] and outer[3] >= inner[3]
