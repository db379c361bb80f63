"""The cells of a slide as they are found: labels that may be looked at while tiles arrive."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import numpy.typing as npt

from ...core.stitching import Seen
from ..blank import blank_grid
from ..grid import LabelGrid

__all__ = ["LiveLabels"]

_PER_TILE = 1 << 16
"""Ids are given in blocks, one a tile, until all tiles are joined."""


class LiveLabels:
    """A labels pyramid that one thread fills and another one shows.

    Parameters
    ----------
    shapes
        Sizes (y, x) of its levels, full resolution first.
    """

    def __init__(self, shapes: list[tuple[int, int]]) -> None:
        self._grid = blank_grid(shapes, np.dtype(np.int32))
        self._lock = threading.Lock()

    @property
    def levels(self) -> tuple[LiveLevel, ...]:
        """The levels as array-likes that are read anew whenever they are sliced."""
        return tuple(LiveLevel(self._grid, level, self._lock) for level in range(len(self._grid.levels)))

    def add(self, number: int, one: Seen) -> None:
        """Show the cells that a tile keeps; of a pixel that two tiles claim, the first tile's."""
        if not one.kept.any():
            return
        (y, x), (h, w) = one.offset, one.labels.shape
        ids = np.append(0, np.where(one.kept, np.arange(1, len(one) + 1), 0) + number % 32_000 * _PER_TILE)
        ids[1:][~one.kept] = 0
        new = ids.astype(np.int32)[one.labels]
        with self._lock:
            old = self._grid.read((y, y + h, x, x + w))
            both = (old != 0) & (new != 0)
            shown = np.maximum(old, new)
            shown[both] = np.minimum(old, new)[both]
            self._grid.write((y, x), shown)


class LiveLevel:
    """One level, for napari."""

    ndim = 2

    def __init__(self, grid: LabelGrid, level: int, lock: threading.Lock) -> None:
        self._level, self._lock = grid.levels[level], lock
        self.shape, self.dtype = self._level.shape, self._level.dtype
        self.size = self.shape[0] * self.shape[1]

    def __getitem__(self, key: Any) -> npt.NDArray[Any]:
        with self._lock:
            return self._level[key]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return np.asarray(self[:, :], dtype=dtype)
