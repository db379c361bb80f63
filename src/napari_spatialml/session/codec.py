"""The bytes of one chunk of a zarr array, read and written without zarr's event loop.

zarr sends every chunk through an event loop and a pool of threads: some milliseconds each, a thousand
times a save. Arrays that are packed as labels usually are (zarr 3, whole numbers, zstd, Blosc or
nothing) need none of that. All others go through zarr.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numcodecs import Blosc, VLenUTF8, Zstd

__all__ = ["ChunkCodec"]

_SHUFFLE = {"noshuffle": Blosc.NOSHUFFLE, "shuffle": Blosc.SHUFFLE, "bitshuffle": Blosc.BITSHUFFLE}
_ZSTD = b"\x28\xb5\x2f\xfd"


@dataclass(frozen=True)
class ChunkCodec:
    """How the chunks of an array are packed.

    Parameters
    ----------
    shape
        Of a chunk, (y, x); those at the border are padded.
    dtype
        Of the labels.
    packing
        The configuration of the compressor as zarr keeps it, with its name; None without one.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    packing: dict[str, Any] | None

    @classmethod
    def of(cls, metadata: dict[str, Any], kinds: str = "iu") -> ChunkCodec | None:
        """Return the codec of an array by its ``zarr.json``; None where it is packed in another way.

        Parameters
        ----------
        metadata
            What the file holds.
        kinds
            Of the values that are wanted, as NumPy names them; text ("O") can be packed only.
        """
        try:
            text = metadata["codecs"][0]["name"] == "vlen-utf8"
            dtype = np.dtype(object if text else metadata["data_type"])
            shape = tuple(int(n) for n in metadata["chunk_grid"]["configuration"]["chunk_shape"])
            first, *rest = metadata["codecs"]
            plain = (
                metadata["zarr_format"] == 3
                and dtype.kind in kinds
                and metadata["chunk_grid"]["name"] == "regular"
                and (text or first["name"] == "bytes")
                and (text or dtype.itemsize == 1 or (first["configuration"]["endian"] == sys.byteorder == "little"))
                and not metadata.get("storage_transformers")
            )
            packing = {**rest[0].get("configuration", {}), "name": rest[0]["name"]} if rest else None
            made = cls(shape, dtype, packing)
            return made if plain and len(rest) <= 1 and made._compressor() is not False else None
        except (KeyError, TypeError, ValueError, AttributeError):
            return None

    def _compressor(self) -> Any:
        """Return numcodecs' compressor, None without one, False for one that is not known here."""
        if self.packing is None:
            return None
        if self.packing["name"] == "zstd":
            return Zstd(level=int(self.packing["level"]), checksum=bool(self.packing.get("checksum", False)))
        if self.packing["name"] == "blosc":
            how = self.packing
            return Blosc(how["cname"], int(how["clevel"]), _SHUFFLE[how["shuffle"]], int(how.get("blocksize", 0)))
        return False

    def decode(self, data: bytes, out: npt.NDArray[Any] | None = None) -> npt.NDArray[Any]:
        """Unpack a chunk, into ``out`` where it is given.

        Raises
        ------
        ValueError
            When the bytes are not those of one chunk.
        """
        made = np.empty(self.shape, self.dtype) if out is None else out
        compressor = self._compressor()
        said = len(data) if compressor is None else _unpacked_size(data)
        if said != made.nbytes:  # looked at before anything is unpacked: what is in a file may be anything
            raise ValueError(f"A chunk of {made.nbytes} bytes is said to hold {said}.")
        if compressor is None:
            made[...] = np.frombuffer(data, self.dtype).reshape(self.shape)
        else:
            compressor.decode(data, out=made)
        return made

    @property
    def plain_zstd(self) -> bool:
        """Whether a chunk is one zstd frame of its bytes; how hard they were packed, no reader asks."""
        return self.packing is not None and self.packing["name"] == "zstd" and not self.packing.get("checksum", False)

    def padded(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the values of a chunk (n,) with zeros, or empty text, up to its end."""
        whole = np.full(self.shape, "", object) if self.dtype.kind == "O" else np.zeros(self.shape, self.dtype)
        whole[: len(values)] = values
        return whole

    def encode(self, values: npt.NDArray[Any]) -> bytes:
        """Pack a whole chunk."""
        compressor = self._compressor()
        if self.dtype.kind == "O":
            text = VLenUTF8().encode(values)
            return bytes(text) if compressor is None else bytes(compressor.encode(text))
        return values.tobytes() if compressor is None else bytes(compressor.encode(np.ascontiguousarray(values)))


def _unpacked_size(data: bytes) -> int:
    """Return how many bytes a packed chunk says it holds, by its head: -1 where it does not say."""
    if data[:4] != _ZSTD:
        return int.from_bytes(data[4:8], "little") if len(data) >= 16 else -1  # Blosc
    told = data[4]
    size, single = (1 << (told >> 6)), bool(told & 32)
    if size == 1 and not single:
        return -1
    at = 5 + (not single) + (0, 1, 2, 4)[told & 3]
    return int.from_bytes(data[at : at + size], "little") + (256 if size == 2 else 0)
