"""Tools that lay strokes on a map of domains: a brush, a lasso, a polygon, and a fill of what hangs together."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.connected_rows import pieces
from ..errors import BadInput
from ..session.corrections import packed
from ..session.row_words import word_for
from .brush import Brush, drawn_element
from .choices import colour_of
from .marks import circle
from .row_layout import RowLayout, layout_of
from .selecting import Select, SelectPolygon, rows_at
from .tools import Point, Pointer, Stage, Tool
from .trust_columns import map_of

__all__ = ["DomainBrush", "DomainFill", "DomainLasso", "DomainPolygon"]

COLOUR, _DASHES = "#00c8ff", ("#ffffff", "#101014")
"""Of the brush; and of what a fill would take: dashes that are seen on any domain and any tissue."""
_ALIKE = 0.2
"""Rows are alike if their posteriors are at most so far apart, by the total variation distance of 0 to 1."""
Rows = npt.NDArray[np.int64]


class _Stroke:
    """What a gesture says of the rows that it takes.

    Parameters
    ----------
    stage
        The presenter.
    table, column
        The map of domains.
    domain
        What the rows are, by a name that is there or a new one; "" for tissue to be ignored.
    reason
        Why, in the words of the person.
    """

    def __init__(self, stage: Any, table: str, column: str, domain: str, reason: str) -> None:
        self._stage, self._table, self.domain = stage, table, domain
        self._said = {"table": table, "column": column, "reason": reason}

    @property
    def said(self) -> str:
        """What becomes of the rows, in words."""
        return f"put them into {self.domain}" if self.domain else "ignore them"

    def lay(self, rows: npt.NDArray[Any]) -> None:
        """Make one command of these rows, and say which they were."""
        if not len(rows):
            return
        taken = np.unique(np.asarray(rows, np.int64))
        name, into = ("stroke-domain", {"domain": self.domain}) if self.domain else ("ignore-tissue", {})
        if self._stage.correct(name, rows=packed(taken), **self._said, **into):
            self._stage.rows_taken.emit(self._table, taken)


class DomainBrush(Brush):
    """What lies under a stroke gets a domain; a click takes what is under the brush, or else the spot under the mouse.

    Parameters
    ----------
    stage
        The presenter.
    table, column, domain, reason
        See `_Stroke`.
    radius_um
        Half the brush's width, > 0.
    """

    def __init__(
        self,
        stage: Stage,
        table: str,
        column: str = "domain",
        domain: str = "",
        radius_um: float = 50.0,
        reason: str = "",
    ) -> None:
        super().__init__(stage, table, column, domain, radius_um)
        self.stroke = _Stroke(stage, table, column, domain, reason)
        word = word_for(stage.document, self.element)
        self.hint = f"Drag over {word} to {self.stroke.said}; each stroke is one step that can be undone."

    @property
    def begun(self) -> bool:
        return bool(self.path)

    def _colour_by_column(self) -> None:
        """Colour by the map, unless it is looked at already, as domains or as how far to trust it."""
        document = self.stage.document
        if map_of(document, colour_of(document, self.stage.state, self.element)) != self.column:
            super()._colour_by_column()

    def _extend(self, segment: Point) -> None:
        super()._extend(segment)
        if self.circles or not self.rows:
            return
        layout = layout_of(self.stage.document, self.table, self.element, self.place.system, self.stage.memory)
        if len(self.rows) <= layout.outlined:  # pixels and cells are outlined in the colour that spots take
            lines = layout.outline(np.array(sorted(self.rows), np.int64), keep=False)
            own = circle(segment[-1], self.radius_um)
            self.stage.marks.draw((lines + np.array([self.place.offset, (0.0, 0.0)]), self._colour()), (own, COLOUR))

    def release(self, at: Pointer) -> None:
        if not self.path:
            return
        self.move(at)
        rows, before = np.array(sorted(self.rows), np.int64), self.path[0]
        if not len(rows):
            rows = rows_at(self.stage.document, self.table, self.place, before, self.stage.memory)
        self._before, self.path, self.rows = None, [], set()
        self.stage.marks.clear()
        self.stroke.lay(rows)

    def _colour(self) -> npt.NDArray[np.float64]:
        return super()._colour() if self.value else np.array([0.6, 0.6, 0.6, 0.45])


class DomainLasso(Select):
    """What a lasso holds gets a domain; a click takes the spot, bin or cell under it.

    Parameters
    ----------
    stage, table, column, domain, reason
        As of `DomainBrush`.
    radius_um
        Of the brush; a lasso needs none.
    """

    hint = "Drag around {word} to {said}, or click one; each gesture is one step that can be undone."

    def __init__(
        self,
        stage: Stage,
        table: str,
        column: str = "domain",
        domain: str = "",
        radius_um: float = 0.0,
        reason: str = "",
    ) -> None:
        self.stroke = _Stroke(stage, table, column, domain, reason)
        element = drawn_element(stage, table)
        self.hint = type(self).hint.format(word="{word}", said=self.stroke.said)
        super().__init__(stage, element, table)

    def _take(self, rows: npt.NDArray[Any], said: str, modifiers: Collection[str]) -> None:
        self.stroke.lay(rows)


class DomainPolygon(DomainLasso, SelectPolygon):
    """Corners by clicks; what the polygon holds gets a domain when it is closed. See `DomainLasso`."""

    hint = "Click corners around {word} to {said}; double-click, Enter or a click on the first corner closes it."
    shape = "polygon"


class DomainFill(Tool):
    """A click takes what hangs together with the row under it: all of one domain, with Shift all of one appearance.

    Parameters
    ----------
    stage, table, column, domain, radius_um, reason
        As of `DomainLasso`.
    """

    def __init__(
        self,
        stage: Stage,
        table: str,
        column: str = "domain",
        domain: str = "",
        radius_um: float = 0.0,
        reason: str = "",
    ) -> None:
        super().__init__(stage)
        self.table, self.column, self.element = table, column, drawn_element(stage, table)
        self.stroke = _Stroke(stage, table, column, domain, reason)
        self.word = word_for(stage.document, self.element)
        self.place = stage.place_of(self.element)
        self._regions = _Regions(self)
        self._under: tuple[int, bool] | None = None
        self.hint = (
            f"Click a region of connected {self.word} of one domain to {self.stroke.said}; "
            "with Shift, those that look alike."
        )

    @property
    def alive(self) -> bool:
        return self.table in self.stage.document.names("tables")

    def start(self) -> None:
        if self.column not in self.stage.document.table(self.table).obs:
            raise BadInput(f"'{self.table}' has no '{self.column}'.", "Find domains first.")

    def stop(self) -> None:
        self.cancel()

    def cancel(self) -> None:
        self._under = None
        self.stage.marks.clear()

    def refresh(self) -> None:
        """The map has changed: what hangs together may be something else."""
        self.cancel()

    def release(self, at: Pointer) -> None:
        rows = self._region(at)
        self.cancel()
        if not len(rows):
            self.stage.tell("info", f"There are no {self.word} under the mouse.")
        self.stroke.lay(rows)

    def hover(self, at: Pointer) -> None:
        under = self._row(at), "Shift" in at.modifiers
        if under == self._under:
            return
        rows = self._region(at)
        self._under = under
        if not len(rows):
            self.stage.marks.clear()
            self.stage.say(self.hint)
            return
        self.stage.say(f"Click to take these {len(rows):,} {self._named(rows)} and {self.stroke.said}.")
        layout = self._regions.layout
        if len(rows) > layout.outlined:  # it is named, and not outlined: that would lag
            self.stage.marks.clear()
            return
        lines = layout.outline(rows, keep=False) + np.array([self.place.offset, (0.0, 0.0)])
        dash = np.arange(len(lines)) // 4 % 2
        self.stage.marks.draw(*((lines[dash == k], colour) for k, colour in enumerate(_DASHES)))

    def _named(self, rows: Rows) -> str:
        return self.word[:-1] if len(rows) == 1 else self.word

    def _row(self, at: Pointer) -> int:
        self.place = self.stage.place_of(self.element)
        found = rows_at(self.stage.document, self.table, self.place, at.um, self.stage.memory)
        return int(found[0]) if len(found) else -1

    def _region(self, at: Pointer) -> Rows:
        row = self._row(at)
        if row < 0:
            return np.empty(0, np.int64)
        return self._regions.alike(row) if "Shift" in at.modifiers else self._regions.of_domain(row)


class _Regions:
    """What hangs together on a map, found once for each map.

    Parameters
    ----------
    tool
        Whose table, column and place it is.
    """

    def __init__(self, tool: DomainFill) -> None:
        self._tool = tool
        self._pieces: tuple[Any, Rows] | None = None

    @property
    def layout(self) -> RowLayout:
        """How the rows lie on the tissue."""
        tool = self._tool
        return layout_of(tool.stage.document, tool.table, tool.element, tool.place.system, tool.stage.memory)

    def of_domain(self, row: int) -> Rows:
        """Return the connected rows that now have the domain of a row, or like it none."""
        tool, layout = self._tool, self.layout
        document = tool.stage.document
        token = document.revision(("tables", tool.table, "obs", tool.column)), layout
        if self._pieces is None or self._pieces[0] != token:
            codes = document.table(tool.table).obs[tool.column].astype("category").cat.codes.to_numpy()
            self._pieces = token, pieces(layout.graph, codes)
        found = self._pieces[1]
        return np.flatnonzero(found == found[row])

    def alike(self, row: int) -> Rows:
        """Return the connected rows whose posterior is much like that of a row.

        Raises
        ------
        BadInput
            When the map has no posterior.
        """
        tool = self._tool
        held = tool.stage.document.table(tool.table).obsm.get(f"{tool.column}_probabilities")
        if held is None:
            raise BadInput(f"The map '{tool.column}' has no probabilities.", "Click without Shift.")
        p = np.asarray(held, np.float64)
        like = 0.5 * np.abs(p - p[row]).sum(1) <= _ALIKE
        if not like[row]:
            raise BadInput(f"The map '{tool.column}' does not know this place.", "Click without Shift.")
        found = pieces(self.layout.graph, like)
        return np.flatnonzero((found == found[row]) & like)
