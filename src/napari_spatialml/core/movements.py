"""Movements of a whole section, fitted to weighted pairs of points: rigid, similarity, affine."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .affine import Affine

__all__ = ["Movement", "Unsheared", "fit_movement"]

Unsheared = Literal["rigid", "similarity"]
Movement = Literal[Unsheared, "affine"]
Array = npt.NDArray[np.float64]
_STIFF = 1e-9
"""Share of a section's spread below which a direction of it counts as flat."""


def fit_movement(
    movement: Movement, moving: Any, fixed: Any, weights: Any = None, reflect: bool | None = None
) -> Affine:
    """Return the weighted least-squares movement from moving to fixed points.

    Parameters
    ----------
    movement
        "rigid" turns and shifts, "similarity" also scales, "affine" also shears.
    moving, fixed
        (k, 2) pairs, k >= 1; where they do not determine the movement (one place, one line), the part that
        they leave open stays as near to no change as it can.
    weights
        (k,) >= 0, not all 0; None for equal ones.
    reflect
        Whether the section is turned over; None takes what fits better. An affine movement has it from the pairs.

    References
    ----------
    Umeyama (1991), doi:10.1109/34.88573, equations 39 to 43.
    """
    source, target = np.asarray(moving, float), np.asarray(fixed, float)
    w = np.ones(len(source)) if weights is None else np.asarray(weights, float)
    w = w / w.sum()
    middle, to = w @ source, w @ target
    p, q = source - middle, target - to
    spread = (w * (p**2).sum(1)).sum()
    linear = _nearest_turn(q.T @ (w[:, None] * p), reflect)
    if movement != "rigid" and spread > 0:
        linear = linear * max((w * (q * (p @ linear.T)).sum(1)).sum() / spread, 1e-6)
    if movement == "affine" and spread > 0:
        # the rest is fitted from the similarity on, so that what the pairs leave open stays a similarity
        rest = q - p @ linear.T
        second = p.T @ (w[:, None] * p)
        linear = linear + (np.linalg.pinv(second, rcond=_STIFF) @ (p.T @ (w[:, None] * rest))).T
    matrix = np.eye(3)
    matrix[:2, :2], matrix[:2, 2] = linear, to - linear @ middle
    return Affine(matrix)


def _nearest_turn(cross: Array, reflect: bool | None) -> Array:
    """Return the orthogonal matrix R with the largest trace of R^T cross, with the asked sign of its determinant."""
    left, _, right = np.linalg.svd(cross)
    if reflect is not None and (np.linalg.det(left @ right) < 0) != reflect:
        left = left * np.array([1.0, -1.0])
    return np.asarray(left @ right)
