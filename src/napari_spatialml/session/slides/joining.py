"""The cells of all tiles become one labels pyramid and one table, block by block."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ...core.patch import Window
from ...core.pyramid import downsample
from ...core.report import Report, part, silent
from ...core.slide_tiles import TilePlan
from ...core.stitching import Seen, Settled, overlaps, settle
from ...errors import BadInput
from ..blank import blank_grid
from ..cells import table_of
from ..grid import LabelGrid
from .folder import Folder
from .source import Source

__all__ = ["NO_SEAM", "SEAM", "SEAM_WORDS", "Joined", "joined", "level_shapes"]

SEAM = "seam"
"""Column of obs: what tiles disagreed about; "no" for all other cells."""
NO_SEAM = "no"
SEAM_WORDS = {
    "seen twice": "Two tiles saw this cell differently",
    "between tiles": "It lies on the line between two tiles",
    "trimmed": "It lost pixels to a neighbour that another tile saw",
}
"""What the review says of these cells."""
_SAID = {"twice": "seen twice", "between": "between tiles", "trimmed": "trimmed"}
_BLOCK = 1024
"""Pixels along the blocks in which labels are put together: a multiple of a pyramid's factors and of its tiles."""
_HELD = 200_000_000
"""Bytes of tiles' labels that are kept while their neighbours are put together."""


@dataclass(frozen=True, eq=False)
class Joined:
    """The cells of a slide.

    Parameters
    ----------
    grid
        The labels, 1 to n: ascending by tile, and within a tile as the method numbered them.
    table
        One row a cell; an AnnData as `cells.measure` makes it, with the columns "score" and "seam".
    """

    grid: LabelGrid
    table: Any


def joined(folder: Folder, plan: TilePlan, source: Source, name: str, report: Report = silent) -> Joined:
    """Put the tiles of a finished run together.

    Parameters
    ----------
    folder
        Where the tiles lie.
    plan
        How the slide was cut.
    source
        The slide, to measure intensities.
    name
        Of the labels.
    report
        Told how far it is.

    Notes
    -----
    Memory grows with the number of cells, by some hundred bytes each, not with the slide.
    """
    tiles = _Tiles(folder, plan, part(report, 0.0, 0.15))
    found = tiles.settled(part(report, 0.15, 0.35))
    ids = np.where(found.stays, np.cumsum(found.stays), 0).astype(np.int32)
    ranks = np.zeros(int(found.stays.sum()) + 1, np.int64)
    ranks[ids[found.stays]] = found.rank[found.stays]
    grid = blank_grid(level_shapes(plan.shape), np.dtype(np.int32))
    sums = _Sums(len(ranks) - 1, source)
    for offset, block in _blocks(tiles, ids, ranks, part(report, 0.35, 0.98)):
        _put(grid, offset, block)
        sums.add(offset, block)
    grid.mark_saved()  # it is new as a whole: saving writes all of it
    report(0.98, "making the table")
    table = sums.table(name)
    scores = tiles.cells["score"].to_numpy()[found.stays]
    if len(scores) and not np.isnan(scores).all():
        table.obs["score"] = scores
    table.obs[SEAM] = _said(found, ids, table.n_obs)
    left = sums.pixels > 0
    return Joined(grid, table if left.all() else table[left].copy())  # neighbours may have taken all of a cell


class _Tiles:
    """What all tiles saw: a line a cell, and the labels of those that were looked at last."""

    def __init__(self, folder: Folder, plan: TilePlan, report: Report) -> None:
        self._folder, self._kept, self._bytes = folder, OrderedDict[int, Seen](), 0
        self.plan = plan
        self.boxes = np.zeros((len(plan), 4), np.int64)
        """Where each tile saw cells: y0, y1, x0, x1."""
        counts, frames = np.zeros(len(plan) + 1, np.int64), [_NO_CELLS]
        for number in range(len(plan)):
            report(number / len(plan), "joining the tiles")
            one = self[number]
            (y, x), (h, w) = one.offset, one.labels.shape
            self.boxes[number], counts[number + 1] = (y, y + h, x, x + w), len(one)
            if len(one):
                frames.append(_frame(number, one, plan))
        self.first = np.cumsum(counts)
        """Where the cells of each tile begin among all."""
        self.cells = pd.concat(frames[1:] or frames, ignore_index=True)

    def __getitem__(self, number: int) -> Seen:
        if number not in self._kept:
            record = self._folder.read(number)
            if record is None:
                raise BadInput(f"Tile {number + 1} of the run cannot be read.", "Run it again: only that tile is done.")
            self._kept[number] = record.seen
            self._bytes += record.seen.labels.nbytes
            while self._bytes > _HELD and len(self._kept) > 1:
                self._bytes -= self._kept.popitem(last=False)[1].labels.nbytes
        self._kept.move_to_end(number)
        return self._kept[number]

    def meeting(self, window: Window) -> list[int]:
        """Return the tiles that saw cells in a window, in ascending order."""
        (y0, y1, x0, x1), b = window, self.boxes
        met = (b[:, 0] < y1) & (b[:, 1] > y0) & (b[:, 2] < x1) & (b[:, 3] > x0)
        return [int(n) for n in np.flatnonzero(met)]

    def settled(self, report: Report) -> Settled:
        """Return which cells stay."""
        pairs = [np.zeros((0, 3), np.int64)]
        for number in range(len(self.plan)):
            report(number / len(self.plan), "looking at the seams")
            y0, y1, x0, x1 = (int(v) for v in self.boxes[number])
            for other in self.meeting((y0, y1, x0, x1)):
                if other > number:
                    shared = overlaps(self[number], self[other])
                    at = (shared.a + self.first[number], shared.b + self.first[other], shared.pixels)
                    pairs.append(np.stack(at, axis=1))
        tile, owner, kept, area, depth = (self.cells[c].to_numpy() for c in _NO_CELLS.columns[:5])
        return settle(tile, owner, kept, area, depth, np.concatenate(pairs))


_NO_CELLS = pd.DataFrame({
    "tile": np.zeros(0, np.int64), "owner": np.zeros(0, np.int64), "kept": np.zeros(0, bool),
    "area": np.zeros(0, np.int64), "depth": np.zeros(0), "score": np.zeros(0),
})  # fmt: skip


def _frame(number: int, one: Seen, plan: TilePlan) -> pd.DataFrame:
    return pd.DataFrame({
        "tile": np.full(len(one), number, np.int64), "owner": plan.owners(one.centroids), "kept": one.kept,
        "area": one.areas, "depth": one.depths, "score": one.scores,
    })  # fmt: skip


def _blocks(
    tiles: _Tiles, ids: npt.NDArray[np.int32], ranks: npt.NDArray[np.int64], report: Report
) -> Iterator[tuple[tuple[int, int], npt.NDArray[np.int32]]]:
    """Yield the labels of every block that holds a cell; of a pixel that two cells claim, the lower rank's."""
    height, width = tiles.plan.shape
    across = -(-width // _BLOCK)
    count = -(-height // _BLOCK) * across
    for number in range(count):
        report(number / count, "measuring the cells")
        y, x = (v * _BLOCK for v in divmod(number, across))
        block = np.zeros((min(_BLOCK, height - y), min(_BLOCK, width - x)), np.int32)
        for tile in tiles.meeting((y, y + block.shape[0], x, x + block.shape[1])):
            own = np.append(np.int32(0), ids[tiles.first[tile] : tiles.first[tile + 1]])
            _paint(block, (y, x), tiles[tile], own, ranks)
        if block.any():
            yield (y, x), block


def _paint(
    block: npt.NDArray[np.int32],
    offset: tuple[int, int],
    one: Seen,
    ids: npt.NDArray[np.int32],
    ranks: npt.NDArray[np.int64],
) -> None:
    """Paint what a tile saw of a block over what the others saw of it."""
    (y, x), (ty, tx), (h, w) = offset, one.offset, one.labels.shape
    y0, y1 = max(y, ty), min(y + block.shape[0], ty + h)
    x0, x1 = max(x, tx), min(x + block.shape[1], tx + w)
    new = ids[one.labels[y0 - ty : y1 - ty, x0 - tx : x1 - tx]]
    old = block[y0 - y : y1 - y, x0 - x : x1 - x]
    old[...] = np.where((old == 0) | ((new != 0) & (ranks[new] < ranks[old])), new, old)


def level_shapes(shape: tuple[int, int], smallest: int = 1024) -> list[tuple[int, int]]:
    """Return the sizes of a pyramid's levels, as `elements.new_labels` makes them."""
    shapes, factor = [shape], 2
    while max(shapes[-1]) > smallest * 2:
        shapes.append((max(shape[0] // factor, 1), max(shape[1] // factor, 1)))
        factor *= 2
    return shapes


def _put(grid: LabelGrid, offset: tuple[int, int], block: npt.NDArray[np.int32]) -> None:
    """Write a block into every level of the pyramid."""
    y, x = offset
    for level, (fy, fx) in enumerate(grid.factors):
        rows, columns = grid.levels[level].shape
        coarse = downsample(block, (fy, fx))[: rows - y // fy, : columns - x // fx]
        grid.put(level, (y // fy, x // fx), np.ascontiguousarray(coarse))


class _Sums:
    """Area, centroid and mean intensities of all cells, summed block by block."""

    def __init__(self, cells: int, source: Source) -> None:
        self._source = source
        self.channels = [str(c) for c in source.whole.coords["c"].to_numpy()]
        self.pixels = np.zeros(cells, np.int64)
        self._at = np.zeros((2, cells))
        self._values = np.zeros((len(self.channels), cells))

    def add(self, offset: tuple[int, int], block: npt.NDArray[np.int32]) -> None:
        """Add a block; no pixel is given twice."""
        at = np.flatnonzero(block)
        ids, codes = np.unique(block.ravel()[at], return_inverse=True)
        cells, n = ids - 1, len(ids)
        self.pixels[cells] += np.bincount(codes, minlength=n)
        for axis, places in enumerate(np.divmod(at, block.shape[1])):
            self._at[axis, cells] += np.bincount(codes, weights=places + float(offset[axis]), minlength=n)
        (y, x), (h, w) = offset, block.shape
        window = self._source.whole.isel(y=slice(y, y + h), x=slice(x, x + w))
        for c in range(len(self.channels)):
            values = np.asarray(window.isel(c=c).data).ravel()[at].astype(np.float64)
            self._values[c, cells] += np.bincount(codes, weights=values, minlength=n)

    def table(self, name: str) -> Any:
        """Return one row a cell."""
        size, n = self._source.pixel_size_um, np.maximum(self.pixels, 1)
        frame = pd.DataFrame({
            "area_um2": self.pixels * size**2,
            "centroid_y_um": (self._at[0] / n + 0.5) * size,
            "centroid_x_um": (self._at[1] / n + 0.5) * size,
            "diameter_um": 2 * np.sqrt(self.pixels / np.pi) * size,
        }, index=np.arange(1, len(self.pixels) + 1))  # fmt: skip
        return table_of(name, frame, self.channels, (self._values / n).T.astype(np.float32))


def _said(found: Settled, ids: npt.NDArray[np.int32], cells: int) -> pd.Categorical:
    codes = np.zeros(cells, np.int8)
    for conflict in found.conflicts:
        if found.stays[conflict.cell]:
            codes[ids[conflict.cell] - 1] = 1 + list(_SAID).index(conflict.kind)
    return pd.Categorical.from_codes(codes, [NO_SEAM, *_SAID.values()])
