"""What has to be on the disk before the next step: files, and the folders that name them.

A process that is killed loses nothing that it wrote; a machine that loses power loses what the system
had not written yet, in any order. So a save waits for its staged files before the intent names them,
and for the folders into which they were moved before the journal says "saved".
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

__all__ = ["all_on_disk", "each_on_disk", "on_disk", "write_new", "write_whole"]

_AT_ONCE = 16
"""Files that are waited for together: the system then writes them with one turn of the disk."""


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    on_disk(path.parent)


def write_new(path: str, data: bytes) -> None:
    """Write a file that nobody reads yet; whether it is on the disk is asked later, of many at once."""
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o666)
    try:
        rest = memoryview(data)
        while rest:  # the system may take a part
            rest = rest[os.write(number, rest) :]
    finally:
        os.close(number)


def on_disk(path: Path | str) -> None:
    """Wait until a file is on the disk, or the names in a folder are."""
    folder = os.path.isdir(path)
    if folder and os.name == "nt":
        return  # Windows opens no folders, and keeps their names in its own journal
    number = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        with contextlib.suppress(OSError) if folder else contextlib.nullcontext():
            os.fsync(number)  # some network drives cannot wait for a folder
    finally:
        os.close(number)


def each_on_disk(paths: Sequence[Path | str]) -> None:
    """Wait until each of many files and folders is on the disk."""

    def some(first: int) -> None:
        for path in paths[first::_AT_ONCE]:
            on_disk(path)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(some, range(min(_AT_ONCE, len(paths)))))


def all_on_disk(folder: Path) -> None:
    """Wait until everything below a folder is on the disk."""
    found: list[str] = []
    for place, _, files in os.walk(folder):
        found += [place, *(os.path.join(place, file) for file in files)]
    each_on_disk(found)
