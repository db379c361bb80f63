"""napari's reader: what is dropped on the canvas is opened into the viewer's section."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

__all__ = ["get_reader"]

NO_LAYERS = [(None,)]
"""What a reader returns that has dealt with a file by itself."""


def get_reader(path: str | Sequence[str]) -> Callable[[str | Sequence[str]], list[tuple[Any, ...]]] | None:
    """Return the reader of a path, or None where this is not a file of ours.

    Parameters
    ----------
    path
        A file or folder, or several that were dropped together as a stack.
    """
    from ..errors import SpatialMLError
    from ..io import recognise

    paths = [path] if isinstance(path, str | Path) else list(path)
    try:
        for one in paths:
            recognise(one)
    except (SpatialMLError, OSError):
        return None
    return _open


def _open(path: str | Sequence[str]) -> list[tuple[Any, ...]]:
    import napari

    from .desk import desk_of
    from .launch import dock

    viewer = napari.current_viewer()
    if viewer is None:
        from ..errors import DocumentError

        raise DocumentError("There is no napari window to open this in.", "Open napari first.")
    viewer = getattr(viewer, "__wrapped__", viewer)
    dock(viewer)
    for one in [path] if isinstance(path, str | Path) else path:
        desk_of(viewer).opening.drop(one)
    return list(NO_LAYERS)
