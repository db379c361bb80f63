"""Windows that are done, as thin frames over their cells."""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt

from ..core.transform import Affine
from ..session import Document
from ..session.done import DONE, done_of
from .annotation_specs import DONE_FRAME
from .memory import Memory
from .places import as_matrix
from .specs import Key, LayerSpec, VectorsSpec

__all__ = ["done_specs"]

_COLOUR = np.array([0.25, 0.85, 0.45, 1.0], np.float32)
Window = tuple[int, int, int, int]


def done_specs(
    document: Document, labels: str, system: str, memory: Memory, *, beside: bool, offset: tuple[float, float]
) -> list[LayerSpec]:
    """Return the layer of the frames around the windows of labels that are done; none where none is."""
    windows = tuple(d.window for d in done_of(document, labels))
    if not windows:
        return []
    affine = document.affine(labels, system)
    token = (DONE, labels, windows, as_matrix(affine))
    shift = as_matrix(Affine.translation(*offset))
    make = partial(_frames, windows, affine)
    return [VectorsSpec(Key(labels, DONE_FRAME, beside), f"{labels}: done", token, make, shift, order=69, width=1.0)]


def _frames(windows: tuple[Window, ...], affine: Affine) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32]]:
    corners = np.array([[(y0, x0), (y0, x1), (y1, x1), (y1, x0)] for y0, y1, x0, x1 in windows], dtype=float)
    placed = affine.apply(corners.reshape(-1, 2)).reshape(-1, 4, 2)
    lines = np.stack([placed, np.roll(placed, -1, axis=1) - placed], axis=2).reshape(-1, 2, 2)
    return lines, np.tile(_COLOUR, (len(lines), 1))
