"""Which spots are drawn as pies, and what is drawn of each: read off the document, never kept in a layer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.colours import category_colours
from ..errors import BadInput
from ..session import Document
from ..session.selected import Selected
from .memory import Memory
from .pie_texture import packed
from .state import ColourBy, ViewState

__all__ = ["MODES", "Pies", "PiesDrawn", "pie_colours", "pie_rows", "pies_of", "shares_of", "unsure_up_to"]

HAND, OUTSIDE, VOID, ARTEFACT = 1, 2, 4, 8
"""Signs of a spot: set by hand, a type that the reference lacks, nothing to draw, marked as artefact."""
UNKNOWN = 255
"""In place of the uncertainty of a spot of which it is not known; others run from 0 to 250."""
MODES = ("pies", "bars", "dominant")
"""The ways to draw proportions."""
WITHOUT = "#9a9a9a"
"""The colour of a spot of which the table says nothing."""
_STEPS_OF_RING = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0)
_FAINT, _HIDDEN = 64, 26
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Pies:
    """That the spots of an element are drawn by their proportions.

    Parameters
    ----------
    table
        A table that annotates them.
    output
        The proportions in its ``obsm``.
    mode
        One of `MODES`.
    ring
        Whether a ring says how unsure each spot's proportions are.
    """

    table: str
    output: str = "proportions"
    mode: str = "pies"
    ring: bool = True

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise BadInput(f"Proportions cannot be drawn as '{self.mode}'.", f"Choose one of {', '.join(MODES)}.")

    @property
    def colour(self) -> ColourBy:
        """The column whose colours the types have."""
        return ColourBy(self.table, f"obs/{self.output}_dominant")


@dataclass(frozen=True, eq=False)
class PiesDrawn:
    """What a layer of spots draws instead of discs; two are equal if their tokens are.

    Parameters
    ----------
    token
        Equal tokens mean equal pictures.
    make
        Returns `pie_visual.PieArrays`.
    """

    token: Any
    make: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PiesDrawn) and self.token == other.token

    def __hash__(self) -> int:
        return hash(self.token)


def pies_of(document: Document, state: ViewState, element: str, colour: ColourBy | None) -> Pies | None:
    """Return how the proportions of an element's spots are drawn; None while they have another colour."""
    pies: Pies | None = state.pies.get(element)
    if pies is None or colour != pies.colour or pies.table not in document.tables_of(element):
        return None
    return pies if isinstance(document.table(pies.table).obsm.get(pies.output), pd.DataFrame) else None


def pie_colours(document: Document, pies: Pies, types: tuple[str, ...]) -> tuple[str, ...]:
    """Return "#rrggbb" of each type: those of the dominant type's column."""
    column = document.table(pies.table).obs.get(f"{pies.output}_dominant")
    known = [str(c) for c in column.cat.categories] if hasattr(column, "cat") else []
    names = [*known, *(t for t in types if t not in known)]
    found = category_colours(names, document.colours(pies.colour.name))
    return tuple(found[t].lower() for t in types)


def shares_of(document: Document, pies: Pies, element: str) -> tuple[tuple[str, ...], npt.NDArray[np.int64], Floats]:
    """Return the types, the rows (k,) of the table that annotate an element, and their proportions (k, t)."""
    frame = document.table(pies.table).obsm[pies.output]
    rows = np.asarray(document.rows(pies.table, element), np.int64)
    values = frame.to_numpy(np.float32)
    return tuple(str(c) for c in frame.columns), rows, values if len(rows) == len(values) else values[rows]


def unsure_up_to(document: Document, pies: Pies) -> float:
    """Return the uncertainty at which a ring is widest; 0 where none is known."""
    held = document.table(pies.table).obs.get(f"{pies.output}_uncertainty")
    numbers = np.empty(0) if held is None else held.to_numpy(np.float64)
    numbers = numbers[np.isfinite(numbers)]
    if not len(numbers):
        return 0.0
    high = float(np.percentile(numbers, 98))
    return next((step for step in _STEPS_OF_RING if step >= high), 1.0)


def pie_rows(
    document: Document, pies: Pies, element: str, ids: npt.NDArray[Any], state: ViewState, memory: Memory
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Return the sectors (n, t, 4) and the signs (n, 4) of the spots with these ids: see `pie_visual.PieArrays`."""
    types, rows, values = shares_of(document, pies, element)
    known = pd.Index(document.instances(pies.table)[rows])
    at = known.get_indexer(pd.Index(ids)) if known.is_unique else np.full(len(ids), -1)
    packing: _Packing = memory.get(("packed pies", element), _Packing)
    wanted = np.where((at >= 0)[:, None], values[at], np.float32(np.nan))
    slots = packing.slots(wanted, len(types))
    return slots, _signs(document, pies, state, np.where(at >= 0, rows[at], -1), wanted)


class _Packing:
    """The sectors of the last proportions: only rows that have changed are packed again."""

    def __init__(self) -> None:
        self._values: Floats | None = None
        self._slots: npt.NDArray[np.uint8] | None = None

    def slots(self, values: Floats, nothing: int) -> npt.NDArray[np.uint8]:
        before, held = self._values, self._slots
        if before is None or held is None or before.shape != values.shape:
            made = packed(values, nothing)
        else:
            same = (before == values) | (np.isnan(before) & np.isnan(values))
            changed = np.flatnonzero(~same.all(1))
            made = held
            if len(changed):
                made = held.copy()
                made[changed] = packed(values[changed], nothing)
        self._values, self._slots = values, made
        return made


def _signs(
    document: Document, pies: Pies, state: ViewState, rows: npt.NDArray[np.int64], values: Floats
) -> npt.NDArray[np.uint8]:
    """Return, of spots in their rows of the table (-1 for none), dominant type, uncertainty, signs and opacity."""
    obs, of = document.table(pies.table).obs, partial(_column, document, pies)
    made = np.zeros((len(rows), 4), np.uint8)
    shares = np.nan_to_num(values)
    none = ~(shares.max(1) > 0)
    made[:, 0] = np.where(none, values.shape[1], shares.argmax(1))
    unsure, high = obs.get(f"{pies.output}_uncertainty"), unsure_up_to(document, pies)
    made[:, 1] = UNKNOWN
    if unsure is not None and high > 0:
        share = unsure.to_numpy(np.float64)[rows] / high
        made[:, 1] = np.where(np.isfinite(share) & (rows >= 0), np.rint(250 * np.clip(np.nan_to_num(share), 0, 1)), 255)
    by_hand = of("by_hand", rows)
    made[:, 2] = HAND * (by_hand > 0) + ARTEFACT * (by_hand == 2)
    made[:, 2] += (OUTSIDE * (of("outside", rows) > 0) + VOID * (of("empty", rows) > 0)).astype(np.uint8)
    made[:, 3] = _opacity(document, pies.table, state, rows)
    return made


def _column(document: Document, pies: Pies, name: str, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """Return, at rows of the table, 1 where a column of the output is true or says something, 2 for an artefact."""
    held = document.table(pies.table).obs.get(f"{pies.output}_{name}")
    if held is None:
        return np.zeros(len(rows), np.uint8)
    if held.dtype.kind != "b":
        words = held.astype("category").cat
        kinds = [0 if str(w) in ("", "False") else 2 if str(w) == "artefact" else 1 for w in words.categories]
        held = np.array([*kinds, 0], np.uint8)[words.codes.to_numpy()]
    found: npt.NDArray[np.uint8] = np.append(np.asarray(held, np.uint8), np.uint8(0))[rows]
    return found


def _opacity(document: Document, table: str, state: ViewState, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """Return 0 for what a filter takes away, and little for what a selection leaves out."""
    made = np.full(len(rows), 255, np.uint8)
    n = document.table(table).n_obs
    for held, faint in ((state.selected, _FAINT), (state.limit, 0)):
        if isinstance(held, Selected) and held.table == table:
            made[~np.append(held.mask(n), False)[rows]] = faint
    return made


def colour_bytes(colours: tuple[str, ...], types: tuple[str, ...], hidden: frozenset[str]) -> npt.NDArray[np.uint8]:
    """Return (t + 1, 4) the colours of the types, and last that of none."""
    codes = [*colours, WITHOUT]
    made = np.array([[int(c[k : k + 2], 16) for k in (1, 3, 5)] + [255] for c in codes], np.uint8)
    made[-1, 3] = 115
    for k, name in enumerate(types):
        if name in hidden:
            made[k, 3] = _HIDDEN
    return made
