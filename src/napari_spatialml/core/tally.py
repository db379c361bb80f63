"""What every cell of a slide holds, block by block: its pixels, its transcripts, the sums of its channels.

Points are sorted by the block of labels in which they lie, so that each block is read once for very
many of them. A block is tallied alone, on any thread; the tallies are put together at the end. Every
sum is one of whole numbers, so nothing depends on the order.

Notes
-----
O(points + pixels) in time. In memory: 6 bytes a point, and 8 a count that is not zero, three times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from .arrays import require

__all__ = ["BlockTally", "Blocks", "Placed", "Totals", "placed", "put_together", "tallied"]


@dataclass(frozen=True)
class Blocks:
    """The blocks of labels, row by row.

    Parameters
    ----------
    shape
        (y, x) of the labels.
    edge
        (y, x) of a block; those at the end may be smaller.
    """

    shape: tuple[int, int]
    edge: tuple[int, int]

    @property
    def columns(self) -> int:
        """Blocks in a row."""
        return -(-self.shape[1] // self.edge[1])

    @property
    def n(self) -> int:
        """The number of blocks."""
        return -(-self.shape[0] // self.edge[0]) * self.columns

    def window(self, block: int) -> tuple[int, int, int, int]:
        """Return the pixels (y0, y1, x0, x1) of a block."""
        row, column = divmod(block, self.columns)
        y, x = row * self.edge[0], column * self.edge[1]
        return y, min(y + self.edge[0], self.shape[0]), x, min(x + self.edge[1], self.shape[1])


@dataclass(frozen=True)
class Placed:
    """Points sorted by block.

    Parameters
    ----------
    starts
        (blocks + 1,) where the points of each block begin.
    offsets
        (n,) the pixel of each point in its block, as row · edge + column.
    genes
        (n,) the gene of each point.
    """

    starts: npt.NDArray[np.int64]
    offsets: npt.NDArray[np.uint32]
    genes: npt.NDArray[Any]

    def of(self, block: int) -> tuple[npt.NDArray[np.uint32], npt.NDArray[Any]]:
        """Return pixels and genes of the points of a block."""
        a, b = int(self.starts[block]), int(self.starts[block + 1])
        return self.offsets[a:b], self.genes[a:b]


@dataclass(frozen=True)
class BlockTally:
    """The cells of a block.

    Parameters
    ----------
    ids
        (k,) of the labels' type.
    sums
        (k, 6) pixels, and sums of their y, x, y², x² and y·x in the whole labels.
    counts
        CSR parts (indptr, genes, times) of the k cells.
    nuclear
        (k,) transcripts that lie in a nucleus, where nuclei were given.
    channels
        (k, c) sums of the image, float64.
    """

    ids: npt.NDArray[Any]
    sums: npt.NDArray[np.int64]
    counts: tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]
    nuclear: npt.NDArray[np.int64] | None = None
    channels: npt.NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Totals:
    """The cells of the whole labels, by ascending id.

    Parameters
    ----------
    ids
        (n,) of the labels' type.
    pixels
        (n,) pixels of each cell.
    centre
        (n, 2) mean of the pixels' (row, column); a pixel's middle is half a pixel further.
    spread
        (n, 3) variances of y and x and their covariance, in pixels².
    counts
        (n, g) CSR int32.
    nuclear
        (n,) transcripts in a nucleus, or None.
    channels
        (n, c) sums of the image, or None.
    """

    ids: npt.NDArray[Any]
    pixels: npt.NDArray[np.int64]
    centre: npt.NDArray[np.float64]
    spread: npt.NDArray[np.float64] = field(repr=False)
    counts: sp.csr_matrix = field(repr=False)
    nuclear: npt.NDArray[np.int64] | None = None
    channels: npt.NDArray[np.float64] | None = None


def placed(where: npt.NDArray[Any], genes: npt.NDArray[Any], to_pixels: npt.NDArray[np.float64], to: Blocks) -> Placed:
    """Sort points by the block in which they lie; those outside the labels or at NaN are left out.

    Parameters
    ----------
    where
        (n, 2) as (y, x).
    genes
        (n,) the gene of each.
    to_pixels
        (3, 3) from (y, x, 1) to pixels; pixel (i, j) covers [i, i + 1) × [j, j + 1).
    to
        The blocks.
    """
    from .tally_kernels import blocks_of, sorted_by

    require(where.ndim == 2 and where.shape[1] == 2, f"The points have the shape {where.shape}.", "Give (n, 2).")
    require(to.edge[0] * to.edge[1] < 2**32, f"A block of {to.edge} pixels is too large.", "Give smaller ones.")
    block, offset = np.empty(len(where), np.int32), np.empty(len(where), np.uint32)
    matrix = np.ascontiguousarray(to_pixels, dtype=np.float64)
    blocks_of(np.ascontiguousarray(where), matrix, *to.shape, *to.edge, to.columns, block, offset)
    return Placed(*sorted_by(block, to.n, offset, genes))


def tallied(
    labels: npt.NDArray[Any],
    origin: tuple[int, int],
    edge_x: int,
    points: Sequence[tuple[npt.NDArray[Any], npt.NDArray[Any]]],
    n_genes: int,
    nuclei: npt.NDArray[Any] | None = None,
    image: npt.NDArray[Any] | None = None,
) -> BlockTally:
    """Tally the cells of one block.

    Parameters
    ----------
    labels
        (h, w) of the block; 0 is background.
    origin
        (y, x) of its first pixel in the whole labels.
    edge_x
        The width of blocks by which `placed` counted pixels; that of the last one in a row may be smaller.
    points
        Pixels and genes of the block's points, as `Placed.of` gives them, from as many pieces as there are.
    n_genes
        Genes are numbered below this.
    nuclei
        (h, w) labels of nuclei.
    image
        (c, h, w) to be summed.
    """
    from .tally_kernels import counted, owners, summed, surveyed

    ids, sums, slots = surveyed(np.ascontiguousarray(labels))
    sums = _shifted(sums, origin)
    offsets, genes = (np.concatenate([p[k] for p in points]) if points else np.empty(0, np.uint32) for k in (0, 1))
    if labels.shape[1] != edge_x:
        offsets = (offsets // edge_x) * labels.shape[1] + offsets % edge_x
    cells = owners(labels, offsets.astype(np.int64), ids, slots)
    counts = counted(cells, genes, len(ids), n_genes)
    nuclear = channels = None
    if nuclei is not None:
        inside = (cells >= 0) & (nuclei.ravel()[offsets] != 0)
        nuclear = np.bincount(cells[inside], minlength=len(ids)).astype(np.int64)
    if image is not None:
        channels = np.zeros((len(image), len(ids)))
        for values, out in zip(image, channels, strict=True):
            summed(labels, np.ascontiguousarray(values), ids, slots, out)
        channels = channels.T
    return BlockTally(ids, sums, counts, nuclear, channels)


def _shifted(sums: npt.NDArray[np.int64], origin: tuple[int, int]) -> npt.NDArray[np.int64]:
    """Return the sums of pixels that lie further by ``origin``, exactly."""
    (n, y, x, yy, xx, yx), (dy, dx) = sums.T, origin
    return np.stack(
        [
            n,
            y + n * dy,
            x + n * dx,
            yy + 2 * dy * y + n * dy * dy,
            xx + 2 * dx * x + n * dx * dx,
            yx + dy * x + dx * y + n * dy * dx,
        ],
        axis=1,
    )


def put_together(
    rounds: Sequence[Sequence[BlockTally]], dtype: np.dtype[Any], rank: npt.NDArray[np.int64], n_genes: int
) -> Totals:
    """Put the tallies of blocks together.

    Parameters
    ----------
    rounds
        Every block of the labels, once for each round of points; the pixels are taken from the first round.
    dtype
        Of the labels.
    rank
        The column of each gene as it was numbered; -1 for one that no point has.
    n_genes
        The number of columns.
    """
    first, every = rounds[0] if rounds else [], [tally for one in rounds for tally in one]
    ids = np.unique(np.concatenate([np.empty(0, dtype), *(t.ids for t in first)]))
    n = len(ids)
    sums = np.zeros((n, 6), np.int64)
    n_channels = next((t.channels.shape[1] for t in first if t.channels is not None), None)
    channels = None if n_channels is None else np.zeros((n, n_channels))
    for tally in first:  # an id is in a block once, so that nothing is added twice
        rows = np.searchsorted(ids, tally.ids)
        sums[rows] += tally.sums
        if channels is not None and tally.channels is not None:
            channels[rows] += tally.channels
    nuclear = _nuclear(ids, every)
    with np.errstate(invalid="ignore"):
        centre, squares = sums[:, 1:3] / sums[:, :1], sums[:, 3:] / sums[:, :1]
    spread = squares - np.stack([centre[:, 0] ** 2, centre[:, 1] ** 2, centre[:, 0] * centre[:, 1]], axis=1)
    return Totals(ids, sums[:, 0], centre, spread, _matrix(ids, every, rank, n_genes), nuclear, channels)


def _nuclear(ids: npt.NDArray[Any], tallies: list[BlockTally]) -> npt.NDArray[np.int64] | None:
    if not any(t.nuclear is not None for t in tallies):
        return None
    total = np.zeros(len(ids), np.int64)
    for tally in tallies:
        if tally.nuclear is not None:
            total[np.searchsorted(ids, tally.ids)] += tally.nuclear
    return total


def _matrix(
    ids: npt.NDArray[Any], tallies: list[BlockTally], rank: npt.NDArray[np.int64], n_genes: int
) -> sp.csr_matrix:
    """Return the counts of all cells: each block's rows one behind the other, then sorted and added up."""
    from .tally_kernels import row_of_entries, tidied

    room = np.zeros(len(ids) + 1, np.int64)
    for tally in tallies:
        room[np.searchsorted(ids, tally.ids) + 1] += np.diff(tally.counts[0])
    starts = np.cumsum(room)
    indices, times = (np.empty(int(starts[-1]), np.int32) for _ in range(2))
    filled, narrow = starts[:-1].copy(), rank.astype(np.int32)
    for tally in tallies:
        row_of_entries((indices, times), filled, np.searchsorted(ids, tally.ids), *tally.counts, narrow)
    indptr = tidied(starts, indices, times, n_genes)
    made = sp.csr_matrix((len(ids), n_genes), dtype=np.int32)
    n = int(indptr[-1])
    made.data, made.indices = times[:n], indices[:n]
    made.indptr = indptr.astype(np.int32 if n < 2**31 else np.int64)
    return made
