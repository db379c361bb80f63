"""The affine map that brings two pictures of tissue onto each other, by local correlation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from .affine import Affine
from .gaussian import gaussian
from .movements import Movement
from .pictures import Picture

__all__ = ["Blend", "Fit", "Terms", "Windows", "blends", "placed", "refine"]

Float = npt.NDArray[np.float32]
Blend = tuple[Float, Float, float]
_RADIUS = 6
"""Half the window of the local correlation, in pixels."""
_ROUNDS = 12
_FLOOR = 0.25
"""Standard deviation of a blend, of 1 in the whole picture, below which a window shows only noise."""
_OTHER = 0.25
"""Share of the other side's slope: with both, noise in either pulls less."""


@dataclass(frozen=True)
class Fit:
    """An affine map in µm with the mean squared local correlation where the pictures overlap."""

    transform: Affine
    likeness: float
    overlap: float

    @property
    def score(self) -> float:
        """The likeness, less where little overlaps: to compare placements on the same level."""
        return float(self.likeness * np.sqrt(min(self.overlap, 1.0)))


@dataclass(frozen=True)
class Terms:
    """What the local correlation says at each pixel of the fixed picture.

    Parameters
    ----------
    slope
        (2, h, w): by how much the standardised moving picture, as far as it is correlated, changes per pixel.
    rest
        (h, w): what of the standardised fixed picture it does not explain.
    squared
        (h, w): squared local correlation.
    weight
        (h, w): 1 where both are known, else 0.
    """

    slope: Float
    rest: Float
    squared: Float
    weight: Float

    @property
    def likeness(self) -> float:
        """The mean squared local correlation."""
        return float((self.squared * self.weight).sum() / max(float(self.weight.sum()), 1.0))


class Windows:
    """The windows of the local correlation of planes on the same pixels.

    Parameters
    ----------
    weight
        (h, w), 0 where one of the planes is unknown.
    radius
        Half the window in pixels.
    both
        Whether the windows are Gaussian (of the same variance as squares), the slope is a mean of both sides' slopes,
        and what is little correlated counts less.
    """

    def __init__(self, weight: Float, radius: int, both: bool = False) -> None:
        self.weight, self.radius, self.both = np.ascontiguousarray(weight, np.float32), radius, both
        self._inner = ndimage.minimum_filter(self.weight, 3)
        self._known = self._means(self.weight[None])[0]

    def moments(self, plane: Float) -> Float:
        """Return (2, h, w) means of a plane and of its squares: they stay while the other side moves."""
        from .likeness_kernels import moments

        planes = np.empty((2, *plane.shape), np.float32)
        moments(plane, self.weight, planes)
        return self._means(planes)

    def terms(self, fixed: Float, moving: Float, of_fixed: Float | None = None) -> Terms:
        """Return the linearised local correlation of two planes.

        Parameters
        ----------
        fixed, moving
            (h, w).
        of_fixed
            `moments` of the fixed plane, where they are known.

        References
        ----------
        Cachier, Bardinet, Dormont, Pennec, Ayache 2003, Iconic feature based nonrigid registration,
        doi:10.1016/S1077-3142(03)00002-X, section 3.3: the linear correlation coefficient in Gaussian windows.
        """
        from .likeness_kernels import correlated

        of_fixed = self.moments(fixed) if of_fixed is None else of_fixed
        product = self._means((fixed * moving * self.weight)[None])[0]
        slope = np.empty((2, *fixed.shape), np.float32)
        rest, squared = np.empty_like(slope)
        share = np.float32(_OTHER if self.both else 0)
        correlated(fixed, moving, self._known, self._inner, self.weight, of_fixed, self.moments(moving), product,
                   np.float32(_FLOOR**2), share, self.both, slope, rest, squared)  # fmt: skip
        return Terms(slope, rest, squared, self.weight)

    def _means(self, planes: Float) -> Float:
        if self.both:
            return gaussian(planes, self.radius / 1.8)
        return _means(planes, self.radius)


def _means(planes: Float, radius: int) -> Float:
    from .likeness_kernels import window_means

    means = np.empty_like(planes)
    window_means(planes, radius, means)
    return means


def placed(moving: Picture, fixed: Picture, transform: Affine) -> tuple[Float, Float]:
    """Return the moving picture's values on the fixed one's pixels, and where both are known."""
    from .likeness_kernels import sampled_affine

    m = np.ascontiguousarray((moving.grid.inverse() @ transform.inverse() @ fixed.grid).matrix[:2])
    out = np.empty((len(moving.values), *fixed.shape), np.float32)
    weight = np.empty(fixed.shape, np.float32)
    sampled_affine(moving.values, moving.known, m, fixed.shape, out, weight)
    return out, np.asarray((weight > 0.9) * fixed.known, np.float32)


def blends(fixed: Float, moving: Float, weight: Float, radius: int, most: int = 1) -> list[Blend]:
    """Return the mixtures of features of either side under which both sides look most alike, the best first.

    Returns
    -------
    At most ``most`` of them: the weights of either side's features, and the correlation, 0 to 1.

    Notes
    -----
    Canonical correlations of the features after their local means are taken off, with a ridge of a hundredth of
    the variance: so a stain of one side finds its counterpart on the other, inverted or not. What the second shows
    is not correlated with what the first shows.
    """
    both = np.concatenate([fixed, moving]) * weight
    means = _means(np.concatenate([weight[None], both]).astype(np.float32), radius)
    flat = (both - means[1:] / np.maximum(means[0], 1e-3)) * weight
    flat = flat[:, weight > 0]
    n = len(fixed)
    cov = (flat @ flat.T / max(flat.shape[1], 1)).astype(np.float64)
    a, b = _whitener(cov[:n, :n]), _whitener(cov[n:, n:])
    left, alike, right = np.linalg.svd(a @ cov[:n, n:] @ b)
    found = []
    for k in range(min(most, len(alike))):
        wf, wm = a @ left[:, k], b @ right[k]
        sign = 1.0 if wf.sum() >= 0 else -1.0
        found.append((np.asarray(sign * wf, np.float32), np.asarray(sign * wm, np.float32), float(alike[k])))
    return found


def _whitener(cov: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    values, vectors = np.linalg.eigh(cov + np.eye(len(cov)) * (0.01 * np.trace(cov) / len(cov) + 1e-9))
    return np.asarray(vectors @ np.diag(1 / np.sqrt(np.maximum(values, 1e-12))) @ vectors.T)


def refine(fixed: Picture, moving: Picture, start: Affine, model: Movement = "affine", rounds: int = _ROUNDS) -> Fit:
    """Improve an affine map on one level of the pyramid.

    Parameters
    ----------
    fixed, moving
        On pixels of about the same size.
    start
        From moving to fixed, in µm.
    model
        What the map may change.
    rounds
        Gauss–Newton steps at most.

    Notes
    -----
    Each round blends the features, then fits a small motion of the fixed side's pixels by least squares to the
    linearised local correlation. A step that makes the pictures less alike is halved, then the last is kept.
    """
    now = _Aligned(fixed, moving, start)
    step = 1.0
    for _ in range(rounds):
        motion = step * now.motion(model)
        if float(np.abs(motion).max()) < 0.01:
            break
        then = _Aligned(fixed, moving, now.moved(motion))
        if then.gain <= now.gain:
            step /= 2
            if step < 0.2:
                break
            continue
        now, step = then, min(1.0, 1.5 * step)
    return Fit(now.transform, now.terms.likeness, now.overlap)


class _Aligned:
    """Two pictures under one affine map."""

    def __init__(self, fixed: Picture, moving: Picture, transform: Affine):
        self.fixed, self.transform = fixed, transform
        values, weight = placed(moving, fixed, transform)
        wf, wm, _ = blends(fixed.values, values, weight, 2 * _RADIUS)[0]
        f, m = np.tensordot(wf, fixed.values, 1), np.tensordot(wm, values, 1)
        self.terms = Windows(weight, _RADIUS).terms(f, m)
        scale = moving.spacing / fixed.spacing * np.sqrt(abs(np.linalg.det(transform.matrix[:2, :2])))
        area = min(float(fixed.known.sum()), float(moving.known.sum()) * scale**2)
        self.overlap = float(weight.sum()) / max(area, 1.0)

    @property
    def gain(self) -> float:
        """What must grow: the likeness, on as much as possible."""
        return float(self.terms.likeness * np.sqrt(min(self.overlap, 1.0)))

    def motion(self, model: Movement) -> npt.NDArray[np.float64]:
        """Return (6,): shift, then how the shift grows along y and x, all for the edge of the picture, in pixels."""
        height, width = self.fixed.shape
        half = max(height, width) / 2
        y = ((np.arange(height) - height / 2) / half).astype(np.float32)[:, None]
        x = ((np.arange(width) - width / 2) / half).astype(np.float32)[None]
        gy, gx = self.terms.slope
        columns = np.stack([gy, gx, gy * y, gy * x, gx * y, gx * x]).reshape(6, -1)
        basis = _BASIS[model]
        design = basis @ columns
        normal = (design @ design.T).astype(np.float64)
        right = (design @ self.terms.rest.ravel()).astype(np.float64)
        normal += np.eye(len(basis)) * (1e-3 * np.trace(normal) / len(basis) + 1e-9)
        found = basis.T @ np.linalg.solve(normal, right)
        return np.asarray(found * min(1.0, 4.0 / max(float(np.abs(found).max()), 1e-9)))

    def moved(self, motion: npt.NDArray[np.float64]) -> Affine:
        """Return the map after the fixed side's pixels look elsewhere by the motion."""
        height, width = self.fixed.shape
        half = max(height, width) / 2
        matrix = np.eye(3)
        matrix[:2, :2] += motion[2:].reshape(2, 2) / half
        matrix[:2, 2] = motion[:2]
        about = Affine.translation(height / 2, width / 2)
        look = self.fixed.grid @ about @ Affine(matrix) @ about.inverse() @ self.fixed.grid.inverse()
        return look.inverse() @ self.transform


_SHIFT = np.eye(6)[:2]
_TURN = np.array([[0.0, 0, 0, -1, 1, 0]])
_GROW = np.array([[0.0, 0, 1, 0, 0, 1]])
_BASIS: dict[Movement, npt.NDArray[np.float64]] = {
    "rigid": np.vstack([_SHIFT, _TURN]),
    "similarity": np.vstack([_SHIFT, _TURN, _GROW]),
    "affine": np.eye(6),
}
