"""The anatomy of the simulated section: outline, layers, glands, vessels and fat, as rasters in µm.

A piece of bowel wall, cut across: mucosa with glands, submucosa with vessels and a lymphoid
follicle, muscle, fat. Everything follows two smooth coordinates, the depth under the surface and
the position along it, so that layers, fibres and nuclei curve together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree

from .random_fields import pick_apart, pixel_of, scatter, smooth_field, stamp

__all__ = ["ADIPOSE", "DOMAINS", "FOLLICLE", "MUCOSA", "MUSCLE", "SUBMUCOSA", "Anatomy", "build_anatomy"]

DOMAINS = ("glass", "mucosa", "submucosa", "lymphoid follicle", "muscle", "adipose")
MUCOSA, SUBMUCOSA, FOLLICLE, MUSCLE, ADIPOSE = range(1, 6)
LAYER_ENDS = (0.38, 0.58, 0.83, 1.0)
"""Where mucosa, submucosa, muscle and fat end, as fractions of the wall's thickness."""

THICKNESS = 0.81
"""The wall's thickness as a fraction of the field of view."""

Float = npt.NDArray[np.float32]
Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True)
class Rings:
    """Round structures (glands or vessels) as rasters.

    Parameters
    ----------
    centres_um
        (k, 2) as (y, x).
    radii_um
        (k,) mean outer radius.
    labels
        (y, x) int32: 1..k inside, 0 outside.
    rho
        (y, x) 0 at the centre, 1 at the outline; infinite outside.
    """

    centres_um: npt.NDArray[np.float64]
    radii_um: npt.NDArray[np.float64]
    labels: npt.NDArray[np.int32]
    rho: Float


@dataclass(frozen=True)
class Anatomy:
    """Where everything but the cells is. All rasters are (y, x).

    Parameters
    ----------
    pixel_size_um
        Edge of a pixel.
    depth, along
        Position under and along the surface in µm.
    tangent
        Direction of the layers, radians from the y axis towards the x axis.
    domain
        Index into `DOMAINS`; 0 is glass.
    glands, vessels
        Round structures.
    fat_wall
        Distance to the nearest wall between fat cells in µm; infinite outside the fat.
    edge
        Distance to the glass in µm; 0 on glass.
    """

    pixel_size_um: float
    depth: Float
    along: Float
    tangent: Float
    domain: npt.NDArray[np.uint8]
    glands: Rings
    vessels: Rings
    fat_wall: Float
    edge: Float

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.domain.shape[0], self.domain.shape[1]

    def at(self, raster: npt.NDArray[Scalar], points_um: npt.NDArray[np.float64]) -> npt.NDArray[Scalar]:
        """Return a raster's values at (n, 2) points in µm, clipped to the image."""
        i, j = pixel_of(points_um, self.pixel_size_um, raster.shape).T
        values: npt.NDArray[Scalar] = raster[i, j]
        return values


def build_anatomy(rng: np.random.Generator, size_um: float, pixel_size_um: float) -> Anatomy:
    """Lay out the wall: layers first, then glands, vessels and fat cells."""
    n = round(size_um / pixel_size_um)
    depth, along, tangent = _wall(rng, n, size_um, pixel_size_um)
    domain = _layers(rng, depth, along, size_um, pixel_size_um)
    edge = (distance_transform_edt(domain > 0) * pixel_size_um).astype(np.float32)
    glands = _glands(rng, domain, edge, pixel_size_um)
    vessels = _vessels(rng, domain, edge, glands, pixel_size_um)
    fat_wall = _fat(rng, domain, pixel_size_um)
    return Anatomy(pixel_size_um, depth, along, tangent, domain, glands, vessels, fat_wall, edge)


def _wall(rng: np.random.Generator, n: int, size_um: float, pixel_size_um: float) -> tuple[Float, Float, Float]:
    """Bend the coordinates: layers are arcs around a far centre, disturbed smoothly."""
    tilt = rng.uniform(-0.11, 0.11) + rng.choice([0.0, np.pi])
    bend = size_um * rng.uniform(1.7, 2.6)
    centre = size_um / 2 + bend * np.array([np.cos(tilt), np.sin(tilt)])
    at = (np.arange(n, dtype=np.float32) + 0.5) * pixel_size_um
    dy, dx = at[:, None] - np.float32(centre[0]), at[None, :] - np.float32(centre[1])
    r, polar = np.hypot(dy, dx), np.arctan2(dx, dy)
    turn = (polar - tilt) % (2 * np.pi) - np.pi
    warp = sum(
        a * smooth_field(rng, (n, n), s / pixel_size_um) for a, s in ((0.010 * size_um, 0.09 * size_um), (2.0, 16.0))
    )
    depth = r - (bend - 0.41 * size_um) if rng.random() < 0.5 else bend + 0.41 * size_um - r
    return (depth + warp).astype(np.float32), (turn * r).astype(np.float32), (polar + np.pi / 2).astype(np.float32)


def _layers(
    rng: np.random.Generator, depth: Float, along: Float, size_um: float, pixel_size_um: float
) -> npt.NDArray[np.uint8]:
    shape, thickness = depth.shape, THICKNESS * size_um
    rough = 1.1 * smooth_field(rng, shape, 4 / pixel_size_um)
    cut = np.abs(along + 5 * smooth_field(rng, shape, 22 / pixel_size_um) + rough) < 0.425 * size_um
    domain = np.zeros(shape, np.uint8)
    for layer, end in zip((ADIPOSE, MUSCLE, SUBMUCOSA, MUCOSA), reversed(LAYER_ENDS), strict=True):
        ripple = 3.5 * smooth_field(rng, shape, 20 / pixel_size_um)
        domain[(depth + ripple + rough) < end * thickness] = layer
    middle = rng.uniform(-0.18, 0.18) * size_um
    bump = 1 + 0.1 * smooth_field(rng, shape, 25 / pixel_size_um)
    bump += 0.04 * smooth_field(rng, shape, 6 / pixel_size_um)
    follicle = np.hypot((along - middle) / (0.15 * size_um), (depth - 0.46 * thickness) / (0.095 * size_um)) < bump
    domain[follicle & (domain > 0)] = FOLLICLE
    domain[~cut | (depth + 0.3 * rough < 0)] = 0
    return domain


def _rings(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    pixel_size_um: float,
    centres: npt.NDArray[np.float64],
    low: float,
    high: float,
) -> Rings:
    radii = rng.uniform(low, high, len(centres))
    axes = radii[:, None] * rng.uniform([1.0, 0.78], [1.18, 1.0], (len(centres), 2))
    waves = rng.normal(0, [[0.045], [0.03], [0.02]], (len(centres), 3, 2))
    labels, rho = stamp(shape, pixel_size_um, centres, axes, rng.uniform(0, np.pi, len(centres)), waves)
    return Rings(centres, radii, labels, rho)


def _glands(rng: np.random.Generator, domain: npt.NDArray[np.uint8], edge: Float, pixel_size_um: float) -> Rings:
    inside = distance_transform_edt(domain == MUCOSA) * pixel_size_um
    room = (inside > 24) & (edge > 40)
    centres = pick_apart(rng, scatter(rng, room, pixel_size_um, 0.03), 55.0)
    return _rings(rng, domain.shape, pixel_size_um, centres, 21, 27)


def _vessels(
    rng: np.random.Generator, domain: npt.NDArray[np.uint8], edge: Float, glands: Rings, pixel_size_um: float
) -> Rings:
    room = np.isin(domain, (SUBMUCOSA, MUSCLE)) & (glands.labels == 0)
    deep = distance_transform_edt(room) * pixel_size_um
    centres = pick_apart(rng, scatter(rng, (deep > 17) & (edge > 25), pixel_size_um, 0.01), 85.0)
    return _rings(rng, domain.shape, pixel_size_um, centres, 11, 17)


def _fat(rng: np.random.Generator, domain: npt.NDArray[np.uint8], pixel_size_um: float) -> Float:
    """Fat cells fill space like soap: half the difference of the distances to the two nearest centres.

    Where three meet, the wall widens, and the corners are round.
    """
    shape = domain.shape
    wall = np.full(shape, np.inf, np.float32)
    i, j = np.nonzero(domain == ADIPOSE)
    centres = pick_apart(rng, scatter(rng, domain == ADIPOSE, pixel_size_um, 0.05), 30.0)
    if len(centres) >= 3:
        bent = np.stack(
            [at + 3.0 / pixel_size_um * smooth_field(rng, shape, 14 / pixel_size_um)[i, j] for at in (i, j)], 1
        )
        d, _ = cKDTree(centres).query((bent + 0.5) * pixel_size_um, k=3)
        wall[i, j] = (d[:, 1] - d[:, 0]) / 2 - 1.6 * np.exp(-(d[:, 2] - d[:, 0]) / 4.0)
    return wall
