"""One layer a cell type: the shares of each over the same spots, in one range of colours, hidden until wanted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd

from ..errors import BadInput
from ..session import Document
from .memory import Memory
from .specs import LayerSpec
from .spots import is_circles, spots_spec
from .state import ColourBy, ViewState
from .values import Values

__all__ = ["PART", "require_few", "type_specs"]

PART = "share of "
"""Before the type in the part of a layer's key."""
_MOST = 400_000
"""Dots in all layers together; with more napari takes gigabytes."""


def require_few(document: Document, element: str, table: str, output: str) -> None:
    """Raise where an element has no such layers, or too many dots for them.

    Raises
    ------
    BadInput
        When its rows are no circles, or there are more than 400,000 dots.
    """
    if document.type_of(element) != "shapes" or not is_circles(document, element):
        raise BadInput(f"'{element}' is not made of spots.", "Show one type at a time.")
    n, t = document.table(table).obsm[output].shape
    if n * t > _MOST:
        raise BadInput(f"{t} layers of {n:,} spots are too many to draw at once.", "Show one type at a time.")


def type_specs(
    document: Document,
    state: ViewState,
    memory: Memory,
    element: str,
    system: str,
    coloured: Callable[[ColourBy], tuple[Values | None, Any]],
    **where: Any,
) -> list[LayerSpec]:
    """Return a layer for each type of an element's proportions; none unless they are asked for.

    Parameters
    ----------
    document, state, memory, element, system
        As for every layer.
    coloured
        Returns the values of a column, and their token.
    **where
        ``beside`` and ``offset``.
    """
    table, output = state.by_type.get(element, ("", ""))
    held = document.table(table).obsm.get(output) if table in document.tables_of(element) else None
    if not isinstance(held, pd.DataFrame):
        return []
    specs = []
    for name in map(str, held.columns):
        values, token = coloured(ColourBy(table, f"obsm/{output}/{name}"))
        made = spots_spec(document, element, system, values, token, frozenset(), memory, dots=True, **where)
        key = replace(made.key, part=f"{PART}{name}")
        specs.append(replace(made, key=key, name=f"{element}: {name}", visible=False, order=made.order + 1))
    return specs
