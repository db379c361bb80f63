"""The changed tiles of one level: those used last as arrays, the rest compressed.

Labels compress a hundredfold, so that a day's corrections all over a slide take some megabytes. They
are packed as zarr packs chunks by default (zstd, nothing else), so that a save writes most of them as
they are.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numcodecs import Zstd

__all__ = ["PackedTile", "Tiles"]

_CODEC = Zstd(level=1)
"""Without shuffling: labels are long runs of one id, which it only cuts up."""
Key = tuple[int, int]


class PackedTile(NamedTuple):
    """A tile as one zstd frame of its bytes, row by row, and whether it holds a cell."""

    data: bytes
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    full: bool


class Tiles:
    """Arrays by their row and column in the grid of tiles.

    Parameters
    ----------
    keep
        How many stay uncompressed.
    """

    def __init__(self, keep: int = 128) -> None:
        self._keep = keep
        self._arrays: OrderedDict[Key, npt.NDArray[Any]] = OrderedDict()
        self._packed: dict[Key, PackedTile] = {}

    def __contains__(self, key: Key) -> bool:
        return key in self._arrays or key in self._packed

    def __len__(self) -> int:
        return len(self._arrays.keys() | self._packed.keys())

    def __iter__(self) -> Iterator[Key]:
        return iter(self._arrays.keys() | self._packed.keys())

    def copy(self) -> Tiles:
        """Return what the tiles hold now; a later change of these does not reach it."""
        made = Tiles(self._keep)
        made._packed = dict(self._packed)
        for key, values in self._arrays.items():
            made._arrays[key] = values.copy() if values.flags.writeable else values
        return made

    def read(self, key: Key) -> npt.NDArray[Any]:
        """Return a tile, only to be read."""
        if key not in self._arrays:
            self._put(key, self.peek(key))
        self._arrays.move_to_end(key)
        return self._arrays[key]

    def peek(self, key: Key) -> npt.NDArray[Any]:
        """Return a tile, only to be read, and leave everything as it is: any thread may, while nobody writes."""
        found = self._arrays.get(key)
        if found is not None:
            return found
        held = self._packed[key]
        return np.frombuffer(_CODEC.decode(held.data), held.dtype).reshape(held.shape)

    def packed(self, key: Key) -> PackedTile | None:
        """Return a tile as it is packed, or None where it is not: any thread may, while nobody writes."""
        return self._packed.get(key)

    def change(self, key: Key) -> npt.NDArray[Any]:
        """Return a tile that may be written, until another one is asked for."""
        found = self.read(key)
        self._packed.pop(key, None)
        if not found.flags.writeable:
            found = self._arrays[key] = found.copy()
        return found

    def add(self, key: Key, values: npt.NDArray[Any]) -> None:
        """Keep a new tile."""
        self._packed.pop(key, None)
        self._put(key, np.ascontiguousarray(values))

    def _put(self, key: Key, values: npt.NDArray[Any]) -> None:
        self._arrays[key] = values
        while len(self._arrays) > self._keep:
            old, array = self._arrays.popitem(last=False)
            if old not in self._packed:
                self._packed[old] = PackedTile(_CODEC.encode(array), array.dtype, array.shape, bool(array.any()))
