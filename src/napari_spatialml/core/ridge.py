"""The ridge of a thin-plate spline, chosen by leaving each landmark out in turn, in closed form.

References
----------
Wahba (1990), *Spline models for observational data*, section 4.2: with the spline's coefficients
w = G y, the error at a landmark left out is w / diag(G), for every ridge, 0 among them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from .spline import spline_kernel, spline_scale

__all__ = ["RidgePath", "best_ridge"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class RidgePath:
    """The eigendecomposition from which every ridge of a spline is had at once."""

    basis: Array
    values: Array

    @classmethod
    def of(cls, source: Array) -> RidgePath:
        """Decompose the kernel of the (k, 2) landmarks, k >= 4, on what no affine transform explains."""
        # choosing a model, fitting it and leaving each out ask for the same one, one after the other
        return _decomposed(np.ascontiguousarray(source, dtype=np.float64).tobytes())

    @classmethod
    def _of(cls, source: Array) -> RidgePath:
        centre, scale = spline_scale(source)
        knots = (source - centre) / scale
        plane = np.hstack([np.ones((len(knots), 1)), knots])
        free = np.linalg.qr(plane, mode="complete")[0][:, 3:]
        values, vectors = np.linalg.eigh(free.T @ spline_kernel(knots, knots) @ free)
        return cls(free @ vectors, np.maximum(values, 0))

    def errors(self, target: Array, ridges: Array) -> Array:
        """Return (ridges, k, 2) leave-one-out errors."""
        shrink = 1 / np.maximum(self.values + ridges[:, None], 1e-300)
        # only ratios matter: in units of the largest, a huge ridge is no small number
        shrink /= shrink.max(1, keepdims=True, initial=1e-300)
        weights = np.einsum("kj,lj,jd->lkd", self.basis, shrink, self.basis.T @ target, optimize=True)
        own = shrink @ (self.basis**2).T
        return np.divide(weights, own[..., None], out=np.full(weights.shape, np.inf), where=own[..., None] > 1e-12)


@lru_cache(maxsize=4)
def _decomposed(source: bytes) -> RidgePath:
    return RidgePath._of(np.frombuffer(source).reshape(-1, 2))


def best_ridge(source: Array, target: Array) -> float:
    """Return the ridge with the smallest mean squared leave-one-out error, of equally good ones the stiffest."""
    path = RidgePath.of(source)
    # sixty steps, from a spline that bends to every landmark to one that is all but affine
    ridges = np.geomspace(1e-6, 1e4, 61) * max(float(path.values.mean()) if len(path.values) else 1.0, 1e-12)
    if len(source) <= 4:
        return float(ridges[-1])  # leaving one of four out leaves an exact affine: no evidence for bending
    press = (path.errors(target, ridges) ** 2).sum((1, 2))
    return float(ridges[np.flatnonzero(press <= press.min() * (1 + 1e-9))[-1]])
