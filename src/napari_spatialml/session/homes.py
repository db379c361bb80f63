"""Where journals live, and who may write them."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from filelock import FileLock, Timeout
from platformdirs import user_state_path

from .document import digest

__all__ = ["locked", "state_folder", "state_home"]


def locked(home: Path) -> FileLock:
    """Try to lock a journal's folder: two windows on one section must not write one journal."""
    home.mkdir(parents=True, exist_ok=True)
    lock = FileLock(home / "lock", thread_local=False)  # opened in a thread, closed by the window
    with contextlib.suppress(Timeout):  # held by another window: this one opens for reading only
        lock.acquire(timeout=0)
    return lock


def state_folder() -> Path:
    """Return the folder that keeps the journals of what has not been saved yet.

    The environment variable ``NAPARI_SPATIALML_STATE`` names another one.
    """
    named = os.environ.get("NAPARI_SPATIALML_STATE")
    return (Path(named) if named else Path(user_state_path("napari-spatialml"))) / "sessions"


def state_home(source: str) -> Path:
    """Return the folder of the journal of one source."""
    return state_folder() / digest(source.encode())
