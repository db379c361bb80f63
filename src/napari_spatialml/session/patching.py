"""The touched chunks of label pyramids: staged as zarr writes them, then moved into the store.

However many strokes went into a chunk, it is packed at most once and replaced as one file. What lies
packed in memory in the store's own way is written as it is.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from .chunks import THREADS, chunk_shape, codec_of, record_largest
from .codec import ChunkCodec
from .document import Document
from .durable import each_on_disk, write_new
from .grid import LabelGrid
from .planes import plane_name

__all__ = ["move_chunks", "stage_chunks"]

Inside = Callable[[Path, str], Path]
Chunk = tuple[int, int]
Move = tuple[str, str]
"""A file below the staging folder, and the key of the chunk in the store that it becomes."""


def stage_chunks(document: Document, store: Path, staging: Path, name: str) -> dict[str, Any]:
    """Pack every chunk of labels that holds something unsaved; return what `move_chunks` has to do.

    Parameters
    ----------
    document
        The document.
    store
        Its store, which is only read.
    staging
        Where the new chunks are put.
    name
        The labels.
    """
    import zarr

    if document.planes(name):
        return _stage_planes(document, store, staging, name)
    grid = document.grid(name)
    group: Any = zarr.open_group(store, mode="r", use_consolidated=False)[f"labels/{name}"]
    moves: list[Move] = []
    empty: list[str] = []
    for level, dataset in enumerate(group.attrs["ome"]["multiscales"][0]["datasets"]):
        place = f"labels/{name}/{dataset['path']}"
        array = group[dataset["path"]]
        touched = grid.unsaved_chunks(level, chunk_shape(array))
        keys = [f"{place}/{array.metadata.encode_chunk_key(chunk)}" for chunk in touched]
        codec = codec_of(array)
        if codec is not None:
            staged = [f"packed/{name}/{level}.{i}.{j}" for i, j in touched]
            kept = _Packing(grid, level, codec, store, staging).all(touched, keys, staged)
        else:
            staged, kept = keys, _through_zarr(grid, level, store / place, staging / place, touched)
        for key, file, full in zip(keys, staged, kept, strict=True):
            if full:
                moves.append((file, key))
            else:
                empty.append(key)
    return {"name": name, "move": moves, "remove": empty, "largest": grid.largest}


@dataclass
class _Packing:
    """Chunks of one level on their way: each is read as it is stored, what is unsaved put over it, and packed."""

    grid: LabelGrid
    level: int
    codec: ChunkCodec
    store: Path
    staging: Path
    _mine: threading.local = field(default_factory=threading.local)

    def all(self, chunks: list[Chunk], keys: list[str], staged: list[str]) -> list[bool]:
        """Stage chunks as files of these names in one folder; return of each whether it holds a cell."""
        for folder in {file.rpartition("/")[0] for file in staged}:
            (self.staging / folder).mkdir(parents=True, exist_ok=True)
        kept = [False] * len(chunks)

        def some(first: int) -> None:  # so many at a time: handing on each alone costs as much as packing it
            for k in range(first, len(chunks), THREADS):
                kept[k] = self.one(chunks[k], keys[k], os.path.join(self.staging, staged[k]))

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(some, range(THREADS)))
        return kept

    def one(self, chunk: Chunk, key: str, file: str) -> bool:
        """Stage a chunk, unless it is background only: that is not stored."""
        ready = self.grid.packed(self.level, chunk) if self.codec.plain_zstd else None
        if ready is None or ready.dtype != self.codec.dtype or not self._is_tile(chunk, ready.shape):
            data = self._packed(chunk, key)
        else:
            data = ready.data if ready.full else None
        if data is not None:
            write_new(file, data)
        return data is not None

    def _is_tile(self, chunk: Chunk, shape: tuple[int, ...]) -> bool:
        """Whether a chunk is the unsaved tile of the same place; at the border, a tile ends before its chunk."""
        return shape == self.codec.shape and self.grid.covers(self.level, chunk, (shape[0], shape[1]))

    def _packed(self, chunk: Chunk, key: str) -> bytes | None:
        """Return a chunk packed, None for background only."""
        if not hasattr(self._mine, "values"):  # used again and again: fresh memory costs more than packing
            self._mine.values = np.empty(self.codec.shape, self.codec.dtype)
        values = self._mine.values
        if not self._read_into(values, chunk, key):
            values.fill(0)
        self.grid.put_unsaved(self.level, chunk, values)
        return self.codec.encode(values) if values.any() else None

    def _read_into(self, values: Any, chunk: Chunk, key: str) -> bool:
        """Read a chunk as it is stored; return False where nothing is stored, or all of it is to be replaced."""
        if self.grid.covers(self.level, chunk, (int(values.shape[0]), int(values.shape[1]))):
            return False
        try:
            with open(os.path.join(self.store, key), "rb", buffering=0) as file:
                self.codec.decode(file.read(), out=values)
        except FileNotFoundError:
            return False
        return True


def _through_zarr(grid: LabelGrid, level: int, source: Path, target: Path, touched: list[Chunk]) -> list[bool]:
    """Stage chunks that only zarr knows how to pack; return of each whether it holds a cell."""
    if not touched:
        return []
    array: Any = _like(source, target)
    kept = []
    h, w = chunk_shape(array)
    for i, j in touched:
        values = grid.read((i * h, (i + 1) * h, j * w, (j + 1) * w), level)
        array[i * h : i * h + values.shape[0], j * w : j * w + values.shape[1]] = values
        written = target / array.metadata.encode_chunk_key((i, j))
        kept.append(written.exists())  # zarr writes no chunk of background only
    return kept


def _stage_planes(document: Document, store: Path, staging: Path, name: str) -> dict[str, Any]:
    """Do the same for a stack, whose chunks may hold several planes."""
    import zarr

    group: Any = zarr.open_group(store, mode="r", use_consolidated=False)[f"labels/{name}"]
    n, moves, empty = document.planes(name), list[Move](), list[str]()
    for level, dataset in enumerate(group.attrs["ome"]["multiscales"][0]["datasets"]):
        place, stored = f"labels/{name}/{dataset['path']}", group[dataset["path"]]
        depth, h, w = (int(v) for v in (stored.shards or stored.chunks))
        grids = [document.grid(plane_name(name, k)) for k in range(n)]
        touched = {(k // depth, i, j) for k, g in enumerate(grids) for i, j in g.unsaved_chunks(level, (h, w))}
        if not touched:
            continue
        array = _like(store / place, staging / place)
        for c, i, j in sorted(touched):
            window, z = (i * h, (i + 1) * h, j * w, (j + 1) * w), slice(c * depth, min((c + 1) * depth, n))
            values = np.stack([grids[k].read(window, level) for k in range(z.start, z.stop)])
            array[z, i * h : i * h + values.shape[1], j * w : j * w + values.shape[2]] = values
            key = f"{place}/{array.metadata.encode_chunk_key((c, i, j))}"
            if (staging / key).exists():
                moves.append((key, key))
            else:
                empty.append(key)
    return {"name": name, "move": moves, "remove": empty, "largest": None}


def _like(source: Path, target: Path) -> Any:
    """Return an empty array that encodes its chunks as another one does."""
    import zarr

    target.mkdir(parents=True)
    (target / "zarr.json").write_bytes((source / "zarr.json").read_bytes())
    return zarr.open_array(target, mode="r+")


def move_chunks(store: Path, staging: Path, todo: dict[str, Any], inside: Inside) -> int:
    """Put the staged chunks of one labels element into the store. Doing it twice does no harm.

    Returns
    -------
    int
        How many chunks of the store were replaced or removed.
    """
    import zarr

    places = _places(inside)
    # an intent that an earlier version left names the staged file by the key
    named = [(move, move) if isinstance(move, str) else move for move in todo["move"]]
    moves = [(places(staging, file), places(store, key)) for file, key in named]
    gone = [places(store, key) for key in todo["remove"]]
    for folder in {os.path.dirname(target) for _, target in moves}:
        os.makedirs(folder, exist_ok=True)
    for file, target in moves:
        with contextlib.suppress(FileNotFoundError):  # it was moved before the process was killed
            os.replace(file, target)
    for target in gone:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(target)
    folders = {os.path.dirname(target) for target in (*(target for _, target in moves), *gone)}
    each_on_disk(sorted(filter(os.path.isdir, folders)))
    if todo["largest"] is not None:
        record_largest(zarr.open_group(inside(store, f"labels/{todo['name']}"), mode="r+"), todo["largest"])
    return len(todo["move"]) + len(todo["remove"])


def _places(inside: Inside) -> Callable[[Path, str], str]:
    """Return what looks a folder up once for all files in it; a file's own name may lead nowhere else."""
    folder = cache(lambda root, parent: str(inside(root, parent)))

    def place(root: Path, key: str) -> str:
        parent, _, name = key.rpartition("/")
        plain = name not in ("", ".", "..") and "\\" not in name
        return os.path.join(folder(root, parent), name) if plain else str(inside(root, key))

    return place
