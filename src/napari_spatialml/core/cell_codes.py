"""Codes of cells: types, or features of any kind, become small whole numbers that mean the same on both sides."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import require
from .mixture import k_means

__all__ = ["joint_codes"]

Array = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
_KINDS = 16
"""So many codes are made of continuous features."""
_LEARNT = 20_000
_COMPONENTS = 10


def joint_codes(fixed: Any, moving: Any, seed: int) -> tuple[Codes, Codes, int]:
    """Return the codes of both sides' cells, and how many there are.

    Parameters
    ----------
    fixed, moving
        (n, p) and (m, p) features, or None on either side: then every cell has the code 0. A row with a single
        1 among zeros is a type; anything else is cut into kinds of like cells, of both sides together.
    seed
        Of the kinds' start.

    Raises
    ------
    BadInput
        When the sides have different numbers of features.
    """
    if fixed is None or moving is None:
        raise TypeError("give the features of both sides")
    require(
        fixed.shape[1] == moving.shape[1],
        f"The fixed cells have {fixed.shape[1]} features and the moving cells {moving.shape[1]}.",
        "Choose the same features on both sides.",
    )
    if fixed.shape[1] == 0:
        return np.zeros(len(fixed), np.int64), np.zeros(len(moving), np.int64), 1
    if _is_one_hot(fixed) and _is_one_hot(moving):
        used = np.flatnonzero(fixed.any(0) | moving.any(0))
        return fixed[:, used].argmax(1), moving[:, used].argmax(1), len(used)
    first, second = _components(fixed, moving, seed)
    return _kinds(first, second, seed)


def _is_one_hot(features: Array) -> bool:
    return bool(((features == 0) | (features == 1)).all() and (features.sum(1) == 1).all())


def _learnt(fixed: Array, moving: Array, seed: int) -> Array:
    """Return as many rows of each side as are enough to learn from."""
    generator = np.random.default_rng(seed)
    parts = [
        side[np.sort(generator.permutation(len(side))[:_LEARNT])] if len(side) > _LEARNT else side
        for side in (fixed, moving)
    ]
    return np.concatenate(parts)


def _components(fixed: Array, moving: Array, seed: int) -> tuple[Array, Array]:
    """Return the first principal components of the standardised features."""
    rows = _learnt(fixed, moving, seed)
    middle, spread = rows.mean(0), rows.std(0)
    kept = spread > 1e-12 * max(float(np.abs(rows).max()), 1e-300)
    if not kept.any():
        return np.zeros((len(fixed), 1)), np.zeros((len(moving), 1))

    def standardised(side: Array) -> Array:
        return np.asarray(np.clip((side[:, kept] - middle[kept]) / spread[kept], -5, 5))

    rows = standardised(rows)
    _, axes = np.linalg.eigh(rows.T @ rows)
    axes = axes[:, ::-1][:, :_COMPONENTS]
    return standardised(fixed) @ axes, standardised(moving) @ axes


def _kinds(fixed: Array, moving: Array, seed: int) -> tuple[Codes, Codes, int]:
    rows = _learnt(fixed, moving, seed)
    k = min(_KINDS, len(np.unique(rows, axis=0)))
    labels = k_means(rows, k, np.random.default_rng(seed))
    centres = np.array([rows[labels == c].mean(0) for c in range(k) if (labels == c).any()])

    def coded(side: Array) -> Codes:
        return np.asarray(((centres**2).sum(1) - 2 * side @ centres.T).argmin(1), np.int64)

    return coded(fixed), coded(moving), len(centres)
