"""The stain to look at: one plane, smooth, whose noise does not grow with its brightness."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .evidence import Evidence

__all__ = ["membrane_plane", "nuclear_plane"]

Plane = npt.NDArray[np.float32]
_NUCLEAR = ("dapi", "hoechst", "nucle", "draq", "h3", "dna")
_MEMBRANE = ("membrane", "cadherin", "atp1a1", "boundary", "wga", "cd298", "b2m")
_SMOOTHING_PX = 1.0  # a fixed number of pixels, so that a window measures what the whole does


def nuclear_plane(evidence: Evidence) -> Plane | None:
    """Return (y, x) the nuclear stain: haematoxylin of histology, else the channel; None without an image."""
    if evidence.image is None:
        return None
    histology = evidence.histology
    if histology is None:
        three = len(evidence.image) == 3 and evidence.image.dtype == np.uint8
        histology = three and float(np.median(evidence.image)) > 110
    if histology and len(evidence.image) == 3:
        return _smooth(_haematoxylin(evidence.image))
    at = _channel(evidence.channels, evidence.nuclear, _NUCLEAR)
    return _smooth(_even(evidence.image[0 if at is None else at]))


def membrane_plane(evidence: Evidence) -> Plane | None:
    """Return (y, x) the membrane stain, or None where no channel shows it."""
    if evidence.image is None:
        return None
    at = _channel(evidence.channels, evidence.membrane, _MEMBRANE)
    return None if at is None else _smooth(_even(evidence.image[at]))


def _channel(channels: Sequence[str], chosen: str, words: Sequence[str]) -> int | None:
    if chosen:
        return channels.index(chosen)
    return next((i for i, name in enumerate(channels) if any(word in name.lower() for word in words)), None)


def _even(plane: npt.NDArray[Any]) -> Plane:
    """Photon counts scatter as their root: the root gives dim cells the weight of bright ones."""
    values = plane.astype(np.float32)
    return np.asarray(np.sign(values) * np.sqrt(np.abs(values)))


def _haematoxylin(image: npt.NDArray[Any]) -> Plane:
    """Return the amount of haematoxylin by colour deconvolution (Ruifrok & Johnston 2001, eqs. 1 to 4)."""
    from skimage.color import hed_from_rgb

    if np.issubdtype(image.dtype, np.integer):
        white = float(np.iinfo(image.dtype).max)
    else:
        white = 1.0 if float(image.max(initial=0.0)) <= 1.0 else 255.0
    amount = np.zeros(image.shape[1:], dtype=np.float32)
    for values, weight in zip(image, hed_from_rgb[:, 0], strict=True):
        density = -np.log((np.clip(values, 0, None).astype(np.float32) * (255 / white) + 1) / 256)
        amount += density * np.float32(weight)
    return amount


def _smooth(plane: Plane) -> Plane:
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(plane, _SMOOTHING_PX), dtype=np.float32)
