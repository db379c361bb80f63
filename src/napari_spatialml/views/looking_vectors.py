"""What of a figure can be drawn as lines and circles instead of pixels: spots, outlines of polygons and of cells."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.pixel_outlines import pixel_outlines
from ..core.transform import Affine
from ..session import Document
from .canvas import Canvas
from .colormaps import code_of
from .looking_figure import Frame
from .shape_tiles import Outlined
from .specs import LabelsSpec, LayerSpec, PointsSpec, ShapesSpec, VectorsSpec

__all__ = ["MOST_SHAPES", "Drawn", "vectors"]

MOST_SHAPES = 60_000
"""Lines and circles of one layer up to which they are drawn as such; a figure of more could hardly be opened."""
_WINDOW = 4096 * 4096


@dataclass(frozen=True, eq=False)
class Drawn:
    """One layer as lines or circles.

    Parameters
    ----------
    name
        The layer's name.
    circles
        (n, 4) as y, x, radius in µm, and which colour.
    paths
        Each a colour and rings of (k, 2) as (y, x) in µm, which may be open.
    colours
        "#rrggbb" and opacity of each colour.
    width_um
        Of the lines.
    """

    name: str
    circles: npt.NDArray[np.float64]
    paths: tuple[tuple[int, tuple[npt.NDArray[np.float64], ...]], ...]
    colours: tuple[tuple[str, float], ...]
    width_um: float


def vectors(canvas: Canvas, document: Document, frame: Frame) -> tuple[dict[Any, Drawn], tuple[str, ...]]:
    """Return the layers that can be drawn as lines or circles over the pixels of all others.

    Returns
    -------
    tuple
        What is drawn, by layer, the lowest first; and the names of those that hold too many for it.

    Notes
    -----
    A layer that lies below pixels stays pixels: else it would cover them.
    """
    found: dict[Any, Drawn] = {}
    too_many: list[str] = []
    visible = [(spec, layer) for spec, layer in canvas.layers() if layer.visible]
    place = {layer: k for k, layer in enumerate(canvas.viewer.layers)}
    for spec, layer in sorted(visible, key=lambda pair: -place[pair[1]]):
        made = _drawn(spec, layer, document, frame)
        if made is None:
            break
        if len(made.circles) + sum(len(rings) for _, rings in made.paths) > MOST_SHAPES:
            too_many.append(layer.name)
            break
        found[layer] = made
    foreign = [k for layer, k in place.items() if layer.visible and layer not in {y for _, y in visible}]
    top = max(foreign, default=-1)
    return {layer: found[layer] for layer in reversed(found) if place[layer] > top}, tuple(too_many)


def _drawn(spec: LayerSpec, layer: Any, document: Document, frame: Frame) -> Drawn | None:
    if layer.blending in ("additive", "minimum", "multiplicative"):
        return None
    if isinstance(spec, PointsSpec):
        plain = spec.symbol == "disc" and spec.pies is None and not len(layer.features.columns)
        return _circles(layer, frame) if plain else None
    if isinstance(spec, ShapesSpec):
        return _polygons(spec, layer, frame) if isinstance(layer.data[0].tiles, Outlined) else None
    if isinstance(spec, VectorsSpec):
        return _lines(layer, frame)
    if isinstance(spec, LabelsSpec) and layer.contour > 0 and spec.colour:
        return _cells(spec, layer, document, frame)
    return None


def _circles(layer: Any, frame: Frame) -> Drawn:
    where = np.asarray(layer.data)[:, -2:] + np.asarray(layer.affine.translate)[-2:]
    radii = np.broadcast_to(np.asarray(layer.size, float) / 2, len(where))
    seen = np.asarray(layer.shown) & _inside(where, radii, frame)
    colours, which = _coloured(np.asarray(layer.face_color)[seen], float(layer.opacity))
    return Drawn(layer.name, np.column_stack([where[seen], radii[seen], which]), (), colours, 0.0)


def _lines(layer: Any, frame: Frame) -> Drawn:
    data = np.asarray(layer.data)[..., -2:]
    start = data[:, 0] + np.asarray(layer.affine.translate)[-2:]
    end = start + data[:, 1]
    reach = np.abs(end - start).max(1) / 2
    seen = _inside((start + end) / 2, reach, frame)
    colours, which = _coloured(np.asarray(layer.edge_color)[seen], float(layer.opacity))
    paths = []
    for k in range(len(colours)):
        paths.append((k, tuple(_chained(start[seen][which == k], end[seen][which == k]))))
    return Drawn(layer.name, np.zeros((0, 4)), tuple(paths), colours, float(layer.edge_width))


def _polygons(spec: ShapesSpec, layer: Any, frame: Frame) -> Drawn | None:
    """Return the rings of the polygons in the frame; None where they are filled."""
    level = layer.data[0]
    tiles, shapes = level.tiles, level.tiles.polygons
    if spec.key.part:
        return None
    shift = (Affine(np.array(spec.affine)) @ tiles.placed().inverse()).matrix[:2, 2]
    boxes = tiles.boxes + np.tile(shift, 2)
    middle, reach = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]).max(1) / 2
    finite = np.isfinite(boxes).all(1)
    rows = np.flatnonzero(tiles.drawn & finite & _inside(middle, reach, frame))
    rgba = level.colours[rows].astype(float) / 255
    colours, which = _coloured(rgba, float(layer.opacity))
    paths = []
    for row, colour in zip(rows.tolist(), which.tolist(), strict=True):
        ends = shapes.rings[shapes.rings_of_rows[row] : shapes.rings_of_rows[row + 1] + 1]
        rings = (shapes.corners[a:b, 1::-1] for a, b in pairwise(ends.tolist()))
        paths.append((colour, tuple(tiles.affine.apply(ring) + shift for ring in rings)))
    return Drawn(layer.name, np.zeros((0, 4)), tuple(paths), colours, 0.0)


def _chained(start: npt.NDArray[np.float64], end: npt.NDArray[np.float64]) -> Iterable[npt.NDArray[np.float64]]:
    """Yield lines of which each begins where the one before ends as one."""
    if not len(start):
        return
    breaks = np.flatnonzero(~np.isclose(start[1:], end[:-1]).all(1)) + 1
    for first, last in zip([0, *breaks], [*breaks, len(start)], strict=True):
        yield np.concatenate([start[first:last], end[last - 1 : last]])


def _cells(spec: LabelsSpec, layer: Any, document: Document, frame: Frame) -> Drawn | None:
    """Trace the cells in the frame along their pixels; None where the window is too large to be read at once."""
    import shapely

    to_um = Affine(np.array(spec.affine)) @ Affine.translation(-0.5, -0.5)  # from corners of pixels
    (y, x), h, w = frame.corner_um, frame.height_um, frame.width_um
    corners = to_um.inverse().apply(np.array([[y, x], [y + h, x], [y, x + w], [y + h, x + w]]))
    grid = document.grid(spec.key.element)
    low = np.maximum(np.floor(corners.min(0)), 0).astype(int)
    high = np.minimum(np.ceil(corners.max(0)), grid.shape).astype(int)
    if (high <= low).any() or np.prod((high - low).astype(float)) > _WINDOW:
        return None
    window = (int(low[0]), int(high[0]), int(low[1]), int(high[1]))
    _, polygons = pixel_outlines(grid.read(window), (window[0], window[2]))
    rings = shapely.get_rings(shapely.get_parts(polygons)) if len(polygons) else []
    lines = tuple(to_um.apply(shapely.get_coordinates(ring)[:, ::-1]) for ring in rings)
    width = float(np.mean(to_um.scale_factors)) * float(layer.contour)
    colours = ((spec.colour, float(layer.opacity)),)
    return Drawn(layer.name, np.zeros((0, 4)), ((0, lines),) if lines else (), colours, width)


def _inside(where: npt.NDArray[np.float64], reach: npt.NDArray[np.float64], frame: Frame) -> npt.NDArray[np.bool_]:
    half = np.array([frame.height_um, frame.width_um]) / 2
    away = np.abs(where - np.array(frame.centre_um))
    return np.asarray((away <= half + reach[:, None]).all(1))


def _coloured(rgba: npt.NDArray[Any], opacity: float) -> tuple[tuple[tuple[str, float], ...], npt.NDArray[np.int64]]:
    """Return the colours that occur, and which each row has."""
    if not len(rgba):
        return (), np.zeros(0, np.int64)
    found, which = np.unique(np.round(np.asarray(rgba, float), 4), axis=0, return_inverse=True)
    made = tuple((code_of((r, g, b)), round(a * opacity, 4)) for r, g, b, a in found.tolist())
    return made, which.ravel().astype(np.int64)
