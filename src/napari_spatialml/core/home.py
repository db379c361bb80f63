"""The folder in which the program keeps what belongs to the person and to no section."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["HOME", "home"]

HOME = "NAPARI_SPATIALML_STATE"
"""The environment variable that names another folder."""


def home() -> Path:
    """Return the folder; it may not be there yet."""
    from platformdirs import user_state_path

    named = os.environ.get(HOME)
    return Path(named) if named else Path(user_state_path("napari-spatialml"))
