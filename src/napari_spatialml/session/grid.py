"""A label pyramid whose windows can be read and replaced; what changed stays in memory as tiles.

The arrays below (zarr, dask or NumPy) are never written: saving copies the changed tiles into the
store. So memory grows with the area touched, not with the slide, and slowly: see `Tiles`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.pyramid import factor_between
from ..errors import DocumentError
from .chunks import ChunkCache, Stored
from .tiles import PackedTile, Tiles

__all__ = ["Coarse", "LabelGrid", "LevelView", "Window"]

TILE = 256
Window = tuple[int, int, int, int]
"""(y0, y1, x0, x1) in pixels, ends exclusive."""
Coarse = tuple[int, tuple[int, int], npt.NDArray[Any], npt.NDArray[Any]]
"""A window of a coarser level: (level, offset, old, new)."""


class LabelGrid:
    """A pyramid of label images with an overlay of changed tiles.

    Parameters
    ----------
    levels
        Array-likes of shape (y, x), full resolution first.
    largest
        The largest label that was ever here, where it is known.
    """

    def __init__(self, levels: Sequence[Any], largest: int | None = None) -> None:
        self._base = tuple(levels)
        self._tiles = [Tiles() for _ in self._base]
        self._top = largest or 0
        self._to_survey: Iterator[npt.NDArray[Any]] | None = None if largest is not None else self._blocks()
        self._unsaved: list[set[tuple[int, int]]] = [set() for _ in self._base]
        self._written: list[Window] = []
        self.recipe: Any = None
        """How the pixels are made, where they are made when they are read; see `warped.Warped`."""

    @property
    def shape(self) -> tuple[int, int]:
        """Size of the full-resolution level, (y, x)."""
        return self._shape(0)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the labels."""
        return np.dtype(self._base[0].dtype)

    @cached_property
    def factors(self) -> tuple[tuple[int, int], ...]:
        """How many pixels of the full resolution, (y, x), one pixel of each level spans."""
        return tuple(factor_between(self.shape, self._shape(k)) for k in range(len(self._base)))

    @property
    def levels(self) -> tuple[LevelView, ...]:
        """The levels as array-likes that show every change at once."""
        return tuple(LevelView(self, k) for k in range(len(self._base)))

    @property
    def below(self) -> tuple[Any, ...]:
        """The arrays below the changed tiles, full resolution first."""
        return self._base

    def _shape(self, level: int) -> tuple[int, int]:
        shape = self._base[level].shape
        return int(shape[-2]), int(shape[-1])

    def read(self, window: Window | None = None, level: int = 0) -> npt.NDArray[Any]:
        """Return a copy of a window of one level."""
        height, width = self._shape(level)
        y0, y1, x0, x1 = window or (0, height, 0, width)
        y0, y1, x0, x1 = max(y0, 0), min(y1, height), max(x0, 0), min(x1, width)
        base = self._base[level]
        found = base[y0:y1, x0:x1]
        out = found if isinstance(base, Stored) else np.array(found)
        for (i, j), tile in self._overlapping(level, (y0, y1, x0, x1)):
            ty, tx = i * TILE, j * TILE
            a0, a1 = max(ty, y0), min(ty + tile.shape[0], y1)
            b0, b1 = max(tx, x0), min(tx + tile.shape[1], x1)
            out[a0 - y0 : a1 - y0, b0 - x0 : b1 - x0] = tile[a0 - ty : a1 - ty, b0 - tx : b1 - tx]
        return out

    def snapshot(self) -> LabelGrid:
        """Return the labels as they are now, for another thread: what is painted meanwhile does not reach it."""
        cache = ChunkCache(40_000_000)  # of its own: two threads must not turn over one cache
        levels = [Stored(b.array, cache) if isinstance(b, Stored) else b for b in self._base]
        made = LabelGrid(levels, self.largest)
        made._tiles = [tiles.copy() for tiles in self._tiles]
        made._unsaved = [set(tiles) for tiles in self._unsaved]
        made.recipe = self.recipe if not self._written else None
        return made

    def resample(self, other: LabelGrid) -> None:
        """Read below the changed tiles what another grid of the same size reads there: a copy of another source."""
        self._base = other._base

    def write(self, offset: tuple[int, int], values: npt.NDArray[Any], coarser: Sequence[Coarse] | None = None) -> None:
        """Replace a window of the full resolution, and what shows it in every other level.

        Parameters
        ----------
        offset
            (y, x) of the window.
        values
            (h, w) labels.
        coarser
            What to write into the other levels; computed if None.

        Raises
        ------
        DocumentError
            When the window does not lie within the labels.
        """
        y, x = offset
        height, width = self.shape
        h, w = values.shape
        if y < 0 or x < 0 or y + h > height or x + w > width:
            raise DocumentError(
                f"The window at ({y}, {x}) of {h} × {w} pixels reaches outside the labels of {height} × {width}.",
                "Draw inside the image.",
            )
        self._top = max(self._top, int(values.max(initial=0)))
        for level, where, _, new in self.coarser((y, x), values) if coarser is None else coarser:
            self._write(level, where, new)
        self._write(0, (y, x), values)
        self._written.append((y, y + h, x, x + w))

    def coarser(self, offset: tuple[int, int], values: npt.NDArray[Any]) -> tuple[Coarse, ...]:
        """Return what writing a window changes in the coarser levels: (level, offset, old, new).

        Every coarse pixel that the window reaches is taken from the full resolution: who made the pyramid
        may have sampled other pixels than we do, and a deleted cell must leave none of its own behind. So
        the old values are kept too: undo gives back theirs.
        """
        (y, x), (h, w) = offset, values.shape
        made: list[Coarse] = []
        for level, (fy, fx) in enumerate(self.factors[1:], start=1):
            rows, columns = self._shape(level)
            y0, x0 = y // fy, x // fx
            y1, x1 = min(-(-(y + h) // fy), rows), min(-(-(x + w) // fx), columns)
            if y1 > y0 and x1 > x0:
                fine = self.read((y0 * fy, y1 * fy, x0 * fx, x1 * fx))
                top, left = y - y0 * fy, x - x0 * fx
                part = fine[max(top, 0) : top + h, max(left, 0) : left + w]
                part[...] = values[: part.shape[0], : part.shape[1]]
                old = self.read((y0, y1, x0, x1), level)
                made.append((level, (y0, x0), old, _coarse(fine, (y1 - y0, x1 - x0), (fy, fx))))
        return tuple(made)

    def _write(self, level: int, offset: tuple[int, int], values: npt.NDArray[Any]) -> None:
        y, x = offset
        h, w = values.shape
        for i in range(y // TILE, -(-(y + h) // TILE)):
            for j in range(x // TILE, -(-(x + w) // TILE)):
                tile = self._changed(level, i, j)
                ty, tx = i * TILE, j * TILE
                a0, a1 = max(ty, y), min(ty + tile.shape[0], y + h)
                b0, b1 = max(tx, x), min(tx + tile.shape[1], x + w)
                tile[a0 - ty : a1 - ty, b0 - tx : b1 - tx] = values[a0 - y : a1 - y, b0 - x : b1 - x]
                self._unsaved[level].add((i, j))

    def _changed(self, level: int, i: int, j: int) -> npt.NDArray[Any]:
        tiles = self._tiles[level]
        if (i, j) not in tiles:
            rows = slice(i * TILE, (i + 1) * TILE)
            tiles.add((i, j), np.array(self._base[level][rows, j * TILE : (j + 1) * TILE]))
            if level == 0:  # the store may lose an id by the next save that was not looked at yet
                self._top = max(self._top, int(tiles.read((i, j)).max(initial=0)))
        return tiles.change((i, j))

    def _overlapping(self, level: int, window: Window) -> Iterator[tuple[tuple[int, int], npt.NDArray[Any]]]:
        tiles = self._tiles[level]
        y0, y1, x0, x1 = window
        rows, columns = range(y0 // TILE, -(-y1 // TILE)), range(x0 // TILE, -(-x1 // TILE))
        if len(tiles) < len(rows) * len(columns):
            keys = [k for k in tiles if k[0] in rows and k[1] in columns]
        else:
            keys = [(i, j) for i in rows for j in columns if (i, j) in tiles]
        yield from ((key, tiles.read(key)) for key in keys)

    # what was changed ------------------------------------------------------------------------

    @property
    def moment(self) -> int:
        """How many times something was written."""
        return len(self._written)

    def written_since(self, moment: int) -> tuple[Window, ...]:
        """Return the windows of the full resolution that were written after a moment."""
        return tuple(self._written[moment:])

    def changed(self) -> Iterator[tuple[int, tuple[int, int], npt.NDArray[Any]]]:
        """Yield (level, offset, values) of every tile that was ever changed."""
        for level, tiles in enumerate(self._tiles):
            yield from ((level, (i * TILE, j * TILE), tiles.read((i, j))) for i, j in sorted(tiles))

    def put(self, level: int, offset: tuple[int, int], values: npt.NDArray[Any]) -> None:
        """Replace a window of one level, and leave the others as they are."""
        if level == 0:
            self._top = max(self._top, int(values.max(initial=0)))
        self._write(level, offset, values)

    def covers(self, level: int, chunk: tuple[int, int], shape: tuple[int, int]) -> bool:
        """Whether all of a chunk of a level is unsaved, so that what is stored of it need not be read."""
        return shape == (TILE, TILE) and chunk in self._unsaved[level]

    def packed(self, level: int, chunk: tuple[int, int]) -> PackedTile | None:
        """Return an unsaved tile as it is packed, where it is; any thread, while nobody writes."""
        return self._tiles[level].packed(chunk) if chunk in self._unsaved[level] else None

    def put_unsaved(self, level: int, chunk: tuple[int, int], values: npt.NDArray[Any]) -> None:
        """Put what `mark_saved` has not seen over a chunk as it is stored; any thread, while nobody writes.

        Parameters
        ----------
        level
            The level.
        chunk
            Row and column of the chunk among those of the size of ``values``.
        values
            (h, w) the chunk, changed in place.
        """
        h, w = values.shape
        y0, x0 = chunk[0] * h, chunk[1] * w
        for i in range(y0 // TILE, -(-(y0 + h) // TILE)):
            for j in range(x0 // TILE, -(-(x0 + w) // TILE)):
                if (i, j) not in self._unsaved[level]:
                    continue
                tile, ty, tx = self._tiles[level].peek((i, j)), i * TILE - y0, j * TILE - x0
                a, b = max(-ty, 0), max(-tx, 0)
                part = tile[a : max(h - ty, 0), b : max(w - tx, 0)]
                values[ty + a : ty + a + part.shape[0], tx + b : tx + b + part.shape[1]] = part

    def unsaved_chunks(self, level: int, shape: tuple[int, int]) -> list[tuple[int, int]]:
        """Return the row and column of every chunk of a level that holds something unsaved.

        Parameters
        ----------
        level
            The level.
        shape
            Size (y, x) of its chunks.
        """
        (h, w), (height, width) = shape, self._shape(level)
        return sorted({
            (ci, cj)
            for i, j in self._unsaved[level]
            for ci in range(i * TILE // h, -(-min((i + 1) * TILE, height) // h))
            for cj in range(j * TILE // w, -(-min((j + 1) * TILE, width) // w))
        })  # fmt: skip

    def mark_saved(self) -> None:
        """Say that the store holds every tile."""
        self._unsaved = [set() for _ in self._base]

    def mark_unsaved(self, before: LabelGrid) -> None:
        """Say that the store does not hold what it did not hold when a snapshot was made."""
        self._unsaved = [mine | theirs for mine, theirs in zip(self._unsaved, before._unsaved, strict=True)]

    # ids -------------------------------------------------------------------------------------

    @property
    def largest(self) -> int | None:
        """The largest label that was ever here, or None as long as not everything was looked at."""
        return self._top if self._to_survey is None else None

    def survey(self, seconds: float = float("inf")) -> bool:
        """Look through the labels for the largest, for so long; return whether all was looked at.

        A store that this program has saved says it, so that nothing is read.
        """
        end = time.monotonic() + seconds
        while self._to_survey is not None:
            block = next(self._to_survey, None)
            if block is None:
                self._to_survey = None
            else:
                self._top = max(self._top, int(block.max(initial=0)))
            if time.monotonic() >= end:
                break
        return self._to_survey is None

    def maximum(self) -> int:
        """Return the largest label that was ever here; without a record of it, everything is read once."""
        self.survey()
        return self._top

    def _blocks(self) -> Iterator[npt.NDArray[Any]]:
        """Yield all labels as they were opened: what changed since was counted as it changed."""
        if isinstance(self._base[0], Stored):
            yield from self._base[0].blocks()
            return
        height, width = self.shape
        step = max(1, 16_000_000 // max(width, 1))
        yield from (np.asarray(self._base[0][y : y + step, :]) for y in range(0, height, step))


class LevelView:
    """One level of a `LabelGrid` as a read-only array-like, for dask, xarray and napari."""

    ndim = 2

    def __init__(self, grid: LabelGrid, level: int) -> None:
        self._grid, self._level = grid, level

    @property
    def shape(self) -> tuple[int, int]:
        """Size, (y, x)."""
        return self._grid._shape(self._level)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the labels."""
        return self._grid.dtype

    def __getitem__(self, key: Any) -> npt.NDArray[Any]:
        rows, columns, rest = _slices(key, self.shape)
        block = self._grid.read((rows.start, rows.stop, columns.start, columns.stop), self._level)
        cut: npt.NDArray[Any] = block[rest]
        return cut

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        block = self._grid.read(None, self._level)
        return block if dtype is None else block.astype(dtype)


def _coarse(fine: npt.NDArray[Any], shape: tuple[int, int], factor: tuple[int, int]) -> npt.NDArray[Any]:
    """Return the middle pixel of each block; of a block cut by the border, the last pixel it has."""
    rows, columns = (
        np.minimum(np.arange(n) * f + f // 2, size - 1) for n, f, size in zip(shape, factor, fine.shape, strict=True)
    )
    return np.asarray(fine[np.ix_(rows, columns)])


def _slices(key: Any, shape: tuple[int, int]) -> tuple[slice, slice, tuple[Any, ...]]:
    """Split an index into the window to read and what to do with it."""
    parts = key if isinstance(key, tuple) else (key,)
    parts = tuple(slice(None) if p is Ellipsis else p for p in parts)
    parts = (*parts, *([slice(None)] * (2 - len(parts))))[:2]
    windows: list[slice] = []
    rest: list[Any] = []
    for part, length in zip(parts, shape, strict=True):
        if isinstance(part, slice):
            start, stop, step = part.indices(length)
            if step < 1:
                raise IndexError("labels cannot be read backwards")
            windows.append(slice(start, max(start, stop)))
            rest.append(slice(None, None, step))
        else:
            index = int(part) + (length if int(part) < 0 else 0)
            windows.append(slice(index, index + 1))
            rest.append(0)
    return windows[0], windows[1], tuple(rest)
