"""The brush: whatever lies under a stroke gets a category, in one command when the button comes up."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import BadInput
from ..session.corrections import packed
from ..session.row_words import word_for
from .layers import recolour_points
from .marks import circle, path_lines
from .shape_levels import colours_in_bytes
from .spots import centres_um, is_circles
from .state import ColourBy
from .tools import Point, Pointer, Stage, Tool

__all__ = ["Brush", "drawn_element", "near_path"]

COLOUR = "#00c8ff"


class Brush(Tool):
    """Brush over spots, pixels or cells to put them into a category.

    Parameters
    ----------
    stage
        The presenter.
    table, column, value
        The rows under the stroke get ``value`` in this column.
    radius_um
        Half the brush's width, > 0.
    """

    def __init__(self, stage: Stage, table: str, column: str, value: str, radius_um: float = 50.0) -> None:
        super().__init__(stage)
        if not radius_um > 0:
            raise BadInput(f"The brush's radius is {radius_um} µm.", "Give a number above 0.")
        self.table, self.column, self.value, self.radius_um = table, column, str(value), float(radius_um)
        self.element = drawn_element(stage, table)
        self.place = stage.place_of(self.element)
        self.circles = stage.document.type_of(self.element) == "shapes"
        self.rows: set[int] = set()
        self.path: list[Point] = []
        self.hint = f"Drag over {word_for(stage.document, self.element)} to put them into {self.value}."
        self._before: Any = None

    @property
    def alive(self) -> bool:
        return self.table in self.stage.document.names("tables")

    def start(self) -> None:
        if self.circles and not is_circles(self.stage.document, self.element):
            raise BadInput(f"'{self.element}' is made of polygons.", "The brush works on spots, cells and pixels.")
        self._colour_by_column()

    def _colour_by_column(self) -> None:
        colours = {**self.stage.state.colours, self.element: ColourBy(self.table, f"obs/{self.column}")}
        self.stage.show(colours=colours)

    def stop(self) -> None:
        self.cancel()

    def press(self, at: Pointer) -> None:
        ids = pd.Index(self.stage.document.instances(self.table))
        self._row_of = ids.get_indexer
        self.place = self.stage.place_of(self.element)
        if self.circles:
            self._ids = self.stage.document.element(self.element).index
            self._where = centres_um(self.stage.document, self.element, self.place.system) + self.place.offset
        self.path, self.rows = [at.um], set()
        self._extend(np.array([at.um, at.um]))

    def move(self, at: Pointer) -> None:
        if not self.path:
            return
        self._extend(np.array([self.path[-1], at.um]))
        self.path.append(at.um)

    def release(self, at: Pointer) -> None:
        if not self.path:
            return
        self.move(at)
        rows = np.array(sorted(self.rows), dtype=np.int64)
        self._before, self.path, self.rows = None, [], set()
        self.stage.marks.clear()
        if len(rows):
            arguments = {"table": self.table, "column": self.column, "rows": packed(rows), "value": self.value}
            self.stage.correct("relabel", **arguments)

    def hover(self, at: Pointer) -> None:
        self.stage.marks.draw((circle(at.um, self.radius_um), COLOUR))

    def cancel(self) -> None:
        self.path, self.rows = [], set()
        self.stage.marks.clear()
        layer = self.stage.canvas.layer_of(self.element)
        if self._before is not None and layer is not None:
            _recolour(layer, slice(None), self._before)
        self._before = None

    def _extend(self, segment: Point) -> None:
        if self.circles:
            hit = np.flatnonzero(near_path(self._where, segment, self.radius_um))
            found = self._row_of(self._ids[hit])
            self._preview(hit[[row >= 0 and row not in self.rows for row in found.tolist()]])
        else:
            found = self._row_of(pd.Index(self._labels_under(segment)))
        self.rows.update(int(r) for r in found if r >= 0)
        trace = path_lines([*self.path, segment[-1]])
        self.stage.marks.draw((trace, COLOUR), (circle(segment[-1], self.radius_um), COLOUR))

    def _labels_under(self, segment: Point) -> npt.NDArray[Any]:
        """Return the labels with a pixel centre within the brush."""
        grid, place = self.stage.document.grid(self.element), self.place
        reach = self.radius_um * np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]])
        corners = place.own((segment[:, None] + reach).reshape(-1, 2))
        y0, x0 = np.clip(np.floor(corners.min(0)), 0, grid.shape).astype(int)
        y1, x1 = np.clip(np.ceil(corners.max(0)), 0, grid.shape).astype(int)
        if y1 <= y0 or x1 <= x0:
            return np.empty(0, np.int64)
        under = grid.read((int(y0), int(y1), int(x0), int(x1)))
        y, x = np.mgrid[y0:y1, x0:x1]
        centres = place.affine.apply(np.column_stack([y.ravel() + 0.5, x.ravel() + 0.5]))
        inside = near_path(centres, segment, self.radius_um)
        return np.asarray(np.unique(under.ravel()[inside]))

    def _preview(self, spots: npt.NDArray[np.int64]) -> None:
        layer = self.stage.canvas.layer_of(self.element)
        if layer is None or not len(spots):
            return
        if self._before is None:
            self._before = _colours(layer)
        colour = np.asarray(self._colour(), np.float32)[None]
        _recolour(layer, spots, colours_in_bytes(colour) if self._before.dtype == np.uint8 else colour)

    def _colour(self) -> npt.NDArray[np.float64]:
        from napari.utils.colormaps.standardize_color import transform_color

        from ..core.colours import category_colours
        from .values import categories_of

        names = categories_of(self.stage.document, self.table, self.column)
        names = names if self.value in names else (*names, self.value)
        stored = self.stage.document.colours(self.column)
        return np.asarray(transform_color(category_colours(names, stored)[self.value])[0])


def _colours(layer: Any) -> npt.NDArray[Any]:
    """Return the colours (n, 4) of spots: of points from 0 to 1, of those drawn from tiles from 0 to 255."""
    return np.array(layer.face_color if hasattr(layer, "face_color") else layer.data[0].colours)


def _recolour(layer: Any, spots: Any, colours: npt.NDArray[Any]) -> None:
    """Give spots other colours until the document gives them theirs."""
    if not hasattr(layer, "face_color"):
        for level in layer.data:
            level.colours[spots] = colours
        layer.refresh(extent=False, thumbnail=False)
        return
    changed = layer.face_color.copy()
    changed[spots] = colours
    recolour_points(layer, changed)


def near_path(points: Point, path: Point, radius: float) -> npt.NDArray[np.bool_]:
    """Return which points (n, 2) lie within ``radius`` of a path (k, 2) of straight pieces."""
    near = np.zeros(len(points), bool)
    for a, b in pairwise(path):
        along = b - a
        share = np.clip((points - a) @ along / max(float(along @ along), 1e-300), 0, 1)
        near |= ((points - a - share[:, None] * along) ** 2).sum(1) <= radius**2
    return near


def drawn_element(stage: Stage, table: str) -> str:
    """Return the element that a table annotates and that is drawn: the original, or its warped copy."""
    document = stage.document
    names = [n for t in ("shapes", "labels") for n in document.names(t) if table in document.tables_of(n)]
    shown = [n for n in names if stage.canvas.layer_of(n) is not None]
    if not shown:
        raise BadInput(f"What the table '{table}' annotates is not shown.", "Show its spots, cells or pixels first.")
    return next((n for n in shown if n == document.annotated(table)), shown[0])
