"""Tools that take spots for a correction of their proportions: a click or a brush, a lasso, a polygon."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from .brush import Brush
from .marks import circle, path_lines
from .selecting import Select, SelectPolygon
from .tools import Point, Pointer, Stage

__all__ = ["ProportionBrush", "ProportionLasso", "ProportionPolygon"]

COLOUR = "#00c8ff"
_RINGS = 400
"""So many spots are ringed while the brush moves; of more, the trace of the brush alone says which."""


class _Given:
    """What a tool does with the rows that a gesture has taken.

    Parameters
    ----------
    stage
        The presenter.
    table
        A table of spots.
    correction
        The correction that each gesture makes; "" for none: who listens to `Presenter.rows_taken` decides.
    arguments
        What it takes beside ``table`` and ``rows``: ``cell_type``, ``value``, ``output``, ``reason`` …
    """

    def __init__(self, stage: Any, table: str, correction: str, arguments: Mapping[str, Any] | None) -> None:
        self._stage, self._table = stage, table
        self.correction, self.arguments = correction, dict(arguments or {})

    def take(self, rows: npt.NDArray[Any]) -> None:
        """Make the correction of these rows, one command, and say which they were."""
        if not len(rows):
            return
        taken = np.sort(np.asarray(rows, np.int64))
        if self.correction:
            self._stage.correct(self.correction, table=self._table, rows=taken.tolist(), **self.arguments)
        self._stage.rows_taken.emit(self._table, taken)


class ProportionBrush(Brush):
    """A click takes one spot, a stroke all spots under the brush.

    Parameters
    ----------
    stage, table, correction, arguments
        As of all three tools: see `_Given`.
    radius_um
        Half the brush's width, > 0.
    """

    def __init__(
        self,
        stage: Stage,
        table: str,
        correction: str = "",
        arguments: Mapping[str, Any] | None = None,
        radius_um: float = 50.0,
    ) -> None:
        super().__init__(stage, table, "", "", radius_um)
        self.given = _Given(stage, table, correction, arguments)
        self._hit: set[int] = set()
        self.hint = "Click a spot, or drag over spots; each stroke is one step that can be undone."

    @property
    def begun(self) -> bool:
        return bool(self.path)

    def start(self) -> None:
        """The spots keep their colours."""

    def press(self, at: Pointer) -> None:
        self._hit = set()
        super().press(at)

    def release(self, at: Pointer) -> None:
        if not self.path:
            return
        clicked = float(np.ptp(np.array([*self.path, at.um]), axis=0).max()) * self._zoom < 3
        self.move(at)
        rows, where = np.array(sorted(self.rows), np.int64), self.path[0]
        self.cancel()
        if clicked and len(rows) > 1:
            rows = self._one(where)
        self.given.take(rows)

    def cancel(self) -> None:
        self.path, self.rows, self._hit = [], set(), set()
        self.stage.marks.clear()

    @property
    def _zoom(self) -> float:
        return float(self.stage.viewer.scene.camera.zoom)

    def _one(self, um: Point) -> npt.NDArray[np.int64]:
        """Return the row of what lies under a click, however wide the brush is."""
        from .selecting import rows_at

        rows = rows_at(self.stage.document, self.table, self.place, um, self.stage.memory)
        return np.asarray(rows, np.int64)

    def _preview(self, spots: npt.NDArray[np.int64]) -> None:
        self._hit.update(int(s) for s in spots)

    def _extend(self, segment: Point) -> None:
        super()._extend(segment)
        if self.circles and 0 < len(self._hit) <= _RINGS:
            rings = [circle(self._where[k], self._radius, 24) for k in sorted(self._hit)]
            trace = path_lines([*self.path, segment[-1]])
            own = circle(segment[-1], self.radius_um)
            self.stage.marks.draw((trace, COLOUR), (own, COLOUR), (np.concatenate(rings), COLOUR))

    @property
    def _radius(self) -> float:
        """Half the width of a spot in µm."""
        from .spots import placed_spots

        _, wide = placed_spots(self.stage.document, self.element, self.place.system, self.stage.memory)
        return 0.55 * float(np.median(wide))


class ProportionLasso(Select):
    """A drag takes the spots that its lasso holds, a click the spot under it.

    Parameters
    ----------
    stage, table, correction, arguments
        As of `ProportionBrush`.
    element
        The spots; those that the table annotates if empty.
    """

    hint = "Drag around {word}, or click one; each gesture is one step that can be undone."

    def __init__(
        self,
        stage: Stage,
        table: str,
        correction: str = "",
        arguments: Mapping[str, Any] | None = None,
        element: str = "",
    ) -> None:
        element = element or stage.document.annotated(table)
        if not element:
            raise BadInput(f"The table '{table}' annotates nothing.", "Choose a table of spots.")
        super().__init__(stage, element, table)
        self.given = _Given(stage, table, correction, arguments)

    def _take(self, rows: npt.NDArray[Any], said: str, modifiers: Collection[str]) -> None:
        self.given.take(rows)


class ProportionPolygon(ProportionLasso, SelectPolygon):
    """Corners by clicks; what the polygon holds is taken when it is closed. See `ProportionLasso`."""

    hint = "Click corners around {word}; double-click, Enter or a click on the first corner takes what is within."
    shape = "polygon"
