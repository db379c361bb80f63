"""Where journals live, and who may write them."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from filelock import FileLock, Timeout

from ..core.home import home
from .fingerprints import digest

__all__ = ["locked", "of_another", "state_folder", "state_home"]


def locked(home: Path) -> FileLock:
    """Try to lock a journal's folder: two windows on one section must not write one journal.

    The lock is not held when another window holds it, or the folder cannot be written; the section is
    then opened for reading only.
    """
    lock = FileLock(home / "lock", thread_local=False)  # opened in a thread, closed by the window
    with contextlib.suppress(Timeout, OSError):
        home.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    return lock


def state_folder() -> Path:
    """Return the folder that keeps the journals of what has not been saved yet.

    The environment variable ``NAPARI_SPATIALML_STATE`` names another one.
    """
    return home() / "sessions"


def state_home(source: str) -> Path:
    """Return the folder of the journal of one source."""
    return state_folder() / digest(source.encode())


def of_another(home: Path, store: Path) -> bool:
    """Whether a journal kept for a place was written for another store that lay there. Marks a new one."""
    mark, now = home / "store.txt", _looks(store)
    if not mark.exists():
        if os.access(home, os.W_OK):
            mark.write_text(now)
        return False
    return mark.read_text() != now


def _looks(store: Path) -> str:
    """Return a hash of a store's metadata and of when and how large its elements' metadata were written."""
    files = sorted(p for pattern in ("*.json", ".z*", "zmetadata", "*/*/zarr.json", "*/*/.zattrs")
                   for p in store.glob(pattern) if p.is_file())  # fmt: skip
    told = [f"{p.relative_to(store)} {p.stat().st_size} {p.stat().st_mtime_ns}" for p in files]
    return digest("\n".join(told).encode())
