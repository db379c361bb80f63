"""What the tools on cells share: the labels they work on, and what of them can be looked at."""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.patch import Window, found_in
from ..errors import BadInput
from .correcting import pixels_in_view, require_one_view
from .hand import Pace
from .marks import Lines, outline_of
from .rasters import is_pixel_grid, is_small
from .tools import Place, Pointer, Stage, Tool, label_at

__all__ = ["CHOSEN", "CUT", "CellTool", "cell_labels", "named", "view_window"]

CHOSEN = "#ffe14d"
CUT = "#ff4d6d"
CLICK_PX = 5
"""A drag over fewer pixels of the screen is a click."""
PREVIEW_S = 0.03
_MARGIN = 256


class CellTool(Tool):
    """What the tools on cells share.

    Parameters
    ----------
    stage
        The presenter.
    labels
        The labels that are corrected; "" for those of the active layer, else those in the hand.
    """

    def __init__(self, stage: Stage, labels: str = "") -> None:
        super().__init__(stage)
        self.labels = labels or cell_labels(stage)
        if stage.document.type_of(self.labels) != "labels":
            raise BadInput(f"'{self.labels}' has no cells to correct.", "Choose labels.")
        self.chosen: list[int] = []
        self.at: Pointer | None = None
        self.pace = Pace(PREVIEW_S, stage.after)

    @property
    def alive(self) -> bool:
        return self.labels in self.stage.document.names("labels")

    @property
    def place(self) -> Place:
        """Where the labels are drawn."""
        return self.stage.place_of(self.labels)

    @property
    def edge_um(self) -> float:
        """The edge of a pixel in µm."""
        return float(np.sqrt(np.prod(self.place.affine.scale_factors)))

    @property
    def near_um(self) -> float:
        """How far in µm two places lie apart that a hand takes for one."""
        return CLICK_PX / max(float(self.stage.viewer.scene.camera.zoom), 1e-9)

    def start(self) -> None:
        self.stage.correct_in_view(self.labels)

    def stop(self) -> None:
        self.pace.forget()

    def hover(self, at: Pointer) -> None:
        self.at = at

    def cell_at(self, at: Pointer) -> int:
        """Return the cell under the mouse; 0 for background."""
        return label_at(self.stage.document, self.place, at.um)

    def meant(self) -> int:
        """Return the cell that a key means: the one chosen, else the one under the mouse, else 0."""
        if self.chosen:
            return self.chosen[-1]
        return self.cell_at(self.at) if self.at is not None else 0

    def bounds(self) -> Window:
        """Return the pixels within which cells are looked for: no more than what is in view."""
        inner, outer = view_window(self.stage, self.place), self.readable()
        if inner is None:
            return outer
        return max(inner[0], outer[0]), min(inner[1], outer[1]), max(inner[2], outer[2]), min(inner[3], outer[3])

    def seen(self) -> Any:
        """Return the labels as they can be read cheaply: what is in memory anyway, or as they lie."""
        grid, buffer = self.stage.document.grid(self.labels), self.stage.buffer_of(self.labels)
        return grid.levels[0] if buffer is None else _Seen(buffer, grid.shape)

    def readable(self) -> Window:
        """Return the pixels that `seen` can be asked for."""
        buffer, (h, w) = self.stage.buffer_of(self.labels), self.stage.document.grid(self.labels).shape
        if buffer is None:
            return 0, h, 0, w
        (y, x), (h, w) = buffer.offset, buffer.layer.data.shape
        return y, y + h, x, x + w

    def mask_of(self, cell: int) -> tuple[npt.NDArray[np.bool_], tuple[int, int]]:
        """Return a cell's mask and where it begins, searching no more than what is in view."""
        if self.stage.buffer_of(self.labels) is None:
            return found_in(self.seen(), cell, view_window(self.stage, self.place))
        return found_in(self.seen(), cell, self.readable())

    def box_of(self, cells: list[int], margin: int = 1) -> Window:
        """Return the window around cells, with some pixels to spare."""
        boxes = np.array([(y, y + m.shape[0], x, x + m.shape[1]) for m, (y, x) in map(self.mask_of, cells)])
        low, high = boxes.min(0), boxes.max(0)
        return self.widened((int(low[0]), int(high[1]), int(low[2]), int(high[3])), margin)

    def widened(self, box: Window, margin: int = 1) -> Window:
        """Return a window with some pixels to spare on each side."""
        h, w = self.stage.document.grid(self.labels).shape
        return (
            int(max(box[0] - margin, 0)),
            int(min(box[1] + margin, h)),
            int(max(box[2] - margin, 0)),
            int(min(box[3] + margin, w)),
        )

    def outlines(self, cells: list[int]) -> Lines:
        """Return the outlines of cells in µm of the canvas."""
        made = [outline_of(*self.mask_of(c), self.place.affine) for c in cells]
        return np.concatenate(made) if made else np.zeros((0, 2, 2))

    def is_there(self, cell: int) -> bool:
        """Whether a cell still is where it can be seen."""
        try:
            self.mask_of(cell)
        except BadInput:  # undone or deleted meanwhile
            return False
        return True

    def delete(self) -> None:
        cell = self.meant()
        if cell:
            self.stage.correct("delete-cells", labels=self.labels, cells=[cell], window=self.box_of([cell]))

    def resize(self, sign: int) -> None:
        """Grow (1) or shrink (-1) the cell that is meant."""
        cell, by = self.meant(), self.stage.hand.by_um
        if not cell:
            self.stage.tell("info", "Move the mouse over a cell first.")
            return
        box = self.box_of([cell], margin=int(np.ceil(by / self.edge_um)) + 2)
        name = "grow-cells" if sign > 0 else "shrink-cells"
        self.stage.correct(name, labels=self.labels, cells=[cell], distance_um=by, window=box)


class _Seen:
    """Labels of which only the window is looked at that is in memory anyway."""

    def __init__(self, buffer: Any, shape: tuple[int, int]) -> None:
        self._data, (self._y, self._x) = np.asarray(buffer.layer.data), buffer.offset
        self.shape, self.dtype = shape, self._data.dtype

    def __getitem__(self, key: tuple[slice, slice]) -> npt.NDArray[Any]:
        rows, columns = key
        return self._data[rows.start - self._y : rows.stop - self._y, columns.start - self._x : columns.stop - self._x]


def view_window(stage: Stage, place: Place) -> Window | None:
    """Return the pixels in view and a margin, or None where all of the labels are small enough to be searched.

    Raises
    ------
    BadInput
        When more is in view than can be searched.
    """
    grid = stage.document.grid(place.element)
    if is_small(grid):
        return None
    h, w = grid.shape
    y0, y1, x0, x1 = pixels_in_view(stage.viewer, place, (h, w))
    if y1 > y0 and x1 > x0:
        y0, y1, x0, x1 = max(y0 - _MARGIN, 0), min(y1 + _MARGIN, h), max(x0 - _MARGIN, 0), min(x1 + _MARGIN, w)
    return require_one_view((y0, y1, x0, x1), place.element)


def cell_labels(stage: Stage) -> str:
    """Return the labels of the active layer, else those in the hand, else the first that have cells.

    Raises
    ------
    BadInput
        When none are shown.
    """
    document = stage.document
    there = [n for n in document.names("labels") if stage.canvas.layer_of(n) is not None]
    cells = [n for n in there if not is_pixel_grid(document, n)]
    if not cells:
        raise BadInput("The section has no cells to correct.", "Segment an image first.")
    active = stage.viewer.layers.selection.active
    wanted = ("" if active is None else stage.canvas.element_of(active), stage.hand.labels)
    return next(chain((n for n in wanted if n in cells), cells))


def named(cells: list[int]) -> str:
    """Return cells in words: "cell 12", "cells 12, 19", "312 cells"."""
    if len(cells) > 4:
        return f"{len(cells):,} cells"
    return f"cell{'s' if len(cells) > 1 else ''} {', '.join(str(c) for c in cells)}"
