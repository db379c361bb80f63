"""The journal: an append-only file of what was done, undone, redone and saved.

Each record carries its length and a checksum, so that a torn last record, from a killed process
or a lost power supply, is recognised and cut off. A large buffer that an earlier record holds is not
written again, but named by its place there. The history is what folding the records gives.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import DocumentError
from .durable import write_whole

__all__ = ["Journal", "Line"]

_MAGIC = b"napari-spatialml journal 1\n"
_WORTH = 4096
"""Bytes: a buffer of so many is not written again while it lies in the file already."""
_HERE = -1
"""In place of a place in the file: the buffer is that of the given number in the same record."""
_HEAD = struct.Struct("<QII")  # length of the payload, length of its JSON part, CRC-32 of the payload


@dataclass(frozen=True)
class Line:
    """One record: its JSON part, and where its buffers lie in the file."""

    meta: dict[str, Any]
    start: int
    path: Path

    def buffers(self) -> list[bytes]:
        """Read the buffers; those that an earlier record has written, from there.

        Raises
        ------
        DocumentError
            When the record names a place where nothing was written before it.
        """
        found: list[bytes] = []
        at = self.start
        with self.path.open("rb") as file:
            for size in self.meta.get("sizes", []):
                place, length = (at, size) if isinstance(size, int) else size
                at += length if isinstance(size, int) else 0
                if place == _HERE:
                    found.append(found[length])
                    continue
                if not isinstance(size, int) and not 0 <= place <= place + length <= self.start:
                    raise DocumentError("The journal names what it does not hold.", "It may be damaged.")
                file.seek(place)
                found.append(file.read(length))
        return found


class Journal:
    """The file, opened for reading and appending.

    Parameters
    ----------
    path
        Made if it is not there.
    read_only
        Do not create, cut or append.

    Raises
    ------
    DocumentError
        When the file is not a journal.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self.damage = ""
        self._file: Any = None
        self.lines: list[Line] = []
        self._end = len(_MAGIC)
        self._written: dict[bytes, int] = {}
        """Where large buffers lie that were written since the file was opened, by their hash."""
        if path.exists() and path.stat().st_size > 0:
            for line in self._scan():
                self.lines.append(line)
                self._end = _end(line)
        elif not read_only:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, _MAGIC)
        if not read_only:
            self._keep_damaged()
            self._file = path.open("r+b", buffering=0)
            self._file.truncate(self._end)
            self._file.seek(self._end)

    def _keep_damaged(self) -> None:
        """Put aside what cannot be read, unless it is only the record that a killed process was writing."""
        size = self.path.stat().st_size
        if size <= self._end:
            return
        with self.path.open("rb") as file:
            file.seek(self._end)
            rest = file.read()
        whole = len(rest) >= _HEAD.size and _HEAD.unpack_from(rest)[0] + _HEAD.size < len(rest)
        if whole:  # more follows behind the record that cannot be read
            aside = self.path.with_name(f"journal.damaged-{len(self.lines)}")
            write_whole(aside, rest)
            self.damage = (
                f"The history is damaged after step {len(self.lines)}; the rest was put aside as '{aside.name}'."
            )

    def retract(self) -> None:
        """Take the last record back: what it tells could not be done."""
        self.lines.pop()
        self._end = _end(self.lines[-1]) if self.lines else len(_MAGIC)
        self._cut()

    def copy_to(self, path: Path, *records: dict[str, Any]) -> None:
        """Write the records that this journal knows, and some more, to another place."""
        with self.path.open("rb") as file:
            data = [file.read(self._end)]
        for record in records:
            text = json.dumps({**record, "sizes": []}).encode()
            data += [_HEAD.pack(len(text), len(text), zlib.crc32(text)), text]
        write_whole(path, b"".join(data))

    def _scan(self) -> Iterator[Line]:
        size = self.path.stat().st_size
        with self.path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                raise DocumentError(
                    f"'{self.path.name}' is not a journal of this program.",
                    "Move it away; the saved data can then be opened without its history.",
                )
            while len(head := file.read(_HEAD.size)) == _HEAD.size:
                length, json_length, crc = _HEAD.unpack(head)
                if length > size - file.tell() or json_length > length:
                    return  # torn: the process ended while it wrote this record
                start = file.tell() + json_length
                payload = file.read(length)
                if zlib.crc32(payload) != crc:
                    return
                yield Line(json.loads(payload[:json_length]), start, self.path)

    def append(self, meta: dict[str, Any], buffers: list[bytes] | None = None) -> Line:
        """Write a record through to the disk.

        Raises
        ------
        DocumentError
            When the disk is full or the folder cannot be written; the journal is then as before.
        """
        if self._file is None:
            raise DocumentError("This document is open for reading only.", "Close it in the other window first.")
        buffers = buffers or []
        hashes, sizes = self._known(buffers)
        inline = [b for b, size in zip(buffers, sizes, strict=True) if isinstance(size, int)]
        meta = {**meta, "sizes": sizes}
        text = json.dumps(meta, ensure_ascii=False, allow_nan=True).encode()
        payload = b"".join([text, *inline])
        rest = memoryview(_HEAD.pack(len(payload), len(text), zlib.crc32(payload)) + payload)
        try:
            while rest:  # an unbuffered file may take a part
                rest = rest[self._file.write(rest) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            self._cut()
            raise DocumentError(
                f"The journal could not be written ({error.strerror}), so nothing was changed.",
                "Free some disk space, then do it again.",
            ) from error
        line = Line(meta, self._end + _HEAD.size + len(text), self.path)
        at = line.start
        for h, size in zip(hashes, sizes, strict=True):
            if isinstance(size, int):
                if h:
                    self._written[h] = at
                at += size
        self.lines.append(line)
        self._end = _end(line)
        return line

    def _known(self, buffers: list[bytes]) -> tuple[list[bytes], list[Any]]:
        """Return the hash of each buffer, "" of a small one, and its size; or where it lies already.

        What a step replaces is often what the one before it has written.
        """
        hashes = [hashlib.blake2b(b, digest_size=16).digest() if len(b) >= _WORTH else b"" for b in buffers]
        sizes: list[Any] = []
        here: dict[bytes, int] = {}
        for number, (h, data) in enumerate(zip(hashes, buffers, strict=True)):
            if h and h in self._written:
                sizes.append([self._written[h], len(data)])
            elif h and h in here:
                sizes.append([_HERE, here[h]])
            else:
                here[h] = number
                sizes.append(len(data))
        return hashes, sizes

    def _cut(self) -> None:
        """Drop what lies behind the last whole record."""
        self._written = {h: at for h, at in self._written.items() if at < self._end}
        self._file.truncate(self._end)
        self._file.seek(self._end)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _end(line: Line) -> int:
    return int(line.start + sum(n for n in line.meta.get("sizes", []) if isinstance(n, int)))
