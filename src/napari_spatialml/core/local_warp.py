"""Moving a few places by hand: what is dragged comes to lie where it was dragged to, the rest stays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .affine import Affine
from .arrays import as_coordinates, as_finite, frozen, require
from .spline import InverseTransform

if TYPE_CHECKING:
    from .transform import Transform

__all__ = ["LocalWarp"]

Array = npt.NDArray[np.float64]

_STEEPEST = 135 / 64
"""The largest slope of (1 - r)⁴ (4 r + 1), at r = 1/4."""
_LIMIT = 0.8
"""A step stretches or squeezes by at most this share: one pin alone keeps a determinant of 0.2."""
_SAMPLED = 0.6
"""The same where the slope is sampled and not bounded: between samples it may be a third steeper."""
_STEPS = 200
"""Pins that need more steps all but run into each other."""
_RINGS = np.arange(0.5, 14) / 14
_SPOKES = np.stack([np.sin(turns := np.arange(20) * 2 * np.pi / 20), np.cos(turns)], -1)


@dataclass(frozen=True, eq=False)
class LocalWarp:
    """Pins that each pull their neighbourhood along, ``p -> p + d(p)``; no two places land on one.

    Parameters
    ----------
    source, target
        (k, 2) pins as (y, x) in µm and where they come to lie: exactly there.
    radius_um
        (k,) or one for all, in µm, > 0. What is farther from every source than its radius stays where it
        is. A radius that is too small for its drag is enlarged to 2.64 times the drag, where the
        neighbourhood is squeezed to a fifth; this attribute holds what is used.

    Raises
    ------
    BadInput
        When two pins start or end at one place, or are dragged through each other.

    Notes
    -----
    Where one sum of radial functions would fold, since neighbours are dragged apart or past each other, the
    pins go to their targets on straight lines in as many steps as it takes for each step to stretch by less
    than 1; a chain of such steps cannot fold. Apart from such cases it is one step. About 10 ns a point,
    pin and step.

    References
    ----------
    Wendland (1995), doi:10.1007/BF02123482, the function of smoothness C2 for up to three dimensions;
    Fornefett, Rohr and Stiehl (2001), doi:10.1016/S0262-8856(00)00057-3, equations 8 and 12, for pins.
    """

    source: Array
    target: Array
    radius_um: Array
    _steps: tuple[_Step, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        source = as_coordinates(self.source, "The pins").copy()
        target = as_coordinates(self.target, "The pins' targets", len(source)).copy()
        radius = np.broadcast_to(np.asarray(self.radius_um, dtype=np.float64), (len(source),))
        radius = as_finite(radius, "The pins' radii", 1)
        require(bool((radius > 0).all()), f"A pin has the radius {radius.min(initial=1):g} µm.", "Give more than 0.")
        for points, where in ((source, "start"), (target, "end")):
            _check_apart(points, where)
        radius = np.maximum(radius, np.linalg.norm(target - source, axis=1) * (_STEEPEST / _LIMIT))
        radius = radius if _solvable(source, radius) else np.full(len(source), radius.max())
        object.__setattr__(self, "source", frozen(source))
        object.__setattr__(self, "target", frozen(target))
        object.__setattr__(self, "radius_um", frozen(radius))
        object.__setattr__(self, "_steps", _stepped(source, target, radius))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> LocalWarp:
        """Make the transform again from what `to_dict` returned."""
        source, target = (np.asarray(values[side], float).reshape(-1, 2) for side in ("source", "target"))
        return cls(source, target, values["radius_um"])

    @property
    def affine(self) -> Affine:
        """The identity: far from the pins nothing moves."""
        return Affine.identity()

    @property
    def reflects(self) -> bool:
        """False: pins turn nothing over."""
        return False

    @property
    def smooth_below_um(self) -> float:
        """A quarter of the smallest radius; infinite without pins."""
        return float(self.radius_um.min()) / 4 if len(self.radius_um) else float("inf")

    def apply(self, points: Any) -> Array:
        """Map (n, 2) points."""
        where = np.array(as_coordinates(points, "The points"))
        for step in self._steps:
            where = step.apply(where)
        return where

    def inverse(self) -> Transform:
        """Return the inverse, solved by Newton's method; see `InverseTransform`."""
        return InverseTransform(self)

    def nearly_back(self, points: Array) -> Array:
        """Return about where (n, 2) points come from: a start for the inverse."""
        where = np.array(points)
        for step in reversed(self._steps):
            where = step.back(where)
        return where

    def jacobian(self, points: Any) -> Array:
        """Return the (n, 2, 2) derivatives; their determinant is above 0."""
        where = np.array(as_coordinates(points, "The points"))
        total = np.tile(np.eye(2), (len(where), 1, 1))
        for step in self._steps:
            total = (np.eye(2) + step.slopes(where)) @ total
            where = step.apply(where)
        return total

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON keeps exactly."""
        held = {"source": self.source, "target": self.target, "radius_um": self.radius_um}
        return {"type": "local warp", **{name: values.tolist() for name, values in held.items()}}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LocalWarp) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash(tuple(np.column_stack([self.source, self.target, self.radius_um]).ravel().tolist()))


@dataclass(frozen=True)
class _Step:
    """One sum of radial functions that stretches by less than 1."""

    centres: Array
    radii: Array
    weights: Array

    def apply(self, points: Array) -> Array:
        from .local_warp_kernels import add_moves

        moved = points.copy()
        add_moves(points, self.centres, self.radii, self.weights, moved)
        return moved

    def slopes(self, points: Array) -> Array:
        from .local_warp_kernels import add_slopes

        out = np.zeros((len(points), 2, 2))
        add_slopes(points, self.centres, self.radii, self.weights, out)
        return out

    def back(self, points: Array) -> Array:
        """Follow the contraction p <- q - d(p) for a while."""
        found = points
        for _ in range(30):
            found, before = points - (self.apply(found) - found), found
            if float(np.abs(found - before).max(initial=0)) < 1e-3 * float(self.radii.min()):
                break
        return found

    def folds_not(self) -> bool:
        """Whether the displacement changes by less than the distance everywhere, so that nothing can fold."""
        steepness = np.linalg.norm(self.weights, axis=1) * _STEEPEST / self.radii
        apart = np.linalg.norm(self.centres[:, None] - self.centres[None], axis=2)
        # where the discs of two pins meet, their slopes may add up
        if float(((apart < self.radii[:, None] + self.radii[None]) @ steepness).max()) <= _LIMIT * (1 + 1e-9):
            return True
        rings = (_RINGS[:, None, None] * _SPOKES).reshape(-1, 2)
        points = (self.centres[:, None] + self.radii[:, None, None] * rings).reshape(-1, 2)
        return float(_norms(self.slopes(np.vstack([points, self.centres]))).max()) <= _SAMPLED


def _norms(matrices: Array) -> Array:
    """Return the largest singular values of (n, 2, 2) matrices."""
    a, b, c, d = (matrices[:, i, j] for i in (0, 1) for j in (0, 1))
    return np.asarray((np.hypot(a + d, b - c) + np.hypot(a - d, b + c)) / 2)


def _check_apart(points: Array, where: str) -> None:
    _, first, count = np.unique(points, axis=0, return_index=True, return_counts=True)
    twice = points[first[count > 1]]
    require(
        not len(twice),
        f"Several pins {where} at one place, {tuple(twice[0].tolist()) if len(twice) else ''} µm.",
        "Delete one of them.",
    )


def _radial(points: Array, centres: Array, radii: Array) -> Array:
    r = np.minimum(np.linalg.norm(points[:, None] - centres[None], axis=2) / radii, 1.0)
    return np.asarray((1 - r) ** 4 * (4 * r + 1))


def _solvable(source: Array, radius: Array) -> bool:
    """Whether pins of such radii determine the weights: radii that differ need not."""
    return not len(source) or bool(np.linalg.cond(_radial(source, source, radius)) < 1e10)


def _stepped(source: Array, target: Array, radius: Array) -> tuple[_Step, ...]:
    """Return the steps by which the pins reach their targets, as few as may be."""
    steps: list[_Step] = []
    at, share = source, 0.0
    stride = 1.0
    while share < 1 and len(source):
        end = min(1.0, share + stride)
        wanted = target if end == 1 else source + end * (target - source)
        # the disc stays within the one of the source
        radii = radius - np.linalg.norm(at - source, axis=1)
        radii = radii if _solvable(at, radii) else np.full(len(at), radii.min())
        step = _Step(at, radii, np.linalg.solve(_radial(at, at, radii), wanted - at))
        if not step.folds_not():
            stride /= 2
            require(stride > 1e-4, "Pins are dragged through one another.", "Drag them less far, or delete one.")
            continue
        steps.append(step)
        at, share, stride = step.apply(at), end, stride * 1.5
        require(len(steps) <= _STEPS, "Pins are dragged through one another.", "Drag them less far, or delete one.")
    return tuple(steps)
