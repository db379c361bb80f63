"""Snap a click to the fiducial, spot or corner under it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .arrays import require

__all__ = ["Snapped", "snap"]

Array = npt.NDArray[np.float64]

_CIRCLE, _CORNER = 0.5, 0.5
"""How alike a mark and a perfect circle or corner are at least."""
_ROUND = 0.85
"""Of a circle's rim so much is seen; of one that is fitted into a corner, about half."""
_STANDS_OUT = 12.0
"""A corner's structure over the patch's usual structure; noise alone reaches 4."""
_RADII, _ANGLES = 12, 32


@dataclass(frozen=True)
class Snapped:
    """What a click was drawn to.

    Parameters
    ----------
    place
        (y, x) in the patch's pixels; whole numbers are centres of pixels.
    kind
        "circle" for a ring or disc, "corner" for a corner.
    likeness
        0 ≤ likeness ≤ 1: how alike it is to a perfect one.
    """

    place: tuple[float, float]
    kind: Literal["circle", "corner"]
    likeness: float


def snap(
    patch: Any, click: tuple[float, float], radius: float, diameters: tuple[float, float] | None = None
) -> Snapped | None:
    """Return the mark near a click, or None where there is nothing to snap to.

    Parameters
    ----------
    patch
        (y, x) or (c, y, x) pixels around the click.
    click
        (y, x) in the patch's pixels; whole numbers are centres of pixels.
    radius
        How far the mark's middle may lie from the click in pixels, > 0.
    diameters
        The smallest and the largest circle in pixels; None: from 5 pixels to twice the radius.

    Raises
    ------
    BadInput
        When the patch has no such shape, or the radius is not above 0.

    Notes
    -----
    Circles, dark or light, full or hollow: along a rim the gradients point to its middle, or all away
    from it. That is averaged over the rim for every middle and radius, gradients no larger than the usual
    one of the patch counting little; the best is refined to the point to which the lines along its rim's
    gradients are nearest. Failing that, corners: the point to which the lines across the gradients are
    nearest, where the image changes both ways far more than elsewhere. O(radius² · radii).

    References
    ----------
    Loy and Zelinsky (2003), doi:10.1109/TPAMI.2003.1217601; Förstner and Gülch (1987), *A fast operator for
    detection and precise location of distinct points, corners and centres of circular features*.
    """
    pixels = np.asarray(patch, dtype=np.float64)
    require(pixels.ndim in (2, 3), f"The patch has the shape {pixels.shape}.", "Give (y, x) or (c, y, x).")
    require(radius > 0, f"The radius is {radius} pixels.", "Give a number above 0.")
    plane = _plane(np.nan_to_num(pixels))
    if plane is None or min(plane.shape) < 7:
        return None
    low, high = diameters or (5.0, 2.0 * radius)
    gradient = _gradient(plane, min(max(1.0, low / 6), 3.0))
    radii = np.geomspace(low / 2, max(high, low) / 2, _RADII)
    return _circle(gradient, np.asarray(click, float), radius, radii) or _corner(
        gradient, np.asarray(click, float), radius
    )


def _plane(pixels: Array) -> Array | None:
    """Return one channel: the mixture of all that varies most; None where nothing does."""
    if pixels.ndim == 3:
        flat = pixels.reshape(len(pixels), -1)
        _, vectors = np.linalg.eigh(np.cov(flat) if len(flat) > 1 else np.eye(1))
        pixels = (vectors[:, -1] @ flat).reshape(pixels.shape[1:])
    return pixels if float(np.ptp(pixels)) > 0 else None


def _gradient(plane: Array, sigma: float) -> Array:
    """Return (2, y, x) derivatives."""
    from scipy.ndimage import gaussian_filter

    return np.stack([gaussian_filter(plane, sigma, order=order, mode="nearest") for order in ((1, 0), (0, 1))])


def _circle(gradient: Array, click: Array, radius: float, radii: Array) -> Snapped | None:
    size = np.hypot(*gradient)
    usual = max(2 * float(np.median(size)), 1e-2 * float(size.max()))
    heading = gradient / (size + usual)
    best, likeness = np.array([*click, radii[0]]), -1.0
    step = max(1.0, radius / 12)
    reach = radius
    while True:
        offsets = np.arange(-reach, reach + step / 2, step)
        middles = best[:2] + np.stack(np.meshgrid(offsets, offsets, indexing="ij"), -1).reshape(-1, 2)
        middles = middles[np.linalg.norm(middles - click, axis=1) <= radius]
        tried = radii if likeness < 0 else best[2] * np.linspace(0.85, 1.15, 7)
        score = np.stack([_pointing(heading, middles, r) for r in tried])
        row, column = np.unravel_index(int(np.argmax(score)), score.shape)
        best, likeness = np.array([*middles[column], tried[row]]), float(score[row, column])
        if step <= 1:
            break
        reach, step = step, max(1.0, step / 4)
    if likeness < _CIRCLE or _covered(gradient, best) < _ROUND:
        return None
    middle = _refined(gradient, best)
    if np.linalg.norm(middle - click) > radius or np.linalg.norm(middle - best[:2]) > max(2.0, best[2] / 3):
        return None
    return Snapped((float(middle[0]), float(middle[1])), "circle", min(likeness, 1.0))


def _pointing(heading: Array, middles: Array, r: float) -> Array:
    """Return (n,) how uniformly the gradients at distance r of each middle point to it, or away: 0 to 1."""
    return np.asarray(np.abs(_outward(heading, middles, r).mean(1)))


def _covered(gradient: Array, found: Array) -> float:
    """Return the share of a circle's rim that is at least a third as clear as its clearest quarter."""
    seen = _outward(gradient, found[None, :2], found[2])[0]
    seen *= np.sign(seen.mean())
    return float((seen > np.quantile(seen, 0.75) / 3).mean())


def _outward(heading: Array, middles: Array, r: float) -> Array:
    """Return (n, angles) how far the gradients at distance r of each middle point away from it, -1 to 1."""
    from scipy.ndimage import map_coordinates

    angle = np.arange(_ANGLES) * 2 * np.pi / _ANGLES
    out = np.stack([np.sin(angle), np.cos(angle)], 1)
    where = (middles[:, None] + r * out).reshape(-1, 2).T
    seen = [map_coordinates(one, where, order=1, mode="constant").reshape(-1, _ANGLES) for one in heading]
    return np.asarray(seen[0] * out[:, 0] + seen[1] * out[:, 1])


def _refined(gradient: Array, found: Array) -> Array:
    """Return the point to which the lines along the rim's gradients are nearest."""
    where = np.indices(gradient.shape[1:]).reshape(2, -1).T.astype(float)
    slope = gradient.reshape(2, -1).T
    middle = found[:2]
    for _ in range(3):
        out = where - middle
        distance = np.linalg.norm(out, axis=1)
        size = np.linalg.norm(slope, axis=1)
        rim = (np.abs(distance - found[2]) < max(1.5, 0.15 * found[2])) & (size > 0) & (distance > 0)
        aligned = np.abs((slope * out).sum(1)) > 0.85 * size * distance
        middle = _nearest(where[rim & aligned], slope[rim & aligned], along=True, fallback=middle)
    return middle


def _nearest(where: Array, slope: Array, along: bool, fallback: Array) -> Array:
    """Return the point nearest to the lines along the gradients, or across them, by weighted least squares."""
    weight = (slope**2).sum(1)
    outer = slope[:, :, None] * slope[:, None]
    matrices = weight[:, None, None] * np.eye(2) - outer if along else outer
    inner = matrices.sum(0)
    if len(where) < 3 or np.linalg.cond(inner) > 1e6:
        return fallback
    return np.asarray(np.linalg.solve(inner, (matrices @ where[:, :, None]).sum(0)[:, 0]))


def _corner(gradient: Array, click: Array, radius: float) -> Snapped | None:
    from scipy.ndimage import gaussian_filter

    window = min(max(2.0, radius / 5), 4.0)
    yy, yx, xx = (gaussian_filter(gradient[a] * gradient[b], window) for a, b in ((0, 0), (0, 1), (1, 1)))
    half = (yy + xx) / 2
    least = half - np.sqrt(((yy - xx) / 2) ** 2 + yx**2)
    rows, columns = np.indices(least.shape)
    near = np.hypot(rows - click[0], columns - click[1]) <= radius
    if not near.any() or float(half.max()) <= 0:
        return None
    at = np.unravel_index(int(np.argmax(np.where(near, least, -1))), least.shape)
    likeness = float(least[at] / half[at]) if half[at] > 0 else 0.0
    usual = max(float(np.median(least)), 1e-6 * float(half.max()))
    if likeness < _CORNER or least[at] < _STANDS_OUT * usual:
        return None
    box = np.hypot(rows - at[0], columns - at[1]) <= 2 * window
    slope = gradient[:, box].T
    place = _nearest(np.argwhere(box).astype(float), slope, along=False, fallback=np.asarray(at, float))
    if np.linalg.norm(place - click) > radius:
        return None
    return Snapped((float(place[0]), float(place[1])), "corner", min(likeness, 1.0))
