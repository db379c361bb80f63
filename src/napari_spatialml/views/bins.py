"""Millions of bins or pixels to one layer: an image with a pyramid, never a shape each.

Close up every bin is a pixel of its own. Zoomed out, a pixel of the screen has the mean of the bins that it
covers, or the category of most of them, so that none is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.bin_levels import category_levels, mean_levels, n_levels
from ..core.colours import LookupTable
from ..session import Document
from .memory import Memory
from .places import pixel_affine
from .rasters import _table as look_up
from .rasters import is_pixel_grid
from .specs import ImageSpec, Key, LayerSpec, RasterSpec
from .values import Categories, Values

__all__ = ["bin_levels", "bins_note", "bins_specs", "held_few", "is_bins"]

_WHOLE = 64_000_000
"""Bins up to which a value each is held in memory; more of them are read as cells are."""


def is_bins(document: Document, labels: str) -> bool:
    """Whether labels are more measured pixels than a screen shows, and few enough to be held."""
    many = n_levels(document.grid(labels).shape) > 1
    return many and held_few(document, labels) and is_pixel_grid(document, labels)


def held_few(document: Document, labels: str) -> bool:
    """Whether labels have few enough pixels for a value each in memory."""
    shape = document.grid(labels).shape
    return shape[0] * shape[1] <= _WHOLE


def bins_note(document: Document, labels: str, values: Values) -> str:
    """Return what the legend says of bins that are more than a screen has pixels."""
    if not is_bins(document, labels):
        return ""
    return "zoomed out: what most bins are" if isinstance(values, Categories) else "zoomed out: mean of the bins"


def bins_specs(
    document: Document,
    labels: str,
    system: str,
    values: Values,
    token: Any,
    hidden: frozenset[str],
    memory: Memory,
    *,
    beside: bool,
    offset: tuple[float, float],
) -> list[LayerSpec]:
    """Return the layer of bins in the colours of their values."""
    grid, revision = document.grid(labels), document.revision(("labels", labels))
    affine = pixel_affine(document, labels, system, offset)
    held: dict[Any, Any] = memory.get(("bins", labels), dict)
    over = any(system in document.placed(n) for n in document.names("images"))
    data = ("bins", labels, revision, token, hidden)
    lut = memory.get(("look-up", token, hidden), partial(look_up, values, hidden))
    make = partial(_levels, held, (grid, revision), lut, values)
    opacity = 0.75 if over else 1.0
    key = Key(labels, "", beside)
    if isinstance(values, Categories):
        return [
            RasterSpec(key, labels, data, make, affine, 30, opacity=opacity, multiscale=True, colours=values.colours)
        ]
    return [
        ImageSpec(
            key, labels, data, make, affine, 30, opacity=opacity, multiscale=True, colormap=values.colormap,
            limits=values.limits,
        )
    ]  # fmt: skip


def bin_levels(document: Document, labels: str, values: Callable[[], Values], memory: Memory) -> list[npt.NDArray[Any]]:
    """Return the pixels of values at each level, the finest first; what says which pixel is which bin is kept."""
    held: dict[Any, Any] = memory.get(("bins", labels), dict)
    found = values()
    token = (document.grid(labels), document.revision(("labels", labels)))
    return _levels(held, token, look_up(found, frozenset()), found)


def _levels(held: dict[Any, Any], token: Any, lut: LookupTable, values: Values) -> list[npt.NDArray[Any]]:
    if token not in held:
        held.clear()
        held[token] = token[0].read()
    spread = lut[held[token]]
    if isinstance(values, Categories):
        return category_levels(spread, len(values.names))
    return list(mean_levels(np.asarray(spread, np.float32)))
