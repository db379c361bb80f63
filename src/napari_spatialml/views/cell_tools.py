"""The hand on cells: paint, erase, merge, delete, split, draw. Each gesture is one command."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.patch import Window, found_in
from ..errors import BadInput
from .correcting import pixels_in_view, require_one_view
from .marks import Lines, outline_of, path_lines
from .rasters import is_pixel_grid, is_small
from .tools import Place, Point, Pointer, Stage, Tool, label_at

__all__ = ["Delete", "Draw", "Erase", "Merge", "Paint", "Split"]

CHOSEN = "#ffe14d"
CUT = "#ff4d6d"
_MARGIN = 256


class CellTool(Tool):
    """What the tools on cells share: the labels they work on."""

    def __init__(self, stage: Stage, labels: str = "") -> None:
        super().__init__(stage)
        self.labels = labels or _only_labels(stage)
        if stage.document.type_of(self.labels) != "labels":
            raise BadInput(f"'{self.labels}' has no cells to correct.", "Choose labels.")

    @property
    def alive(self) -> bool:
        return self.labels in self.stage.document.names("labels")

    @property
    def place(self) -> Place:
        """Where the labels are drawn."""
        return self.stage.place_of(self.labels)

    def cell_at(self, at: Pointer) -> int:
        """Return the cell under the mouse; 0 for background."""
        return label_at(self.stage.document, self.place, at.um)

    def start(self) -> None:
        self.stage.correct_in_view(self.labels)

    def mask_of(self, cell: int) -> tuple[npt.NDArray[np.bool_], tuple[int, int]]:
        """Return a cell's mask and where it begins, searching no more than what is in view."""
        grid, buffer = self.stage.document.grid(self.labels), self.stage.buffer_of(self.labels)
        if buffer is None:
            return found_in(grid.levels[0], cell, view_window(self.stage, self.place))
        (y, x), (h, w) = buffer.offset, buffer.layer.data.shape
        return found_in(_Seen(buffer, grid.shape), cell, (y, y + h, x, x + w))

    def box_of(self, cells: list[int]) -> Window:
        """Return the window around cells, with a pixel to spare."""
        h, w = self.stage.document.grid(self.labels).shape
        boxes = np.array([(y, x, y + m.shape[0], x + m.shape[1]) for m, (y, x) in map(self.mask_of, cells)])
        (y0, x0), (y1, x1) = boxes[:, :2].min(0), boxes[:, 2:].max(0)
        return int(max(y0 - 1, 0)), int(min(y1 + 1, h)), int(max(x0 - 1, 0)), int(min(x1 + 1, w))

    def outlines(self, cells: list[int]) -> Lines:
        """Return the outlines of cells in µm of the canvas."""
        made = [outline_of(*self.mask_of(c), self.place.affine) for c in cells]
        return np.concatenate(made) if made else np.zeros((0, 2, 2))


class _Seen:
    """Labels of which only the window is looked at that is in memory anyway."""

    def __init__(self, buffer: Any, shape: tuple[int, int]) -> None:
        self._data, (self._y, self._x) = np.asarray(buffer.layer.data), buffer.offset
        self.shape, self.dtype = shape, self._data.dtype

    def __getitem__(self, key: tuple[slice, slice]) -> npt.NDArray[Any]:
        rows, columns = key
        return self._data[rows.start - self._y : rows.stop - self._y, columns.start - self._x : columns.stop - self._x]


class Merge(CellTool):
    """Click one cell, then another: the two become one. With Shift, more than two."""

    hint = "Click a cell, then the cell to merge it with. Hold Shift to collect more than two."

    def __init__(self, stage: Stage, labels: str = "") -> None:
        super().__init__(stage, labels)
        self.chosen: list[int] = []

    def release(self, at: Pointer) -> None:
        cell = self.cell_at(at)
        if cell == 0:
            return
        if cell in self.chosen:
            self.chosen.remove(cell)
        elif not self.chosen or "Shift" in at.modifiers:
            self.chosen.append(cell)
        else:
            cells, self.chosen = [*self.chosen, cell], []
            self.stage.correct("merge-cells", labels=self.labels, cells=cells, window=self.box_of(cells))
        self._mark()

    @property
    def begun(self) -> bool:
        return bool(self.chosen)

    def refresh(self) -> None:
        self.chosen = [c for c in self.chosen if self._is_there(c)]
        self._mark()

    def cancel(self) -> None:
        self.chosen = []
        self._mark()

    def _is_there(self, cell: int) -> bool:
        try:
            self.mask_of(cell)
        except BadInput:  # undone or deleted meanwhile
            return False
        return True

    def _mark(self) -> None:
        self.stage.marks.draw((self.outlines(self.chosen), CHOSEN))
        if self.chosen:
            self.stage.say(f"Cell {_listed(self.chosen)} chosen. Click the cell to merge it with; Esc forgets it.")
        else:
            self.stage.say(self.hint)


class Delete(CellTool):
    """Click a cell: it is gone."""

    hint = "Click a cell to delete it."

    def release(self, at: Pointer) -> None:
        cell = self.cell_at(at)
        if cell:
            self.stage.correct("delete-cells", labels=self.labels, cells=[cell], window=self.box_of([cell]))

    def hover(self, at: Pointer) -> None:
        cell = self.cell_at(at)
        self.stage.marks.draw((self.outlines([cell] if cell else []), CUT))


class Drawn(CellTool):
    """A tool that follows the mouse."""

    colour = CUT
    closed = False

    def __init__(self, stage: Stage, labels: str = "") -> None:
        super().__init__(stage, labels)
        self.path: list[Point] = []

    @property
    def begun(self) -> bool:
        return bool(self.path)

    def press(self, at: Pointer) -> None:
        self.path = [at.um]

    def move(self, at: Pointer) -> None:
        if not self.path or np.array_equal(self.path[-1], at.um):
            return
        self.path.append(at.um)
        self.stage.marks.draw((path_lines(self.path, closed=self.closed), self.colour))

    def release(self, at: Pointer) -> None:
        path, self.path = [*self.path, at.um], []
        self.stage.marks.clear()
        self.finish(np.array(path))

    def cancel(self) -> None:
        self.path = []
        self.stage.marks.clear()

    def finish(self, path: Point) -> None:
        """Make the command of a path in µm."""
        raise NotImplementedError


class Split(Drawn):
    """Drag a line across a cell: it is cut along it."""

    hint = "Drag a line across a cell to cut it in two."

    def __init__(self, stage: Stage, labels: str = "", how: str = "straight") -> None:
        super().__init__(stage, labels)
        self.how = how

    def finish(self, path: Point) -> None:
        line = self.place.own(path)
        cell = self._most_crossed(line)
        if cell == 0:
            self.stage.tell("info", "The line crosses no cell. Drag it across one, from background to background.")
            return
        window = self.box_of([cell])
        arguments = {"labels": self.labels, "cell": cell, "line": line.tolist(), "how": self.how, "window": window}
        self.stage.correct("split-cell", **arguments)

    def _most_crossed(self, line: Point) -> int:
        """Return the cell on which most of the line lies."""
        pieces = [np.linspace(a, b, max(int(4 * np.linalg.norm(b - a)), 2)) for a, b in pairwise(line)]
        steps = np.concatenate(pieces)
        grid = self.stage.document.grid(self.labels)
        at = np.floor(steps).astype(np.int64)
        at = at[((at >= 0) & (at < np.array(grid.shape))).all(axis=1)]
        if not len(at):
            return 0
        (y0, x0), (y1, x1) = at.min(0), at.max(0) + 1
        under = grid.read((int(y0), int(y1), int(x0), int(x1)))[at[:, 0] - y0, at[:, 1] - x0]
        ids, n = np.unique(under[under > 0], return_counts=True)
        return int(ids[n.argmax()]) if len(ids) else 0


class Draw(Drawn):
    """Drag around a cell that was missed: it is added."""

    hint = "Drag around a cell that was missed, to add it."
    colour = CHOSEN
    closed = True

    def finish(self, path: Point) -> None:
        outline = self.place.own(path)
        if len(outline) < 3 or float(np.ptp(outline, axis=0).min()) < 1:
            self.stage.tell("info", "Hold the button down and drag around the cell.")
            return
        self.stage.correct("draw-cell", labels=self.labels, outline=np.round(outline, 2).tolist())


class Paint(CellTool):
    """Paint with napari's brush: from a cell it grows, from background it is a new cell."""

    mode = "paint"
    hint = "Drag from inside a cell to enlarge it, or from background to paint a new cell."

    def __init__(
        self, stage: Stage, labels: str = "", size_um: float = 4.0, cell: int | None = None, overwrite: bool = False
    ) -> None:
        super().__init__(stage, labels)
        self.size_um, self.cell, self.overwrite = float(size_um), cell, overwrite
        self.layer: Any = None

    def start(self) -> None:
        super().start()
        self._arm()

    def _arm(self) -> None:
        """Take napari's brush in the hand; where too much is in view, wait until the person has zoomed in."""
        self.layer = self._editable()
        self.stage.say(self.stage.cannot_paint or self.hint)
        if self.layer is None:
            return
        viewer = self.stage.viewer
        viewer.layers.selection.active = self.layer
        self.layer.visible = True
        self.layer.preserve_labels = not self.overwrite and self.mode == "paint"
        edge = float(np.sqrt(np.prod(self.place.affine.scale_factors)))
        self.layer.brush_size = max(1, round(self.size_um / edge))
        self.layer.mode = self.mode

    def stop(self) -> None:
        if self.layer is not None and self.layer in self.stage.viewer.layers:
            self.layer.mode = "pan_zoom"

    def refresh(self) -> None:
        if self.stage.canvas.painted_of(self.labels) is not self.layer:
            self._arm()  # the labels were replaced, or the window moved, and so did their layer

    def press(self, at: Pointer) -> None:
        # runs before napari's own brush, which then paints with this label
        if self.layer is None:
            self.stage.tell("warning", self.stage.cannot_paint)
        elif self.mode == "paint":
            wanted = self.cell or self.cell_at(at) or self.stage.document.grid(self.labels).maximum() + 1
            self.layer.selected_label = wanted

    def _editable(self) -> Any:
        if self.stage.canvas.layer_of(self.labels) is None:
            raise BadInput(f"'{self.labels}' is not shown.", "Show it first.")
        layer = self.stage.canvas.painted_of(self.labels)
        if layer is None and not self.stage.cannot_paint:
            raise BadInput(f"'{self.labels}' has a label for every pixel, and no cells.", "Choose labels of cells.")
        return layer


class Erase(Paint):
    """Erase with napari's brush."""

    mode = "erase"
    hint = "Drag over cells to erase them."


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


def _only_labels(stage: Stage) -> str:
    """Return the labels of the active layer, else the first that have cells."""
    document = stage.document
    there = [n for n in document.names("labels") if stage.canvas.layer_of(n) is not None]
    cells = [n for n in there if not is_pixel_grid(document, n)]
    if not cells:
        raise BadInput("The section has no cells to correct.", "Segment an image first.")
    active = stage.viewer.layers.selection.active
    chosen = "" if active is None else stage.canvas.element_of(active)
    return chosen if chosen in cells else cells[0]


def _listed(cells: list[int]) -> str:
    return ", ".join(str(c) for c in cells)
