"""Tools that select rows on the canvas: a click, a lasso, a polygon."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.inside import points_inside
from ..errors import BadInput
from ..session import Document
from ..session.row_places import RowPlaces
from ..session.row_words import word_for
from ..session.selected import Selected
from .marks import circle, path_lines
from .memory import Memory
from .shape_picking import shape_at
from .tools import Place, Point, Pointer, Stage, Tool, label_at

__all__ = ["Select", "SelectPolygon", "rows_at", "rows_inside", "selectable"]

COLOUR = "#00c8ff"
_NEAR_PX = 6.0
"""Pixels of the screen that a click or a start may miss by."""


def selectable(document: Document, element: str) -> str:
    """Return the table whose rows are selected in an element, or ""."""
    if document.type_of(element) not in ("labels", "shapes"):
        return ""
    return next(iter(document.tables_of(element)), "")


def rows_inside(places: RowPlaces, place: Place, outline: Point) -> npt.NDArray[np.int64]:
    """Return the rows whose centre lies within an outline in µm of the canvas."""
    return places.rows[points_inside(places.where, place.own(outline))]


def rows_at(document: Document, table: str, place: Place, um: Point, memory: Memory) -> npt.NDArray[np.int64]:
    """Return the rows of what is seen at a position in µm of the canvas; several where ids occur twice."""
    if document.type_of(place.element) == "labels":
        instance: Any = label_at(document, place, um)
        found = instance != 0
    else:
        row = shape_at(document, place.element, place.system, um, memory, place.offset)
        found = row >= 0
        instance = document.element(place.element).index[row] if found else None
    rows = document.rows(table, place.element)
    return rows[document.instances(table)[rows] == instance] if found else rows[:0]


class Select(Tool):
    """A click selects what lies under it, a drag what its lasso holds.

    Parameters
    ----------
    stage
        The presenter.
    element
        Cells, spots or pixels.
    table
        A table that annotates them; the first if empty.
    how
        How it joins what is selected, unless Shift (add), Alt (take away) or both (both) are held.
    """

    hint = (
        "Drag around {word} to select them, or click one. Shift adds, Alt takes away, both together keep the overlap."
    )
    shape = "lasso"

    def __init__(self, stage: Stage, element: str, table: str = "", how: str = "new") -> None:
        super().__init__(stage)
        self.element, self.how, self.path = element, how, list[Point]()
        self.table = table or selectable(stage.document, element)
        if not self.table:
            raise BadInput(f"No table annotates '{element}'.", "Choose cells, spots or pixels with a table.")
        self.place = stage.place_of(element)
        self.hint = self.hint.format(word=word_for(stage.document, element))

    @property
    def alive(self) -> bool:
        names = [n for t in ("labels", "shapes") for n in self.stage.document.names(t)]
        return self.element in names and self.table in self.stage.document.tables_of(self.element)

    @property
    def begun(self) -> bool:
        return bool(self.path)

    @property
    def near_um(self) -> float:
        """How far in µm a click may miss."""
        return _NEAR_PX / max(float(self.stage.viewer.scene.camera.zoom), 1e-9)

    def stop(self) -> None:
        self.cancel()

    def cancel(self) -> None:
        self.path = []
        self.stage.marks.clear()

    def press(self, at: Pointer) -> None:
        self.path = [at.um]

    def move(self, at: Pointer) -> None:
        if self.path and not np.array_equal(self.path[-1], at.um):
            self.path.append(at.um)
            self.stage.marks.draw((path_lines(self.path, closed=True), COLOUR))

    def release(self, at: Pointer) -> None:
        path, self.path = np.array(self.path), []
        self.stage.marks.clear()
        if not len(path):
            return
        if len(path) > 2 and float(np.ptp(path, axis=0).max()) > 2 * self.near_um:
            self.within(path, at.modifiers)
        else:
            self._one(at)

    def within(self, path: Point, modifiers: Collection[str]) -> None:
        """Select what an outline in µm holds."""
        self._take(rows_inside(self._places(), self._placed(), path), f"{self.shape} on the canvas", modifiers)

    def _one(self, at: Pointer) -> None:
        rows = rows_at(self.stage.document, self.table, self._placed(), at.um, self.stage.memory)
        self._take(rows, "click on the canvas", at.modifiers)

    def _take(self, rows: npt.NDArray[Any], said: str, modifiers: Collection[str]) -> None:
        held = {m for m in ("Shift", "Alt") if m in modifiers}
        how = {0: self.how, 2: "both"}.get(len(held)) or ("add" if "Shift" in held else "take away")
        if not len(rows) and how == "new":
            self.stage.selected.clear()
            return
        self.stage.selected.take(Selected(self.table, rows, said), how)

    def _placed(self) -> Place:
        self.place = self.stage.place_of(self.element)
        return self.place

    def _places(self) -> RowPlaces:
        return self.stage.selected.places(self.table, self.element)


class SelectPolygon(Select):
    """Corners by clicks; a double click, Enter or a click on the first one closes the polygon."""

    hint = "Click corners around {word}; double-click, Enter or a click on the first corner selects what is within."
    shape = "polygon"

    def press(self, at: Pointer) -> None:
        if len(self.path) > 2 and float(np.linalg.norm(at.um - self.path[0])) <= self.near_um:
            self._close(at.modifiers)
            return
        self.path.append(at.um)
        self._draw(at.um)

    def move(self, at: Pointer) -> None:
        """A corner stays where the button went down."""

    def release(self, at: Pointer) -> None:
        """A corner was set when the button went down."""

    def hover(self, at: Pointer) -> None:
        if self.path:
            self._draw(at.um)

    def double(self, at: Pointer) -> None:
        self._close(at.modifiers)

    def enter(self) -> None:
        self._close(())

    def delete(self) -> None:
        if self.path:
            self.path.pop()
            self._draw(self.path[-1]) if self.path else self.cancel()

    def _close(self, modifiers: Collection[str]) -> None:
        path = np.array(self.path)
        self.cancel()
        if len(path) < 3:
            self.stage.tell("info", "A polygon takes three corners or more.")
            return
        self.within(path, modifiers)

    def _draw(self, um: Point) -> None:
        ring = circle(self.path[0], self.near_um)
        self.stage.marks.draw((path_lines([*self.path, um], closed=True), COLOUR), (ring, COLOUR))
