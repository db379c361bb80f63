"""One layer a cell type: the shares of each over the same spots or bins, in one range of colours, hidden until wanted.

Spots are dots. Bins and pixels are an image a type, whose pixels are looked up when napari draws it for the first
time, and forgotten again after a few others: a layer that nobody shows costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.bin_levels import n_levels
from ..errors import BadInput
from ..session import Document
from .bins import bin_levels, held_few
from .memory import Memory
from .places import pixel_affine
from .rasters import is_pixel_grid
from .specs import ImageSpec, Key, LayerSpec
from .spots import is_circles, spots_spec
from .state import ColourBy, Legend, ViewState
from .values import Measured, Values, revision_of

__all__ = ["PART", "require_few", "type_bins", "type_legend", "type_specs"]

PART = "share of "
"""Before the type in the part of a layer's key."""
_MOST = 400_000
"""Dots in all layers together; with more napari takes gigabytes."""
_KEPT = 3
"""Types whose pixels are kept, of all sections and elements that are shown."""
Coloured = Callable[[ColourBy], tuple[Values | None, Any]]


def require_few(document: Document, element: str, table: str, output: str) -> None:
    """Raise where an element has no such layers, or too many dots for them.

    Raises
    ------
    BadInput
        When its rows are neither circles nor pixels, there are more than 400,000 dots, or more pixels than are held.
    """
    if document.type_of(element) == "labels" and is_pixel_grid(document, element):
        if not held_few(document, element):
            raise BadInput(f"'{element}' has too many bins for a layer a type.", "Merge bins, or show one at a time.")
        return
    if document.type_of(element) != "shapes" or not is_circles(document, element):
        raise BadInput(f"'{element}' is made of neither spots nor bins.", "Show one type at a time.")
    n, t = document.table(table).obsm[output].shape
    if n * t > _MOST:
        raise BadInput(f"{t} layers of {n:,} spots are too many to draw at once.", "Show one type at a time.")


def type_specs(
    document: Document,
    state: ViewState,
    memory: Memory,
    element: str,
    system: str,
    coloured: Coloured,
    **where: Any,
) -> list[LayerSpec]:
    """Return a layer for each type of an element's proportions; none unless they are asked for.

    Parameters
    ----------
    document, state, memory, element, system
        As for every layer.
    coloured
        Returns the values of a column, and their token.
    **where
        ``beside`` and ``offset``.
    """
    specs = []
    for colour in _asked(document, state, element):
        values, token = coloured(colour)
        made = spots_spec(document, element, system, values, token, frozenset(), memory, dots=True, **where)
        name = _type_of(colour)
        key = replace(made.key, part=f"{PART}{name}")
        specs.append(replace(made, key=key, name=f"{element}: {name}", visible=False, order=made.order + 1))
    return specs


def type_bins(
    document: Document,
    state: ViewState,
    memory: Memory,
    labels: str,
    system: str,
    coloured: Coloured,
    *,
    beside: bool,
    offset: tuple[float, float],
) -> list[LayerSpec]:
    """Return an image for each type of the proportions of bins or pixels; none unless they are asked for.

    The parameters are those of `type_specs`.
    """
    asked = _asked(document, state, labels)
    if not asked or not is_pixel_grid(document, labels) or not held_few(document, labels):
        return []
    first, scale = coloured(asked[0])
    assert isinstance(first, Measured)
    shown = replace(first, beside=None)  # the shares of all types: only the limits needed them
    grid, revision = document.grid(labels), document.revision(("labels", labels))
    affine, kept = pixel_affine(document, labels, system, offset), memory.get("pixels of types", partial(Memory, _KEPT))
    over = any(system in document.placed(n) for n in document.names("images"))
    specs: list[LayerSpec] = []
    for colour in asked:
        token = ("bins of a type", labels, revision, colour, revision_of(document, colour), scale)
        of_one = partial(_numbers, document, labels, colour, shown)
        levels = partial(kept.get, token, partial(bin_levels, document, labels, of_one, memory))
        specs.append(
            ImageSpec(
                Key(labels, f"{PART}{_type_of(colour)}", beside), f"{labels}: {_type_of(colour)}", token,
                partial(_later, levels, grid.shape), affine, 31, visible=False, opacity=0.75 if over else 1.0,
                multiscale=n_levels(grid.shape) > 1, colormap=shown.colormap, limits=shown.limits,
            )
        )  # fmt: skip
    return specs


def type_legend(document: Document, state: ViewState, element: str, coloured: Coloured) -> Legend | None:
    """Return what the colours of an element's layers of types mean, one range for all; None where there are none."""
    asked = _asked(document, state, element)
    values = coloured(asked[0])[0] if asked else None
    if not isinstance(values, Measured):
        return None
    low, high = np.expm1(values.limits).tolist() if values.log else values.limits
    title, note = "share of a type, by layer", "one range for all cell types"
    return Legend(element, title, "continuous", colormap=values.colormap, low=low, high=high, note=note, log=values.log)


class _Later:
    """A level of a type's pixels, looked up when somebody wants them."""

    ndim = 2

    def __init__(self, levels: Callable[[], list[npt.NDArray[Any]]], number: int, shape: tuple[int, int]) -> None:
        self._levels, self._number, self.shape = levels, number, shape
        self.dtype, self.size = np.dtype(np.float32), shape[0] * shape[1]

    def __getitem__(self, key: Any) -> npt.NDArray[Any]:
        return np.asarray(self._levels()[self._number][key])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return np.asarray(self._levels()[self._number], dtype=dtype)


def _later(levels: Callable[[], list[npt.NDArray[Any]]], shape: tuple[int, int]) -> Any:
    """Return the levels of an image that is not looked up yet; of small ones the only level."""
    sizes = [(-(-shape[0] // 2**k), -(-shape[1] // 2**k)) for k in range(n_levels(shape))]
    made = [_Later(levels, k, size) for k, size in enumerate(sizes)]
    return made if len(made) > 1 else made[0]


def _numbers(document: Document, labels: str, colour: ColourBy, like: Measured) -> Measured:
    """Return the shares of one type, over the scale that all have."""
    output, name = colour.name.split("/", 1)
    shares = document.table(colour.table).obsm[output][name].to_numpy()[document.rows(colour.table, labels)]
    numbers = shares.astype(np.float32)
    return replace(like, numbers=np.log1p(np.maximum(numbers, 0)) if like.log else numbers)


def _asked(document: Document, state: ViewState, element: str) -> list[ColourBy]:
    """Return what colours each layer of an element's types; nothing unless they are asked for."""
    table, output = state.by_type.get(element, ("", ""))
    held = document.table(table).obsm.get(output) if table in document.tables_of(element) else None
    if not isinstance(held, pd.DataFrame):
        return []
    return [ColourBy(table, f"obsm/{output}/{name}") for name in map(str, held.columns)]


def _type_of(colour: ColourBy) -> str:
    return colour.name.split("/", 1)[1]
