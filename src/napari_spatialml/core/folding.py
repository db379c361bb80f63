"""Where a transform folds, how it stretches, and how well its inverse undoes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .arrays import as_coordinates, require
from .transform import Transform

__all__ = ["Consistency", "Folds", "Frame", "folds", "inverse_consistency"]

Array = npt.NDArray[np.float64]
Frame = Literal["moving", "fixed"]

_LARGEST = 1 << 24


@dataclass(frozen=True)
class Folds:
    """The Jacobian determinant of a transform on a square grid of the moving side.

    Parameters
    ----------
    origin
        (2,) the first node as (y, x) in µm of the moving side.
    spacing_um
        Distance of the nodes in µm.
    determinant
        (h, w) by how much the area around each node grows; negative where it is turned over against the
        rest of the section, 0 where it is flattened. The sign of a transform that mirrors is taken out.
    asked
        (h, w) which nodes lie in the rectangle that was asked for.
    """

    origin: Array
    spacing_um: float
    determinant: Array
    asked: npt.NDArray[np.bool_]

    @property
    def mask(self) -> npt.NDArray[np.bool_]:
        """(h, w) nodes at which the transform folds: the determinant is 0 or less."""
        return np.asarray((self.determinant <= 0) & self.asked)

    @property
    def share(self) -> float:
        """Share of the rectangle's area on the moving side that is folded, 0 to 1."""
        n = int(self.asked.sum())
        return float(self.mask.sum()) / n if n else 0.0

    @property
    def smallest(self) -> float:
        """The smallest determinant in the rectangle; NaN where it holds no node."""
        return float(self.determinant[self.asked].min()) if self.asked.any() else float("nan")

    @property
    def log_spread(self) -> float:
        """Standard deviation of the logarithm of the determinant where it does not fold: 0 for an affine."""
        held = self.determinant[self.asked & (self.determinant > 0)]
        return float(np.log(held).std()) if len(held) else 0.0

    def outlines_um(self, transform: Transform | None = None) -> Array:
        """Return (n, 4, 2) corners, as (y, x) in µm, of the squares that are folded.

        Parameters
        ----------
        transform
            Through which the corners go, for drawing on the fixed side; None leaves them on the moving side.
        """
        rows, columns = np.nonzero(self.mask)
        centres = self.origin + self.spacing_um * np.stack([rows, columns], -1)
        corners = np.array([[-0.5, -0.5], [-0.5, 0.5], [0.5, 0.5], [0.5, -0.5]]) * self.spacing_um
        squares = (centres[:, None] + corners).reshape(-1, 2)
        return np.asarray((squares if transform is None else transform.apply(squares)).reshape(-1, 4, 2))


@dataclass(frozen=True)
class Consistency:
    """How far points end from where they began, forth and back.

    Parameters
    ----------
    error_um
        (n,) distances in µm.
    """

    error_um: Array

    @property
    def median_um(self) -> float:
        """The median distance in µm."""
        return float(np.median(self.error_um))

    @property
    def largest_um(self) -> float:
        """The largest distance in µm."""
        return float(self.error_um.max())


def folds(transform: Transform, low: Any, high: Any, spacing_um: float, frame: Frame = "moving") -> Folds:
    """Measure the Jacobian determinant in a rectangle.

    Parameters
    ----------
    transform
        From moving to fixed.
    low, high
        (2,) corners of the rectangle as (y, x) in µm.
    spacing_um
        Distance of the places at which it is measured, in µm of the moving side; > 0. A fold that is much
        narrower can be missed.
    frame
        The side on which the rectangle lies. What comes to lie in a rectangle of the fixed side is looked
        for around the place where its border comes from: of several layers folded over each other, all.

    Raises
    ------
    BadInput
        When the rectangle has no extent, or holds more than 16 million places.

    References
    ----------
    Christensen and Johnson (2001), doi:10.1109/42.932742, for the determinant and inverse consistency.
    """
    corners = as_coordinates([low, high], "The rectangle's corners")
    require(bool((corners[1] > corners[0]).all()), "The rectangle is empty.", "Give low < high.")
    require(0 < spacing_um < np.inf, f"The spacing is {spacing_um} µm.", "Give a number above 0.")
    first, last = corners if frame == "moving" else _behind(transform, corners)
    shape = np.ceil((last - first) / spacing_um).astype(np.int64) + 1
    require(
        int(shape[0]) * int(shape[1]) <= _LARGEST,
        f"{shape[0]:,} by {shape[1]:,} places are too many.",
        "Choose a larger spacing.",
    )
    rows, columns = (first[k] + spacing_um * np.arange(shape[k]) for k in (0, 1))
    nodes = np.stack(np.meshgrid(rows, columns, indexing="ij"), -1).reshape(-1, 2)
    determinant = np.linalg.det(transform.jacobian(nodes)) * (-1.0 if transform.reflects else 1.0)
    asked = np.ones(len(nodes), bool)
    if frame == "fixed":
        moved = transform.apply(nodes)
        asked = ((moved >= corners[0]) & (moved <= corners[1])).all(1)
    made = (part.reshape(int(shape[0]), int(shape[1])) for part in (determinant, asked))
    return Folds(first, float(spacing_um), *made)


def inverse_consistency(transform: Transform, points: Any, back: Transform | None = None) -> Consistency:
    """Measure how far points are from where they began after a transform and the way back.

    Parameters
    ----------
    transform
        From moving to fixed.
    points
        (n, 2) places of the moving side as (y, x) in µm, n >= 1.
    back
        From fixed to moving, found by itself, such as the registration with the sides swapped; None is the
        transform's own inverse.

    Raises
    ------
    BadInput
        When there is no point.
    """
    where = as_coordinates(points, "The points")
    require(len(where) > 0, "There are no points at which the inverse could be measured.", "Give at least one.")
    there = transform.apply(where)
    again = (transform.inverse() if back is None else back).apply(there)
    return Consistency(np.asarray(np.linalg.norm(again - where, axis=1)))


def _behind(transform: Transform, corners: Array) -> tuple[Array, Array]:
    """Return a rectangle of the moving side around all that comes to lie in one of the fixed side."""
    sides = [np.linspace(corners[0][k], corners[1][k], 33) for k in (0, 1)]
    nodes = np.stack(np.meshgrid(*sides, indexing="ij"), -1).reshape(-1, 2)
    found = transform.inverse().apply(nodes)
    margin = np.ptp(found, axis=0) / 16
    return found.min(0) - margin, found.max(0) + margin
