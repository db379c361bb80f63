"""Square blocks of the tissue, large enough that what lies in two of them is nearly independent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.spatial import cKDTree

from .arrays import require
from .smoothed import pitch

__all__ = ["Blocks", "blocks_of", "correlograms", "cut_apart", "suited_side"]

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]
_SLIVER = 0.25
"""A block with less than this share of the usual rows joins its neighbour: it would stand for a whole one."""
_ORIGINS = 400
_RELATED = 0.1
_FEWEST = 16
_BEYOND = 1.5


@dataclass(frozen=True)
class Blocks:
    """A division of the rows of a table into squares.

    Parameters
    ----------
    number
        (n,) the block of each row, 0 to ``n_blocks`` − 1.
    offset
        (n, 2) in µm from the corner of the block.
    side_um
        > 0.
    """

    number: Ints
    offset: Array
    side_um: float

    @property
    def n_blocks(self) -> int:
        """How many blocks there are."""
        return int(self.number.max()) + 1

    def counterparts(self, raster_um: float) -> tuple[Ints, Ints]:
        """Return the row of each block that lies nearest to each place in it, and the place of each row.

        Parameters
        ----------
        raster_um
            Places are the squares of a raster of this edge.

        Returns
        -------
        (n_blocks, places) rows, and (n,) the place of each row: the row of block ``k`` that takes the part
        of row ``i`` is ``nearest[k, place[i]]``.
        """
        m = max(1, int(np.ceil(self.side_um / raster_um)))
        at = np.clip(np.floor(self.offset / raster_um).astype(np.intp), 0, m - 1)
        axis = (np.arange(m) + 0.5) * raster_um
        places = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
        nearest = np.empty((self.n_blocks, m * m), np.intp)
        order = np.argsort(self.number, kind="stable")
        for k, rows in enumerate(np.split(order, np.cumsum(np.bincount(self.number))[:-1])):
            nearest[k] = rows[cKDTree(self.offset[rows]).query(places)[1]]
        return nearest, at @ np.array([m, 1])


def blocks_of(coordinates: Array, side_um: float) -> Blocks:
    """Divide rows into squares of a grid that lies in the middle of the tissue.

    Parameters
    ----------
    coordinates
        (n, 2) in µm.
    side_um
        > 0. Slivers at the edge of the tissue join the nearest block.
    """
    require(0 < side_um < np.inf, f"The blocks have a side of {side_um:g} µm.", "Give a number above 0.")
    low, high = coordinates.min(0), coordinates.max(0)
    extent = np.maximum(high - low, 1e-9)
    corner = low - (np.ceil(extent / side_um) * side_um - extent) / 2
    cell = np.floor((coordinates - corner) / side_um).astype(np.int64)
    squares, number, size = np.unique(cell, axis=0, return_inverse=True, return_counts=True)
    number = number.ravel()
    whole = size >= _SLIVER * np.quantile(size, 0.75)
    middles = (squares + 0.5) * side_um
    joins = np.flatnonzero(whole)[cKDTree(middles[whole]).query(middles)[1]]
    joins[whole] = np.flatnonzero(whole)
    kept, renumbered = np.unique(joins[number], return_inverse=True)
    offset = coordinates - corner - squares[kept][renumbered] * side_um
    return Blocks(renumbered.astype(np.intp), offset, float(side_um))


def correlograms(coordinates: Array, values: Array, edges: Array, seed: int = 0) -> tuple[Array, Array]:
    """Return how alike each column is at two places, by their distance.

    Parameters
    ----------
    coordinates
        (n, 2) in µm.
    values
        (n, t).
    edges
        (k + 1,) growing distances in µm from 0 on, k ≤ 100.

    Returns
    -------
    (k, t) correlations of pairs whose distance lies between two edges, and (k,) how many other rows lie
    there around a row, on average.

    Notes
    -----
    Pairs from at most 400 rows drawn by ``seed`` to all others.
    """
    centred = values - values.mean(0)
    variance = np.maximum((centred**2).mean(0), 1e-300)
    n = len(values)
    origins = np.sort(np.random.default_rng(seed).permutation(n)[:_ORIGINS])
    k = len(edges) - 1
    sums, pairs = np.zeros((k, values.shape[1])), np.zeros(k)
    for chunk in np.array_split(origins, max(1, len(origins) * n // 2_000_000)):
        distance = np.sqrt(((coordinates[chunk, None] - coordinates[None]) ** 2).sum(-1))
        distance[np.arange(len(chunk)), chunk] = np.inf
        ring = (np.searchsorted(edges, distance, side="right") - 1).astype(np.int8)
        # one row a ring around an origin, so that its mean is a product with a sparse matrix
        columns = np.argsort(ring, axis=1, kind="stable")
        size = np.stack([(ring == j).sum(1) for j in range(k + 1)], axis=1)
        pointer = np.concatenate([[0], np.cumsum(size)])
        shape = (len(chunk) * (k + 1), n)
        rings = sp.csr_matrix((np.ones(columns.size), columns.ravel(), pointer), shape=shape)
        around = (rings @ centred).reshape(len(chunk), k + 1, -1)[:, :k]
        sums += (centred[chunk, None] * around).sum(0)
        pairs += size[:, :k].sum(0)
    return sums / np.maximum(pairs, 1)[:, None] / variance, pairs / len(origins)


def cut_apart(coordinates: Array, values: Array, side_um: float, seed: int = 0) -> tuple[Array, Array]:
    """Return by how much the spread of a sum over blocks is too narrow, since blocks cut neighbours apart.

    Parameters
    ----------
    coordinates
        (n, 2) in µm.
    values
        (n, t).
    side_um
        Side of the blocks.
    seed
        Of the rows that are looked at.

    Returns
    -------
    (t,) ≥ 1 for the mean of a column, and (t, t) ≥ 1 for the product of two independent ones.

    Notes
    -----
    √(Σ ρ / Σ ρ γ) over all pairs of rows up to one and a half sides apart: ρ the correlogram, or the product of
    two, and γ the part of the pairs at that distance h of which both lie in one square: 1 − 4h/π + h²/π for a
    side of 1 and h < 1, next to nothing beyond.
    """
    step = pitch(coordinates)
    edges = np.linspace(0.0, _BEYOND * side_um, max(2, min(19, int(_BEYOND * side_um / step) + 1)))
    alike, pairs = correlograms(coordinates, values, edges, seed)
    alike = np.maximum(alike, 0.0)
    middle = (edges[1:] + edges[:-1]) / 2 / side_um
    together = pairs * np.where(middle < 1, 1 - 4 * middle / np.pi + middle**2 / np.pi, 0.0)
    whole, kept = 1 + pairs @ alike, 1 + together @ alike
    whole_two, kept_two = (1 + (alike.T * weight) @ alike for weight in (pairs, together))
    return np.sqrt(whole / kept), np.sqrt(whole_two / kept_two)


def suited_side(coordinates: Array, values: Array, seed: int = 0) -> float:
    """Return a side in µm for blocks that are nearly independent of one another.

    It is twice the distance at which the mean correlation over the columns of ``values`` has fallen below
    0.1, at least four spacings of the rows, and small enough for about 16 blocks.
    """
    step = pitch(coordinates)
    area = len(coordinates) * step**2
    most = np.sqrt(area / _FEWEST)
    edges = np.linspace(0.0, max(most, 2 * step), 17)
    alike, pairs = correlograms(coordinates, values, edges, seed)
    mean = np.where(pairs > 0, alike.mean(1), 1.0)
    fallen = np.flatnonzero(mean < _RELATED)
    reach = edges[fallen[0] + 1] if len(fallen) else most
    return float(min(max(2 * reach, 4 * step), max(most, step)))
