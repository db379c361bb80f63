"""The layer of spots that are drawn as pies, and how it comes into the window."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from ..session import Document
from .canvas import Canvas
from .memory import Memory
from .pies import Pies, PiesDrawn, colour_bytes, pie_colours, pie_rows, shares_of
from .specs import LayerSpec, PointsSpec
from .spots import placed_spots
from .state import ViewState

__all__ = ["draw_pies", "with_pies"]

_COLUMNS = ("dominant", "uncertainty", "by_hand", "outside", "empty")


def with_pies(
    document: Document, state: ViewState, pies: Pies, spec: LayerSpec, system: str, memory: Memory
) -> LayerSpec:
    """Return the layer of an element's spots with its proportions instead of discs."""
    element, part = spec.key.element, ("tables", pies.table)
    hidden = frozenset(state.hidden_categories.get(element, frozenset()))
    columns = tuple(document.revision((*part, "obs", f"{pies.output}_{c}")) for c in _COLUMNS)
    revisions = (document.revision((*part, "obsm", pies.output)), columns, document.revision(("attrs", "colours")))
    token = (pies, revisions, hidden, state.selected, state.limit, spec.token)
    assert isinstance(spec, PointsSpec)
    return replace(spec, pies=PiesDrawn(token, partial(_arrays, document, state, pies, element, system, memory)))


def _arrays(document: Document, state: ViewState, pies: Pies, element: str, system: str, memory: Memory) -> Any:
    from .pie_visual import PieArrays

    centres, diameters = placed_spots(document, element, system, memory)
    ids = document.element(element).index.to_numpy()
    slots, spots = pie_rows(document, pies, element, ids, state, memory)
    types, _, _ = shares_of(document, pies, element)
    hidden = frozenset(state.hidden_categories.get(element, frozenset()))
    colours = colour_bytes(pie_colours(document, pies, types), types, hidden, pies.highlight)
    return PieArrays(centres, diameters, slots, spots, np.ascontiguousarray(colours), pies.mode, pies.ring)


def draw_pies(viewer: Any, canvas: Canvas) -> None:
    """Let the window draw pies where the plan has them; a viewer without a window shows the dominant types.

    The pies become a part of what napari draws of the layer: they have its place, its opacity and its order, and
    go with it. Nothing of them is kept here, so that nothing keeps the window.
    """
    from .looking import canvas_of

    window = canvas_of(viewer)
    if window is None:
        return
    for spec, layer in canvas.layers():
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
