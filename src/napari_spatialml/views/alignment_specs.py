"""What is known of a registration, drawn over the fixed side: where it errs, where it folds, and its pins."""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt

from ..core.pins import pin_places
from ..core.transform import Affine
from ..session import Document
from .alignment_now import held_alignment
from .error_map import ErrorMap, error_map
from .folds import fold_lines
from .memory import Memory
from .next_landmark import tissue_certainty
from .places import as_matrix, extent_of_system
from .specs import Dots, ImageSpec, Key, LayerSpec, PointsSpec, VectorsSpec
from .state import Legend, ViewState

__all__ = ["OFFERED", "SET", "SURE", "UNSURE", "alignment_legends", "alignment_specs", "offered_pins", "pins_of"]

ERROR, PINS, FOLDS = "expected error", "pins", "folds"
SURE, UNSURE, SET = "#1f9bcf", "#f5a300", "#ffffff"
"""Blue and orange, which the colour-blind tell apart, and white for what the hand has set."""
OFFERED = 3
"""Places of either sort at which a pin is offered."""
_RED = np.array([1.0, 0.1, 0.1, 1.0], np.float32)
Points = npt.NDArray[np.float64]


def alignment_specs(document: Document, state: ViewState, memory: Memory) -> list[LayerSpec]:
    """Return the layers of what is asked for of a registration."""
    aligned = state.aligned
    if aligned is None or aligned.moving not in document.coordinate_systems():
        return []
    specs: list[LayerSpec] = []
    found = _map_of(document, state, memory)
    if found is not None:
        specs.append(_error_spec(found))
    if aligned.folds:
        specs += _fold_specs(document, state, memory)
    if aligned.pins and held_alignment(document, aligned.moving):
        specs.append(_pin_spec(document, state, memory))
    return specs


def alignment_legends(document: Document, state: ViewState, memory: Memory) -> list[Legend]:
    """Return what the colours of the map and of the pins mean."""
    if state.aligned is None or state.aligned.moving not in document.coordinate_systems():
        return []
    made: list[Legend] = []
    found = _map_of(document, state, memory)
    if found is not None:
        low, high = found.limits
        made.append(
            Legend(ERROR, "expected error", "continuous", colormap=found.colormap, low=low, high=high, unit="µm")
        )
    if state.aligned.pins and held_alignment(document, state.aligned.moving):
        legend = _pin_legend(document, state, memory)
        made += [legend] if legend.categories else []
    return made


def pins_of(document: Document, moving: str) -> Points:
    """Return where the pins that are set lie now, (n, 2) as (y, x) in µm of the fixed side."""
    held = held_alignment(document, moving).get("pins") or []
    return np.asarray([pin["to_um"] for pin in held], dtype=float).reshape(-1, 2)


def offered_pins(document: Document, moving: str, memory: Memory) -> tuple[Points, npt.NDArray[np.bool_]]:
    """Return places (n, 2) in µm of the fixed side at which a pin is offered, and whether each is a sure one."""
    places = pin_places(tissue_certainty(document, moving, memory), OFFERED)
    taken = pins_of(document, moving)
    free = [p for p in places if not len(taken) or np.linalg.norm(taken - [p.y, p.x], axis=1).min() > 1.0]
    where = np.array([[p.y, p.x] for p in free], dtype=float).reshape(-1, 2)
    return where, np.array([p.sure for p in free], dtype=bool)


def _map_of(document: Document, state: ViewState, memory: Memory) -> ErrorMap | None:
    assert state.aligned is not None
    source = state.aligned.error
    if not source:
        return None
    slot = ("attrs", "landmarks" if source == "landmarks" else "alignments")
    key = ("error map", state.aligned, state.coordinate_system, state.model, document.revision(slot))
    return memory.get(key, partial(error_map, document, state, memory))


def _error_spec(found: ErrorMap) -> LayerSpec:
    affine = as_matrix(Affine.translation(*found.origin_um) @ Affine.scale(found.pixel_um))
    return ImageSpec(
        Key(ERROR, "map"), ERROR, ("error map", found), lambda: found.values, affine, order=60, opacity=0.8,
        colormap=found.colormap, limits=found.limits, smooth=True,
    )  # fmt: skip


def _fold_specs(document: Document, state: ViewState, memory: Memory) -> list[LayerSpec]:
    assert state.aligned is not None
    moving = state.aligned.moving
    token = ("folds", moving, document.revision(("attrs", "alignments")))
    lines = memory.get(token, partial(fold_lines, document, moving))
    if not len(lines):
        return []
    colours = np.tile(_RED, (len(lines), 1))
    width = float(np.ptp(extent_of_system(document, state.coordinate_system), axis=0).max()) / 500
    return [VectorsSpec(Key(FOLDS, "lines"), FOLDS, token, lambda: (lines, colours), order=88, width=width)]


def _pin_spec(document: Document, state: ViewState, memory: Memory) -> LayerSpec:
    assert state.aligned is not None
    moving = state.aligned.moving

    def make() -> Dots:
        from napari.utils.colormaps.standardize_color import transform_color

        mine = pins_of(document, moving)
        offered, sure = offered_pins(document, moving, memory)
        names = [SET] * len(mine) + [SURE if s else UNSURE for s in sure]
        where = np.concatenate([mine, offered])
        colours = np.concatenate([transform_color(n) for n in names]) if names else np.zeros((0, 4))
        size = float(np.ptp(extent_of_system(document, state.coordinate_system), axis=0).max()) / 45
        texts = tuple([str(i + 1) for i in range(len(mine))] + [""] * len(offered))
        return Dots(where, colours.astype(np.float32), np.full(len(where), size), np.ones(len(where), bool), texts)

    token = ("pins", moving, document.revision(("attrs", "alignments")))
    return PointsSpec(Key(PINS, "dots"), PINS, token, make, order=92, symbol="diamond", rim="#000000")


def _pin_legend(document: Document, state: ViewState, memory: Memory) -> Legend:
    assert state.aligned is not None
    moving = state.aligned.moving
    _, sure = offered_pins(document, moving, memory)
    counts = (("set by hand", SET, len(pins_of(document, moving))), ("least certain", UNSURE, int((~sure).sum())),
              ("most certain", SURE, int(sure.sum())))  # fmt: skip
    return Legend(PINS, "pins", "categories", tuple(c for c in counts if c[2]), note="drag one to correct")
