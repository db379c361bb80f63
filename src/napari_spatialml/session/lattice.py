"""How many points each bin holds, bin by bin and level by level: the picture of all of them from afar."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Lattice", "levels_of_counts"]

_MOST, _LEAST = 4096, 256
"""Bins along the longer side: of the finest level at most, and of the coarsest."""
_FINEST = 6
"""A tile has at most 2**6 bins along its edge: of 1 µm, where it has 64 µm."""
Counts = npt.NDArray[np.uint32]


@dataclass(frozen=True)
class Lattice:
    """Levels of square bins, each twice as wide as those of the level before.

    Parameters
    ----------
    low
        (y, x) where the first bin begins, in the points' own coordinates.
    edge
        Of a bin of the finest level, in the same.
    shape
        (rows, columns) of the finest level.
    """

    low: tuple[float, float]
    edge: float
    shape: tuple[int, int]

    @classmethod
    def of_tiles(cls, low: tuple[float, float], edge: float, tiles: tuple[int, int]) -> Lattice:
        """Return the lattice whose bins divide square tiles; some tiles to a bin where there are too many."""
        fine = _FINEST
        while fine > -20 and max(tiles) * 2.0**fine > _MOST:
            fine -= 1
        rows, columns = (max(-(-n // 2**-fine), 1) if fine < 0 else n * 2**fine for n in tiles)
        return cls(low, edge / 2.0**fine, (rows, columns))

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """The shape of every level, the finest first."""
        shapes = [self.shape]
        while max(shapes[-1]) > _LEAST:
            rows, columns = shapes[-1]
            shapes.append((-(-rows // 2), -(-columns // 2)))
        return tuple(shapes)

    @property
    def size(self) -> int:
        """The number of bins of all levels."""
        return sum(rows * columns for rows, columns in self.shapes)

    def edge_of(self, level: int) -> float:
        """Return the edge of a bin of a level."""
        return self.edge * 2.0**level

    def level(self, counts: npt.NDArray[Any], number: int) -> Counts:
        """Return the (rows, columns) of one level out of the counts of all."""
        before = sum(rows * columns for rows, columns in self.shapes[:number])
        rows, columns = self.shapes[number]
        return np.asarray(counts[before : before + rows * columns]).reshape(rows, columns)

    def window(self, low: npt.NDArray[np.float64], high: npt.NDArray[np.float64], level: int) -> tuple[int, ...]:
        """Return the bins (row0, row1, column0, column1) of a level that a box meets."""
        edge, shape = self.edge_of(level), self.shapes[level]
        first = np.clip(np.floor((low - self.low) / edge), 0, shape).astype(int)
        last = np.clip(np.floor((high - self.low) / edge) + 1, 0, shape).astype(int)
        return int(first[0]), int(last[0]), int(first[1]), int(last[1])


def levels_of_counts(lattice: Lattice, pieces: Iterable[npt.NDArray[Any]]) -> Counts:
    """Count points in the bins of every level.

    Parameters
    ----------
    lattice
        The bins.
    pieces
        (n, 2) points as (y, x) in their own coordinates, piece by piece; all have a place.

    Returns
    -------
    array
        The counts of all levels, one after the other, the finest first.
    """
    from ..core.point_kernels import added

    counts = np.zeros(lattice.size, np.uint32)
    finest, corner = lattice.level(counts, 0), np.array(lattice.low)
    for where in pieces:
        added(where, corner, lattice.edge, finest)
    for number, (rows, columns) in enumerate(lattice.shapes[:-1]):
        fine, coarse = lattice.level(counts, number), lattice.level(counts, number + 1)
        for y in (0, 1):
            for x in (0, 1):
                part = fine[y::2, x::2]
                coarse[: part.shape[0], : part.shape[1]] += part
        assert coarse.shape == (-(-rows // 2), -(-columns // 2))
    return counts
