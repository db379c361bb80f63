"""Bins and pixels with their proportions: bars within each, once they are large enough on the screen.

Farther out the layer of dominant types below is all that is seen, as of millions of bins on any screen.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..session import Document
from .memory import Memory
from .pie_specs import arrays_of, pie_token
from .pies import Pies, PiesDrawn
from .places import pixel_affine
from .specs import Dots, Key, LayerSpec, PointsSpec
from .state import ViewState

__all__ = ["BARS", "bar_specs"]

BARS = "bars"
"""The part of an element's key that draws bars within its bins."""
_MOST = 4_000_000
"""Bins up to which bars are drawn: each takes about 160 bytes of the graphics card."""


def bar_specs(
    document: Document,
    state: ViewState,
    pies: Pies,
    labels: str,
    system: str,
    memory: Memory,
    *,
    beside: bool,
    offset: tuple[float, float],
) -> list[LayerSpec]:
    """Return the layer of bars over bins; none where only the dominant types are wanted, or they are too many."""
    if pies.mode == "dominant" or document.table(pies.table).n_obs > _MOST:
        return []
    drawn = ("bins", document.revision(("labels", labels)))
    where = memory.get(("bin places", labels, *drawn), partial(_places, document, labels))
    token = (pie_token(document, state, pies, labels), drawn)
    make = partial(arrays_of, document, state, pies, labels, where, memory, square=True)
    return [
        PointsSpec(
            Key(labels, BARS, beside),
            f"{labels}: {BARS}",
            drawn,
            partial(_corners, document.grid(labels).shape),
            pixel_affine(document, labels, system, offset),
            order=45,
            pies=PiesDrawn(token, make),
        )
    ]


def _places(
    document: Document, labels: str
) -> tuple[npt.NDArray[Any], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the ids of bins, their centres (n, 2) in pixels of the grid, and their sides."""
    grid = document.grid(labels).read()
    at = np.argwhere(grid > 0)
    return grid[at[:, 0], at[:, 1]], at.astype(np.float64), np.ones(len(at))


def _corners(shape: tuple[int, int]) -> Dots:
    """Return two points that are not drawn: napari measures the layer by them."""
    ends = np.array([[-0.5, -0.5], [shape[0] - 0.5, shape[1] - 0.5]])
    return Dots(ends, np.zeros((2, 4), np.float32), np.ones(2), np.zeros(2, bool))
