"""Points sorted by tile and, within a tile, by gene: in memory, or on disk in pieces."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.report import Report, part
from .sidecar import Arrays
from .transcript_source import Source, merged

__all__ = ["Tiling", "sorted_in_memory", "sorted_on_disk"]

_STEP = 2_000_000
_MOST_TILES = 4_000_000
Values = npt.NDArray[Any]


@dataclass(frozen=True)
class Tiling:
    """Square tiles over a plane, numbered row by row.

    Parameters
    ----------
    low
        (y, x) where the first tile begins, in the points' own coordinates.
    edge
        Of a tile, in the same.
    shape
        (rows, columns) of tiles.
    """

    low: tuple[float, float]
    edge: float
    shape: tuple[int, int]

    @classmethod
    def over(cls, low: Values, high: Values, edge: float) -> Tiling:
        """Return the tiling of a box; with larger tiles where there would be too many."""
        while True:
            rows, columns = (int(n) + 1 for n in np.floor((high - low) / edge))
            if rows * columns <= _MOST_TILES:
                return cls((float(low[0]), float(low[1])), float(edge), (rows, columns))
            edge *= 2

    @classmethod
    def from_head(cls, head: dict[str, Any]) -> Tiling:
        """Make the tiling again from what `head` returned."""
        (y, x), (rows, columns) = head["low"], head["tiles"]
        return cls((float(y), float(x)), float(head["edge"]), (int(rows), int(columns)))

    def head(self) -> dict[str, Any]:
        """Return plain values that JSON keeps exactly."""
        return {"low": list(self.low), "edge": self.edge, "tiles": list(self.shape)}

    @property
    def n(self) -> int:
        """The number of tiles."""
        return self.shape[0] * self.shape[1]

    def tiles_of(self, coordinates: Values) -> npt.NDArray[np.int64]:
        """Return the number of the tile of each point."""
        row, column = (self._along(coordinates[:, axis], axis) for axis in (0, 1))
        return row * self.shape[1] + column

    def spans(self, starts: Values, low: Values, high: Values) -> list[tuple[int, int]]:
        """Return the ranges of points whose tiles meet a box: one a row of tiles."""
        reach = np.asarray(low, float), np.asarray(high, float)
        end = np.asarray(self.low) + self.edge * np.asarray(self.shape)
        if (reach[1] < self.low).any() or (reach[0] > end).any():
            return []
        (r0, r1), (c0, c1) = ([int(self._along(np.array([v[a]]), a)[0]) for v in reach] for a in (0, 1))
        rows = np.arange(r0, r1 + 1) * self.shape[1]
        found = [(int(starts[row + c0]), int(starts[row + c1 + 1])) for row in rows]
        return [(a, b) for a, b in found if b > a]

    def _along(self, values: Values, axis: int) -> npt.NDArray[np.int64]:
        # one tile is as good as another for a point on a seam, if reading and writing agree: they share these lines
        at = np.floor((values.astype(np.float64) - self.low[axis]) / self.edge)
        tile: npt.NDArray[np.int64] = np.clip(at, 0, self.shape[axis] - 1).astype(np.int64)
        return tile


def sorted_in_memory(source: Source, edge: float) -> Arrays:
    """Sort the points of a source in memory."""
    names: dict[str, int] = {}
    read = [(where, merged(names, genes, codes)) for where, codes, genes in source.pieces()]
    pieces, total = [_placed(*piece) for piece in read], sum(len(where) for where, _ in read)
    where = np.concatenate([np.empty((0, 2), source.dtype), *(w for w, _ in pieces)])
    codes = np.concatenate([np.empty(0, np.int64), *(c for _, c in pieces)])
    genes, rank = _ranked(names, np.bincount(codes, minlength=len(names)))
    tiling = _tiling(where.min(0), where.max(0), edge) if len(where) else Tiling((0.0, 0.0), edge, (1, 1))
    tile, codes = tiling.tiles_of(where), rank[codes] if len(codes) else codes
    order = np.argsort(tile * max(len(genes), 1) + codes, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(tile, minlength=tiling.n))])
    head = {**tiling.head(), "genes": genes, "rows": total}
    return Arrays(head, where[order], codes[order].astype(_narrow(len(genes))), starts)


def sorted_on_disk(source: Source, edge: float, folder: Path, report: Report) -> dict[str, Any]:
    """Sort the points of a source into ``folder``, with a few pieces in memory at a time; return the head.

    Writes ``coordinates.npy``, ``codes.npy`` and ``starts.npy``.
    """
    names: dict[str, int] = {}
    scratch = _Scratch(folder, source.dtype)
    total = 0
    for number, (where, codes, genes) in enumerate(source.pieces()):
        report(0.4 * number / max(source.n_pieces(), 1), f"reading the transcripts: {total:,}")
        total += len(where)
        scratch.add(*_placed(where, merged(names, genes, codes)), len(names))
    genes_sorted, rank = _ranked(names, scratch.used)
    where, codes = scratch.opened()
    tiling = _tiling(scratch.low, scratch.high, edge) if len(where) else Tiling((0.0, 0.0), edge, (1, 1))
    starts = _starts(where, tiling)
    np.save(folder / "starts.npy", starts)
    kinds: tuple[tuple[str, Any, tuple[int, ...]], ...] = (
        ("coordinates", source.dtype, (len(where), 2)),
        ("codes", _narrow(len(genes_sorted)), (len(where),)),
    )
    mapped: Any = np.lib.format.open_memmap  # untyped
    out = [mapped(folder / f"{n}.npy", "w+", np.dtype(t), shape) for n, t, shape in kinds]
    _scatter(where, codes, rank, tiling, starts, out, part(report, 0.4, 0.8))
    del where, codes
    scratch.remove()
    _sort_tiles(out, starts, max(len(genes_sorted), 1), part(report, 0.8, 1.0))
    for array in out:
        array.flush()
    return {**tiling.head(), "genes": genes_sorted, "rows": total}


class _Scratch:
    """The placed points as they come, in two flat files."""

    def __init__(self, folder: Path, dtype: np.dtype[Any]) -> None:
        self._files = (folder / "coordinates.raw", folder / "codes.raw")
        self._dtype = dtype
        self.n = 0
        self.low, self.high = np.full(2, np.inf), np.full(2, -np.inf)
        self.used = np.zeros(0, np.int64)
        for file in self._files:
            file.touch()

    def add(self, where: Values, codes: Values, n_names: int) -> None:
        self.used = np.bincount(codes, minlength=n_names) + np.pad(self.used, (0, n_names - len(self.used)))
        if len(where) == 0:
            return
        self.n += len(where)
        self.low, self.high = np.minimum(self.low, where.min(0)), np.maximum(self.high, where.max(0))
        for file, array in zip(self._files, (where.astype(self._dtype), codes.astype(np.int32)), strict=True):
            with file.open("ab") as open_file:
                np.ascontiguousarray(array).tofile(open_file)

    def opened(self) -> tuple[Values, Values]:
        if self.n == 0:
            return np.empty((0, 2), self._dtype), np.empty(0, np.int32)
        where: Values = np.memmap(self._files[0], self._dtype, "r", shape=(self.n, 2))
        return where, np.memmap(self._files[1], np.int32, "r", shape=(self.n,))

    def remove(self) -> None:
        for file in self._files:
            file.unlink()


def _placed(where: Values, codes: Values) -> tuple[Values, Values]:
    """Return the points that have a place and a gene; the others can lie in no cell and count for none."""
    kept = np.isfinite(where).all(1) & (codes >= 0)
    return where[kept], codes[kept]


def _ranked(names: dict[str, int], used: Values) -> tuple[list[str], npt.NDArray[np.int64]]:
    """Return the genes that occur, sorted, and the place of every name among them."""
    genes = sorted(name for name, code in names.items() if used[code])
    rank = np.full(len(names), -1, dtype=np.int64)
    rank[[names[g] for g in genes]] = np.arange(len(genes))
    return genes, rank


def _tiling(low: Values, high: Values, edge: float) -> Tiling:
    return Tiling.over(low.astype(np.float64), high.astype(np.float64), edge)


def _narrow(n_genes: int) -> Any:
    return np.uint16 if n_genes <= 1 << 16 else np.int32


def _steps(n: int) -> Iterator[slice]:
    return (slice(start, start + _STEP) for start in range(0, n, _STEP))


def _starts(where: Values, tiling: Tiling) -> npt.NDArray[np.int64]:
    """Return where the points of each tile begin; the last number is that of all points."""
    n = np.zeros(tiling.n, np.int64)
    for step in _steps(len(where)):
        n += np.bincount(tiling.tiles_of(where[step]), minlength=tiling.n)
    return np.concatenate([[0], np.cumsum(n)]).astype(np.int64)


def _scatter(
    where: Values, codes: Values, rank: Values, tiling: Tiling, starts: Values, out: list[Any], report: Report
) -> None:
    """Write each point into the next free place of its tile."""
    cursor = starts[:-1].copy()
    for step in _steps(len(where)):
        report(step.start / len(where), "sorting the transcripts by tile")
        some = np.asarray(where[step])
        tile = tiling.tiles_of(some)
        order = np.argsort(tile, kind="stable")
        tile = tile[order]
        n = np.bincount(tile, minlength=tiling.n)
        before = np.cumsum(n) - n
        at = cursor[tile] + np.arange(len(tile)) - before[tile]
        out[0][at] = some[order]
        out[1][at] = rank[codes[step]][order]
        cursor += n


def _sort_tiles(out: list[Any], starts: Values, n_genes: int, report: Report) -> None:
    """Sort the points of each tile by gene, many tiles at a time."""
    first, last, n = 0, len(starts) - 1, int(starts[-1])
    while first < last:
        report(int(starts[first]) / max(n, 1), "sorting the transcripts by gene")
        stop = max(first + 1, int(np.searchsorted(starts, starts[first] + _STEP, side="right")) - 1)
        a, b = int(starts[first]), int(starts[stop])
        tile = np.repeat(np.arange(stop - first), np.diff(starts[first : stop + 1]))
        order = np.argsort(tile * n_genes + out[1][a:b], kind="stable")
        for array in out:
            array[a:b] = np.asarray(array[a:b])[order]
        first = stop
