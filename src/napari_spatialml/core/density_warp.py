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
    volume = _volume(moved, fixed)
    chosen, evidence = _chosen(volume, np.zeros((*volume.shape[:2], 2), np.float32), 0.0)
    for number in range(rounds):
        around = _agreed(chosen, evidence, stiffness)
        chosen, evidence = _chosen(volume, around, 0.3 * 4.0**number)
    return Shifts(frame.corner, frame.pixel * _STRIDE, frame.pixel * chosen.astype(np.float64), evidence)


def likeness(moved: Images, fixed: Images) -> tuple[float, float]:
    """Return the correlation of two sets of standardised images, and by how many standard errors it exceeds 0."""
    together = (moved * fixed).sum(2, dtype=np.float64)
    scale = np.sqrt((moved**2).sum(dtype=np.float64) * (fixed**2).sum(dtype=np.float64))
    noise = np.sqrt((together**2).sum())
    return float(together.sum() / max(scale, 1e-12)), float(together.sum() / max(noise, 1e-12))


def _volume(moved: Images, fixed: Images) -> Images:
    """Return (h', w', shifts) evidence at every second pixel."""
    from .matching_kernels import products, weighed

    h, w, channels = moved.shape
    powers = np.stack([_mean((one**2).sum(2)) for one in (moved, fixed)])
    insides = np.stack([_mean((one != 0).any(2).astype(np.float32)) for one in (moved, fixed)])
    together = np.empty(((2 * _REACH + 1) ** 2, h, w), np.float32)
    products(np.ascontiguousarray(moved), np.ascontiguousarray(fixed), _REACH, together)
    out = np.empty((-(-h // _STRIDE), -(-w // _STRIDE), len(together)), np.float32)
    weighed(_mean(together), powers, insides, np.float32(channels * _WINDOW**2), _REACH, _STRIDE, out)
    return out


def _mean(image: Images) -> Images:
    """Return the mean over the window around each pixel of the last two axes."""
    size = (*[1] * (image.ndim - 2), _WINDOW, _WINDOW)
    return np.asarray(ndimage.uniform_filter(image, size, mode="constant"), np.float32)


def _chosen(volume: Images, around: Images, pull: float) -> tuple[Images, Images]:
    """Return each node's best shift in pixels, and its evidence beyond chance."""
    from .matching_kernels import chosen

    shift, evidence = np.empty(around.shape, np.float32), np.empty(around.shape[:2], np.float32)
    chosen(volume, around, np.float32(pull), _REACH, shift, evidence)
    return shift, np.maximum(evidence - np.float32(_CHANCE), 0)


def _agreed(chosen: Images, evidence: Images, stiffness: float) -> Images:
    """Return the mean shift around each node, weighted by evidence."""
    weight = ndimage.gaussian_filter(evidence, stiffness) + np.float32(1e-3)
    way = ndimage.gaussian_filter(evidence[..., None] * chosen, (stiffness, stiffness, 0))
    return np.asarray(way / weight[..., None], np.float32)
