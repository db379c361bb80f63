"""Which spot or polygon lies at a place: the one that is seen there, by the rule by which it is drawn."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..session import Document
from .memory import Memory
from .outlines import polygon_tiles
from .spots import is_circles, spot_tiles

__all__ = ["shape_at"]


def shape_at(
    document: Document,
    shapes: str,
    system: str,
    at_um: npt.ArrayLike,
    memory: Memory,
    offset: tuple[float, float] = (0.0, 0.0),
) -> int:
    """Return the row of the shape at a place, -1 for none.

    Parameters
    ----------
    document, shapes
        Where the shapes are.
    system
        The coordinate system in which they are drawn.
    at_um
        (y, x) in µm on the canvas.
    memory
        What the plan has computed, so that nothing is computed again.
    offset
        (y, x) in µm by which the system is shifted on the canvas.

    Notes
    -----
    A hole is outside. Of several that overlap, the last is seen. Half a million polygons take some milliseconds.
    """
    y, x = (float(v) for v in np.asarray(at_um, dtype=float) - offset)
    tiles = spot_tiles if is_circles(document, shapes) else polygon_tiles
    return tiles(document, shapes, system, memory).at(y, x)
