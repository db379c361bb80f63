"""What the flow network sees: three planes in which nuclei are bright, whatever the stain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

__all__ = [
    "PERCENTILES",
    "LazyPlanes",
    "Limits",
    "Stain",
    "fluorescence_planes",
    "limits_of",
    "planes_of",
    "scaled",
]

Planes = npt.NDArray[np.float32]
Limits = tuple[tuple[float, float], ...]
Stain = Literal["fluorescence", "histology", "bright-field"]

PERCENTILES = (1.0, 99.8)
_SAMPLE = 4_000_000
_CEILING = 4.0  # saturated debris may be many times brighter than the nuclei


def limits_of(values: npt.NDArray[Any]) -> Limits:
    """Return each channel's 1st and 99.8th percentile; (c, y, x) in.

    Where a channel has fewer than one bright pixel in five hundred, its smallest and largest value. Of a
    large image every n-th row and column is read.
    """
    step = max(1, int((values[0].size / _SAMPLE) ** 0.5))
    limits = []
    for channel in values[:, ::step, ::step]:
        low, high = (float(v) for v in np.percentile(channel, PERCENTILES))
        if high <= low:
            low, high = float(channel.min()), float(channel.max())
        limits.append((low, high))
    return tuple(limits)


def scaled(values: npt.NDArray[Any], limits: Limits, dark_nuclei: bool) -> Planes:
    """Return each channel from 0 (ground) to 1 (nuclei); a flat channel is 0."""
    planes = np.empty(values.shape, dtype=np.float32)
    for plane, channel, (low, high) in zip(planes, values, limits, strict=True):
        if high <= low:
            plane[:] = 0
            continue
        np.subtract(channel, np.float32(low), out=plane, casting="unsafe")
        plane /= np.float32(high - low)
        if dark_nuclei:
            np.subtract(np.float32(1), plane, out=plane)
    np.clip(planes, -1, _CEILING, out=planes)
    return planes


def fluorescence_planes(plane: Planes) -> Planes:
    """Return (3, y, x): a stain, its root and its logarithm, so that dim nuclei beside bright ones show."""
    positive = np.clip(plane, 0, None)
    logarithm = np.log1p(50 * positive) / np.float32(np.log(51))
    return np.asarray(np.stack([plane, np.sqrt(positive), logarithm]), dtype=np.float32)


def planes_of(values: npt.NDArray[Any], stain: Stain, limits: Limits | None = None) -> Planes:
    """Return what the network sees of an image.

    Parameters
    ----------
    values
        (c, y, x): one channel, or the three of RGB for histology and bright-field.
    stain
        Fluorescence has bright nuclei; the others have dark ones and are inverted.
    limits
        Values of ground and nuclei, as `limits_of` gives them for the image or for a whole slide.

    Returns
    -------
    Planes
        (3, y, x) float32.
    """
    planes = scaled(values, limits_of(values) if limits is None else limits, stain != "fluorescence")
    if stain == "fluorescence":
        return fluorescence_planes(planes[0])
    return np.ascontiguousarray(np.broadcast_to(planes, (3, *planes.shape[1:])))


@dataclass(frozen=True, eq=False)
class LazyPlanes:
    """What the network sees of an image, computed where it is looked at: a window has the numbers of `planes_of`.

    Parameters
    ----------
    values, stain, limits
        As of `planes_of`.
    """

    values: npt.NDArray[Any]
    stain: Stain
    limits: Limits

    @property
    def shape(self) -> tuple[int, int, int]:
        """Size of the planes, (3, y, x)."""
        return 3, self.values.shape[1], self.values.shape[2]

    def __getitem__(self, window: tuple[slice, slice, slice]) -> Planes:
        planes, *within = window
        return planes_of(self.values[(slice(None), *within)], self.stain, self.limits)[planes]
