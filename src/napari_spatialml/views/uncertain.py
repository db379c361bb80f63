"""The camera goes to a region, so that it can be judged among its surroundings, and its outline flashes."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..core.uncertain_region import view_around
from ..errors import BadInput
from .brush import drawn_element
from .marks import Marks
from .row_layout import layout_of

if TYPE_CHECKING:
    from .presenter import Presenter

__all__ = ["Flash", "show_region"]

COLOUR, LINE = "#ffffff", "#ffe600"
"""Of the region that flashes, and of the line that stays: white ones that stay are strokes."""
_BLINKS, _MS = 4, 320
"""How often an outline appears, and how long it stays and stays away; the last time it stays three times as long."""


class Flash:
    """An outline that appears a few times, and is gone.

    Parameters
    ----------
    viewer
        A napari viewer or its model.
    after
        Calls a function some milliseconds later. Without it, the outline stays until the next one.
    """

    def __init__(self, viewer: Any, after: Callable[[int, Callable[[], None]], Any] | None) -> None:
        self._after, self.marks = after, Marks(viewer, "region")
        self._lines = self._stays = np.zeros((0, 2, 2))
        self._left = self.shown = 0
        """How often something was shown or taken away: who remembers it knows whether it is still the same."""

    def show(self, lines: npt.NDArray[np.float64], stays: npt.NDArray[np.float64] | None = None) -> None:
        """Let lines (m, 2, 2) flash, and others stay until `stop`; those before are forgotten."""
        self._lines, self._left = lines, 2 * _BLINKS
        self._stays = np.zeros((0, 2, 2)) if stays is None else stays
        self.shown += 1
        self._draw(self._lines)
        self._step(self.shown)

    def stop(self) -> None:
        """Show nothing."""
        self.shown += 1
        self.marks.remove()

    def _step(self, turn: int) -> None:
        if turn != self.shown or not self.marks.there:  # the viewer may have gone meanwhile
            return
        self._left -= 1
        if self._left < 0:
            if not len(self._stays):
                self.marks.remove()
            return
        self._draw(self._lines if self._left % 2 else self._lines[:0])
        if self._after is not None:
            mine = weakref.ref(self)
            self._after(_MS * (3 if self._left == 1 else 1), lambda: _again(mine, turn))

    def _draw(self, flashing: npt.NDArray[np.float64]) -> None:
        parts = ((flashing, COLOUR), (self._stays, LINE))
        self.marks.draw(*(part for part in parts if len(part[0])))


def _again(flash: weakref.ref[Flash], turn: int) -> None:
    held = flash()
    if held is not None:
        held._step(turn)


def show_region(presenter: Presenter, table: str, rows: npt.ArrayLike, line: npt.ArrayLike = ()) -> None:
    """Move the camera so that rows of a table fill about a third of the view, and let their outline flash.

    The outline of a line of rows through them stays on the canvas: where a stroke would tell of all of them.

    Parameters
    ----------
    presenter
        What shows the document.
    table
        The table.
    rows
        (k,) rows of it that lie together.
    line
        (m,) rows that a stroke would take; none draws no line.

    Raises
    ------
    BadInput
        When what the table annotates is not shown, or none of the rows lies in it.
    """
    element = drawn_element(presenter, table)
    place = presenter.place_of(element)
    layout = layout_of(presenter.document, table, element, place.system, presenter.memory)
    taken = np.unique(np.asarray(rows, np.int64))
    taken = taken[layout.placed[taken]]
    if not len(taken):
        raise BadInput(f"None of the rows lies in '{element}'.", "Show the section that they belong to.")
    where = layout.where[taken] + place.offset
    middle, extent = view_around(where, layout.distance)
    camera = presenter.viewer.scene.camera
    camera.zoom = float((np.array(presenter.viewer.canvas.size) / extent).min())
    camera.center = (0.0, *(float(v) for v in middle))
    offset = np.array([place.offset, (0.0, 0.0)])
    along = np.asarray(line, np.int64)
    stays = layout.outline(np.unique(along[layout.placed[along]])) + offset if len(along) else None
    presenter.flash.show(layout.outline(taken) + offset, stays)
