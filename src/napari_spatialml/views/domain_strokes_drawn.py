"""The hand's strokes on a map of domains: outlined, the one that is looked at in yellow, ignored tissue hatched."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.transform import Affine
from ..session import Document
from ..session.domain_strokes import ATTRIBUTE, DomainHand, domain_hand_of, held_strokes, stroke_rows
from .annotation_specs import CASING, HATCH, STROKE, STROKES
from .memory import Memory
from .places import as_matrix
from .row_layout import layout_of
from .specs import Key, LayerSpec, VectorsSpec
from .state import ColourBy, ViewState
from .trust_columns import map_of

__all__ = ["stroke_signs", "stroke_specs"]

_DARK, _LIGHT = (0.04, 0.04, 0.06, 0.9), (1.0, 1.0, 1.0, 1.0)
_CHOSEN, _IGNORED = (1.0, 0.9, 0.0, 1.0), (0.45, 0.45, 0.5, 1.0)
_ORDERS = {HATCH: 64, CASING: 65, STROKES: 66, STROKE: 67}
Lines = npt.NDArray[np.float64]
Drawn = tuple[Lines, npt.NDArray[np.float32]]


def stroke_specs(
    document: Document,
    state: ViewState,
    memory: Memory,
    element: str,
    system: str,
    colour: ColourBy | None,
    *,
    beside: bool,
    offset: tuple[float, float],
) -> list[LayerSpec]:
    """Return the layers of the strokes on the map that an element is coloured by; none where there are none.

    Notes
    -----
    The outline of a stroke goes around the rows for which it counts, a later stroke over it taken away. It is
    computed once; a new stroke costs its own outline and those that it cuts.
    """
    column = map_of(document, colour)
    if colour is None or not column or not state.strokes or not held_strokes(document, colour.table, column):
        return []
    table = colour.table
    hand = _hand(document, table, column, memory)
    given = (document, table, column, element, system, memory)
    ignored, place = _bytes(hand.ignored), (element, system, _place(document, table, element, system))
    parts: list[tuple[str, Callable[[], Drawn], Any]] = []
    if hand.ignored.any():
        parts.append((HATCH, lambda: _in(_hatched(*given), _IGNORED), (*place, ignored)))
    if (hand.stroke >= 0).any():
        last: Memory = memory.get(("strokes drawn", table, column, element, system), partial(Memory, 1))
        drawn = (*place, _bytes(hand.stroke))
        made = partial(last.get, drawn, partial(_outlines, *given))
        parts += [(CASING, lambda: _in(made(), _DARK), drawn), (STROKES, lambda: _in(made(), _LIGHT), drawn)]
    if state.stroke is not None and state.stroke[:2] == (table, column):
        number, moment = state.stroke[2], document.revision(("attrs", ATTRIBUTE))
        parts.append((STROKE, lambda: _in(_one(*given, number), _CHOSEN), (*place, number, moment)))
    shift = as_matrix(Affine.translation(*offset))
    return [
        VectorsSpec(Key(element, part, beside), f"{element}: {part}", (part, *key), make, shift, order=_ORDERS[part])
        for part, make, key in parts
    ]


def stroke_signs(
    document: Document, state: ViewState, element: str, colour: ColourBy, memory: Memory
) -> tuple[tuple[str, str], ...]:
    """Return what the legend says of the strokes: how many rows the hand has set, and how many it ignores."""
    column = map_of(document, colour)
    if column != colour.name or not held_strokes(document, colour.table, column):
        return ()
    hand = _hand(document, colour.table, column, memory)
    rows = document.rows(colour.table, element)
    ignored = int(hand.ignored[rows].sum())
    given = int((hand.stroke[rows] >= 0).sum()) - ignored
    signs = [("outline", f"set by hand ({given:,})")] if given and state.strokes else []
    return (*signs, ("hatch", f"ignored ({ignored:,})")) if ignored else tuple(signs)


def _place(document: Document, table: str, element: str, system: str) -> Any:
    slots = (("tables", table, "X"), (document.type_of(element), element))
    return *map(document.revision, slots), as_matrix(document.affine(element, system))


def _bytes(values: npt.NDArray[Any]) -> int:
    return hash(values.tobytes())


def _hand(document: Document, table: str, column: str, memory: Memory) -> DomainHand:
    """Return what the strokes say of the rows; found once for a plan and its legend.

    Of it only `stroke` and `ignored` are read here, which a fit changes nothing about: the column is no part
    of what it depends on.
    """
    slots = (("attrs", ATTRIBUTE), ("tables", table, "X"))
    last: Memory = memory.get(("hand on domains", table, column), partial(Memory, 1))
    return last.get(tuple(map(document.revision, slots)), partial(domain_hand_of, document, table, column))


def _outlines(document: Document, table: str, column: str, element: str, system: str, memory: Memory) -> Lines:
    """Return the outlines of all strokes, of each around the rows for which it counts."""
    hand, layout = _hand(document, table, column, memory), layout_of(document, table, element, system, memory)
    rows = np.flatnonzero((hand.stroke >= 0) & layout.placed)
    order = rows[np.argsort(hand.stroke[rows], kind="stable")]
    ends = np.flatnonzero(np.diff(hand.stroke[order])) + 1
    return np.concatenate([np.zeros((0, 2, 2)), *(layout.outline(part) for part in np.split(order, ends))])


def _hatched(document: Document, table: str, column: str, element: str, system: str, memory: Memory) -> Lines:
    """Return the hatching of what the hand ignores."""
    layout = layout_of(document, table, element, system, memory)
    return layout.hatched(np.flatnonzero(_hand(document, table, column, memory).ignored & layout.placed))


def _one(document: Document, table: str, column: str, element: str, system: str, memory: Memory, number: int) -> Lines:
    """Return the outline of all rows of one stroke, also of those that a later one has taken over."""
    strokes = held_strokes(document, table, column)
    if not 0 <= number < len(strokes):
        return np.zeros((0, 2, 2))
    layout = layout_of(document, table, element, system, memory)
    rows = stroke_rows(document, table, strokes[number])
    return layout.outline(rows[layout.placed[rows]])


def _in(lines: Lines, colour: tuple[float, float, float, float]) -> Drawn:
    return lines, np.tile(np.array(colour, np.float32), (len(lines), 1))
