"""What a run over a slide has finished, on the disk: one file a tile, whole or not there at all."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import struct
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ...core.stitching import Seen
from ...errors import BadInput
from ..durable import write_whole
from ..fingerprints import digest
from ..homes import state_folder
from ..values import Encoder, decode

__all__ = ["Folder", "Record", "key_of"]

_MAGIC = b"napari-spatialml tile 1\n"
_HEAD = struct.Struct("<QI")  # length of the JSON part, CRC-32 of all that follows
_ARRAYS = ("labels", "kept", "areas", "centroids", "depths", "scores")
_FORGOTTEN_S = 30 * 24 * 3600.0


@dataclass(frozen=True, eq=False)
class Record:
    """What a finished tile left.

    Parameters
    ----------
    pixels
        Hash of the pixels that were read.
    seen
        The cells.
    halo
        How far around the core they were read.
    glass
        Whether the tile shows nothing but glass, and was skipped.
    """

    pixels: str
    seen: Seen
    halo: int
    glass: bool = False


def key_of(plan: dict[str, Any]) -> str:
    """Return the name of the folder of a run: the same method on the same image goes on where it was stopped."""
    told = {k: _with_files(v) if k == "settings" else v for k, v in plan.items()}
    return digest(json.dumps(told, sort_keys=True).encode())


def _with_files(settings: dict[str, Any]) -> dict[str, Any]:
    """Add size and time of files that the settings name: weights may be trained anew under the same name."""
    named = {k: Path(v) for k, v in settings.items() if isinstance(v, str) and os.sep in v and Path(v).is_file()}
    stats = {k: [p.stat().st_size, p.stat().st_mtime_ns] for k, p in named.items()}
    return {**settings, "files": stats}


class Folder:
    """The folder of one run. One process works in it at a time.

    Parameters
    ----------
    key
        From `key_of`.
    plan
        What is run, for whoever looks into the folder.

    Raises
    ------
    BadInput
        When another window runs the same.
    """

    def __init__(self, key: str, plan: dict[str, Any]) -> None:
        root = state_folder().parent / "slides"
        _sweep(root)
        self.path = root / key
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(self.path / "lock", thread_local=False)
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise BadInput("The same run is going on in another window.", "Wait for its end, or stop it.") from error
        if not (self.path / "run.json").exists():
            write_whole(self.path / "run.json", json.dumps(plan, indent=1).encode())
        os.utime(self.path)

    def close(self) -> None:
        """Let others work in it."""
        self._lock.release()

    def remove(self) -> None:
        """Forget the run: its result is kept elsewhere."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _file(self, number: int) -> Path:
        return self.path / f"tile-{number:07d}"

    def finished(self, count: int) -> set[int]:
        """Return which of so many tiles have a file."""
        there = {p.name for p in self.path.glob("tile-*")}
        return {n for n in range(count) if self._file(n).name in there}

    def write(self, number: int, record: Record) -> None:
        """Keep what a tile gave; it survives a crash from here on."""
        encoder = Encoder()
        arrays = {name: encoder.array(getattr(record.seen, name)) for name in _ARRAYS}
        told = {"pixels": record.pixels, "halo": record.halo, "glass": record.glass, "offset": record.seen.offset}
        meta = {**told, "arrays": arrays, "sizes": [len(b) for b in encoder.buffers]}
        text = json.dumps(meta).encode()
        payload = b"".join([text, *encoder.buffers])
        write_whole(self._file(number), _MAGIC + _HEAD.pack(len(text), zlib.crc32(payload)) + payload)

    def read(self, number: int) -> Record | None:
        """Return what a tile gave; None where it is not finished, or its file is damaged."""
        with contextlib.suppress(OSError):
            return _unpacked(self._file(number).read_bytes())
        return None


def _unpacked(data: bytes) -> Record | None:
    at = len(_MAGIC) + _HEAD.size
    if len(data) < at or not data.startswith(_MAGIC):
        return None
    length, crc = _HEAD.unpack_from(data, len(_MAGIC))
    if zlib.crc32(data[at:]) != crc:
        return None
    meta = json.loads(data[at : at + length])
    at += length
    buffers = []
    for size in meta["sizes"]:
        buffers.append(data[at : at + size])
        at += size
    arrays = {name: decode(meta["arrays"][name], buffers) for name in _ARRAYS}
    return Record(meta["pixels"], Seen(offset=tuple(meta["offset"]), **arrays), meta["halo"], meta["glass"])


def _sweep(root: Path) -> None:
    """Remove runs that nobody went on with for a month."""
    for place in root.glob("*") if root.is_dir() else ():
        if time.time() - place.stat().st_mtime > _FORGOTTEN_S:
            shutil.rmtree(place, ignore_errors=True)
