"""A map of the plane, sampled as finely as each place needs: exact work at few points, the same answer at many."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["SampledMap"]

Array = npt.NDArray[np.float64]
Places = Callable[[Array], Array]


@dataclass(frozen=True)
class SampledMap:
    """Square cells, each with knots of its own.

    Parameters
    ----------
    low
        (2,) where the first cell begins.
    edge
        Edge of a cell.
    knots
        (n, 2) the map at the knots, cell after cell.
    first
        (rows, columns) where the knots of each cell begin.
    steps
        (rows, columns) into how many steps each cell is divided along its edge.
    """

    low: Array
    edge: float
    knots: Array
    first: npt.NDArray[np.int64]
    steps: npt.NDArray[np.int64]

    @classmethod
    def of(
        cls,
        function: Places,
        low: Array,
        shape: tuple[int, int],
        edge: float,
        tolerance: float,
        finest: float,
        miss: Callable[[Array, Array], Array] | None = None,
    ) -> SampledMap:
        """Sample a map.

        Parameters
        ----------
        function
            (n, 2) to (n, 2).
        low
            Where the first cell begins.
        shape
            How many cells.
        edge
            Edge of a cell.
        tolerance
            A cell is divided until the map, at four places in each of its parts, is met so closely.
        finest
            The shortest step: at a fold or a jump no number of parts would do.
        miss
            Of (n, 2) places and what the cubics make of them, how far that is off; None compares with the
            function, which may cost more.
        """
        apart = miss or (lambda where, found: found - function(where))
        rows, columns = (low[k] + edge * (np.arange(shape[k] + 3) - 1.0) for k in (0, 1))
        grid = function(_grid(rows, columns)).reshape(len(rows), len(columns), 2)
        windows = np.lib.stride_tricks.sliding_window_view(grid, [4, 4], (0, 1))  # type: ignore[call-overload]
        held = [np.moveaxis(windows, 2, -1).reshape(-1, 16, 2)]
        which = np.arange(shape[0] * shape[1])
        steps = np.ones(len(which), np.int64)
        starts = [low + edge * np.stack(np.divmod(which, shape[1]), -1)]
        places = [which]
        while True:
            m = int(2 ** (len(held) - 1))
            rough = _miss(apart, starts[-1], edge, m, held[-1]) > tolerance
            if not rough.any() or edge / (2 * m) < finest * (1 - 1e-9):
                break
            places.append(places[-1][rough])
            starts.append(starts[-1][rough])
            steps[places[-1]] = 2 * m
            held.append(_knots(function, starts[-1], edge, 2 * m))
        return cls(low, edge, *_packed(held, places, steps, shape))

    def at(self, points: Array) -> Array:
        """Return the map at (n, 2) points; beyond the cells the outermost cubics go on."""
        from .sampled_map_kernels import at_points

        cells = (points - self.low) / self.edge
        out = np.empty((len(points), 2))
        ys, xs = (np.ascontiguousarray(cells[:, k]) for k in (0, 1))
        at_points(self.knots, self.first, self.steps, ys, xs, out)
        return out

    def bounds(self) -> tuple[Array, Array]:
        """Return (rows, columns, 2) the lowest and highest knot of each cell."""
        order = np.argsort(self.first.ravel())
        starts = self.first.ravel()[order]
        low, high = (np.empty((starts.size, 2)) for _ in range(2))
        low[order] = np.minimum.reduceat(self.knots, starts, axis=0)
        high[order] = np.maximum.reduceat(self.knots, starts, axis=0)
        return low.reshape(*self.first.shape, 2), high.reshape(*self.first.shape, 2)


def _grid(rows: Array, columns: Array) -> Array:
    return np.asarray(np.stack(np.meshgrid(rows, columns, indexing="ij"), -1).reshape(-1, 2))


def _within(starts: Array, places: Array) -> Array:
    """Return (cells, n, 2) the same places in each cell."""
    return np.asarray(starts[:, None] + _grid(places, places)[None])


def _knots(function: Places, starts: Array, edge: float, m: int) -> Array:
    where = _within(starts, edge / m * (np.arange(m + 3) - 1.0))
    return np.asarray(function(where.reshape(-1, 2)).reshape(where.shape))


def _miss(apart: Callable[[Array, Array], Array], starts: Array, edge: float, m: int, knots: Array) -> Array:
    """Return how far each cell's cubics are from the map, at most, at four places of each of its parts.

    At the middle alone the error of a kink can happen to be none.
    """
    where = _within(starts, edge / m * (np.arange(2 * m) / 2 + 0.25))
    quarter = np.array([-7, 105, 35, -5]) / 128
    grid = knots.reshape(-1, m + 3, m + 3, 2)
    found = _between(_between(grid, quarter, 1), quarter, 2)
    off = np.abs(apart(where.reshape(-1, 2), found.reshape(-1, 2)))
    return np.asarray(off.reshape(len(starts), -1).max(1))


def _between(values: Array, quarter: Array, axis: int) -> Array:
    """Return the cubics at a quarter and three quarters of each step along an axis."""
    n = values.shape[axis] - 3
    pieces = [np.take(values, range(a, a + n), axis) for a in range(4)]
    first = sum(w * piece for w, piece in zip(quarter, pieces, strict=True))
    last = sum(w * piece for w, piece in zip(quarter[::-1], pieces, strict=True))
    both: Any = np.stack([np.asarray(first), np.asarray(last)], axis + 1)
    return np.asarray(both.reshape(*values.shape[:axis], 2 * n, *values.shape[axis + 1 :]))


def _packed(
    held: list[Array], places: list[npt.NDArray[np.int64]], steps: npt.NDArray[np.int64], shape: tuple[int, int]
) -> tuple[Array, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the knots of the last division of each cell one after the other, and where each cell's begin."""
    first, parts, begin = np.empty(len(steps), np.int64), [], 0
    for level, (knots, cells) in enumerate(zip(held, places, strict=True)):
        last = steps[cells] == 2**level
        kept = knots[last]
        first[cells[last]] = begin + np.arange(len(kept)) * knots.shape[1]
        parts.append(kept.reshape(-1, 2))
        begin += kept.shape[0] * kept.shape[1]
    return np.ascontiguousarray(np.concatenate(parts)), first.reshape(shape), steps.reshape(shape)
