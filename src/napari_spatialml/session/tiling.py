"""Points sorted by tile and, within a tile, by gene: in memory, or on disk in pieces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.report import Report, part
from .lattice import Lattice, levels_of_counts
from .sidecar import OF_GENES, Arrays
from .sorting import Column, Columns, rows_of, sort_rows, steps
from .transcript_source import Measures, Source, merged

__all__ = ["Tiling", "sorted_in_memory", "sorted_on_disk"]

_STEP = 2_000_000
_MOST_TILES = 4_000_000
Values = npt.NDArray[Any]
Ranges = dict[str, tuple[float, float]]
Seen = Callable[[Values], None]


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
    def lattice(self) -> Lattice:
        """The bins in which all points are counted."""
        return Lattice.of_tiles(self.low, self.edge, self.shape)

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


def sorted_in_memory(source: Source, edge: float, *, by_gene: bool = False) -> Arrays:
    """Sort the points of a source in memory; if so asked, once more by gene, and count them bin by bin."""
    names: dict[str, int] = {}
    total, pieces = 0, [_nothing(source)]
    for (where, codes, genes), measures in source.measured_pieces():
        total += len(where)
        pieces.append(_placed(where, merged(names, genes, codes), measures))
    held = {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
    where, codes = held["coordinates"], held["codes"]
    known, rank = _ranked(names, np.bincount(codes, minlength=len(names)))
    tiling = _tiling(where.min(0), where.max(0), edge) if len(where) else Tiling((0.0, 0.0), edge, (1, 1))
    tile, codes = tiling.tiles_of(where), rank[codes] if len(codes) else codes
    held["codes"] = codes.astype(_narrow(len(known)))
    order = np.argsort(tile * max(len(known), 1) + codes, kind="stable")
    held = {name: values[order] for name, values in held.items()}
    starts = _starts(np.bincount(tile, minlength=tiling.n))
    ranges: Ranges = {}
    for name, values in held.items():
        if name in source.kinds():
            _widen(ranges, name, values)
    head = {**tiling.head(), "genes": known, "rows": total, "ranges": ranges}
    coordinates, codes = held.pop("coordinates"), held.pop("codes")
    more = dict(held)
    if by_gene:
        order = np.argsort(codes, kind="stable")
        more |= {OF_GENES + name: values[order] for name, values in {"coordinates": coordinates, **held}.items()}
        more[OF_GENES + "starts"] = _starts(np.bincount(codes, minlength=len(known)))
        more["density"] = levels_of_counts(tiling.lattice, [coordinates])
    return Arrays(head, coordinates, codes, starts, more)


def sorted_on_disk(
    source: Source, edge: float, folder: Path, report: Report, *, by_gene: bool = False, seen: Seen | None = None
) -> dict[str, Any]:
    """Sort the points of a source into ``folder``, with a few pieces in memory at a time; return the head.

    Writes ``coordinates.npy``, ``codes.npy`` and ``starts.npy``, the measures of the points, and, if so asked,
    the same once more by gene and the points of each bin. ``seen`` is called with the places of each piece.
    """
    names: dict[str, int] = {}
    scratch, total = _Scratch(folder, source), 0
    for number, ((where, codes, genes), measures) in enumerate(source.measured_pieces()):
        report(0.3 * number / max(source.n_pieces(), 1), f"reading the transcripts: {total:,}")
        total += len(where)
        scratch.add(_placed(where, merged(names, genes, codes), measures), len(names), seen)
    genes_sorted, rank = _ranked(names, scratch.used)
    tiling = _tiling(scratch.low, scratch.high, edge) if scratch.n else Tiling((0.0, 0.0), edge, (1, 1))
    narrow = _narrow(len(genes_sorted))
    out = _new(folder, scratch.columns(), {"codes": narrow})
    _by_tile(folder, scratch, rank.astype(narrow), tiling, out, part(report, 0.3, 0.7))
    scratch.remove()
    if by_gene:
        of_each = np.zeros(len(genes_sorted), np.int64)
        of_each[rank[rank >= 0]] = scratch.used[rank >= 0]
        _by_gene(folder, out, _starts(of_each), part(report, 0.7, 0.95))
        report(0.95, "counting the transcripts bin by bin")
        where_of = out["coordinates"].read
        np.save(
            folder / "density.npy", levels_of_counts(tiling.lattice, (where_of(*s) for s in steps(scratch.n, _STEP)))
        )
    return {**tiling.head(), "genes": genes_sorted, "rows": total, "ranges": scratch.ranges}


class _Scratch:
    """The placed points as they come, in flat files."""

    def __init__(self, folder: Path, source: Source) -> None:
        self._kinds = {name: values.dtype for name, values in _nothing(source).items()} | {"codes": np.dtype(np.int32)}
        self._files = {name: folder / f"{name}.raw" for name in self._kinds}
        self.n = 0
        self.low, self.high = np.full(2, np.inf), np.full(2, -np.inf)
        self.used = np.zeros(0, np.int64)
        self.ranges: Ranges = {}
        for file in self._files.values():
            file.touch()

    def add(self, points: Columns, n_names: int, seen: Seen | None) -> None:
        where = points["coordinates"]
        self.used = np.bincount(points["codes"], minlength=n_names) + np.pad(self.used, (0, n_names - len(self.used)))
        if len(where) == 0:
            return
        self.n += len(where)
        self.low, self.high = np.minimum(self.low, where.min(0)), np.maximum(self.high, where.max(0))
        for name, file in self._files.items():
            with file.open("ab") as open_file:
                np.ascontiguousarray(points[name], dtype=self._kinds[name]).tofile(open_file)
            if name not in ("coordinates", "codes"):
                _widen(self.ranges, name, points[name])
        if seen is not None:
            seen(where)

    def columns(self) -> dict[str, Column]:
        shapes = {name: (self.n, 2) if name == "coordinates" else (self.n,) for name in self._files}
        return {name: Column(file, self._kinds[name], shapes[name], raw=True) for name, file in self._files.items()}

    def remove(self) -> None:
        for file in self._files.values():
            file.unlink()


def _widen(ranges: Ranges, name: str, values: Values) -> None:
    """Let the range of a measure reach the lowest and the highest of some more values."""
    known = values[np.isfinite(values)]
    if len(known):
        low, high = ranges.get(name, (np.inf, -np.inf))
        ranges[name] = (min(low, float(known.min())), max(high, float(known.max())))


def _nothing(source: Source) -> Columns:
    """Return the columns of a source without a point."""
    kept = {"coordinates": np.empty((0, 2), source.dtype), "codes": np.empty(0, np.int64)}
    return kept | {name: np.empty(0, kind) for name, kind in source.kinds().items()}


def _placed(where: Values, codes: Values, measures: Measures) -> Columns:
    """Return the points that have a place and a gene; the others can lie in no cell and count for none."""
    kept = np.isfinite(where).all(1) & (codes >= 0)
    return {name: values[kept] for name, values in {"coordinates": where, "codes": codes, **measures}.items()}


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


def _starts(of_each: Values) -> npt.NDArray[np.int64]:
    """Return where the points of each tile or gene begin; the last number is that of all points."""
    return np.concatenate([[0], np.cumsum(of_each)]).astype(np.int64)


def _new(folder: Path, columns: dict[str, Column], kinds: dict[str, Any], prefix: str = "") -> dict[str, Column]:
    """Return new files of the columns' shapes."""
    return {n: Column(folder / f"{prefix}{n}.npy", kinds.get(n, c.dtype), c.shape) for n, c in columns.items()}


def _by_tile(
    folder: Path, scratch: _Scratch, rank: Values, tiling: Tiling, out: dict[str, Column], report: Report
) -> None:
    """Write the points sorted by tile and, within a tile, by gene."""
    columns, of_each = scratch.columns(), np.zeros(tiling.n, np.int64)
    for a, b in steps(scratch.n, _STEP):
        of_each += np.bincount(tiling.tiles_of(columns["coordinates"].read(a, b)), minlength=tiling.n)
    starts = _starts(of_each)
    np.save(folder / "starts.npy", starts)

    def ranked(some: Columns) -> Columns:
        return {**some, "codes": rank[some["codes"]]}

    pieces = (ranked(rows_of(columns, a, b)) for a, b in steps(scratch.n, _STEP))
    said = "sorting the transcripts by tile"
    sort_rows(pieces, starts, lambda r: tiling.tiles_of(r["coordinates"]), "codes", out, report, _STEP, said)


def _by_gene(folder: Path, columns: dict[str, Column], starts: npt.NDArray[np.int64], report: Report) -> None:
    """Write the points once more, sorted by gene and, within a gene, by tile."""
    np.save(folder / f"{OF_GENES}starts.npy", starts)
    out = _new(folder, columns, {}, OF_GENES)
    pieces = (rows_of(columns, a, b) for a, b in steps(int(starts[-1]), _STEP))
    sort_rows(pieces, starts, lambda rows: rows["codes"], "", out, report, _STEP, "sorting the transcripts by gene")
    out["codes"].file.unlink()  # the place says which gene it is
