"""Density images of points, one a channel, in which chance counts alike everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

__all__ = ["Frame", "Points", "channels_of", "density_images", "spacing_of", "standardised", "tissue_of"]

Array = npt.NDArray[np.float64]
Images = npt.NDArray[np.float32]
Codes = npt.NDArray[np.int64]
_CHANNELS = 8


@dataclass(frozen=True)
class Points:
    """Places (n, 2) with codes (n,) of what lies there, and channels (n,) in which they are drawn."""

    where: Array
    codes: Codes
    channels: Codes
    n_channels: int


@dataclass(frozen=True)
class Frame:
    """A grid of square pixels: the centre of the first lies at ``corner``."""

    corner: Array
    pixel: float
    shape: tuple[int, int]

    @classmethod
    def around(cls, low: Array, high: Array, pixel: float, margin: int) -> Frame:
        """Return the grid that covers a rectangle and ``margin`` pixels around it."""
        shape = np.ceil((high - low) / pixel).astype(int) + 2 + 2 * margin
        return cls(low - (margin + 0.5) * pixel, pixel, (int(shape[0]), int(shape[1])))


def channels_of(codes: Codes, sizes: Codes) -> Codes:
    """Return a channel for each code: its own, or, of many codes, one that it shares with codes of other sizes."""
    rank = np.empty(len(sizes), np.int64)
    rank[np.lexsort((np.arange(len(sizes)), -sizes))] = np.arange(len(sizes))
    channels = rank % min(len(sizes), _CHANNELS)
    return np.asarray(channels[codes])


def spacing_of(where: Array) -> float:
    """Return the distance of neighbours in µm: the root of the area that a typical point has; 0 on one spot.

    Notes
    -----
    Counted in square bins that hold about eight points each, whatever the outline: O(n).
    """
    low, high = where.min(0), where.max(0)
    extent = high - low
    if extent.max() <= 0:
        return 0.0
    height, width = np.maximum(extent, extent.max() / len(where))
    edge = float(np.sqrt(8 * height * width / len(where)))
    for _ in range(4):
        shape = np.floor(extent / edge).astype(np.int64) + 1
        at = np.minimum(np.floor((where - low) / edge).astype(np.int64), shape - 1)
        _, back, counts = np.unique(at[:, 0] * shape[1] + at[:, 1], return_inverse=True, return_counts=True)
        typical = float(np.median(counts[back]))
        spacing = edge / np.sqrt(typical)
        if 4 <= typical <= 16 or edge >= extent.max():
            break
        edge = min(spacing * np.sqrt(8.0), float(extent.max()))
    return float(spacing)


def density_images(points: Points, where: Array, frame: Frame) -> Images:
    """Return (h, w, c) counts of the points, moved to ``where``, each shared among its four nearest pixels."""
    from .matching_kernels import splatted

    out = np.zeros((*frame.shape, points.n_channels), np.float32)
    splatted(np.ascontiguousarray(where), points.channels, np.ones(1), frame.corner, frame.pixel, out)
    return out


def tissue_of(counts: Images) -> npt.NDArray[np.bool_]:
    """Return (h, w) where there is tissue: at least a quarter of the typical density."""
    total = ndimage.gaussian_filter(counts.sum(2), 1.5)
    there = total[counts.sum(2) > 0]
    return np.asarray(total > 0.25 * np.median(there)) if len(there) else np.zeros(total.shape, bool)


def standardised(counts: Images, wide: float) -> tuple[Images, npt.NDArray[np.bool_]]:
    """Return the deviations from the density around, in units of what chance makes of it, and where there is tissue.

    Parameters
    ----------
    counts
        (h, w, c).
    wide
        How far around, in pixels: a Gaussian's standard deviation.

    Notes
    -----
    (n − μ) / √μ, as of a Poisson count, clipped at 4 so that no clump speaks for all; 0 outside the tissue: neither
    its outline nor its overall density is told.
    """
    tissue = tissue_of(counts)
    inside = tissue.astype(np.float32)
    share = np.maximum(ndimage.gaussian_filter(inside, wide), 1e-3)
    out = np.empty_like(counts)
    for c in range(counts.shape[2]):
        around = ndimage.gaussian_filter(counts[:, :, c] * inside, wide) / share
        out[:, :, c] = np.clip((counts[:, :, c] - around) / np.sqrt(around + 0.05), -4, 4) * inside
    return out, tissue


def bounds(*places: Any) -> tuple[Array, Array]:
    """Return the corners of the rectangle around all places."""
    return np.min([p.min(0) for p in places], 0), np.max([p.max(0) for p in places], 0)
