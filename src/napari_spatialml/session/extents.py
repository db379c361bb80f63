"""How far an element reaches in its own coordinates."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from .document import Document
from .gather import full_resolution

__all__ = ["extent"]

Corner = npt.NDArray[np.float64]


def extent(document: Document, name: str) -> tuple[Corner, Corner]:
    """Return the low and the high corner (y, x) of an element, in its own coordinates.

    Raises
    ------
    BadInput
        When it is empty.

    Notes
    -----
    Images and labels are not read; of points, the coordinates are.
    """
    kind = document.type_of(name)
    if kind == "labels":
        return np.zeros(2), np.array(document.grid(name).shape, dtype=float)
    if kind == "images":
        sizes = full_resolution(document, name).sizes
        return np.zeros(2), np.array([sizes["y"], sizes["x"]], dtype=float)
    if kind == "shapes":
        x0, y0, x1, y1 = document.element(name).total_bounds
        low, high = np.array([y0, x0]), np.array([y1, x1])
    else:
        frame = document.element(name)[["y", "x"]]
        low, high = (np.asarray(v, dtype=float) for v in (frame.min().compute(), frame.max().compute()))
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise BadInput(f"'{name}' is empty.", "Choose another element.")
    return low, high
