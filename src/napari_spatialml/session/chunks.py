"""The arrays of a zarr store, read chunk by chunk; the chunks read last are kept.

Slicing a dask array of thousands of chunks costs its graph at every read, and each pixel under the
mouse would decode a chunk.
"""

from __future__ import annotations

import json
import os
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .codec import ChunkCodec
from .durable import write_new

__all__ = [
    "THREADS",
    "ChunkCache",
    "Stored",
    "chunk_shape",
    "codec_of",
    "record_largest",
    "recorded_largest",
    "stored",
    "write_flat",
    "zarr_of",
]

THREADS = max(2, min(os.cpu_count() or 1, 8))
"""Packing and the disk take turns in them. They end with the call, and see neither document nor viewer."""

_RECORD = "spatialml"
Window = tuple[int, int, int, int]


class ChunkCache:
    """The chunks read last, by array and place; one without a cell takes no memory.

    Parameters
    ----------
    size
        How many bytes are kept.
    """

    def __init__(self, size: int = 160_000_000) -> None:
        self._size, self._held = size, 0
        self._chunks: OrderedDict[tuple[int, int, int], npt.NDArray[Any] | None] = OrderedDict()

    def get(self, array: Stored, i: int, j: int) -> npt.NDArray[Any] | None:
        """Return a chunk, or None where all of it is background."""
        key = (id(array), i, j)
        if key not in self._chunks:
            values = array.chunk(i, j) if array.has(i, j) else None
            values = values if values is not None and values.any() else None
            self._chunks[key] = values
            self._held += 0 if values is None else values.nbytes
            while self._held > self._size and len(self._chunks) > 1:
                _, old = self._chunks.popitem(last=False)
                self._held -= 0 if old is None else old.nbytes
        self._chunks.move_to_end(key)
        return self._chunks[key]


class Stored:
    """A zarr array (y, x) that is read through a cache.

    Parameters
    ----------
    array
        The zarr array.
    cache
        Shared by the levels of a pyramid.
    """

    ndim = 2

    def __init__(self, array: Any, cache: ChunkCache) -> None:
        self.array, self._cache = array, cache
        self.shape: tuple[int, int] = (int(array.shape[0]), int(array.shape[1]))
        self.dtype = np.dtype(array.dtype)
        self.chunks = chunk_shape(array)
        self._folder = _folder(array) if int(array.fill_value or 0) == 0 else None
        self._codec = codec_of(array)

    def has(self, i: int, j: int) -> bool:
        """Whether a chunk is stored; one of background only is not, and need not be looked at."""
        return self._folder is None or (self._folder / self.array.metadata.encode_chunk_key((i, j))).exists()

    def chunk(self, i: int, j: int) -> npt.NDArray[Any]:
        """Read a chunk from the store."""
        if self._codec is not None and self._folder is not None:
            return self._codec.decode((self._folder / self.array.metadata.encode_chunk_key((i, j))).read_bytes())
        (h, w), chunks = self.chunks, self.array
        return np.asarray(chunks[i * h : (i + 1) * h, j * w : (j + 1) * w])

    def __getitem__(self, key: tuple[slice, slice]) -> npt.NDArray[Any]:
        (y0, y1, _), (x0, x1, _) = (part.indices(n) for part, n in zip(key, self.shape, strict=True))
        (h, w), out = self.chunks, np.zeros((max(y1 - y0, 0), max(x1 - x0, 0)), self.dtype)
        if not out.size:
            return out
        for i in range(y0 // h, -(-y1 // h)):
            for j in range(x0 // w, -(-x1 // w)):
                values = self._cache.get(self, i, j)
                if values is not None:
                    a0, a1, b0, b1 = max(y0, i * h), min(y1, (i + 1) * h), max(x0, j * w), min(x1, (j + 1) * w)
                    inside = values[a0 - i * h : a1 - i * h, b0 - j * w : b1 - j * w]
                    out[a0 - y0 : a1 - y0, b0 - x0 : b1 - x0] = inside
        return out

    def blocks(self) -> Iterator[npt.NDArray[Any]]:
        """Yield every chunk that may hold a cell once, past the cache."""
        rows, columns = (-(-n // c) for n, c in zip(self.shape, self.chunks, strict=True))
        for i in range(rows):
            for j in range(columns):
                if self.has(i, j):
                    yield self.chunk(i, j)


def chunk_shape(array: Any) -> tuple[int, int]:
    """Return the piece of a zarr array that is one file: a shard where there are shards."""
    h, w = array.shards or array.chunks
    return int(h), int(w)


def codec_of(array: Any) -> ChunkCodec | None:
    """Return how the chunks of a zarr array are packed, where they need not go through zarr; else None.

    Only of arrays in a folder whose missing chunks are background.
    """
    if _folder(array) is None or int(array.fill_value or 0) != 0 or array.metadata.zarr_format != 3:
        return None
    return ChunkCodec.of(array.metadata.to_dict())


def write_flat(array: Any, piece: Callable[[int, int], npt.NDArray[Any]]) -> None:
    """Fill a new array (n,) in a folder, chunk by chunk.

    Parameters
    ----------
    array
        The zarr array, of numbers or text; nobody reads it yet.
    piece
        Gives the values from one position to another; called by several threads.
    """
    (size,), (step,) = array.shape, array.chunks
    codec, folder = ChunkCodec.of(array.metadata.to_dict(), "iufO"), _folder(array)
    if codec is None or folder is None:
        array[:] = piece(0, size)
        return

    def one(k: int) -> None:
        values = piece(k * step, min((k + 1) * step, size))
        write_new(str(folder / array.metadata.encode_chunk_key((k,))), codec.encode(codec.padded(values)))

    if size:
        (folder / array.metadata.encode_chunk_key((0,))).parent.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(one, range(-(-size // step))))


def stored(levels: list[Any]) -> list[Any]:
    """Return the zarr arrays of a pyramid where dask shows nothing but these; else what was given."""
    found = [zarr_of(level) for level in levels]
    if any(array is None for array in found):
        return levels
    cache = ChunkCache()
    return [Stored(array, cache) for array in found]


def zarr_of(array: Any) -> Any:
    """Return the zarr array that a dask array is a plain reader of, or None."""
    import zarr

    graph = getattr(array, "dask", None)
    layers = getattr(graph, "layers", {})
    if len(layers) != 2 or not array.name.startswith("from-zarr"):
        return None
    (source,) = (layer for name, layer in layers.items() if name != array.name)
    held = list(source.values())
    found = held[0] if len(held) == 1 and isinstance(held[0], zarr.Array) else None
    return found if found is not None and found.shape == array.shape and found.dtype == array.dtype else None


def _folder(array: Any) -> Path | None:
    root = getattr(array.store, "root", None)
    return None if root is None else Path(root) / array.path


def recorded_largest(level: Any) -> int | None:
    """Return the largest id that was ever in the labels of a store, where `record_largest` wrote it down."""
    folder = _folder(level.array) if isinstance(level, Stored) else None
    if folder is None or not (folder.parent / "zarr.json").is_file():
        return None
    held = json.loads((folder.parent / "zarr.json").read_text(encoding="utf-8")).get("attributes", {}).get(_RECORD, {})
    largest = held.get("largest") if isinstance(held, dict) else None
    return largest if isinstance(largest, int) and largest >= 0 else None


def record_largest(group: Any, largest: int) -> None:
    """Write down the largest id that was ever in the labels of a zarr group, so that nobody has to look."""
    group.attrs[_RECORD] = {"largest": int(largest)}
