"""Tools that pick cells by a click, or many by a lasso: choose, merge, delete, accept."""

from __future__ import annotations

import numpy as np

from ..core.patch import Window
from .cell_tools import CHOSEN, CUT, CellTool, named
from .hand import Pace
from .lasso import Held, cells_in_lasso
from .marks import Lines, path_lines
from .tools import Point, Pointer, Stage

__all__ = ["Accept", "Choose", "Delete", "Merge", "Picking"]

_LIVE_PX = 1_000_000
"""Up to so many pixels, what a lasso holds is said while it is drawn."""
_OUTLINED = 60


class Picking(CellTool):
    """A click picks a cell; a drag is a lasso, which picks those whose centroid or half of whose area it holds."""

    colour = CUT

    def __init__(self, stage: Stage, labels: str = "") -> None:
        super().__init__(stage, labels)
        self.path: list[Point] = []
        self._under = 0
        self._count = Pace(0.1, stage.after)

    @property
    def begun(self) -> bool:
        return bool(self.path)

    def one(self, cell: int, at: Pointer) -> None:
        """A cell was clicked."""
        raise NotImplementedError

    def many(self, cells: list[int], box: Window) -> None:
        """Cells were lassoed; the box has a pixel to spare around them."""
        raise NotImplementedError

    def press(self, at: Pointer) -> None:
        self.path = [at.um]

    def move(self, at: Pointer) -> None:
        if not self.path or np.array_equal(self.path[-1], at.um):
            return
        self.path.append(at.um)
        if self._is_lasso():
            self.stage.marks.draw((path_lines(self.path, closed=True), self.colour))
            self._count(self._say_held)

    def release(self, at: Pointer) -> None:
        path, lasso = self.path, self._is_lasso()
        self.path = []
        self._count.forget()
        if not path:
            return
        self.stage.marks.clear()
        if lasso:
            self._lassoed(np.array(path))
        else:
            cell = self.cell_at(at)
            if cell:
                self.one(cell, at)
        self.stage.say(self.hint)

    def hover(self, at: Pointer) -> None:
        super().hover(at)
        cell = self.cell_at(at)
        if cell != self._under:
            self._under = cell
            self.mark()

    def cancel(self) -> None:
        self.path, self.chosen, self._under = [], [], 0
        self.pace.forget()
        self._count.forget()
        self.mark()
        self.stage.say(self.hint)

    def stop(self) -> None:
        super().stop()
        self._count.forget()

    def refresh(self) -> None:
        if not self.path:
            self.chosen = [c for c in self.chosen if self.is_there(c)]
            self._under = 0
            self.mark()

    def mark(self) -> None:
        """Outline the cell under the mouse, and those chosen."""
        under = [self._under] if self._under and self._under not in self.chosen else []
        self.stage.marks.draw((self.outlines(self.chosen), CHOSEN), (self.outlines(under), self.colour))

    def held_by(self, path: Point) -> Held:
        """Return the cells that a lasso in µm means."""
        return cells_in_lasso(self.seen(), self.place.own(path), self.bounds())

    def _is_lasso(self) -> bool:
        return len(self.path) > 2 and float(np.ptp(self.path, axis=0).max()) > self.near_um * 2

    def _lassoed(self, path: Point) -> None:
        held = self.held_by(path)
        if held.box is None:
            self.stage.tell("info", "The lasso holds no cell: of none the centroid, or half of the area.")
            return
        self.many([int(c) for c in held.cells], self.widened(held.box))

    def _say_held(self) -> None:
        if not self.path:
            return
        path = np.array(self.path)
        if float(np.prod(np.ptp(self.place.own(path), axis=0))) > _LIVE_PX:
            return
        cells = [int(c) for c in self.held_by(path).cells]
        self.stage.say(f"The lasso holds {named(cells)}." if cells else "The lasso holds no cell yet.")
        if len(cells) <= _OUTLINED:
            held: Lines = self.outlines(cells)
            self.stage.marks.draw((path_lines(path, closed=True), self.colour), (held, CHOSEN))


class Choose(Picking):
    """Look: a drag moves the view, a click chooses a cell."""

    hint = "Drag to move the view. Click a cell to choose it: Delete takes it away, + and − make it larger or smaller."
    pans = True
    colour = CHOSEN

    @property
    def begun(self) -> bool:
        return bool(self.chosen)

    def press(self, at: Pointer) -> None:
        super().press(at)
        self._looked_at = self._centre()

    def move(self, at: Pointer) -> None:
        """The view moves with the mouse."""

    def release(self, at: Pointer) -> None:
        path, self.path = self.path, []
        if path and float(np.abs(self._centre() - self._looked_at).max()) < self.near_um:
            self.one(self.cell_at(at), at)

    def _centre(self) -> Point:
        return np.asarray(self.stage.viewer.scene.camera.center, dtype=float)[-2:]

    def one(self, cell: int, at: Pointer) -> None:
        self.chosen = [cell] if cell and cell not in self.chosen else []
        self.mark()
        self.stage.say(f"Cell {cell} chosen. Delete takes it away; + and − resize it." if self.chosen else self.hint)

    def after_other(self, at: Pointer) -> None:
        cell = self.cell_at(at)
        self.chosen = [cell] if cell else []
        self.refresh()


class Merge(Picking):
    """Click one cell, then another: the two become one. With Shift, more than two; or a lasso around all."""

    hint = "Click a cell, then the cell to merge it with. Shift collects more than two; or drag around them all."
    colour = CHOSEN

    @property
    def begun(self) -> bool:
        return bool(self.path or self.chosen)

    def one(self, cell: int, at: Pointer) -> None:
        if cell in self.chosen:
            self.chosen.remove(cell)
        elif not self.chosen or "Shift" in at.modifiers:
            self.chosen.append(cell)
        else:
            cells, self.chosen = [*self.chosen, cell], []
            self.stage.correct("merge-cells", labels=self.labels, cells=cells, window=self.box_of(cells))
        self._under = 0
        self.mark()

    def many(self, cells: list[int], box: Window) -> None:
        self.chosen = []
        if len(cells) < 2:
            self.stage.tell("info", f"The lasso holds only {named(cells)}: merging takes two.")
            return
        self.stage.correct("merge-cells", labels=self.labels, cells=cells, window=box)

    def release(self, at: Pointer) -> None:
        super().release(at)
        if self.chosen:
            some = named(self.chosen)
            self.stage.say(f"{some[0].upper()}{some[1:]} chosen. Click the cell to merge with; Esc forgets.")


class Delete(Picking):
    """Click a cell, or drag around many: they are gone."""

    hint = "Click a cell to delete it, or drag around many."

    def one(self, cell: int, at: Pointer) -> None:
        self.many([cell], self.box_of([cell]))

    def many(self, cells: list[int], box: Window) -> None:
        self.stage.correct("delete-cells", labels=self.labels, cells=cells, window=box)


class Accept(Picking):
    """Click a cell, or drag around many: a person has looked at them, and they are right."""

    hint = "Click a cell that is right, to accept it, or drag around many."
    colour = "#66c79a"

    def one(self, cell: int, at: Pointer) -> None:
        self.many([cell], self.box_of([cell]))

    def many(self, cells: list[int], box: Window) -> None:
        self.stage.correct("accept-cells", labels=self.labels, cells=cells)
