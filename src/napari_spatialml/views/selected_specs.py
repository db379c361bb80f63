"""The selection on the canvas: what is not selected is dimmed; what a filter takes away is not drawn."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.colours import lookup_table
from ..session import Document
from ..session.selected import Selected
from .memory import Memory
from .places import pixel_affine
from .rasters import Pixels, is_small, spread_over
from .specs import Key, LayerSpec, RasterSpec
from .state import ViewState
from .values import Categories, Values

__all__ = ["SELECTION", "dimming_specs", "marked_values"]

SELECTION = "selection"
"""The part of an element's key that dims what is not selected."""
_DIM, _OPACITY = "#0b0d12", 0.72
_PLAIN = "#f59e2e"
"""The colour of spots that are coloured by nothing, as `spots` draws them."""


def marked_values(
    document: Document, state: ViewState, element: str, values: Values | None, token: Any
) -> tuple[Values | None, Any]:
    """Return the values of an element's rows without those that the filter takes away, the rest of a selection faint.

    What is made of labels is not made faint here: see `dimming_specs`.
    """
    limit, now = (_of(document, held, element) for held in (state.limit, state.selected))
    if document.type_of(element) == "labels":
        now = None
    if limit is None and now is None:
        return values, token
    if values is None and document.type_of(element) == "labels":
        return values, token
    if values is None:
        some = limit or now
        assert some is not None
        ids = document.instances(some.table)[document.rows(some.table, element)]
        values = Categories(ids, np.zeros(len(ids), np.int64), ("",), (_PLAIN,))
    if limit is not None:
        values = _without(values, ~_among(document, limit, element, values.ids))
    if now is not None:
        values = replace(values, faint=~_among(document, now, element, values.ids))
    return values, (token, limit, now)


def dimming_specs(
    document: Document,
    state: ViewState,
    element: str,
    system: str,
    memory: Memory,
    *,
    beside: bool,
    offset: tuple[float, float],
) -> list[LayerSpec]:
    """Return the layer that darkens the cells or pixels of labels which are not selected; none without a selection."""
    now = _of(document, state.selected, element)
    if now is None:
        return []
    grid = document.grid(element)
    small = is_small(grid)
    revision = document.revision(("labels", element)) if small else -1
    pixels = Pixels.of(memory, element, grid, revision) if small else None
    levels = grid.levels
    return [
        RasterSpec(
            Key(element, SELECTION, beside),
            f"{element}: selection",
            (SELECTION, grid, revision, now),
            partial(_dimmed, document, now, element, grid, pixels),
            pixel_affine(document, element, system, offset),
            order=58,
            opacity=_OPACITY,
            multiscale=not small and len(levels) > 1,
            colours=(_DIM,),
            live=not small,
        )
    ]


def _dimmed(document: Document, now: Selected, element: str, grid: Any, pixels: Any) -> Any:
    """Return 1 where a label is not selected; 0 in the background."""
    ids = np.unique(_ids_of(document, now, element).astype(np.int64))
    bright = np.append(0, ids[ids > 0])
    table = lookup_table(0, bright, np.zeros(len(bright), np.uint8), np.uint8(1))
    return spread_over(grid, pixels, table)()


def _of(document: Document, held: Selected | None, element: str) -> Selected | None:
    """Return a selection, if it is one of the rows of an element."""
    return held if held is not None and held.table in document.tables_of(element) else None


def _ids_of(document: Document, held: Selected, element: str) -> npt.NDArray[Any]:
    rows = held.rows
    if len(document.regions(held.table)) > 1:
        rows = np.intersect1d(rows, document.rows(held.table, element), assume_unique=True)
    return document.instances(held.table)[rows]


def _among(document: Document, held: Selected, element: str, ids: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Return (n,) whether each row of the values is selected: by its place, else by its id."""
    rows = document.rows(held.table, element)
    own = document.instances(held.table)
    if len(rows) == len(ids) and np.array_equal(own[rows], ids):
        return held.mask(len(own))[rows]
    return np.isin(ids, _ids_of(document, held, element))


def _without(values: Values, gone: npt.NDArray[np.bool_]) -> Values:
    if isinstance(values, Categories):
        return replace(values, codes=np.where(gone, -1, values.codes), gone=gone)
    return replace(values, numbers=np.where(gone, np.float32(np.nan), values.numbers))
