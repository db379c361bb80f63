"""Where a registration folds the moving side onto itself."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..core.folding import folds
from ..core.transform import Affine
from ..session import Document
from .alignment_now import held_alignment, kept_transform
from .places import extent_of_system

__all__ = ["fold_lines"]

_CELLS = 220
"""Places along the longer side at which the Jacobian is looked at."""


def fold_lines(document: Document, moving: str) -> npt.NDArray[np.float64]:
    """Return the outlines of all folds as lines (n, 2, 2) in µm of the fixed side: starts and directions."""
    transform = kept_transform(document, held_alignment(document, moving))
    low, high = extent_of_system(document, moving)
    spacing = float(np.max(high - low)) / _CELLS
    if transform is None or isinstance(transform, Affine) or not (high > low).all():
        return np.zeros((0, 2, 2))
    squares = folds(transform, low, high, spacing).outlines_um(transform)
    return np.stack([squares, np.roll(squares, -1, axis=1) - squares], axis=2).reshape(-1, 2, 2)
