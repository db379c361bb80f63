"""Where moving points lie at a stage of matching: a movement of the whole, then a bending on a grid."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from .affine import Affine
from .density_warp import Shifts
from .field import DisplacementField
from .transform import Chain, Transform

__all__ = ["Placement"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Placement:
    """A movement, then p + d(p) with d bilinear between the nodes (h, w, 2) of a grid, held beyond its rim."""

    movement: Affine
    corner: Array
    spacing: float
    field: Array

    @classmethod
    def of(cls, movement: Affine, low: Array, high: Array, spacing: float) -> Placement:
        """Return an unbent one whose grid covers a rectangle."""
        shape = np.ceil((high - low) / spacing).astype(int) + 3
        return cls(movement, low - spacing, spacing, np.zeros((int(shape[0]), int(shape[1]), 2)))

    def apply(self, where: Array) -> Array:
        """Return where points (n, 2) lie."""
        return self.bent(self.movement.apply(where))

    def bent(self, where: Array) -> Array:
        """Return where points lie that the movement has brought to ``where``."""
        from .matching_kernels import pushed

        out = np.empty(where.shape)
        pushed(np.ascontiguousarray(where), self.corner, self.spacing, self.field, out)
        return out

    def nodes(self) -> Array:
        """Return (h, w, 2) the nodes."""
        rows, columns = np.mgrid[: self.field.shape[0], : self.field.shape[1]]
        return np.asarray(self.corner + self.spacing * np.stack([rows, columns], -1))

    def moved(self, further: Affine) -> Placement:
        """Return it followed by a movement of the whole."""
        linear = further.matrix[:2, :2]
        if not self.field.any():
            return replace(self, movement=further @ self.movement)
        # d is asked at the places before the further movement: carried along with it
        back = further.inverse()
        nodes = self.nodes().reshape(-1, 2)
        before = back.apply(nodes)
        carried = (self.bent(before) - before) @ linear.T
        return replace(self, movement=further @ self.movement, field=carried.reshape(self.field.shape))

    def bent_by(self, step: Shifts, stiffness: float, prior: float) -> Placement:
        """Return it followed by shifts, smoothed over ``stiffness`` of their nodes; little evidence moves little."""
        weight = ndimage.gaussian_filter(step.evidence.astype(np.float64), stiffness)
        smooth = np.stack(
            [
                ndimage.gaussian_filter(step.evidence * step.shift[..., k], stiffness) / (weight + prior)
                for k in range(2)
            ],
            -1,
        )
        nodes = self.nodes().reshape(-1, 2)
        now = self.bent(nodes)
        at = ((now - step.corner) / step.spacing).T
        more = np.stack([ndimage.map_coordinates(smooth[..., k], at, order=1, mode="nearest") for k in range(2)], -1)
        return replace(self, field=(now + more - nodes).reshape(self.field.shape))

    def transform(self) -> Transform:
        """Return the same as a transform that is smooth between the nodes."""
        if not self.field.any():
            return self.movement
        return Chain((self.movement, DisplacementField(self.corner, self.spacing, self.field.astype(np.float32))))
