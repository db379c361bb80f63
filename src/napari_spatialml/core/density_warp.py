"""Where densities of points ask to be moved: a search of all small shifts at every place, made smooth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from .density_images import Frame, Images

__all__ = ["Shifts", "likeness", "shifts"]

Array = npt.NDArray[np.float64]
_REACH = 3
"""Shifts of up to so many pixels each way are tried."""
_WINDOW = 9
"""Edge in pixels of the window that must agree on a shift."""
_STRIDE = 2
_CHANCE = 5.0
"""Evidence that the best of all shifts has by chance alone: the largest of 49 halved squares of normal deviates."""


@dataclass(frozen=True)
class Shifts:
    """The shift (h, w, 2) in µm at the nodes of a grid, and the evidence (h, w) for each beyond chance, ≥ 0."""

    corner: Array
    spacing: float
    shift: Array
    evidence: Images

    def places(self) -> Array:
        """Return (h · w, 2) the nodes in µm."""
        h, w = self.evidence.shape
        rows, columns = np.mgrid[:h, :w]
        return np.asarray(self.corner + self.spacing * np.stack([rows, columns], -1).reshape(-1, 2))


def shifts(moved: Images, fixed: Images, frame: Frame, *, stiffness: float, rounds: int) -> Shifts:
    """Return where the moved images have to go to lie on the fixed ones.

    Parameters
    ----------
    moved, fixed
        (h, w, c) standardised images on ``frame``.
    stiffness
        Standard deviation in nodes of the Gaussian that makes neighbours agree.
    rounds
        Of agreement between neighbours; 0 takes the best shift at each place alone.

    Notes
    -----
    For each of the 49 shifts the correlation r within a window of N numbers gives the evidence N/2 · r². Then, in
    turn, each node takes the shift of largest evidence less its squared distance from what its neighbours
    say, and the neighbours' mean is made anew, ever stiffer (Steinbrücker et al. 2009,
    doi:10.1109/ICCV.2009.5459364; Heinrich et al. 2014, doi:10.1007/978-3-319-10404-1_81). O(49 · pixels).
    """
    offsets = [(dy, dx) for dy in range(-_REACH, _REACH + 1) for dx in range(-_REACH, _REACH + 1)]
    volume = _volume(moved, fixed, offsets)
    steps = np.array(offsets, np.float32)
    chosen, evidence = _chosen(volume, steps, None, 0.0)
    for number in range(rounds):
        around = _agreed(chosen, evidence, stiffness)
        chosen, evidence = _chosen(volume, steps, around, 0.3 * 4.0**number)
    return Shifts(frame.corner, frame.pixel * _STRIDE, frame.pixel * chosen.astype(np.float64), evidence)


def likeness(moved: Images, fixed: Images) -> tuple[float, float]:
    """Return the correlation of two sets of standardised images, and by how many standard errors it exceeds 0."""
    together = (moved * fixed).sum(2, dtype=np.float64)
    scale = np.sqrt((moved**2).sum(dtype=np.float64) * (fixed**2).sum(dtype=np.float64))
    noise = np.sqrt((together**2).sum())
    return float(together.sum() / max(scale, 1e-12)), float(together.sum() / max(noise, 1e-12))


def _volume(moved: Images, fixed: Images, offsets: list[tuple[int, int]]) -> Images:
    """Return (h', w', shifts) evidence at every second pixel."""
    from .matching_kernels import product

    h, w, channels = moved.shape
    power = [_mean((one**2).sum(2)) for one in (moved, fixed)]
    inside = [_mean((one != 0).any(2).astype(np.float32)) for one in (moved, fixed)]
    out = np.zeros((*power[0][::_STRIDE, ::_STRIDE].shape, len(offsets)), np.float32)
    together = np.empty((h, w), np.float32)
    for k, (dy, dx) in enumerate(offsets):
        product(moved, fixed, dy, dx, together)
        theirs, common = (_moved_by(one, dy, dx) for one in (power[1], inside[1]))
        r = _mean(together) / np.sqrt(power[0] * theirs + 1e-6)
        n = np.minimum(inside[0], common) * (channels * _WINDOW**2)
        evidence = np.clip(r, 0, 0.95) ** 2 * (0.5 * n)
        out[:, :, k] = evidence[::_STRIDE, ::_STRIDE]
    return out


def _mean(image: npt.NDArray[np.float32]) -> Images:
    return np.asarray(np.maximum(ndimage.uniform_filter(image, _WINDOW, mode="constant"), -1e6), np.float32)


def _moved_by(image: Images, dy: int, dx: int) -> Images:
    """Return image(x + d), 0 where that lies outside."""
    h, w = image.shape
    out = np.zeros_like(image)
    out[max(-dy, 0) : h - max(dy, 0), max(-dx, 0) : w - max(dx, 0)] = image[
        max(dy, 0) : h - max(-dy, 0), max(dx, 0) : w - max(-dx, 0)
    ]
    return out


def _chosen(volume: Images, steps: Images, around: Images | None, pull: float) -> tuple[Images, Images]:
    """Return each node's best shift in pixels, between the tried ones, and its evidence beyond chance."""
    judged = volume
    if around is not None:
        apart = ((steps - around[:, :, None, :]) ** 2).sum(-1)
        judged = volume - np.float32(pull) * apart
    best = judged.argmax(2)
    evidence = np.take_along_axis(volume, best[..., None], 2)[..., 0]
    return steps[best] + _between(judged, best), np.maximum(evidence - _CHANCE, 0)


def _between(judged: Images, best: npt.NDArray[np.int64]) -> Images:
    """Return how far beside the best shift the parabola through it and its neighbours has its top, -0.5 to 0.5."""
    width = 2 * _REACH + 1
    middle = np.take_along_axis(judged, best[..., None], 2)[..., 0]
    out = np.zeros((*best.shape, 2), np.float32)
    for axis, stride in enumerate((width, 1)):
        at = best // width if axis == 0 else best % width
        inner = (at > 0) & (at < width - 1)
        low, high = (
            np.take_along_axis(judged, np.clip(best + s, 0, width * width - 1)[..., None], 2)[..., 0]
            for s in (-stride, stride)
        )
        bend = 2 * middle - low - high
        out[..., axis] = np.where(inner & (bend > 1e-6), 0.5 * (high - low) / np.maximum(bend, 1e-6), 0)
    return np.clip(out, -0.5, 0.5)


def _agreed(chosen: Images, evidence: Images, stiffness: float) -> Images:
    """Return the mean shift around each node, weighted by evidence."""
    weight = ndimage.gaussian_filter(evidence, stiffness) + np.float32(1e-3)
    return np.stack([ndimage.gaussian_filter(evidence * chosen[..., k], stiffness) / weight for k in range(2)], -1)
