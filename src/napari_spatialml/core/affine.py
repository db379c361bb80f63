"""Affine transforms of the plane, as values: coordinates are (y, x) in µm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import as_coordinates, as_finite, frozen, require

__all__ = ["Affine"]

_EVEN = 1e-6
"""Stretches that differ by less, as a share, differ by rounding."""
_SWAP = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])


@dataclass(frozen=True, eq=False)
class Affine:
    """An affine transform, ``p -> A p + t``.

    Parameters
    ----------
    matrix
        (3, 3), acts on the column (y, x, 1); the last row is (0, 0, 1).

    Raises
    ------
    BadInput
        When the matrix has another shape or last row, or holds NaN or infinity.

    Examples
    --------
    >>> Affine.translation(2.0, 3.0).apply([[1.0, 1.0]])
    array([[3., 4.]])
    """

    matrix: npt.NDArray[np.float64]

    def __post_init__(self) -> None:
        matrix = as_finite(self.matrix, "The affine matrix's numbers", 2)
        require(matrix.shape == (3, 3), f"The affine matrix has the shape {matrix.shape}.", "Give (3, 3).")
        last = matrix[2].tolist()
        require(last == [0, 0, 1], f"The affine matrix ends in the row {last}.", "It must be (0, 0, 1).")
        object.__setattr__(self, "matrix", frozen(matrix.copy()))

    @classmethod
    def identity(cls) -> Affine:
        """Return the transform that moves nothing."""
        return cls(np.eye(3))

    @classmethod
    def translation(cls, y: float, x: float) -> Affine:
        """Return a shift by (y, x) in µm."""
        return cls(np.array([[1.0, 0.0, y], [0.0, 1.0, x], [0.0, 0.0, 1.0]]))

    @classmethod
    def scale(cls, y: float, x: float | None = None) -> Affine:
        """Return a scaling about the origin, by one factor or by one a direction."""
        return cls(np.diag([y, y if x is None else x, 1.0]).astype(np.float64))

    @classmethod
    def rotation(cls, degrees: float, centre: tuple[float, float] = (0.0, 0.0)) -> Affine:
        """Return a rotation about ``centre``; positive is counter-clockwise on a screen, where y points down."""
        turn = cls._linear(_orthogonal(degrees, reflect=False))
        return cls.translation(*centre) @ turn @ cls.translation(-centre[0], -centre[1])

    @classmethod
    def similarity(
        cls,
        scale: float = 1.0,
        degrees: float = 0.0,
        translation: tuple[float, float] = (0.0, 0.0),
        reflect: bool = False,
    ) -> Affine:
        """Mirror left and right if asked, then scale, rotate and shift, in this order."""
        return cls.translation(*translation) @ cls._linear(scale * _orthogonal(degrees, reflect))

    @classmethod
    def from_xy(cls, matrix: Any) -> Affine:
        """Make one from a (3, 3) matrix on (x, y, 1), as SpatialData keeps it."""
        array = as_finite(matrix, "The affine matrix's numbers", 2)
        require(array.shape == (3, 3), f"The affine matrix has the shape {array.shape}.", "Give (3, 3).")
        return cls(_SWAP @ array @ _SWAP)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Affine:
        """Make the transform again from what `to_dict` returned."""
        return cls(values["matrix"])

    @classmethod
    def _linear(cls, linear: npt.NDArray[np.float64]) -> Affine:
        matrix = np.eye(3)
        matrix[:2, :2] = linear
        return cls(matrix)

    @property
    def reflects(self) -> bool:
        """Whether the transform turns the section over."""
        return bool(np.linalg.det(self.matrix[:2, :2]) < 0)

    @property
    def family(self) -> str:
        """The narrowest family that holds it: "rigid" (keeps lengths), "similarity" (keeps angles) or "affine"."""
        large, small = self.scale_factors
        if large - small > _EVEN * large:
            return "affine"
        return "rigid" if abs(large - 1) <= _EVEN else "similarity"

    @property
    def scale_factors(self) -> tuple[float, float]:
        """The largest and the smallest stretch (singular values)."""
        large, small = np.linalg.svd(self.matrix[:2, :2], compute_uv=False)
        return float(large), float(small)

    @property
    def rotation_degrees(self) -> float:
        """Angle of the nearest rotation, -180 < angle <= 180; of a reflecting one, after mirroring left and right."""
        left, _, right = np.linalg.svd(self.matrix[:2, :2])
        nearest = left @ right
        return float(np.degrees(np.arctan2(nearest[1, 0], nearest[0, 0])))

    def apply(self, points: Any) -> npt.NDArray[np.float64]:
        """Map (n, 2) points."""
        where = as_coordinates(points, "The points")
        return np.asarray(where @ self.matrix[:2, :2].T + self.matrix[:2, 2])

    def inverse(self) -> Affine:
        """Return the inverse.

        Raises
        ------
        BadInput
            When the transform flattens the plane.
        """
        large, small = self.scale_factors
        require(
            small > large * 1e-12,
            f"The affine transform flattens the plane: it stretches by {large:g} and {small:g}.",
            "Spread the landmarks in both directions.",
        )
        linear = np.linalg.inv(self.matrix[:2, :2])
        matrix = np.eye(3)
        matrix[:2, :2], matrix[:2, 2] = linear, -linear @ self.matrix[:2, 2]
        return Affine(matrix)

    def jacobian(self, points: Any) -> npt.NDArray[np.float64]:
        """Return the (n, 2, 2) derivatives, the same at every point."""
        where = as_coordinates(points, "The points")
        return np.tile(self.matrix[:2, :2], (len(where), 1, 1))

    def to_xy(self) -> npt.NDArray[np.float64]:
        """Return the (3, 3) matrix on (x, y, 1), as SpatialData wants it."""
        return np.asarray(_SWAP @ self.matrix @ _SWAP)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON keeps exactly."""
        return {"type": "affine", "matrix": self.matrix.tolist()}

    def __matmul__(self, first: Affine) -> Affine:
        """Compose: ``(a @ b).apply(p)`` is ``a.apply(b.apply(p))``."""
        if not isinstance(first, Affine):
            return NotImplemented
        return Affine(self.matrix @ first.matrix)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Affine) and bool(np.array_equal(self.matrix, other.matrix))

    def __hash__(self) -> int:
        return hash(tuple(self.matrix.ravel().tolist()))


def _orthogonal(degrees: float, reflect: bool) -> npt.NDArray[np.float64]:
    angle = np.radians(degrees)
    cos, sin = np.cos(angle), np.sin(angle)
    flip = -1.0 if reflect else 1.0
    return np.array([[cos, -sin * flip], [sin, cos * flip]])
