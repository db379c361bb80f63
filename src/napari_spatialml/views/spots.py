"""Circles to one layer, each as large and of the shape that it has in the tissue.

Up to some ten thousand round spots are napari's points, which can be picked one by one. More of them, or
circles that an uneven transformation makes ellipses, are drawn as `shape_tiles` does.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.transform import Affine
from ..errors import BadInput
from ..session import Document
from .colormaps import PALE, PALEST, colormap_of
from .memory import Memory
from .places import as_matrix
from .shape_levels import Coloured, Drawing, colours_in_bytes, levels_of
from .shape_tiles import Circles, ShapeTiles
from .specs import Dots, Key, LayerSpec, PointsSpec, ShapesSpec
from .values import Categories, Measured, Values

__all__ = [
    "centres_um",
    "coloured_rows",
    "colours_of",
    "counted",
    "is_circles",
    "placed_spots",
    "spot_tiles",
    "spots_spec",
]

_DOTS = 20_000
"""Up to so many spots are napari's points: more are no longer fluid."""
_ROUND = 0.005
"""A circle that is longer than wide by less than this share is drawn round."""
_STEPS = 4096
"""Steps of a colour map: sixteen times as many as a screen has."""
_WITHOUT = np.array([0.6, 0.6, 0.6, 0.45], np.float32)
_FAINT = 0.25
"""How much of its opacity a row keeps that is not selected."""
_PLAIN = np.array([0.96, 0.62, 0.18, 0.75], np.float32)


def is_circles(document: Document, shapes: str) -> bool:
    """Whether shapes are circles."""
    return "radius" in document.element(shapes).columns


def centres_um(document: Document, shapes: str, system: str) -> npt.NDArray[np.float64]:
    """Return the centres of circles, (n, 2) as (y, x) in µm, in their order."""
    geometry = document.element(shapes).geometry
    own = np.column_stack([geometry.y.to_numpy(), geometry.x.to_numpy()])
    return document.affine(shapes, system).apply(own)


def spots_spec(
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
    dots: bool = False,
) -> LayerSpec:
    """Return the layer of spots; with ``dots`` as points, however many they are."""
    affine = document.affine(shapes, system)
    state = (document.revision(("shapes", shapes)), token, hidden)
    drawing: Drawing = memory.get(("drawing", shapes), Drawing)
    coloured = partial(drawing.colours, state, partial(coloured_rows, document, shapes, values, hidden, _PLAIN))
    shift = Affine.translation(*offset)
    key, data = Key(shapes, "", beside), (shapes, *state, as_matrix(affine))
    if dots or (len(document.element(shapes)) <= _DOTS and _is_even(affine)):
        make = partial(_dots, *placed_spots(document, shapes, system, memory), coloured)
        return PointsSpec(key, shapes, data, make, as_matrix(shift), order=60, opacity=0.85)
    colours, drawn = coloured()
    made = partial(Circles, *_own(document, shapes), affine, drawn)
    tiles = drawing.tiles(("spots", shapes, state[0], as_matrix(affine), hash(drawn.tobytes())), made)
    levels = partial(levels_of, tiles, colours)
    return ShapesSpec(key, shapes, data, levels, as_matrix(shift @ tiles.placed()), 60, opacity=0.85, live=True)


def placed_spots(
    document: Document, shapes: str, system: str, memory: Memory
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the centres (n, 2) as (y, x) and the diameters (n,) of spots in µm; the same arrays while they stay.

    Of circles that become ellipses it is the diameter of the circle with the same area.
    """
    affine = document.affine(shapes, system)
    place = ("spots", shapes, document.revision(("shapes", shapes)), as_matrix(affine))
    return memory.get(place, partial(_placed, document, shapes, affine))


def spot_tiles(document: Document, shapes: str, system: str, memory: Memory) -> ShapeTiles:
    """Return all circles as they are drawn, whatever is hidden of them."""
    affine, revision = document.affine(shapes, system), document.revision(("shapes", shapes))
    drawing: Drawing = memory.get(("drawing", shapes), Drawing)
    every = np.ones(len(document.element(shapes)), bool)
    key = ("spots", shapes, revision, as_matrix(affine), hash(every.tobytes()))
    return drawing.tiles(key, lambda: Circles(*_own(document, shapes), affine, every))


def _is_even(affine: Affine) -> bool:
    """Whether circles stay circles."""
    large, small = affine.scale_factors
    return large <= small * (1 + _ROUND)


def _own(document: Document, shapes: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the centres (n, 2) as (y, x) and the radii of circles, in their own coordinates."""
    frame = document.element(shapes)
    own = np.column_stack([frame.geometry.y.to_numpy(), frame.geometry.x.to_numpy()])
    return own, frame["radius"].to_numpy(dtype=float)


def _placed(document: Document, shapes: str, affine: Affine) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    own, radii = _own(document, shapes)
    return affine.apply(own), 2 * float(np.sqrt(np.prod(affine.scale_factors))) * radii


def _dots(positions: npt.NDArray[np.float64], sizes: npt.NDArray[np.float64], coloured: Callable[[], Coloured]) -> Dots:
    colours, shown = coloured()
    return Dots(positions, colours.astype(np.float32) / 255, sizes, shown)


def coloured_rows(
    document: Document, shapes: str, values: Values | None, hidden: frozenset[str], plain: npt.NDArray[np.float32]
) -> Coloured:
    """Return the colours of shapes, those of their rows in a table or ``plain``, and whether each is drawn.

    Raises
    ------
    BadInput
        When the shapes or the table name something twice: nobody could say which is meant.
    """
    ids = document.element(shapes).index.to_numpy()
    if values is None:
        return colours_in_bytes(np.tile(plain, (len(ids), 1))), np.ones(len(ids), bool)
    row = _rows(ids, np.asarray(values.ids), shapes)
    colours, drawn = colours_of(values, hidden)
    # the last row stands for shapes of which the table says nothing
    return colours_in_bytes(np.concatenate([colours, _WITHOUT[None]]))[row], np.append(drawn, True)[row]


def _rows(ids: npt.NDArray[Any], known: npt.NDArray[Any], shapes: str) -> npt.NDArray[np.int64]:
    """Return, of each id, its place among those that a table knows; -1 for none."""
    for where, held in ((f"the shapes '{shapes}'", ids), (f"the table of '{shapes}'", known)):
        index = pd.Index(held)
        if not index.is_unique:
            twice = index[index.duplicated()]
            raise BadInput(
                f"{len(twice):,} ids stand more than once in {where} (the first: '{twice[0]}').",
                "Give every shape an id of its own.",
            )
    if len(ids) == len(known) and ids.dtype == known.dtype and np.array_equal(ids, known):
        return np.arange(len(ids))
    return np.asarray(pd.Index(known).get_indexer(pd.Index(ids)), np.int64)


def colours_of(values: Values, hidden: frozenset[str]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Return (n, 4) colours of a table's rows, and whether each is drawn."""
    colours, drawn = _colours_of(values, hidden)
    if values.faint is not None:
        colours = colours.copy()
        colours[values.faint, 3] *= _FAINT
    if isinstance(values, Categories) and values.pale is not None:
        share = PALEST * values.pale[:, None] * (values.codes >= 0)[:, None]
        colours = colours.copy()
        colours[:, :3] += share * (np.array(PALE, np.float32) - colours[:, :3])
    if isinstance(values, Categories) and values.gone is not None:
        drawn = drawn & ~values.gone
    return colours, drawn


def _colours_of(values: Values, hidden: frozenset[str]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    if isinstance(values, Measured):
        return _mapped(values), np.isfinite(values.numbers)
    table = np.array([[int(c[k : k + 2], 16) / 255 for k in (1, 3, 5)] + [1.0] for c in values.colours], np.float32)
    table = np.concatenate([table.reshape(-1, 4), _WITHOUT[None]])
    drawn = np.append([name not in hidden for name in values.names], True).astype(bool)
    return table[values.codes], drawn[values.codes]


def _mapped(values: Measured) -> npt.NDArray[np.float32]:
    low, high = values.limits
    shares = np.clip((np.nan_to_num(values.numbers, nan=low) - low) / (high - low), 0, 1)
    steps: npt.NDArray[np.float32] = np.asarray(colormap_of(values.colormap).map(np.linspace(0, 1, _STEPS)), np.float32)
    return np.asarray(steps[np.round(shares * (_STEPS - 1)).astype(np.int64)])


def counted(values: Categories) -> tuple[tuple[str, str, int], ...]:
    """Return (name, colour, number of rows) of every category."""
    return tuple(
        (name, colour, int(n)) for name, colour, n in zip(values.names, values.colours, values.counts, strict=True)
    )
