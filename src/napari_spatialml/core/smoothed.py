"""Features of scattered points as a smooth field over the plane, with its slope."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

__all__ = ["Smoothed", "gathered", "pitch"]

Floats = npt.NDArray[np.float64]
_AROUND = 12


def pitch(points: Floats) -> float:
    """Return the edge in µm of the square that a point stands for, in the middle of the tissue; above 0.

    Notes
    -----
    From the distance to the twelfth neighbour: on square and hexagonal lattices and for cells strewn at random
    it is the same within an eighth, which the distance to the nearest one is not.
    """
    k = min(_AROUND, len(points) - 1)
    if k < 1:
        return 1.0
    distance = float(np.median(cKDTree(points).query(points, k=[k + 1])[0]))
    size = float(np.ptp(points, axis=0).max()) / np.sqrt(len(points))
    return distance * np.sqrt(np.pi / (k + 0.5)) or size or 1.0


def gathered(points: Floats, values: tuple[Floats, ...], at_most: int) -> tuple[Floats, tuple[Floats, ...]]:
    """Return means over the squares of a grid where there are more points than ``at_most``.

    Parameters
    ----------
    points
        (n, 2) in µm.
    values
        Arrays of n rows.
    at_most
        About so many squares are made.
    """
    if len(points) <= at_most:
        return points, values
    edge = pitch(points) * np.sqrt(1.1 * len(points) / at_most)
    cell = np.floor((points - points.min(0)) / edge).astype(np.int64)
    _, group, n = np.unique(cell @ np.array([1 << 30, 1]), return_inverse=True, return_counts=True)
    kept = n >= 0.25 * np.median(n)
    means = []
    for array in (points, *values):
        sums = [np.bincount(group.ravel(), column, len(n)) for column in array.T]
        means.append((np.stack(sums, axis=1) / n[:, None])[kept])
    return means[0], tuple(means[1:])


class Smoothed:
    """A field of features over the plane: the Gaussian mean of the nearest points.

    Parameters
    ----------
    points
        (n, 2) in µm.
    values
        (n, d).
    width_um
        Standard deviation of the Gaussian.
    most
        How many nearest points are looked at.
    """

    def __init__(self, points: Floats, values: Floats, width_um: float, most: int = 24) -> None:
        self.points, self.values, self.width = points, values, width_um
        self.most = min(most, len(points))
        self.tree = cKDTree(points)

    @cached_property
    def usual(self) -> float:
        """The weight of the evidence at a point in the middle of the tissue; above 0."""
        return max(float(np.median(self.weights(self.points)[0].sum(1))), 1e-12)

    def coverage(self, evidence: Floats) -> Floats:
        """Return how far weights of evidence mean that there is tissue: 0 off it, ½ on its edge, 1 inside."""
        return np.asarray(np.clip(2 * evidence / self.usual, 0.0, 1.0))

    def weights(self, where: Floats, skip_self: bool = False) -> tuple[Floats, npt.NDArray[np.int64]]:
        """Return (m, k) Gaussian weights and the indices of the points that they belong to."""
        distance, index = self.tree.query(where, k=self.most)
        distance, index = distance.reshape(len(where), -1), index.reshape(len(where), -1)
        weight = np.exp(-0.5 * (distance / self.width) ** 2)
        if skip_self:
            weight[index == np.arange(len(where))[:, None]] = 0
        return weight, index

    def at(self, where: Floats, skip_self: bool = False) -> tuple[Floats, Floats]:
        """Return (m, d) values and (m,) the weight of the evidence for each."""
        weight, index = self.weights(where, skip_self)
        total = weight.sum(1)
        mean = np.matmul(weight[:, None], self.values[index])[:, 0] / np.maximum(total, 1e-12)[:, None]
        return mean, total

    def slope(self, where: Floats) -> tuple[Floats, Floats, Floats]:
        """Return (m, d) values, (m, d, 2) their derivatives and (m,) the weight of the evidence."""
        weight, index = self.weights(where)
        total = np.maximum(weight.sum(1), 1e-12)
        away = (self.points[index] - where[:, None]) * (weight / self.width**2)[..., None]
        # one product for the mean and both derivatives: rows are the weight and its two slopes
        rows = np.concatenate([weight[:, None], away.transpose(0, 2, 1)], axis=1)
        sums = np.matmul(rows, self.values[index]) / total[:, None, None]
        mean, lean = sums[:, 0], away.sum(1) / total[:, None]
        slope = sums[:, 1:].transpose(0, 2, 1) - mean[:, :, None] * lean[:, None]
        return mean, slope, weight.sum(1)
