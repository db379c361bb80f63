"""Where a registration folds the moving side onto itself."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..core.transform import Affine
from ..session import Document
from .alignment_now import held_alignment, kept_transform
from .marks import outline_of
from .places import extent_of_system

__all__ = ["fold_lines"]

_CELLS = 220
"""Places along the longer side at which the Jacobian is looked at."""


def fold_lines(document: Document, moving: str) -> npt.NDArray[np.float64]:
    """Return the outlines of all folds as lines (n, 2, 2) in µm of the fixed side: starts and directions.

    A fold is where the Jacobian's determinant has another sign than in most places.
    """
    transform = kept_transform(document, held_alignment(document, moving))
    none = np.zeros((0, 2, 2))
    if transform is None or isinstance(transform, Affine):
        return none
    low, high = extent_of_system(document, moving)
    step = float(np.max(high - low)) / _CELLS
    if step <= 0:
        return none
    shape = np.maximum(np.ceil((high - low) / step).astype(int), 1)
    at = np.stack(np.meshgrid(np.arange(shape[0]), np.arange(shape[1]), indexing="ij"), -1).reshape(-1, 2)
    sign = np.linalg.det(transform.jacobian(low + step * (at + 0.5))) > 0
    folded = (sign != (sign.mean() >= 0.5)).reshape(shape)
    if not folded.any():
        return none
    lines = outline_of(folded, (0, 0), Affine.translation(*low) @ Affine.scale(step))
    ends = np.concatenate([lines[:, 0], lines[:, 0] + lines[:, 1]])
    moved = transform.apply(ends).reshape(2, -1, 2)
    return np.stack([moved[0], moved[1] - moved[0]], axis=1)
