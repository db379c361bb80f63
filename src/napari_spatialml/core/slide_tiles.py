"""The tiles of a slide: cores that cover it once, each read with a halo, in an order from a point outwards."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from .arrays import require
from .patch import Sides, Window

__all__ = ["Tile", "TilePlan", "halo_for"]

_GRAIN = 16
"""Edges of tiles are multiples of this, so that windows of every method begin on its own grid."""


@dataclass(frozen=True)
class Tile:
    """A piece of a slide.

    Parameters
    ----------
    number
        Its place in the plan, row by row.
    core
        The pixels that belong to no other tile: (y0, y1, x0, x1), ends exclusive.
    window
        The pixels that are read for it: the core with its halo, within the slide.
    """

    number: int
    core: Window
    window: Window

    def less(self, reach: int, shape: tuple[int, int]) -> tuple[Tile, Sides]:
        """Return the tile with a window that ends ``reach`` pixels earlier where the slide goes on, and by how many."""
        y0, y1, x0, x1 = self.window
        top, left = (reach if v > 0 else 0 for v in (y0, x0))
        bottom, right = (reach if v < n else 0 for v, n in zip((y1, x1), shape, strict=True))
        return replace(self, window=(y0 + top, y1 - bottom, x0 + left, x1 - right)), (top, bottom, left, right)


@dataclass(frozen=True)
class TilePlan:
    """How a slide is cut.

    Parameters
    ----------
    shape
        (y, x) pixels of the slide.
    edge
        Pixels along a core; a multiple of 16.
    halo
        Pixels that are read around a core, at least.
    align
        Windows begin and end at multiples of this many pixels, or at the slide's border.
    """

    shape: tuple[int, int]
    edge: int
    halo: int
    align: int = 1

    def __post_init__(self) -> None:
        require(min(self.shape) > 0, f"The slide has {self.shape[0]} × {self.shape[1]} pixels.", "Choose a region.")
        require(
            self.edge >= _GRAIN and self.edge % _GRAIN == 0,
            f"The tiles are {self.edge} pixels wide.",
            f"Give a multiple of {_GRAIN}.",
        )
        require(self.halo >= 0 and self.align >= 1, f"The halo is {self.halo} pixels.", "Give 0 or more.")

    @property
    def rows(self) -> int:
        """How many tiles lie below each other."""
        return -(-self.shape[0] // self.edge)

    @property
    def columns(self) -> int:
        """How many tiles lie side by side."""
        return -(-self.shape[1] // self.edge)

    def __len__(self) -> int:
        return self.rows * self.columns

    def tile(self, number: int, halo: int | None = None) -> Tile:
        """Return a tile, with another halo where one is given."""
        i, j = divmod(number, self.columns)
        y0, x0 = i * self.edge, j * self.edge
        core = (y0, min(y0 + self.edge, self.shape[0]), x0, min(x0 + self.edge, self.shape[1]))
        return Tile(number, core, self._window(core, self.halo if halo is None else halo))

    def _window(self, core: Window, halo: int) -> Window:
        y0, y1, x0, x1 = core
        a, (height, width) = self.align, self.shape
        return (
            max((y0 - halo) // a * a, 0),
            min(-(-(y1 + halo) // a) * a, height),
            max((x0 - halo) // a * a, 0),
            min(-(-(x1 + halo) // a) * a, width),
        )

    def owners(self, points: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """Return the tiles in whose cores points (n, 2), as (y, x) in pixels, lie."""
        i, j = (points // self.edge).astype(np.int64).T
        return np.asarray(i.clip(0, self.rows - 1) * self.columns + j.clip(0, self.columns - 1))

    def nearest(self, point: tuple[float, float], left: Iterable[int]) -> int:
        """Return which of some tiles has its core nearest to a point (y, x) in pixels; of equals, the first."""
        numbers = np.fromiter(left, dtype=np.int64)
        corners = np.stack(np.divmod(numbers, self.columns), axis=1) * self.edge
        gaps = np.maximum(np.maximum(corners - point, point - (corners + self.edge)), 0.0)
        middles = np.abs(corners + self.edge / 2 - point).max(axis=1) * 1e-6  # of those that hold the point
        return int(numbers[np.lexsort((numbers, (gaps**2).sum(axis=1) + middles))[0]])


def halo_for(diameter: float, reach: int) -> int:
    """Return how far a tile must be read around its core so that every cell of the core is seen as on the whole.

    Parameters
    ----------
    diameter
        99th percentile of the cells' diameters, in pixels.
    reach
        No pixel further away than this changes what a method says of a pixel.
    """
    return int(np.ceil(max(2 * diameter, diameter + reach)))
