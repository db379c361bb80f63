"""The ways in which a moving side may lie, as small pictures over the fixed side and in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..core.transform import Transform
from ..session import Document
from .memory import Memory
from .overlay_picture import Picture, drawn_specs, picture_of
from .state import ViewState

__all__ = ["CandidatePicture", "candidate_pictures", "in_words", "one_picture"]

_SOURCE = 384
"""Pixels along the longer side of the two pictures from which the small ones are made."""
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class CandidatePicture:
    """One way, drawn and said.

    Parameters
    ----------
    rgb
        (h, w, 3): the fixed side in green, the moving one in magenta, so that what matches is grey.
    words
        As "turned 34° clockwise, mirrored".
    """

    rgb: Bytes
    words: str


def in_words(transform: Transform, centre: npt.ArrayLike) -> str:
    """Say how a transform turns, mirrors and scales around a place (y, x) of the moving side."""
    slope = transform.jacobian(np.asarray(centre, dtype=float).reshape(1, 2))[0]
    mirrored = bool(np.linalg.det(slope) < 0)
    straight = slope @ np.diag([1.0, -1.0]) if mirrored else slope
    # on the screen y points down: the angle from x towards y is clockwise
    turn = np.degrees(np.arctan2(straight[0, 1] - straight[1, 0], straight[0, 0] + straight[1, 1]))
    said = "not turned" if abs(turn) < 1 else f"turned {abs(turn):.0f}° {'clockwise' if turn > 0 else 'anticlockwise'}"
    size = float(np.sqrt(abs(np.linalg.det(slope))))
    scale = f", {size:.2f} times as large" if abs(size - 1) > 0.02 else ""
    return said + (", mirrored" if mirrored else "") + scale


def candidate_pictures(
    document: Document, fixed: tuple[str, str], moving: tuple[str, str], transforms: Sequence[Transform], size: int = 84
) -> tuple[CandidatePicture, ...]:
    """Return a small picture of each way. May run on any thread.

    Parameters
    ----------
    document
        The document; it is only read.
    fixed, moving
        Element and coordinate system of what is drawn of either side.
    transforms
        From the moving to the fixed side, in µm.
    size
        Pixels along a picture's longer side.
    """
    below, above = (
        picture_of(drawn_specs(document, ViewState(), Memory(), element, system), None, _SOURCE)
        for element, system in (fixed, moving)
    )
    if below is None or above is None:
        return ()
    middle = above.affine.apply([np.asarray(above.rgba.shape[:2]) / 2])[0]
    return tuple(CandidatePicture(one_picture(below, above, t, size), in_words(t, middle)) for t in transforms)


def one_picture(below: Picture, above: Picture, transform: Transform, size: int) -> Bytes:
    """Return the fixed side in green and the moving one in magenta, over the fixed side's extent."""
    h, w = below.rgba.shape[:2]
    edge = max(h, w) / size
    shape = max(1, round(h / edge)), max(1, round(w / edge))
    y, x = np.meshgrid((np.arange(shape[0]) + 0.5) * edge, (np.arange(shape[1]) + 0.5) * edge, indexing="ij")
    at = np.stack([y.ravel(), x.ravel()], 1)
    there = above.affine.inverse().apply(transform.inverse().apply(below.affine.apply(at)))
    dark_fixed = _darkness(below, edge)
    dark_moving = _darkness(above, edge * below.pixel_um / above.pixel_um)
    fixed = _sampled(dark_fixed, at).reshape(shape)
    moved = _sampled(dark_moving, there).reshape(shape)
    # tissue takes light away: the fixed side takes magenta and leaves green, the moving one the other way round
    light = np.stack([1 - fixed, 1 - moved, 1 - fixed], -1)
    return np.round(255 * np.clip(light, 0, 1)).astype(np.uint8)


def _darkness(picture: Picture, step: float) -> npt.NDArray[np.float64]:
    """Return how much of the picture's contrast each pixel has from its ground, 0 to 1.

    What lies between two pixels of the small picture is averaged: every ``step``-th alone would flicker.
    """
    from scipy.ndimage import gaussian_filter

    grey = picture.rgba[..., :3].astype(float).mean(-1)
    drawn = picture.rgba[..., 3] > 0
    edge = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    ground = float(np.median(edge))
    away = np.where(drawn, np.abs(grey - ground), 0.0)
    high = float(np.percentile(away[drawn], 98)) if drawn.any() else 1.0
    return np.asarray(gaussian_filter(np.clip(away / max(high, 1e-6), 0, 1), 0.4 * step))


def _sampled(values: npt.NDArray[np.float64], at: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the pixels in which places in pixel corners lie; 0 outside."""
    row, column = np.floor(np.where(np.isfinite(at), at, -1)).astype(np.int64).T
    inside = (row >= 0) & (row < values.shape[0]) & (column >= 0) & (column < values.shape[1])
    found = np.zeros(len(at))
    found[inside] = values[row[inside], column[inside]]
    return found
