"""Where one picture of tissue lies on another, wherever it starts: every turn, size, side and shift is tried."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .affine import Affine
from .image_likeness import classes_of, information, joint_of
from .pictures import Picture
from .report import Report, silent

__all__ = ["Pose", "search"]

_EDGE = 56
"""Pixels of the longer edge at which all placements are tried."""
_FINE_EDGE = 112
"""Pixels of the longer edge at which the best of them are settled."""
_TURNS = 36
_CLASSES = 4
_FINE_CLASSES = 6
_LEAST_OVERLAP = 0.25
"""Of the smaller side's area."""


@dataclass(frozen=True)
class Pose:
    """One placement: the affine map from moving to fixed in µm, and the information that it explains."""

    transform: Affine
    score: float


def search(
    fixed: Picture,
    moving: Picture,
    scales: tuple[float, ...] = (1.0,),
    turns: tuple[float, ...] | None = None,
    mirrored: tuple[bool, ...] = (False, True),
    keep: int = 24,
    report: Report = silent,
) -> list[Pose]:
    """Return placements of the moving picture on the fixed one, the best first.

    Parameters
    ----------
    fixed, moving
        Any level of the pyramid; coarser ones are made from them.
    scales
        Factors by which the moving side may have to grow.
    turns
        Degrees to try; None tries the full circle in steps of 10°.
    mirrored
        Whether to try it as it is, turned over, or both.
    keep
        How many placements are settled on the finer level.
    report
        Told once a scale.

    Notes
    -----
    For each turn, size and side the mutual information of all shifts at once comes from the cross-correlations of
    the classes' indicator images, by FFT. It is weighted by the overlap, since what is compared on few pixels
    explains little. The best are settled by a simplex over shift, turn and size. Mutual information
    asks for no relation between the stains: only that what is alike here is alike there.

    References
    ----------
    Öfverstedt, Lindblad, Sladoje 2022, Fast computation of mutual information in the frequency domain with
    applications to global multimodal image alignment, doi:10.1016/j.patrec.2022.05.022.
    """
    degrees = turns if turns is not None else tuple(np.arange(_TURNS) * 360.0 / _TURNS)
    found: list[Pose] = []
    for done, scale in enumerate(scales):
        report(0.6 * done / len(scales), "Trying every turn")
        spacing = _spacing(fixed, moving, scale, _EDGE)
        a, b = fixed.at(spacing), moving.at(spacing / scale)
        la, lb = classes_of(a, _CLASSES), classes_of(b, _CLASSES)
        shifts = _Shifts(la, a, b, lb, scale)
        for side in mirrored:
            for turn in degrees:
                found += shifts.best(turn, side)
    return _settled(fixed, moving, _distinct(found, 3 * keep)[:keep], report)


def _spacing(fixed: Picture, moving: Picture, scale: float, edge: int) -> float:
    """Return the pixel at which the larger side has ``edge`` pixels, or the smaller one a good half of it."""
    sizes = sorted([max(fixed.shape) * fixed.spacing, scale * max(moving.shape) * moving.spacing])
    return float(max(min(sizes[1] / edge, sizes[0] / (0.6 * edge)), sizes[1] / (2.5 * edge)))


class _Shifts:
    """All shifts of a turned moving picture over the fixed one, by FFT."""

    def __init__(self, la: npt.NDArray[np.int8], a: Picture, b: Picture, lb: npt.NDArray[np.int8], scale: float):
        from scipy import fft

        self.a, self.b, self.lb, self.scale = a, b, lb, scale
        self.area = min((la >= 0).sum(), (lb >= 0).sum())
        reach = int(np.ceil(np.hypot(*b.shape)))
        self.size = tuple(fft.next_fast_len(int(n + 0.8 * reach), real=True) for n in a.shape)
        hot = np.stack([la == k for k in range(_CLASSES)]).astype(np.float32)
        self.spectrum = np.conj(fft.rfft2(hot, self.size))

    def best(self, degrees: float, mirror: bool, peaks: int = 2) -> list[Pose]:
        """Return the best shifts at one turn."""
        from scipy import fft

        turn = Affine.similarity(1.0, degrees, reflect=mirror)
        height, width = self.b.shape
        corners = turn.apply([[0, 0], [height - 1, 0], [0, width - 1], [height - 1, width - 1]])
        low = corners.min(0)
        shape = np.ceil(corners.max(0) - low).astype(int) + 1
        turned = _turned(self.lb, (Affine.translation(*(-low)) @ turn).inverse(), shape)
        hot = np.stack([turned == k for k in range(_CLASSES)]).astype(np.float32)
        cross = self.spectrum[:, None] * fft.rfft2(_wrapped(hot, self.size), self.size)[None]
        joint = fft.irfft2(cross, self.size)  # at shift d: how often fixed p meets turned p + d
        score = self._score(joint)
        poses = []
        for _ in range(peaks):
            at = np.unravel_index(int(score.argmax()), score.shape)
            value = float(score[at])
            if value <= 0:
                break
            shift = np.array([d - n if d > n - s else d for d, n, s in zip(at, self.size, self.a.shape, strict=True)])
            # fixed pixel p meets turned pixel p + d, that is turn(q) - low
            pixels = Affine.translation(*(-low - shift)) @ turn
            poses.append(Pose(self.a.grid @ pixels @ self.b.grid.inverse(), value))
            rows, columns = (np.arange(c - 5, c + 6) % n for c, n in zip(at, self.size, strict=True))
            score[np.ix_(rows, columns)] = 0
        return poses

    def _score(self, joint: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        total = joint.sum((0, 1))
        enough = total > _LEAST_OVERLAP * self.area
        score = np.zeros_like(total)
        score[enough] = information(joint[:, :, enough]) * np.sqrt(total[enough] / self.area)
        return np.asarray(score)


def _wrapped(hot: npt.NDArray[np.float32], size: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Cut what is larger than the transform, at the far edge: rare, and only a little."""
    return hot[:, : size[0], : size[1]]


def _turned(labels: npt.NDArray[np.int8], back: Affine, shape: npt.NDArray[np.intp]) -> npt.NDArray[np.int8]:
    rows, columns = np.meshgrid(np.arange(shape[0]), np.arange(shape[1]), indexing="ij")
    m = back.matrix
    y = np.rint(m[0, 0] * rows + m[0, 1] * columns + m[0, 2]).astype(np.intp)
    x = np.rint(m[1, 0] * rows + m[1, 1] * columns + m[1, 2]).astype(np.intp)
    inside = (y >= 0) & (x >= 0) & (y < labels.shape[0]) & (x < labels.shape[1])
    out = np.full(inside.shape, -1, np.int8)
    out[inside] = labels[y[inside], x[inside]]
    return out


def _distinct(poses: list[Pose], keep: int) -> list[Pose]:
    """Return the best poses that differ from each other by more than a step of the search."""
    kept: list[Pose] = []
    for pose in sorted(poses, key=lambda one: -one.score):
        if all(_apart(pose.transform, other.transform) for other in kept):
            kept.append(pose)
        if len(kept) == keep:
            break
    return kept


def _apart(a: Affine, b: Affine) -> bool:
    if a.reflects != b.reflects:
        return True
    change = (a @ b.inverse()).matrix[:2, :2]
    turn = abs(np.degrees(np.arctan2(change[1, 0] - change[0, 1], change[0, 0] + change[1, 1])))
    size = abs(np.log(np.sqrt(abs(np.linalg.det(change)))))
    return bool(turn > 12 or size > 0.15)


def _settled(fixed: Picture, moving: Picture, poses: list[Pose], report: Report) -> list[Pose]:
    """Move each pose to the nearest optimum of the finer level."""
    settled = []
    levels: dict[float, tuple[Picture, Picture, npt.NDArray[np.int8], npt.NDArray[np.int8]]] = {}
    for done, pose in enumerate(poses):
        report(0.6 + 0.4 * done / len(poses), "Settling the best placements")
        scale = float(np.sqrt(abs(np.linalg.det(pose.transform.matrix[:2, :2]))))
        key = round(scale, 6)
        if key not in levels:
            spacing = _spacing(fixed, moving, scale, _FINE_EDGE)
            a, b = fixed.at(spacing), moving.at(spacing / scale)
            levels[key] = a, b, classes_of(a, _FINE_CLASSES), classes_of(b, _FINE_CLASSES)
        settled.append(_climb(pose, *levels[key]))
    return _distinct(settled, len(settled))


def _climb(pose: Pose, a: Picture, b: Picture, la: npt.NDArray[np.int8], lb: npt.NDArray[np.int8]) -> Pose:
    from scipy.optimize import minimize

    start = pose.transform
    height, width = a.shape
    centre = a.grid.apply([[height / 2, width / 2]])[0]
    reach = max(a.shape) / 2 * a.spacing
    area = min((la >= 0).sum(), (lb >= 0).sum())
    to_pixels = b.grid.inverse()

    def moved(x: npt.NDArray[np.float64]) -> Affine:
        about = Affine.translation(*centre) @ Affine.similarity(float(np.exp(x[3])), float(np.degrees(x[2])))
        there = about @ Affine.translation(*(-centre))
        return Affine.translation(x[0] * reach, x[1] * reach) @ there @ start

    def cost(x: npt.NDArray[np.float64]) -> float:
        joint = joint_of(la, lb, to_pixels @ moved(x).inverse() @ a.grid)
        total = joint.sum()
        if total < _LEAST_OVERLAP * area:
            return 0.0
        return -float(information(joint) * np.sqrt(min(total / area, 1.0)))

    simplex = np.vstack([np.zeros(4), np.diag([0.06, 0.06, 0.09, 0.08])])
    options = {"initial_simplex": simplex, "maxfev": 90, "xatol": 2e-3, "fatol": 1e-5}
    best = minimize(cost, np.zeros(4), method="Nelder-Mead", options=options)
    return Pose(moved(best.x), -float(best.fun))
