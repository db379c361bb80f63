"""From the document and what the person chose to the layers: a pure function."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from ..core.colours import limits
from ..errors import SpatialMLError
from ..session import Document
from ..session.annotating import annotation_names, is_annotations
from ..session.scales import Scale, scale_of
from .alignment_specs import alignment_legends, alignment_specs
from .annotation_specs import annotation_legend, annotation_specs, is_annotation_spec
from .bins import bins_note, bins_specs, is_bins
from .choices import colour_of, title_of
from .comparing import comparison_legend, comparison_specs, row_values
from .density import counts_of, density_spec
from .domain_fading import faded_values, fading_sign, veil_specs
from .domain_strokes_drawn import stroke_signs, stroke_specs
from .done_specs import done_specs
from .images import image_specs, is_histology
from .landmark_specs import landmark_specs
from .looking_scene import in_scene, scenes
from .loose import LOOSE, loose_legend, loose_specs
from .memory import Memory
from .outlines import outlines_note, outlines_specs
from .pie_bins import bar_specs
from .pie_legend import pie_legend
from .pie_specs import pie_token, with_pies
from .pies import Pies, pies_of
from .places import beside_offset
from .rasters import is_pixel_grid, labels_specs
from .selected_specs import dimming_specs, marked_values
from .specs import ImageSpec, LayerSpec, ShapesSpec
from .spots import counted, is_circles, spots_spec
from .state import ColourBy, Legend, ViewState
from .transcripts import transcript_legend, transcript_spec
from .trust_columns import trust_of
from .type_layers import type_bins, type_legend, type_specs
from .values import Categories, Values, revision_of, scaled, values_of

__all__ = ["elements_shown", "legends", "plan"]

Offset = tuple[float, float]
_KEPT = 24
"""So many columns of values are kept: each of half a million rows takes 6 MB."""


def plan(document: Document, state: ViewState, memory: Memory | None = None) -> tuple[LayerSpec, ...]:
    """Return the layers of a section, the lowest first.

    Parameters
    ----------
    document
        The document; it is only read.
    state
        What is shown and how.
    memory
        Kept from one plan to the next, so that only what has changed is computed.
    """
    memory = memory or Memory()
    memory.problems.clear()
    specs = _of_system(document, state, memory, state.coordinate_system, beside=False, offset=(0.0, 0.0))
    offset = offset_of(document, state, memory)
    if state.beside:
        specs += _of_system(document, state, memory, state.beside, beside=True, offset=offset)
    for scene, shift in scenes(document, state, memory):
        specs += in_scene(_of_system(document, state, memory, scene, beside=True, offset=shift), state, scene)
    specs += landmark_specs(document, state, offset)
    specs += alignment_specs(document, state, memory)
    specs += comparison_specs(document, state.compared, state.coordinate_system, memory)
    specs += loose_specs(document, state.loose, state.coordinate_system)
    return tuple(sorted(specs, key=lambda spec: spec.order))


def offset_of(document: Document, state: ViewState, memory: Memory) -> Offset:
    """Return the shift (y, x) in µm of the coordinate system that is drawn beside the first."""
    if not state.beside:
        return (0.0, 0.0)
    moved = tuple(document.revision(("transforms", t)) for t in ("images", "labels", "shapes", "points"))
    there = tuple(document.names(t) for t in ("images", "labels", "shapes", "points"))
    key = ("beside", state.coordinate_system, state.beside, moved, there)
    return memory.get(key, partial(beside_offset, document, state.coordinate_system, state.beside))


def elements_shown(document: Document, state: ViewState, system: str) -> tuple[str, ...]:
    """Return the elements that lie in a coordinate system and are wanted, images first."""
    names = [n for t in ("images", "points", "labels", "shapes") for n in document.names(t)]
    wanted = names if state.shown is None else [n for n in names if n in state.shown]
    return tuple(n for n in wanted if system in document.placed(n))


def coloured(document: Document, colour: ColourBy | None, memory: Memory, element: str) -> tuple[Values | None, Any]:
    """Return the values by which an element is coloured, and a token for them."""
    if colour is None:
        return None, None
    several = element if len(document.regions(colour.table)) > 1 else ""
    token = (colour, several, revision_of(document, colour))
    held = memory.get("values", partial(Memory, _KEPT))
    values = held.get(token, partial(values_of, document, colour, element))
    scale = scale_of(document, colour.table, colour.key)
    if scale == Scale():
        return values, token
    return held.get((token, scale), partial(scaled, values, scale)), (token, scale)


def _of_system(
    document: Document, state: ViewState, memory: Memory, system: str, *, beside: bool, offset: Offset
) -> list[LayerSpec]:
    specs: list[LayerSpec] = []
    for element in elements_shown(document, state, system):
        specs += _of_element(document, state, memory, element, system, beside=beside, offset=offset)
    return specs if state.shown is not None else _quietly(document, specs, bool(state.landmarks))


def _of_element(
    document: Document, state: ViewState, memory: Memory, element: str, system: str, *, beside: bool, offset: Offset
) -> list[LayerSpec]:
    kind = document.type_of(element)
    if kind == "images":
        return list(image_specs(document, element, system, memory, beside=beside, offset=offset))
    if kind == "points":
        pictured = transcript_spec(document, state, element, beside=beside, offset=offset)
        if pictured is not None:
            return [pictured]
        found = density_spec(document, element, system, memory, beside=beside, offset=offset)
        return [] if found is None else [replace(found[0], limits=_density_limits(found[0], memory))]
    if kind == "shapes" and is_annotations(document, element):
        hidden, marked = frozenset(state.hidden_categories.get(element, frozenset())), state.regions
        return annotation_specs(document, element, system, hidden, marked, memory, beside=beside, offset=offset)
    try:
        rows = _of_rows(document, state, memory, element, system, beside=beside, offset=offset)
        colour = colour_of(document, state, element)
        rows += veil_specs(document, state, element, system, colour, memory, beside=beside, offset=offset)
        return rows + stroke_specs(document, state, memory, element, system, colour, beside=beside, offset=offset)
    except SpatialMLError as error:  # one table that does not fit must not hide the section
        memory.problems[element] = f"'{element}' is shown without colours. {error}"
        plain = replace(state, colours={**state.colours, element: None})
        return _of_rows(document, plain, memory, element, system, beside=beside, offset=offset)


def _of_rows(
    document: Document, state: ViewState, memory: Memory, element: str, system: str, *, beside: bool, offset: Offset
) -> list[LayerSpec]:
    """Return the layers of what a table may annotate: cells, pixels, spots."""
    colour, compared = colour_of(document, state, element), row_values(state.compared, element)
    values, token = compared or coloured(document, colour, memory, element)
    values, token = faded_values(document, state, element, colour, values, token)
    values, token = marked_values(document, state, element, values, token)
    hidden = frozenset(state.hidden_categories.get(element, frozenset()))
    pies = None if compared else pies_of(document, state, element, colour)
    own = partial(coloured, document, memory=memory, element=element)
    if document.type_of(element) == "labels" and values is not None and is_bins(document, element):
        bins = bins_specs(document, element, system, values, token, hidden, memory, beside=beside, offset=offset)
        bins += _bars(document, state, pies, element, system, memory, beside=beside, offset=offset)
        bins += type_bins(document, state, memory, element, system, own, beside=beside, offset=offset)
        return [*bins, *dimming_specs(document, state, element, system, memory, beside=beside, offset=offset)]
    if document.type_of(element) == "labels":
        window = state.correcting[1] if state.correcting is not None and state.correcting[0] == element else None
        cells = labels_specs(
            document, element, system, values, token, hidden, memory, beside=beside, offset=offset, window=window
        )
        dim = dimming_specs(document, state, element, system, memory, beside=beside, offset=offset)
        cells += _bars(document, state, pies, element, system, memory, beside=beside, offset=offset)
        cells += type_bins(document, state, memory, element, system, own, beside=beside, offset=offset)
        return [*cells, *dim, *done_specs(document, element, system, memory, beside=beside, offset=offset)]
    if is_circles(document, element):
        dots = pies is not None
        made = spots_spec(
            document, element, system, values, token, hidden, memory, beside=beside, offset=offset, dots=dots
        )
        types = type_specs(document, state, memory, element, system, own, beside=beside, offset=offset)
        return [made if pies is None else with_pies(document, state, pies, made, system, memory), *types]
    return outlines_specs(document, element, system, values, token, hidden, memory, beside=beside, offset=offset)


def _bars(
    document: Document, state: ViewState, pies: Pies | None, element: str, system: str, memory: Memory, **where: Any
) -> list[LayerSpec]:
    """Return the bars within bins or pixels; cells have the colour of their type."""
    if pies is None or not is_pixel_grid(document, element):
        return []
    return bar_specs(document, state, pies, element, system, memory, **where)


def _density_limits(spec: ImageSpec, memory: Memory) -> tuple[float, float]:
    """Return 0 and the 99.5th percentile of the bins that hold points."""
    return memory.get(("limits", spec.token), lambda: (0.0, limits(counts_of(spec), 1.0, 99.5)[1]))


def _quietly(document: Document, specs: list[LayerSpec], placing: bool) -> list[LayerSpec]:
    """Hide what would cover the rest: fluorescence over histology, a second histology, a density over spots,
    polygons over the same cells' pixels.

    While landmarks are placed, spots are hidden too: the tissue has to be seen.
    """
    histology = [
        s.key.element for s in specs if document.type_of(s.key.element) == "images"
        and is_histology(document, s.key.element)
    ]  # fmt: skip
    drawn = annotation_names(document)
    annotated = any(
        document.type_of(s.key.element) in ("labels", "shapes") for s in specs if s.key.element not in drawn
    )
    rasters = any(document.type_of(s.key.element) == "labels" for s in specs)
    first = next(iter(sorted(histology, key=lambda n: (n.endswith("_warped"), n))), None)

    def hidden(spec: LayerSpec) -> bool:
        if is_annotation_spec(document, spec):
            return placing and first is not None
        kind = document.type_of(spec.key.element)
        if kind == "images":
            return first is not None and spec.key.element != first
        if isinstance(spec, ShapesSpec) and not is_circles(document, spec.key.element):
            return rasters
        return (kind == "points" and annotated) or (kind == "shapes" and placing and first is not None)

    return [replace(s, visible=False) if hidden(s) else s for s in specs]


def legends(document: Document, state: ViewState, memory: Memory | None = None) -> tuple[Legend, ...]:
    """Return what the colours mean, of the elements of the first coordinate system and of the one beside it."""
    memory = memory or Memory()
    made: dict[str, Legend] = {}
    disagreement, loose = comparison_legend(state.compared), loose_legend(document, state.loose)
    if disagreement is not None:
        made[disagreement.element] = disagreement
    if loose is not None:
        made[LOOSE] = loose  # beside the legend of the cells that it names: both are drawn
    for legend in alignment_legends(document, state, memory):
        made[legend.element] = legend
    for system in filter(None, (state.coordinate_system, state.beside, *state.also)):
        for element in elements_shown(document, state, system):
            found = _legend(document, state, memory, element, system)
            if found is not None:
                made.setdefault(element, found)
            types = type_legend(document, state, element, partial(coloured, document, memory=memory, element=element))
            if types is not None and (found is None or found.kind == "categories"):
                made.setdefault(f"{element} by type", types)
    return tuple(made.values())


def _legend(document: Document, state: ViewState, memory: Memory, element: str, system: str) -> Legend | None:
    kind = document.type_of(element)
    if kind == "images":
        return None
    if kind == "points":
        return transcript_legend(document, state, element) or _density_legend(document, memory, element, system)
    if kind == "shapes" and is_annotations(document, element):
        return annotation_legend(document, element, frozenset(state.hidden_categories.get(element, frozenset())))
    colour = colour_of(document, state, element)
    if element in memory.problems:
        return None
    values, _ = coloured(document, colour, memory, element)
    if colour is None or values is None:
        return None
    hidden = frozenset(state.hidden_categories.get(element, frozenset()))
    pies = pies_of(document, state, element, colour)
    if pies is not None and (is_circles(document, element) if kind == "shapes" else is_pixel_grid(document, element)):
        key = ("pie legend", element, pie_token(document, state, pies, element))
        return memory.get(key, partial(pie_legend, document, pies, element, hidden))
    polygons = kind == "shapes" and not is_circles(document, element)
    note = outlines_note(document, element, system, memory) if polygons else ""
    note = bins_note(document, element, values) if kind == "labels" else note
    if isinstance(values, Categories):
        all_of_them = counted(values)
        present = tuple(c for c in all_of_them if c[2] > 0)  # what is nowhere needs no place in the legend
        signs = stroke_signs(document, state, element, colour, memory) + fading_sign(document, state, element, colour)
        shown = present or all_of_them
        return Legend(element, colour.title, "categories", shown, hidden=hidden, note=note, signs=signs)
    trust = trust_of(document, colour)
    note = note or (trust.note if trust is not None else "")
    note = note or ("one range for all cell types" if values.beside is not None else "")
    low, high = np.expm1(values.limits).tolist() if values.log else values.limits
    return Legend(
        element,
        title_of(document, colour),
        "continuous",
        colormap=values.colormap,
        low=low,
        high=high,
        unit=values.unit,
        note=note,
        log=values.log,
        ends=("", "") if trust is None else (trust.low, trust.high),
    )


def _density_legend(document: Document, memory: Memory, points: str, system: str) -> Legend | None:
    found = density_spec(document, points, system, memory, beside=False, offset=(0.0, 0.0))
    if found is None:
        return None
    spec, edge = found
    low, high = _density_limits(spec, memory)
    n = int(np.nansum(counts_of(spec), dtype=np.float64))
    title = f"{n:,} {points}, bins of {edge:g} µm"
    return Legend(points, title, "continuous", colormap=spec.colormap, low=low, high=high, unit="a bin")
