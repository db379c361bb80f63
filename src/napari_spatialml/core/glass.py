"""Where a slide shows nothing but glass: told so that no cell is ever missed."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["is_glass"]

_BLOCK = 8
_SPREAD = 12.0
"""Means of independent noise over a block stay within 9 of their standard deviations, however large the tile."""
_LIGHT, _SHADING = 200.0, 12.0
"""Grey levels of 255: unstained glass in bright-field, and how much its illumination varies within a tile."""


def is_glass(values: npt.NDArray[Any]) -> bool:
    """Whether an image shows nothing: each channel is flat, but for noise; in doubt it is not glass.

    A channel is flat when the means over blocks of 8 × 8 pixels differ by no more than the noise from one
    pixel to the next explains: a nucleus too dim to be seen among the noise is the most that can be missed.
    8-bit colour images are glass too where they are light everywhere and differ by less than 12 levels.

    Parameters
    ----------
    values
        (c, y, x).
    """
    blocks = [_means(channel) for channel in values]
    if len(values) == 3 and values.dtype == np.uint8:
        light = all(float(b.min()) >= _LIGHT and float(np.ptp(b)) <= _SHADING for b in blocks)
        if light:
            return True
    step = 1.0 if np.issubdtype(values.dtype, np.integer) else 0.0
    return all(
        float(np.ptp(b)) <= max(_SPREAD / _BLOCK * _noise(channel), step)
        for b, channel in zip(blocks, values, strict=True)
    )


def _means(channel: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return the means over blocks; the last blocks reach back, so that no pixel is left out."""
    height, width = channel.shape
    if height < _BLOCK or width < _BLOCK:
        return np.asarray(channel, dtype=np.float64)
    parts = []
    for y in {0, height % _BLOCK}:
        for x in {0, width % _BLOCK}:
            cut = channel[y : y + height // _BLOCK * _BLOCK, x : x + width // _BLOCK * _BLOCK]
            blocks = cut.reshape(cut.shape[0] // _BLOCK, _BLOCK, cut.shape[1] // _BLOCK, _BLOCK)
            parts.append(blocks.mean(axis=(1, 3), dtype=np.float64).ravel())
    return np.concatenate(parts)


def _noise(channel: npt.NDArray[Any]) -> float:
    """Return the standard deviation of the noise, from the differences of neighbours in a row."""
    rows = channel[:: max(1, channel.shape[0] // 512)].astype(np.float32)
    if rows.shape[1] < 2:
        return 0.0
    return 1.4826 / 2**0.5 * float(np.median(np.abs(np.diff(rows, axis=1))))
