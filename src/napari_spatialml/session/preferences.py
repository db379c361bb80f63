"""What a person has chosen for every section: kept in a small file beside the journals."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from .homes import state_folder

__all__ = ["prefer", "preference"]

_LARGEST = 100_000


def preference(name: str, default: str) -> str:
    """Return what a person has chosen, or the default where nothing can be read."""
    held = _held().get(name, default)
    return held if isinstance(held, str) else default


def prefer(name: str, value: str) -> None:
    """Keep a choice for the next start. A folder that cannot be written keeps nothing, and stops nobody."""
    path = _path()
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_suffix(".new")
        new.write_text(json.dumps({**_held(), name: value}, indent=1), encoding="utf-8")
        new.replace(path)


def _held() -> dict[str, Any]:
    path = _path()
    try:
        if path.stat().st_size > _LARGEST:
            return {}
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # none yet, or not ours any more
    return found if isinstance(found, dict) else {}


def _path() -> Path:
    return state_folder().parent / "preferences.json"
