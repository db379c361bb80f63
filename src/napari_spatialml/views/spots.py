"""Circles to one layer of points, each as large as it is in the tissue."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.transform import Affine
from ..session import Document
from .memory import Memory
from .places import as_matrix
from .specs import Dots, Key, PointsSpec
from .values import Categories, Measured, Values

__all__ = ["centres_um", "is_circles", "spots_spec"]

_WITHOUT = np.array([0.6, 0.6, 0.6, 0.45], np.float32)
_FAINT = 0.15
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
) -> PointsSpec:
    """Return the layer of spots."""
    affine = document.affine(shapes, system)
    place = ("spots", shapes, document.revision(("shapes", shapes)), as_matrix(affine))
    where = memory.get(place, partial(_placed, document, shapes, affine))
    make = partial(_dots, document.element(shapes).index.to_numpy(), *where, values, hidden)
    shift = as_matrix(Affine.translation(*offset))
    return PointsSpec(Key(shapes, "", beside), shapes, (place, token, hidden), make, shift, order=60, opacity=0.85)


def _placed(document: Document, shapes: str, affine: Affine) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    frame = document.element(shapes)
    own = np.column_stack([frame.geometry.y.to_numpy(), frame.geometry.x.to_numpy()])
    # a circle under an uneven scaling is an ellipse: the circle of its area is drawn
    stretch = float(np.sqrt(np.prod(affine.scale_factors)))
    return affine.apply(own), 2 * stretch * frame["radius"].to_numpy(dtype=float)


def _dots(
    ids: npt.NDArray[Any],
    positions: npt.NDArray[np.float64],
    sizes: npt.NDArray[np.float64],
    values: Values | None,
    hidden: frozenset[str],
) -> Dots:
    n = len(positions)
    if values is None:
        return Dots(positions, np.tile(_PLAIN, (n, 1)), sizes, np.ones(n, bool))
    row = pd.Index(values.ids).get_indexer(pd.Index(ids))
    colours, shown = colours_of(values, hidden)
    # the last row stands for spots of which the table says nothing
    colours = np.concatenate([colours, _WITHOUT[None]])
    shown = np.append(shown, True)
    return Dots(positions, colours[row], sizes, shown[row])


def colours_of(values: Values, hidden: frozenset[str]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Return (n, 4) colours of a table's rows, and whether each is drawn."""
    colours, drawn = _colours_of(values, hidden)
    if values.faint is not None:
        colours = colours.copy()
        colours[values.faint, 3] *= _FAINT
    return colours, drawn


def _colours_of(values: Values, hidden: frozenset[str]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    if isinstance(values, Measured):
        return _mapped(values), np.isfinite(values.numbers)
    table = np.array([[int(c[k : k + 2], 16) / 255 for k in (1, 3, 5)] + [1.0] for c in values.colours], np.float32)
    table = np.concatenate([table.reshape(-1, 4), _WITHOUT[None]])
    drawn = np.append([name not in hidden for name in values.names], True).astype(bool)
    return table[values.codes], drawn[values.codes]


def _mapped(values: Measured) -> npt.NDArray[np.float32]:
    from napari.utils.colormaps import ensure_colormap

    low, high = values.limits
    shares = np.clip((np.nan_to_num(values.numbers, nan=low) - low) / (high - low), 0, 1)
    return np.asarray(ensure_colormap(values.colormap).map(shares), np.float32)


def counted(values: Categories) -> tuple[tuple[str, str, int], ...]:
    """Return (name, colour, number of rows) of every category."""
    return tuple(
        (name, colour, int(n)) for name, colour, n in zip(values.names, values.colours, values.counts, strict=True)
    )
