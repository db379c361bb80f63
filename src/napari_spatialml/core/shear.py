"""The affine transform whose shear is held back: from a similarity to a least-squares affine, step by step.

With y + i x for a place, an affine map of the plane is w = a z + b conj(z) + c. A similarity is b = 0, one that
mirrors a = 0; a ridge on that coefficient holds the shear back, and leaving each landmark out in turn, in closed
form, says how much.

References
----------
Hoerl and Kennard (1970), doi:10.1080/00401706.1970.10488634, for the ridge; Allen (1974),
doi:10.1080/00401706.1974.10489157, for leaving one out: the residual over 1 − h.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .affine import Affine
from .spline import spline_scale

__all__ = ["STIFFNESSES", "fit_sheared", "sheared_left_out"]

Array = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]

STIFFNESSES: Array = np.array([0.0, *np.geomspace(1e-3, 1e3, 25), np.inf])
"""From the least-squares affine transform to the similarity, in units of the landmarks' mean squared extent."""


def fit_sheared(source: Array, target: Array, reflect: bool, stiffness: float) -> Affine:
    """Return the affine transform of (k, 2) landmarks, k >= 3, whose shear is held back.

    Parameters
    ----------
    source, target
        Landmarks, not on one line.
    reflect
        Whether the similarity that it is drawn to mirrors.
    stiffness
        >= 0; 0 is the least-squares affine transform, infinity the similarity.
    """
    centre, scale = spline_scale(source)
    design, w, middle = _design(source, target, reflect)
    orthogonal, triangle = _factors(design, stiffness)
    solution = np.append(np.linalg.solve(triangle, orthogonal.conj().T @ w), 0)[:3]
    a, b = (solution[2], solution[1]) if reflect else (solution[1], solution[2])
    matrix = np.eye(3)
    matrix[:2, :2] = np.array([[a.real + b.real, b.imag - a.imag], [a.imag + b.imag, a.real - b.real]]) / scale
    matrix[:2, 2] = np.array([solution[0].real, solution[0].imag]) + middle - matrix[:2, :2] @ centre
    return Affine(matrix)


def sheared_left_out(source: Array, target: Array, reflect: bool) -> Array:
    """Return (stiffnesses, k) distances in µm of each landmark, k >= 3, as predicted from the others."""
    design, w, _ = _design(source, target, reflect)
    errors = []
    for stiffness in STIFFNESSES:
        orthogonal = _factors(design, stiffness)[0]
        miss = np.abs(w - orthogonal @ (orthogonal.conj().T @ w))
        spare = 1 - (np.abs(orthogonal) ** 2).sum(1)
        errors.append(np.divide(miss, spare, out=np.full(len(w), np.inf), where=spare > 1e-9))
    return np.array(errors)


def _design(source: Array, target: Array, reflect: bool) -> tuple[Complex, Complex, Array]:
    centre, scale = spline_scale(source)
    z = ((source - centre) / scale) @ np.array([1, 1j])
    middle = target.mean(0)
    main, shear = (z.conj(), z) if reflect else (z, z.conj())
    return np.stack([np.ones_like(z), main, shear], 1), (target - middle) @ np.array([1, 1j]), middle


def _factors(design: Complex, stiffness: float) -> tuple[Complex, Complex]:
    """Return Q, the landmarks' rows of it, and R of the design with the ridge as a further row.

    Without shear where it is infinitely stiff.
    """
    if not np.isfinite(stiffness):
        orthogonal, triangle = np.linalg.qr(design[:, :2])
        return orthogonal, triangle
    held = np.array([[0, 0, np.sqrt(len(design) * stiffness)]])
    orthogonal, triangle = np.linalg.qr(np.vstack([design, held]))
    return orthogonal[:-1], triangle
