"""Domains that fade where the map is unsure: the wider the margin, the fuller the colour."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..session import Document
from .bins import bins_specs, is_bins
from .colormaps import VEIL
from .memory import Memory
from .rasters import labels_specs
from .specs import LayerSpec
from .state import ColourBy, ViewState
from .trust_columns import map_of
from .values import Categories, Measured, Values

__all__ = ["FADED", "faded_values", "fading_sign", "veil_specs"]

FADED = "margin"
"""The part of an element's key that whitens pixels and cells where the map is unsure."""


def faded_values(
    document: Document, state: ViewState, element: str, colour: ColourBy | None, values: Values | None, token: Any
) -> tuple[Values | None, Any]:
    """Return the values of spots with how pale each is drawn; others as they are.

    Pixels and cells are coloured by number, and get a veil instead: see `veil_specs`.
    """
    margin = _margin(document, state, element, colour)
    if margin is None or not isinstance(values, Categories) or document.type_of(element) == "labels":
        return values, token
    pale = 1 - np.clip(np.nan_to_num(margin[0], nan=1.0), 0, 1)
    return replace(values, pale=pale.astype(np.float32)), (token, margin[1])


def veil_specs(
    document: Document, state: ViewState, element: str, system: str, colour: ColourBy | None, memory: Memory,
    **where: Any,
) -> list[LayerSpec]:  # fmt: skip
    """Return the layer that whitens pixels or cells where the map is unsure; none unless it is asked for.

    Parameters
    ----------
    document, state, element, system, colour, memory
        As for every layer.
    **where
        ``beside`` and ``offset``.
    """
    margin = _margin(document, state, element, colour) if document.type_of(element) == "labels" else None
    if margin is None or colour is None:
        return []
    ids = document.instances(colour.table)[document.rows(colour.table, element)]
    veil = Measured(ids, margin[0].astype(np.float32), (0.0, 1.0), VEIL)
    specs = bins_specs if is_bins(document, element) else labels_specs
    made = specs(document, element, system, veil, (FADED, margin[1]), frozenset(), memory, **where)[0]
    return [replace(made, key=replace(made.key, part=FADED), name=f"{element}: {FADED}", order=made.order + 1)]


def fading_sign(
    document: Document, state: ViewState, element: str, colour: ColourBy | None
) -> tuple[tuple[str, str], ...]:
    """Return what the legend says of paler colours."""
    return (("fade", "paler: less sure"),) if _margin(document, state, element, colour) is not None else ()


def _margin(
    document: Document, state: ViewState, element: str, colour: ColourBy | None
) -> tuple[npt.NDArray[np.float64], Any] | None:
    """Return the margins of an element's rows and their revision; None where colours are not to fade by them."""
    if colour is None or element not in state.faded or map_of(document, colour) != colour.name:
        return None
    name = f"{colour.name}_{FADED}"
    held = document.table(colour.table).obs.get(name)
    if held is None or held.dtype.kind not in "fiu":
        return None
    rows = document.rows(colour.table, element)
    slot = ("tables", colour.table, "obs", name)
    return held.to_numpy(np.float64)[rows], (name, document.revision(slot))
