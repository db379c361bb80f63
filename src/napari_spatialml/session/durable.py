"""What has to be on the disk before the next step: files, and the folders that name them.

A process that is killed loses nothing that it wrote; a machine that loses power loses what the system
had not written yet, in any order. So a save waits for its staged files before the intent names them,
and for the folders into which they were moved before the journal says "saved".
"""

from __future__ import annotations

import contextlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

__all__ = ["all_on_disk", "on_disk", "write_whole"]

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


def on_disk(path: Path) -> None:
    """Wait until a file is on the disk, or the names in a folder are."""
    folder = path.is_dir()
    if folder and os.name == "nt":
        return  # Windows opens no folders, and keeps their names in its own journal
    number = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        with contextlib.suppress(OSError) if folder else contextlib.nullcontext():
            os.fsync(number)  # some network drives cannot wait for a folder
    finally:
        os.close(number)


def all_on_disk(folder: Path) -> None:
    """Wait until everything below a folder is on the disk."""
    found = [folder, *folder.rglob("*")]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(on_disk, found))
