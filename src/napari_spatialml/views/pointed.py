"""What lies under the mouse: the cell, spot or pixel, its id, and the value that colours it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import SpatialMLError
from ..session.row_words import word_for
from ..session.selection_files import cell_ids
from .plan import coloured
from .selecting import selectable
from .shape_picking import shape_at
from .tools import Point, label_at
from .values import Categories, Measured, Values

if TYPE_CHECKING:
    from .presenter import Presenter

__all__ = ["Pointed", "Pointing"]


@dataclass(frozen=True)
class Pointed:
    """What lies under the mouse.

    Parameters
    ----------
    element
        The element.
    lines
        What is said of it: "cell 1204", "domain: L4".
    table, row
        The table that annotates it, and its row there; -1 where the table does not know it.
    """

    element: str
    lines: tuple[str, ...]
    table: str = ""
    row: int = -1


class Pointing:
    """Finds what lies under the mouse; what has to be sorted for it is sorted once.

    Parameters
    ----------
    presenter
        What shows the document.
    """

    def __init__(self, presenter: Presenter) -> None:
        self.of = presenter
        self._indices: dict[str, tuple[Any, Any]] = {}

    def at(self, um: Point) -> Pointed | None:
        """Return what lies at a position in µm of the canvas: the highest that is seen, None for nothing."""
        presenter = self.of
        if presenter.state.compared is not None:
            return None
        seen = [s.key.element for s, layer in presenter.canvas.layers() if layer.visible and not s.key.beside]
        for element in dict.fromkeys(reversed(seen)):
            try:
                table = selectable(presenter.document, element)
                row = self._row(element, table, um) if table else None
                if row is not None:
                    return self._said(element, table, *row)
            except SpatialMLError:
                continue  # pins and maps are no elements; a table that does not fit was told when it was shown
        return None

    def _row(self, element: str, table: str, um: Point) -> tuple[Any, int] | None:
        """Return the instance at a place, and its row in the table; -1 where the table does not know it."""
        document, place = self.of.document, self.of.place_of(element)
        if document.type_of(element) == "labels":
            cell = label_at(document, place, um)
            return (cell, self._place_in_table(element, table, cell)) if cell else None
        row = shape_at(document, element, place.system, um, self.of.memory, place.offset)
        if row < 0:
            return None
        found = document.element(element).index[row]
        return found, self._place_in_table(element, table, found)

    def _place_in_table(self, element: str, table: str, instance: Any) -> int:
        document = self.of.document
        token = (table, document.revision(("tables", table, "X")))
        held = self._indices.get(element)
        if held is None or held[0] != token:
            rows = document.rows(table, element)
            index = pd.Index(document.instances(table)[rows])
            held = self._indices[element] = (token, (rows, index[~index.duplicated()], ~index.duplicated()))
        rows, index, first = held[1]
        at = int(index.get_indexer([instance])[0])
        return int(rows[first][at]) if at >= 0 else -1

    def _said(self, element: str, table: str, instance: Any, row: int) -> Pointed:
        presenter, document = self.of, self.of.document
        name = cell_ids(document, table)[row] if row >= 0 else instance
        lines = [f"{word_for(document, element, 1)} {name}"]
        colour = presenter.colour_of(element)
        if row < 0:
            lines.append(f"not in '{table}'")
        elif colour is not None:
            values, _ = coloured(document, colour, presenter.memory, element)
            if values is not None:
                at = self._place_in_table(element, colour.table, instance)
                own = document.rows(colour.table, element)
                lines.append(f"{presenter.title_of(colour)}: {_value(values, int(np.searchsorted(own, at)))}")
        return Pointed(element, tuple(lines), table, row)


def _value(values: Values, at: int) -> str:
    if isinstance(values, Categories):
        code = int(values.codes[at])
        return values.names[code] if code >= 0 else "–"
    return _number(values, float(values.numbers[at]))


def _number(values: Measured, number: float) -> str:
    number = float(np.expm1(number)) if values.log else number
    unit = f" {values.unit}" if values.unit else ""
    return f"{number:,.4g}{unit}" if np.isfinite(number) else "–"
