"""Polygons to two layers: their outlines, and what they hold in the colours of their rows.

No polygon is left out or simplified. Holes are holes, parts are parts, and `shapes_of` gives back from a
layer the very element that it shows.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.polygons import Polygons, polygons_of
from ..core.transform import Affine
from ..session import Document
from .memory import Memory
from .places import as_matrix
from .shape_levels import Drawing, levels_of
from .shape_tiles import Outlined
from .specs import Key, LayerSpec, ShapesSpec
from .spots import coloured_rows
from .values import Values

__all__ = ["FILLED", "outlines_note", "outlines_specs", "polygon_tiles", "shapes_of"]

FILLED = "fill"
_COLOUR = np.array([0.98, 0.82, 0.35, 0.9], np.float32)


def outlines_specs(
    document: Document,
    shapes: str,
    system: str,
    values: Values | None,
    token: Any,
    hidden: frozenset[str],
    memory: Memory,
    *,
    beside: bool,
    offset: tuple[float, float],
) -> list[LayerSpec]:
    """Return the layers of polygons: with values a fill and the outlines in the same colours, else the outlines."""
    drawing = _drawing(shapes, memory)
    state = (document.revision(("shapes", shapes)), token, hidden)
    colours, drawn = drawing.colours(state, partial(coloured_rows, document, shapes, values, hidden, _COLOUR))
    tiles = _tiles(document, shapes, system, memory, drawn)
    data = (shapes, *state, as_matrix(tiles.affine))
    place = as_matrix(Affine.translation(*offset) @ tiles.placed())
    over = any(system in document.placed(n) for n in document.names("images"))
    outlines = partial(levels_of, tiles, colours, lines=True, solid=values is None)
    specs: list[LayerSpec] = [
        ShapesSpec(Key(shapes, "", beside), shapes, ("outlines", *data), outlines, place, 55, live=True)
    ]
    if values is not None:
        key, opacity = Key(shapes, FILLED, beside), 0.55 if over else 0.7
        fill = partial(levels_of, tiles, colours)
        specs.insert(
            0, ShapesSpec(key, f"{shapes}: fill", ("fill", *data), fill, place, 54, opacity=opacity, live=True)
        )
    return specs


def outlines_note(document: Document, shapes: str, system: str, memory: Memory) -> str:
    """Return what the legend says of polygons: when outlines give way to fills, and how many cannot be drawn."""
    tiles = polygon_tiles(document, shapes, system, memory)
    if tiles.absent:
        return f"{tiles.absent:,} of {len(tiles.boxes):,} have nothing to draw"
    return f"outlines below {tiles.outlined_um:.2g} µm a pixel"


def polygon_tiles(document: Document, shapes: str, system: str, memory: Memory) -> Outlined:
    """Return all polygons as they are drawn, whatever is hidden of them."""
    return _tiles(document, shapes, system, memory, None)


def _drawing(shapes: str, memory: Memory) -> Drawing:
    return memory.get(("drawing", shapes), Drawing)


def _tiles(
    document: Document, shapes: str, system: str, memory: Memory, drawn: npt.NDArray[np.bool_] | None
) -> Outlined:
    """Return how polygons are drawn, made anew where they, their place or what is seen of them has changed."""
    affine, revision = document.affine(shapes, system), document.revision(("shapes", shapes))
    drawing = _drawing(shapes, memory)
    polygons = drawing.polygons(revision, partial(_flat, document, shapes))
    seen = np.ones(len(polygons), bool) if drawn is None else drawn
    key = (revision, as_matrix(affine), hash(seen.tobytes()))
    made = drawing.tiles(key, partial(Outlined, polygons, affine, seen))
    assert isinstance(made, Outlined)
    return made


def _flat(document: Document, shapes: str) -> Polygons:
    import shapely

    geometry = document.element(shapes).geometry.to_numpy()
    kinds = shapely.get_type_id(geometry)
    # lines and collections among polygons hide nothing else: they count as what has nothing to draw
    if not np.isin(kinds, (-1, 3, 6)).all():
        geometry = geometry.copy()
        geometry[~np.isin(kinds, (3, 6))] = None
    return polygons_of(geometry)


def shapes_of(layer: Any, like: Any) -> Any:
    """Return the element that a layer of polygons shows, out of what is drawn.

    Parameters
    ----------
    layer
        The layer of the outlines or of the fill.
    like
        A frame with the ids and columns, whose geometry is not looked at.
    """
    import geopandas

    tiles: Outlined = layer.data[0].tiles
    rest = pd.DataFrame(like.drop(columns="geometry", errors="ignore"))
    made = geopandas.GeoDataFrame(rest, geometry=tiles.polygons.geometry())
    made.attrs = dict(like.attrs)
    return made
