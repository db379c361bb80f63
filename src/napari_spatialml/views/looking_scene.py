"""Several coordinate systems in one scene: in a row from left to right, or laid over the first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from ..session import Document
from .memory import Memory
from .places import beside_offset, extent_of_system
from .specs import ImageSpec, LayerSpec
from .state import ViewState

__all__ = ["arrangement", "in_scene", "scenes"]

Offset = tuple[float, float]
_THROUGH = 0.5
"""Opacity of a photograph that is laid over another."""


def arrangement(state: ViewState) -> tuple[Any, ...]:
    """Return what decides where the systems lie."""
    return state.coordinate_system, state.beside, state.also, state.overlaid


def scenes(document: Document, state: ViewState, memory: Memory) -> tuple[tuple[str, Offset], ...]:
    """Return the further coordinate systems of a scene, each with its shift (y, x) in µm.

    Beside one another they stand on one line with equal gaps; overlaid, the centre of each lies on that
    of the first. What was registered lies in the first system already and is drawn there.
    """
    there = document.coordinate_systems()
    row = [s for s in dict.fromkeys(state.also) if s in there and s not in (state.coordinate_system, state.beside)]
    if not row:
        return ()
    moved = tuple(document.revision(("transforms", t)) for t in ("images", "labels", "shapes", "points"))
    names = tuple(document.names(t) for t in ("images", "labels", "shapes", "points"))
    key = ("scenes", arrangement(state), moved, names)
    return memory.get(key, partial(_placed, document, state, tuple(row)))


def _placed(document: Document, state: ViewState, row: Sequence[str]) -> tuple[tuple[str, Offset], ...]:
    first = extent_of_system(document, state.coordinate_system)
    if state.overlaid:
        shifts = [first.mean(0) - extent_of_system(document, system).mean(0) for system in row]
        return tuple((s, (float(y), float(x))) for s, (y, x) in zip(row, shifts, strict=True))
    made: list[tuple[str, Offset]] = []
    end = 0.0  # how far right of the first system's edge the row reaches
    for system in ([state.beside] if state.beside else []) + list(row):
        down, right = beside_offset(document, state.coordinate_system, system)
        box = extent_of_system(document, system)
        shift = (down, right + end)
        end = float(box[1, 1] + shift[1] - first[1, 1])
        made.append((system, shift))
    return tuple(one for one in made if one[0] != state.beside)


def in_scene(specs: Sequence[LayerSpec], state: ViewState, scene: str) -> list[LayerSpec]:
    """Return the layers of a further coordinate system, named after it and told apart from those of the others."""
    made = []
    for spec in specs:
        seen = spec.opacity
        if state.overlaid and isinstance(spec, ImageSpec) and spec.rgb:
            seen = _THROUGH * spec.opacity
        key = replace(spec.key, beside=True, scene=scene)
        made.append(replace(spec, key=key, name=f"{spec.name} ({scene})", opacity=seen))
    return made
