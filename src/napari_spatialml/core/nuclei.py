"""Nuclei of the simulated section: where they lie, their type, shape and label raster."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree

from .anatomy import ADIPOSE, FOLLICLE, MUCOSA, MUSCLE, SUBMUCOSA, Anatomy, Rings
from .random_fields import independent, scatter, stamp

__all__ = ["CELL_TYPES", "Nuclei", "place_nuclei"]

CELL_TYPES = ("epithelial", "fibroblast", "smooth muscle", "lymphocyte", "adipocyte")
EPITHELIAL, FIBROBLAST, SMOOTH_MUSCLE, LYMPHOCYTE, ADIPOCYTE = range(5)

AXES_UM = np.array([[4.1, 2.3], [5.6, 1.5], [6.8, 1.5], [2.75, 2.45], [4.6, 1.3]])
"""Half axes of a nucleus by type."""
TURN = np.array([0.12, 0.45, 0.10, 3.0, 0.1])
"""Standard deviation of a nucleus's direction around its structure's, in radians, by type."""
STROMA = {
    MUCOSA: (0.016, (0.0, 0.40, 0.02, 0.58, 0.0)),
    SUBMUCOSA: (0.0030, (0.0, 0.82, 0.02, 0.16, 0.0)),
    FOLLICLE: (0.060, (0.0, 0.04, 0.0, 0.96, 0.0)),
    MUSCLE: (0.0062, (0.0, 0.08, 0.88, 0.04, 0.0)),
    ADIPOSE: (0.006, (0.0, 0.7, 0.0, 0.3, 0.0)),
}
"""By domain: candidates per µm² (those that would overlap drop out) and the mix of types."""

Points = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Nuclei:
    """The nuclei, in the order of their labels.

    Parameters
    ----------
    labels
        (y, x) int32: 1..n, 0 is background.
    rho
        (y, x) 0 at a nucleus's centre, 1 at its border; infinite outside.
    centroids_um
        (n, 2) as (y, x): mean of the nucleus's pixel centres.
    axes_um, angles
        (n, 2) half axes and (n,) direction of the long one.
    types
        (n,) index into `CELL_TYPES`.
    domains
        (n,) index into `DOMAINS`.
    territory
        (y, x) int32: the label of the nearest nucleus, 0 on glass.
    away_um
        (y, x) distance to that nucleus; 0 inside it.
    """

    labels: npt.NDArray[np.int32]
    rho: npt.NDArray[np.float32]
    centroids_um: Points
    axes_um: Points
    angles: npt.NDArray[np.float64]
    types: npt.NDArray[np.intp]
    domains: npt.NDArray[np.intp]
    territory: npt.NDArray[np.int32]
    away_um: npt.NDArray[np.float32]


@dataclass(frozen=True)
class _Seeds:
    centres: Points
    angles: npt.NDArray[np.float64]
    types: npt.NDArray[np.intp]


def place_nuclei(rng: np.random.Generator, anatomy: Anatomy) -> Nuclei:
    """Place the nuclei: first along glands, surface, vessels and fat walls, then in the stroma between."""
    groups = [_gland_rings(rng, anatomy), _vessel_rings(rng, anatomy), _surface(rng, anatomy), _fat_walls(rng, anatomy)]
    groups += [_stroma(rng, anatomy, domain) for domain in STROMA]
    centres, angles, types = (np.concatenate([getattr(g, f) for g in groups]) for f in ("centres", "angles", "types"))
    angles = angles + rng.normal(0, 1, len(types)) * TURN[types]
    axes = AXES_UM[types] * np.exp(rng.normal(0, [0.16, 0.10], (len(types), 2)))
    axes[:, 1] = np.minimum(axes[:, 1], axes[:, 0])
    inside = anatomy.at(anatomy.edge, centres) > 2.5
    # structures come first: their rank is lower than that of any stromal candidate
    turn = rng.random(len(types)) + np.repeat(np.arange(len(groups)) >= 4, [len(g.types) for g in groups])
    keep = np.flatnonzero(inside)
    rank = np.argsort(np.argsort(turn[keep]))
    keep = keep[independent(rank, _conflicts(centres[keep], axes[keep], angles[keep]))]
    return _draw(rng, anatomy, centres[keep], axes[keep], angles[keep], types[keep])


def _conflicts(centres: Points, axes: Points, angles: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    """Return the pairs that would overlap by more than a touch."""
    pairs = cKDTree(centres).query_pairs(2 * float(axes.max()), output_type="ndarray")
    gap = centres[pairs[:, 1]] - centres[pairs[:, 0]]
    toward = np.arctan2(gap[:, 1], gap[:, 0])
    reach = sum(_radius(axes[pairs[:, k]], toward - angles[pairs[:, k]]) for k in (0, 1))
    return np.asarray(pairs[np.hypot(gap[:, 0], gap[:, 1]) < 0.94 * reach])


def _radius(axes: Points, theta: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    a, b = axes.T
    return np.asarray(a * b / np.hypot(b * np.cos(theta), a * np.sin(theta)))


def _draw(
    rng: np.random.Generator,
    anatomy: Anatomy,
    centres: Points,
    axes: Points,
    angles: npt.NDArray[np.float64],
    types: npt.NDArray[np.intp],
) -> Nuclei:
    """Rasterise, drop what got no pixel or has fewer than a nucleus needs, and number the rest 1..n."""
    waves = rng.normal(0, [[0.06], [0.045], [0.025]], (len(types), 3, 2))
    labels, rho = stamp(anatomy.shape, anatomy.pixel_size_um, centres, axes, angles, waves)
    labels[anatomy.domain == 0] = 0
    area = np.bincount(labels.ravel(), minlength=len(types) + 1)[1:]
    keep = area * anatomy.pixel_size_um**2 > 0.5 * np.pi * axes.prod(1)
    number = np.concatenate([[0], np.where(keep, np.cumsum(keep), 0)]).astype(np.int32)
    labels = number[labels]
    rho[labels == 0] = np.inf
    away, nearest = distance_transform_edt(labels == 0, return_indices=True)
    territory = np.where(anatomy.domain > 0, labels[tuple(nearest)], 0)
    away_um = (away * anatomy.pixel_size_um).astype(np.float32)
    i, j = np.nonzero(labels)
    owner, n = labels[i, j], int(keep.sum())
    count = np.bincount(owner, minlength=n + 1)[1:]
    mean = np.stack([np.bincount(owner, at + 0.5, n + 1)[1:] / count for at in (i, j)], 1) * anatomy.pixel_size_um
    domains = anatomy.at(anatomy.domain, mean).astype(np.intp)
    return Nuclei(labels, rho, mean, axes[keep], angles[keep], types[keep], domains, territory, away_um)


def _rings(
    rng: np.random.Generator, rings: Rings, place: float, spacing: float, spread: float
) -> tuple[Points, npt.NDArray[np.float64]]:
    """Return positions on a circle in each ring, at ``place`` of its radius, and their polar angles."""
    parts = [_ring(rng, c, place * r, spacing, spread) for c, r in zip(rings.centres_um, rings.radii_um, strict=True)]
    centres = np.concatenate([np.empty((0, 2)), *(c for c, _ in parts)])
    return centres, np.concatenate([np.empty(0), *(t for _, t in parts)])


def _ring(
    rng: np.random.Generator, centre: Points, radius: float, spacing: float, spread: float
) -> tuple[Points, npt.NDArray[np.float64]]:
    n = max(4, int(2 * np.pi * radius / spacing))
    theta = (np.arange(n) + rng.uniform(-0.12, 0.12, n)) * 2 * np.pi / n
    r = radius * (1 + rng.normal(0, spread, n))
    return centre + r[:, None] * np.stack([np.cos(theta), np.sin(theta)], 1), theta


def _gland_rings(rng: np.random.Generator, anatomy: Anatomy) -> _Seeds:
    """Columnar cells: nuclei at the base of the epithelium, pointing to the lumen."""
    centres, theta = _rings(rng, anatomy.glands, 0.80, 5.5, 0.035)
    inside = anatomy.at(anatomy.glands.rho, centres) < 0.93
    return _Seeds(centres[inside], theta[inside], np.full(int(inside.sum()), EPITHELIAL))


def _vessel_rings(rng: np.random.Generator, anatomy: Anatomy) -> _Seeds:
    """Vessel walls: flat nuclei around the lumen."""
    centres, theta = _rings(rng, anatomy.vessels, 0.84, 15.0, 0.03)
    return _Seeds(centres, theta + np.pi / 2, np.full(len(theta), SMOOTH_MUSCLE))


def _surface(rng: np.random.Generator, anatomy: Anatomy) -> _Seeds:
    """The surface epithelium: one row of nuclei under the rim of the mucosa."""
    row = (np.abs(anatomy.depth - 9.5) < 1.0) & (anatomy.domain == MUCOSA) & (anatomy.edge > 7)
    centres = scatter(rng, row, anatomy.pixel_size_um, 2.5)
    normal = anatomy.at(anatomy.tangent, centres) + np.pi / 2
    return _Seeds(centres, normal, np.full(len(centres), EPITHELIAL))


def _fat_walls(rng: np.random.Generator, anatomy: Anatomy) -> _Seeds:
    """Nuclei of fat cells lie flat against the walls."""
    centres = scatter(rng, anatomy.fat_wall < 1.0, anatomy.pixel_size_um, 0.011)
    return _Seeds(centres, _along_walls(anatomy, centres), np.full(len(centres), ADIPOCYTE))


def _along_walls(anatomy: Anatomy, points: Points) -> npt.NDArray[np.float64]:
    """Return the direction of the fat cells' wall at each point: where the distance to it grows least."""
    wall = np.where(np.isfinite(anatomy.fat_wall), anatomy.fat_wall, 20.0).astype(np.float64)
    around = np.linspace(0, np.pi, 8, endpoint=False)
    steps = 3.0 * np.stack([np.cos(around), np.sin(around)], 1)
    rise = np.stack([anatomy.at(wall, points + s) + anatomy.at(wall, points - s) for s in steps], 1)
    # a direction has no sign: its doubled angle is averaged
    mean = rise @ np.exp(2j * around)
    return np.asarray(0.5 * np.angle(-mean))


def _stroma(rng: np.random.Generator, anatomy: Anatomy, domain: int) -> _Seeds:
    density, mix = STROMA[domain]
    room = (anatomy.domain == domain) & (anatomy.glands.rho > 1) & (anatomy.vessels.rho > 1)
    if domain == MUCOSA:
        room &= anatomy.depth > 20
    if domain == ADIPOSE:
        room &= (anatomy.fat_wall < 1.2) | (anatomy.edge < 4)
    centres = scatter(rng, room, anatomy.pixel_size_um, density)
    types = rng.choice(len(mix), len(centres), p=np.array(mix))
    layers = anatomy.at(anatomy.tangent, centres).astype(np.float64)
    return _Seeds(centres, _along_walls(anatomy, centres) if domain == ADIPOSE else layers, types)
