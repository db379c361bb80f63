"""Random fields and scattered shapes on rasters: what the simulated section is drawn with."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

__all__ = ["independent", "pick_apart", "pixel_of", "scatter", "smooth_field", "stamp"]

Float = npt.NDArray[np.float32]


def pixel_of(points_um: npt.NDArray[np.float64], pixel_size_um: float, shape: tuple[int, ...]) -> npt.NDArray[np.intp]:
    """Return the (n, 2) pixels that hold the points; pixel i covers [i, i + 1) pixel sizes."""
    index = np.floor(points_um / pixel_size_um).astype(np.intp)
    return np.asarray(np.clip(index, 0, np.array(shape) - 1))


def smooth_field(rng: np.random.Generator, shape: tuple[int, ...], scale_px: float) -> Float:
    """Return Gaussian noise of mean 0 and standard deviation 1, smooth over ``scale_px`` pixels.

    Notes
    -----
    Drawn on a grid of a third of the scale and interpolated linearly: the cost hardly grows with
    the scale.
    """
    step = max(1.0, scale_px / 3)
    small = tuple(int(np.ceil(n / step)) + 4 for n in shape)
    coarse = gaussian_filter(rng.standard_normal(small, dtype=np.float32), scale_px / step, mode="wrap")
    coarse = (coarse - coarse.mean()) / max(float(coarse.std()), 1e-6)
    if step == 1.0:
        return np.asarray(coarse[: shape[0], : shape[1]])
    for axis, n in enumerate(shape):
        at = np.arange(n, dtype=np.float32) / np.float32(step)
        low = at.astype(np.intp)
        weight = (at - low).reshape((-1, 1) if axis == 0 else (1, -1))
        coarse = np.take(coarse, low, axis) * (1 - weight) + np.take(coarse, low + 1, axis) * weight
    return np.asarray(coarse)


def pick_apart(
    rng: np.random.Generator, points: npt.NDArray[np.float64], distance_um: float
) -> npt.NDArray[np.float64]:
    """Return a random largest-possible subset of points that lie at least ``distance_um`` apart."""
    pairs = cKDTree(points).query_pairs(distance_um, output_type="ndarray") if len(points) else np.empty((0, 2), int)
    return points[independent(rng.permutation(len(points)), pairs)]


def independent(rank: npt.NDArray[np.intp], pairs: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
    """Return a maximal set of items without a conflicting pair; a lower rank goes first.

    Notes
    -----
    Luby's rounds: whoever has the lowest rank among its undecided neighbours is kept, and its
    neighbours drop out. A dozen rounds suffice.
    """
    kept, open_ = np.zeros(len(rank), bool), np.ones(len(rank), bool)
    while open_.any():
        pairs = pairs[open_[pairs].all(1)]
        best = np.full(len(rank), len(rank))
        np.minimum.at(best, pairs[:, 0], rank[pairs[:, 1]])
        np.minimum.at(best, pairs[:, 1], rank[pairs[:, 0]])
        won = open_ & (rank < best)
        kept |= won
        lost = pairs[won[pairs].any(1)].ravel()
        open_[lost] = False
        open_ &= ~won
    return kept


def stamp(
    shape: tuple[int, ...],
    pixel_size_um: float,
    centres_um: npt.NDArray[np.float64],
    axes_um: npt.NDArray[np.float64],
    angles: npt.NDArray[np.float64],
    waves: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.int32], Float]:
    """Draw wavy ellipses; where two meet, a pixel goes to the one it lies deeper in.

    Parameters
    ----------
    shape
        Of the raster, (y, x).
    pixel_size_um
        Edge of a pixel.
    centres_um, axes_um
        (n, 2) centres as (y, x) and half axes, the long one first.
    angles
        (n,) direction of the long axis, radians from y towards x.
    waves
        (n, k, 2) cosine and sine amplitudes of the outline's waves, from the second harmonic on.

    Returns
    -------
    labels
        (y, x) int32, 1..n.
    rho
        (y, x) 0 at a centre, 1 at an outline, infinite outside.
    """
    labels = np.zeros(shape, np.int32)
    rho = np.full(shape, np.inf, np.float32)
    reach = np.ceil(axes_um.max(1) * 1.35 / pixel_size_um).astype(int) + 1
    order = np.argsort(reach, kind="stable")
    hits: list[tuple[npt.NDArray[np.intp], npt.NDArray[np.int32], Float]] = []
    # groups of like size share one window, so that small ones do not pay for large ones
    for group in np.array_split(order, max(1, len(order) // 400)):
        if len(group):
            hits.append(
                _inside(shape, pixel_size_um, group, int(reach[group].max()), centres_um, axes_um, angles, waves)
            )
    if hits:
        flat, owner, r = (np.concatenate(part) for part in zip(*hits, strict=True))
        last = np.argsort(-r, kind="stable")
        labels.ravel()[flat[last]] = owner[last]
        rho.ravel()[flat[last]] = r[last]
    return labels, rho


def _inside(
    shape: tuple[int, ...],
    pixel_size_um: float,
    group: npt.NDArray[np.intp],
    reach: int,
    centres_um: npt.NDArray[np.float64],
    axes_um: npt.NDArray[np.float64],
    angles: npt.NDArray[np.float64],
    waves: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.int32], Float]:
    """Return flat pixel, owner and normalised radius of every pixel inside a shape of the group."""
    span = np.arange(-reach, reach + 1)
    start = np.floor(centres_um[group] / pixel_size_um).astype(int)
    i, j = start[:, 0, None, None] + span[:, None], start[:, 1, None, None] + span[None, :]
    dy = ((i + 0.5) * pixel_size_um - centres_um[group, 0, None, None]).astype(np.float32)
    dx = ((j + 0.5) * pixel_size_um - centres_um[group, 1, None, None]).astype(np.float32)
    c, s = (f(angles[group]).astype(np.float32)[:, None, None] for f in (np.cos, np.sin))
    u = (dy * c + dx * s) / axes_um[group, 0, None, None].astype(np.float32)
    v = (dx * c - dy * s) / axes_um[group, 1, None, None].astype(np.float32)
    theta = np.arctan2(v, u)
    wave = np.ones_like(theta)
    for k in range(waves.shape[1]):
        a, b = waves[group, k].astype(np.float32).T[:, :, None, None]
        wave += a * np.cos((k + 2) * theta) + b * np.sin((k + 2) * theta)
    r = np.hypot(u, v) / wave
    n, p, q = np.nonzero((r < 1) & (i >= 0) & (i < shape[0]) & (j >= 0) & (j < shape[1]))
    flat = i[n, p, 0] * shape[1] + j[n, 0, q]
    return flat, (group[n] + 1).astype(np.int32), r[n, p, q]


def scatter(
    rng: np.random.Generator, mask: npt.NDArray[np.bool_], pixel_size_um: float, density: float
) -> npt.NDArray[np.float64]:
    """Draw ``density`` points per µm² of the mask, (n, 2) as (y, x) in µm."""
    flat = np.flatnonzero(mask)
    n = int(density * len(flat) * pixel_size_um**2)
    picked = np.stack(np.unravel_index(rng.choice(flat, n), mask.shape), 1)
    return (picked + rng.random((n, 2))) * pixel_size_um
