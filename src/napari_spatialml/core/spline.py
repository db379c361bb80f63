"""The thin-plate spline with a ridge, and the inverse of a transform that has no closed one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy.linalg import solve

from .affine import Affine
from .arrays import as_coordinates, frozen, require

if TYPE_CHECKING:
    from .transform import Transform

__all__ = ["InverseTransform", "ThinPlateSpline", "spline_kernel", "spline_scale"]


def spline_scale(source: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], float]:
    """Return the centre and the root mean square distance to it, the unit in which a spline is solved."""
    centre = source.mean(0)
    return centre, float(np.sqrt(((source - centre) ** 2).sum(1).mean()))


def spline_kernel(points: npt.NDArray[np.float64], knots: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return (n, k) values of U(r) = r² log r."""
    squared = (points[:, None, 0] - knots[None, :, 0]) ** 2 + (points[:, None, 1] - knots[None, :, 1]) ** 2
    return np.asarray(0.5 * squared * np.log(np.where(squared > 0, squared, 1.0)))


@dataclass(frozen=True, eq=False)
class ThinPlateSpline:
    """A thin-plate spline through landmarks, or near them where the ridge is above 0.

    Parameters
    ----------
    source, target
        (k, 2) landmarks as (y, x) in µm, k >= 3, not on one line.
    ridge
        >= 0; 0 passes through every landmark, infinitely large is the least-squares affine.
        Dimensionless: it is added to the kernel matrix of the sources in units of their root mean
        square distance from their centre.

    Raises
    ------
    BadInput
        When there are fewer than three landmarks, when they lie on one line, or when two sources
        coincide while the ridge is 0.

    Notes
    -----
    Fitting costs O(k³), applying O(n k): about 4 ns a point and landmark. Of a million points and more,
    `core.warp.move_points` says within a tolerance where they go, at a cost that hardly grows with k.

    References
    ----------
    Bookstein (1989), doi:10.1109/34.24792, equations 1 to 3; the ridge as in Wahba (1990),
    *Spline models for observational data*, equation 2.4.23.
    """

    source: npt.NDArray[np.float64]
    target: npt.NDArray[np.float64]
    ridge: float = 0.0
    _weights: npt.NDArray[np.float64] = field(init=False, repr=False)
    _linear: npt.NDArray[np.float64] = field(init=False, repr=False)
    _knots: npt.NDArray[np.float64] = field(init=False, repr=False)
    _frame: tuple[npt.NDArray[np.float64], float] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        source = as_coordinates(self.source, "The spline's source landmarks")
        target = as_coordinates(self.target, "The spline's target landmarks", len(source))
        ridge = float(self.ridge)
        require(0 <= ridge < np.inf, f"The ridge is {self.ridge}.", "Give a finite number of 0 or more.")
        _check_spread(source, ridge)
        object.__setattr__(self, "source", frozen(source.copy()))
        object.__setattr__(self, "target", frozen(target.copy()))
        object.__setattr__(self, "ridge", ridge)
        weights, linear = _solve(source, target, ridge)
        object.__setattr__(self, "_weights", frozen(weights))
        object.__setattr__(self, "_linear", frozen(linear))
        centre, scale = spline_scale(source)
        object.__setattr__(self, "_frame", (centre, scale))
        object.__setattr__(self, "_knots", frozen((source - centre) / scale))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ThinPlateSpline:
        """Make the transform again from what `to_dict` returned."""
        return cls(values["source"], values["target"], values["ridge"])

    @property
    def affine(self) -> Affine:
        """The spline's affine part."""
        centre, scale = self._frame
        matrix = np.eye(3)
        matrix[:2, :2] = self._linear[1:].T / scale
        matrix[:2, 2] = self._linear[0] - matrix[:2, :2] @ centre
        return Affine(matrix)

    @property
    def reflects(self) -> bool:
        """Whether the affine part turns the section over."""
        return self.affine.reflects

    def apply(self, points: Any) -> npt.NDArray[np.float64]:
        """Map (n, 2) points."""
        from .spline_kernels import add_bending

        where = self._normalised(points)
        moved = np.ascontiguousarray((self._linear[0] + where @ self._linear[1:]).T)
        add_bending(*np.ascontiguousarray(where.T), self._knots, self._weights, moved[0], moved[1])
        return np.asarray(moved.T)

    def inverse(self) -> Transform:
        """Return the inverse, solved by Newton's method; see `InverseTransform`."""
        return InverseTransform(self)

    def jacobian(self, points: Any) -> npt.NDArray[np.float64]:
        """Return the (n, 2, 2) derivatives; where the determinant changes sign, the spline folds."""
        from .spline_kernels import add_slopes

        where = self._normalised(points)
        out = np.zeros((4, len(where)))
        add_slopes(*np.ascontiguousarray(where.T), self._knots, self._weights, out)
        slopes = np.moveaxis(out.reshape(2, 2, -1), -1, 0)
        return np.asarray((slopes + self._linear[1:].T) / self._frame[1])

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON keeps exactly."""
        return {
            "type": "thin-plate spline",
            "source": self.source.tolist(),
            "target": self.target.tolist(),
            "ridge": self.ridge,
        }

    def _normalised(self, points: Any) -> npt.NDArray[np.float64]:
        centre, scale = self._frame
        return np.asarray((as_coordinates(points, "The points") - centre) / scale)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, ThinPlateSpline)
            and self.ridge == other.ridge
            and bool(np.array_equal(self.source, other.source) and np.array_equal(self.target, other.target))
        )

    def __hash__(self) -> int:
        return hash((tuple(self.source.ravel().tolist()), tuple(self.target.ravel().tolist()), self.ridge))


@dataclass(frozen=True)
class InverseTransform:
    """The inverse of a transform, solved point by point with a damped Newton's method.

    Parameters
    ----------
    forward
        The transform that is inverted.

    Notes
    -----
    Exact to 1e-9 of the extent of the points wherever the forward transform's Jacobian stays
    positive (well inside the 1e-3 of the landmark spacing that registration asks for). Where the
    forward transform folds there are several answers or none: the nearest point found is returned.
    """

    forward: Transform

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> InverseTransform:
        """Make the transform again from what `to_dict` returned."""
        from .transform import transform_from_dict

        return cls(transform_from_dict(values["forward"]))

    @property
    def reflects(self) -> bool:
        """Whether the transform turns the section over."""
        return self.forward.reflects

    def apply(self, points: Any) -> npt.NDArray[np.float64]:
        """Map (n, 2) points."""
        wanted = as_coordinates(points, "The points")
        found = self._start(wanted)
        error = self.forward.apply(found) - wanted
        size = np.linalg.norm(error, axis=1)
        tolerance = 1e-12 * (1.0 + np.abs(wanted).max(initial=0.0))
        active = np.flatnonzero(size > tolerance)
        for _ in range(50):
            if not len(active):
                break
            step = _newton_step(self.forward.jacobian(found[active]), error[active])
            better = self._damped(found, error, size, wanted, active, step)
            active = active[better & (size[active] > tolerance)]
        return found

    def _damped(
        self,
        found: npt.NDArray[np.float64],
        error: npt.NDArray[np.float64],
        size: npt.NDArray[np.float64],
        wanted: npt.NDArray[np.float64],
        active: npt.NDArray[np.intp],
        step: npt.NDArray[np.float64],
    ) -> npt.NDArray[np.bool_]:
        """Halve each step until the error shrinks; write the points that moved; say which did."""
        better = np.zeros(len(active), bool)
        for damping in (1.0, 0.5, 0.25, 0.125, 1 / 16, 1 / 64, 1 / 256):
            rest = np.flatnonzero(~better)
            if not len(rest):
                break
            rows = active[rest]
            trial = found[rows] - damping * step[rest]
            miss = self.forward.apply(trial) - wanted[rows]
            length = np.linalg.norm(miss, axis=1)
            good = length < size[rows]
            found[rows[good]], error[rows[good]], size[rows[good]] = trial[good], miss[good], length[good]
            better[rest[good]] = True
        return better

    def _start(self, wanted: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        nearly_back = getattr(self.forward, "nearly_back", None)
        if nearly_back is not None:
            return np.array(nearly_back(wanted))
        part = getattr(self.forward, "affine", None)
        return part.inverse().apply(wanted) if isinstance(part, Affine) else np.array(wanted)

    def inverse(self) -> Transform:
        """Return the forward transform itself."""
        return self.forward

    def jacobian(self, points: Any) -> npt.NDArray[np.float64]:
        """Return the (n, 2, 2) derivatives."""
        return np.asarray(np.linalg.inv(self.forward.jacobian(self.apply(points))))

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON keeps exactly."""
        return {"type": "inverse", "forward": self.forward.to_dict()}


def _newton_step(jacobian: npt.NDArray[np.float64], error: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    (a, b), (c, d) = jacobian[:, 0].T, jacobian[:, 1].T
    y, x = error.T
    determinant = a * d - b * c
    scale = np.maximum(a * a + b * b + c * c + d * d, 1e-300)
    # on a fold the Jacobian has no inverse: a gradient step leads off it
    usable = np.abs(determinant) > 1e-9 * scale
    divisor = np.where(usable, determinant, 1.0)
    newton = np.stack([d * y - b * x, a * x - c * y], -1) / divisor[:, None]
    downhill = np.stack([a * y + c * x, b * y + d * x], -1) / scale[:, None]
    return np.where(usable[:, None], newton, downhill)


def _solve(
    source: npt.NDArray[np.float64], target: npt.NDArray[np.float64], ridge: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    centre, scale = spline_scale(source)
    knots = (source - centre) / scale
    k = len(knots)
    plane = np.hstack([np.ones((k, 1)), knots])
    # the part that no affine explains, so that a large ridge loses no digits of the affine part
    linear = np.linalg.lstsq(plane, target, rcond=None)[0]
    basis = np.linalg.qr(plane, mode="complete")[0][:, 3:]
    if k == 3:
        return np.zeros((3, 2)), np.asarray(linear)
    kernel = spline_kernel(knots, knots)
    inner = basis.T @ kernel @ basis + ridge * np.eye(k - 3)
    weights = basis @ solve(inner, basis.T @ target, assume_a="sym")
    linear = np.linalg.lstsq(plane, target - kernel @ weights, rcond=None)[0]
    return np.asarray(weights), np.asarray(linear)


def _check_spread(source: npt.NDArray[np.float64], ridge: float) -> None:
    k = len(source)
    require(k >= 3, f"A thin-plate spline has {k} landmarks.", "Place at least 3.")
    spread = np.linalg.svd(source - source.mean(0), compute_uv=False)
    require(
        bool(spread[1] > 1e-6 * spread[0]),
        f"The {k} landmarks of the moving side lie on one line.",
        "Place another one to the side.",
    )
    if ridge == 0:
        distinct = len(np.unique(source, axis=0))
        require(
            distinct == k,
            f"{k - distinct} of the {k} landmarks of the moving side lie on top of another.",
            "Delete them, or give a ridge above 0.",
        )
