"""The layer of spots that are drawn as pies, and how it comes into the window."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from ..session import Document
from .canvas import Canvas, canvas_of
from .memory import Memory
from .pies import Pies, PiesDrawn, colour_bytes, pie_colours, pie_rows, shares_of
from .specs import LayerSpec, PointsSpec
from .spots import placed_spots
from .state import ViewState

__all__ = ["arrays_of", "draw_pies", "draw_pies_in", "pie_token", "with_pies"]

_COLUMNS = ("dominant", "uncertainty", "by_hand", "outside", "empty")


def with_pies(
    document: Document, state: ViewState, pies: Pies, spec: LayerSpec, system: str, memory: Memory
) -> LayerSpec:
    """Return the layer of an element's spots with its proportions instead of discs."""
    assert isinstance(spec, PointsSpec)
    element = spec.key.element
    where = (document.element(element).index.to_numpy(), *placed_spots(document, element, system, memory))
    token = (pie_token(document, state, pies, element), spec.token)
    return replace(spec, pies=PiesDrawn(token, partial(arrays_of, document, state, pies, element, where, memory)))


def pie_token(document: Document, state: ViewState, pies: Pies, element: str) -> Any:
    """Return what changes whenever what is drawn of the proportions does."""
    part = ("tables", pies.table)
    columns = tuple(document.revision((*part, "obs", f"{pies.output}_{c}")) for c in _COLUMNS)
    values = document.revision((*part, "obsm", pies.output)), document.revision(("attrs", "colours"))
    return pies, columns, values, _hidden(state, element), state.selected, state.limit


def arrays_of(
    document: Document,
    state: ViewState,
    pies: Pies,
    element: str,
    where: tuple[Any, Any, Any],
    memory: Memory,
    *,
    square: bool = False,
) -> Any:
    """Return `pie_visual.PieArrays` of what has these ids (n,), centres (n, 2) and diameters (n,)."""
    from .pie_visual import PieArrays

    ids, centres, diameters = where
    slots, spots = pie_rows(document, pies, element, ids, state, memory)
    types, _, _ = shares_of(document, pies, element)
    colours = colour_bytes(pie_colours(document, pies, types), types, _hidden(state, element))
    mode = "bars" if square and pies.mode == "pies" else pies.mode
    return PieArrays(centres, diameters, slots, spots, np.ascontiguousarray(colours), mode, pies.ring, square)


def _hidden(state: ViewState, element: str) -> frozenset[str]:
    return frozenset(state.hidden_categories.get(element, frozenset()))


def draw_pies(viewer: Any, canvas: Canvas) -> None:
    """Let the window of a viewer draw pies where the plan has them; without one the dominant types are seen."""
    draw_pies_in(canvas_of(viewer), canvas)


def draw_pies_in(window: Any, canvas: Canvas) -> None:
    """Let napari's canvas of vispy, or None, draw pies where the plan has them.

    The pies become a part of what napari draws of the layer: they have its place, its opacity and its order, and
    go with it. Nothing of them is kept here, so that nothing keeps the window.
    """
    for spec, layer in canvas.layers() if window is not None else ():
        drawn = window.layer_to_visual.get(layer) if isinstance(spec, PointsSpec) else None
        if drawn is not None:
            _follow(drawn, spec.pies)  # type: ignore[attr-defined]  # only of points


def _follow(drawn: Any, pies: PiesDrawn | None) -> None:
    from .pie_visual import PiesVisual

    node = drawn.node
    found = next((part for part in node._subvisuals if isinstance(part, PiesVisual)), None)
    if pies is None:
        if found is not None:
            node.remove_subvisual(found)
            node.points_markers.visible = True
        return
    if found is None:
        found = PiesVisual()
        node.add_subvisual(found)
        for shared in (node._opacity_filter, node._clip_filter, node._picking_filter, *node._clippers.values()):
            found.attach(shared, found)
        node.points_markers.visible = False
        drawn.reset()
    if found.token != pies.token:
        found.show(pies.make())
        found.token = pies.token
