"""Annotations to layers: a translucent fill and an outline, in the colour of the class; holes stay holes.

Not napari's shapes, which take tens of seconds for a few ten thousand polygons: one mesh and one set of
lines, whatever their number. Only regions whose outline changed are divided into triangles again.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.transform import Affine
from ..io.regions_file import CLASS
from ..session import Document
from ..session.annotating import annotation_names, class_colours, frame_of
from .memory import Memory
from .places import as_matrix
from .specs import Key, LayerSpec, SurfaceSpec, VectorsSpec
from .state import Legend

__all__ = [
    "CASING",
    "DONE_FRAME",
    "FILL",
    "HATCH",
    "MARKED",
    "OUTLINE",
    "STROKE",
    "STROKES",
    "UNCLASSIFIED",
    "annotation_legend",
    "annotation_specs",
    "keep_width",
]

FILL, OUTLINE, MARKED = "fill", "outline", "marked"
DONE_FRAME = "done"
"""The part of labels that frames what is done in them: see `done_specs`."""
CASING, STROKES, STROKE, HATCH = "edge of strokes", "strokes", "stroke", "ignored"
"""The parts of an element that outline what the hand has set on a map of domains: see `domain_strokes_drawn`."""
UNCLASSIFIED = "no class"
"""What the legend calls regions without a class."""
_PLAIN = "#ffd24d"
_WIDTH = {OUTLINE: 2.2, MARKED: 4.5, DONE_FRAME: 1.6, CASING: 3.4, STROKES: 1.4, STROKE: 3.0, HATCH: 1.6}
"""Of lines, in pixels of the screen."""
_WHITE = np.ones(4, np.float32)
Colours = npt.NDArray[np.float32]


def annotation_specs(
    document: Document,
    annotations: str,
    system: str,
    hidden: frozenset[str],
    marked: tuple[str, ...],
    memory: Memory,
    *,
    beside: bool,
    offset: tuple[float, float],
) -> list[LayerSpec]:
    """Return the layers of annotations: the fill, the outline, and the outline of those that are marked."""
    affine = document.affine(annotations, system)
    shapes, colours = document.revision(("shapes", annotations)), document.revision(("attrs", "colours"))
    token = (annotations, shapes, as_matrix(affine), hidden)
    shift = as_matrix(Affine.translation(*offset))
    frame = frame_of(document, annotations)
    known = memory.get(("triangles", annotations), dict)
    codes = {**class_colours(document, annotations), "": _PLAIN}
    made = partial(_filled, frame, tuple(codes), hidden, affine, known)
    lines = partial(_outlined, frame, _rgba(codes), hidden, affine)
    specs: list[LayerSpec] = [
        SurfaceSpec(
            Key(annotations, FILL, beside),
            f"{annotations}: fill",
            (FILL, tuple(codes), *token),
            made,
            shift,
            70,
            opacity=0.3,
            colours=tuple(codes.values()),
        ),
        VectorsSpec(
            Key(annotations, OUTLINE, beside), annotations, (OUTLINE, colours, *token), lines, shift, 71, width=1.0
        ),
    ]
    mine = tuple(r for r in marked if r in frame.index)
    if mine:
        white = partial(_outlined, frame.loc[list(mine)], {}, hidden, affine)
        key = Key(annotations, MARKED, beside)
        specs.append(VectorsSpec(key, f"{annotations}: marked", (MARKED, mine, *token), white, shift, 72, width=1.0))
    return specs


def annotation_legend(document: Document, annotations: str, hidden: frozenset[str]) -> Legend:
    """Return the classes of annotations, their colours and how many regions each has."""
    frame = frame_of(document, annotations)
    colours, counts = class_colours(document, annotations), frame[CLASS].value_counts()
    rows = [(name or UNCLASSIFIED, colours.get(name, _PLAIN) if name else _PLAIN, int(n)) for name, n in counts.items()]
    order = {name or UNCLASSIFIED: k for k, name in enumerate(colours)}
    return Legend(
        annotations, CLASS, "categories", tuple(sorted(rows, key=lambda r: order.get(r[0], 0))), hidden=hidden
    )


def keep_width(canvas: Any, zoom: float) -> None:
    """Keep the outlines of annotations as wide on the screen at any zoom."""
    for spec, layer in canvas.layers():
        if isinstance(spec, VectorsSpec) and spec.key.part in _WIDTH:
            wanted = _WIDTH[spec.key.part] / max(zoom, 1e-9)
            if not 0.8 < layer.edge_width / wanted < 1.25:
                layer.edge_width = wanted


def is_annotation_spec(document: Document, spec: LayerSpec) -> bool:
    """Whether a layer shows annotations, which nothing else hides."""
    return spec.key.element in annotation_names(document)


def _rgba(codes: dict[str, str]) -> dict[str, Colours]:
    from napari.utils.colormaps.standardize_color import transform_color

    return {name: np.asarray(transform_color(code)[0], np.float32) for name, code in codes.items()}


def _seen(frame: Any, hidden: frozenset[str]) -> Any:
    if not hidden:
        return frame
    return frame[[(c or UNCLASSIFIED) not in hidden for c in frame[CLASS]]]


def _outlined(
    frame: Any, colours: dict[str, Colours], hidden: frozenset[str], affine: Affine
) -> tuple[npt.NDArray[np.float64], Colours]:
    import shapely

    frame = _seen(frame, hidden)
    parts, of_part = shapely.get_parts(frame.geometry.to_numpy(), return_index=True)
    rings, of_ring = shapely.get_rings(parts, return_index=True)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    if len(xy) < 2:
        return np.zeros((0, 2, 2)), np.zeros((0, 4), np.float32)
    yx = affine.apply(xy[:, ::-1])
    same = ring[1:] == ring[:-1]
    region = of_part[of_ring[ring[:-1][same]]]
    each = np.array([colours.get(c, _WHITE) for c in frame[CLASS]], np.float32)
    return np.stack([yx[:-1][same], np.diff(yx, axis=0)[same]], axis=1), each[region]


def _filled(
    frame: Any, classes: tuple[str, ...], hidden: frozenset[str], affine: Affine, known: dict[str, Any]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    frame = _seen(frame, hidden)
    meshes = _meshes(frame, known)
    if not meshes:  # napari has no empty surface
        return np.zeros((3, 2)), np.array([[0, 1, 2]]), np.zeros(3, np.int64)
    lengths = np.array([len(corners) for corners, _ in meshes])
    vertices = affine.apply(np.concatenate([corners for corners, _ in meshes])[:, ::-1])
    shifts = np.cumsum(lengths) - lengths
    faces = np.concatenate([triangles + shift for (_, triangles), shift in zip(meshes, shifts, strict=True)])
    codes = np.array([classes.index(c) for c in frame[CLASS]], np.int64)
    return vertices, faces, np.repeat(codes, lengths)


def _meshes(frame: Any, known: dict[str, Any]) -> list[tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]]:
    """Return the corners (n, 2) as (x, y) and the triangles (m, 3) of each region, made where it is not known yet."""
    geometry = frame.geometry.to_numpy()
    ids = [str(i) for i in frame.index]
    for k, i in enumerate(ids):  # a copied frame holds other objects of the same outlines
        if i in known and known[i][0] is not geometry[k] and known[i][0].equals_exact(geometry[k], 0):
            known[i] = (geometry[k], known[i][1])
    new = [k for k, i in enumerate(ids) if i not in known or known[i][0] is not geometry[k]]
    for k, mesh in zip(new, _divided(geometry[new]), strict=True):
        known[ids[k]] = (geometry[k], mesh)
    for gone in set(known) - set(ids) if len(known) > 2 * len(ids) + 1000 else ():
        del known[gone]
    return [known[i][1] for i in ids]


def _divided(geometry: Any) -> list[tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]]:
    """Divide polygons into triangles between their corners."""
    import shapely

    if not len(geometry):
        return []
    parts, owner = shapely.get_parts(shapely.constrained_delaunay_triangles(geometry), return_index=True)
    corners = shapely.get_coordinates(parts).reshape(-1, 4, 2)[:, :3].reshape(-1, 2)
    region = np.repeat(owner, 3)
    order = np.lexsort((corners[:, 1], corners[:, 0], region))
    new = np.ones(len(order), bool)
    new[1:] = (np.diff(region[order]) != 0) | (np.diff(corners[order], axis=0) != 0).any(axis=1)
    place = np.empty(len(order), np.int64)
    place[order] = np.cumsum(new) - 1
    vertices, of_vertex = corners[order[new]], region[order[new]]
    starts = np.searchsorted(of_vertex, np.arange(len(geometry) + 1))
    ends = np.searchsorted(owner, np.arange(len(geometry) + 1))
    faces = place.reshape(-1, 3)
    return [
        (vertices[starts[k] : starts[k + 1]], faces[ends[k] : ends[k + 1]] - starts[k]) for k in range(len(geometry))
    ]
