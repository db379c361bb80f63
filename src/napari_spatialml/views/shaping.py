"""Tools that change a cell's outline: grow, shrink, smooth, fill holes; and nuclei that become cells."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from ..core.patch import Window
from ..errors import BadInput, SpatialMLError
from .cell_tools import CHOSEN, CUT, named
from .marks import Lines, outline_of
from .picking import Picking
from .tools import Pointer, Stage

__all__ = ["Expand", "FillHoles", "Grow", "Shrink", "Smooth"]


class Shaping(Picking):
    """Changes the outlines of cells; under the mouse, the cell shows what would become of it."""

    colour = CHOSEN
    correction: ClassVar[str]
    length: ClassVar[str] = "distance_um"

    @property
    def um(self) -> float:
        """By how much, in µm."""
        return self.stage.hand.by_um

    def one(self, cell: int, at: Pointer) -> None:
        self.many([cell], self.box_of([cell]))

    def many(self, cells: list[int], box: Window) -> None:
        self.stage.correct(self.correction, **self._arguments(cells, box))

    def held(self) -> None:
        self.mark()

    def mark(self) -> None:
        super().mark()
        if self._under and not self.path:
            self.pace(self._preview)

    def _arguments(self, cells: list[int], box: Window) -> dict[str, Any]:
        window = self.widened(box, int(np.ceil(self.um / self.edge_um)) + 2)
        found: dict[str, Any] = {"labels": self.labels, "cells": cells, "window": window}
        return {**found, self.length: self.um} if self.length else found

    def _preview(self) -> None:
        cell = self._under
        if not cell or self.path:
            return
        try:
            lines = self._becomes(cell)
        except SpatialMLError:
            return  # the click says why
        self.stage.marks.draw((self.outlines([cell]), CUT), (lines, CHOSEN))

    def _becomes(self, cell: int) -> Lines:
        """Return the outline that a cell would have."""
        from ..session.corrections.shaping import shape_patch

        arguments = self._arguments([cell], self.box_of([cell]))
        y0, y1, x0, x1 = arguments["window"]
        values = np.array(self.seen()[y0:y1, x0:x1])
        patch = shape_patch(self.stage.document, self.correction, **arguments)
        if patch is not None:
            (y, x), (h, w) = patch.offset, patch.new.shape
            values[y - y0 : y - y0 + h, x - x0 : x - x0 + w] = patch.new
        return outline_of(values == cell, (y0, x0), self.place.affine)


class Grow(Shaping):
    """Click a cell to grow it."""

    correction = "grow-cells"
    hint = "Click a cell to grow it, or drag around many. The yellow line is what it becomes."


class Shrink(Shaping):
    """Click a cell to shrink it."""

    correction = "shrink-cells"
    hint = "Click a cell to shrink it, or drag around many. The yellow line is what it becomes."


class Smooth(Shaping):
    """Click a cell to smooth its outline."""

    correction, length = "smooth-cells", "radius_um"
    hint = "Click a cell to smooth its outline, or drag around many. The yellow line is what it becomes."

    @property
    def um(self) -> float:
        return self.stage.hand.smooth_um


class FillHoles(Shaping):
    """Click a cell to fill its holes."""

    correction, length = "fill-holes", ""
    hint = "Click a cell to fill its holes, or drag around many."


class Expand(Picking):
    """Click a nucleus: it is copied among the cells, and grows by a limit, never over another cell."""

    hint = "Click a nucleus to make a cell of it, or drag around many."
    colour = CHOSEN

    def __init__(self, stage: Stage, labels: str = "") -> None:
        self.output = labels or stage.hand.labels
        if not stage.hand.nuclei or not self.output:
            raise BadInput("Nuclei are expanded from one set of labels into another.", "Choose both.")
        super().__init__(stage, stage.hand.nuclei)

    def one(self, cell: int, at: Pointer) -> None:
        self.many([cell], self.box_of([cell]))

    def many(self, cells: list[int], box: Window) -> None:
        limit = self.stage.hand.limit_um
        window = self.widened(box, int(np.ceil(limit / self.edge_um)) + 2)
        made = {"nuclei": self.labels, "labels": self.output, "distance_um": limit, "cells": cells, "window": window}
        if self.stage.correct("expand-nuclei", **made):
            self.stage.tell("ok", f"{named(cells).capitalize()} of '{self.labels}' expanded into '{self.output}'.")
