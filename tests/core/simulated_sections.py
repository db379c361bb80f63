"""Two sections of one simulated tissue, each with spots, noise and gene offsets of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_spatialml.core import Affine, Pair, Side

Floats = npt.NDArray[np.float64]
SIZE_UM = 4000.0


@dataclass(frozen=True)
class SectionPair:
    """A pair, with the truth."""

    pair: Pair
    truth: Affine  # moving to fixed
    labels_fixed: npt.NDArray[np.int64]
    labels_moving: npt.NDArray[np.int64]


class Tissue:
    """Domains and gradients over a round, lobed outline; no symmetry but what chance gives."""

    def __init__(self, seed: int, n_genes: int = 80) -> None:
        generator = np.random.default_rng(seed)
        self.lobes = generator.normal(size=4) * 0.1, generator.uniform(0, 2 * np.pi, 4)
        self.centres = generator.uniform(-0.5, 0.5, (6, 2)) * SIZE_UM
        self.waves = generator.normal(size=(2, 3)) * 2.2 / SIZE_UM, generator.uniform(0, 2 * np.pi, 3)
        self.base = generator.normal(0, 1, n_genes)
        self.markers = generator.normal(0, 0.9, (6, n_genes)) * (generator.random((6, n_genes)) < 0.3)
        self.gradients = generator.normal(0, 0.5, (3, n_genes))

    def inside(self, points: Floats) -> npt.NDArray[np.bool_]:
        angle = np.arctan2(*points.T)
        size, phase = self.lobes
        edge = 1 + (size * np.cos(np.outer(angle, np.arange(1, 5)) + phase)).sum(1)
        return np.hypot(*points.T) < edge * SIZE_UM / 2

    def domains(self, points: Floats) -> npt.NDArray[np.int64]:
        return ((points[:, None] - self.centres) ** 2).sum(2).argmin(1).astype(np.int64)

    def rates(self, points: Floats) -> Floats:
        waves, phase = self.waves
        log = self.base + self.markers[self.domains(points)] + np.sin(points @ waves + phase) @ self.gradients
        return np.exp(log)


class Rings(Tissue):
    """Rings that seeds 500 apart share, as two animals do an anatomy; and a little that is only this one's own."""

    def __init__(self, seed: int, n_genes: int = 80) -> None:
        super().__init__(seed, n_genes)
        generator = np.random.default_rng(seed % 500)
        self.base = generator.normal(0, 1, n_genes)
        self.rings = generator.normal(0, 0.8, (4, n_genes)) * (generator.random((4, n_genes)) < 0.4)

    def rates(self, points: Floats) -> Floats:
        ring = np.searchsorted([0.15 * SIZE_UM, 0.3 * SIZE_UM, 0.42 * SIZE_UM], np.hypot(*points.T))
        return np.exp(self.base + self.rings[ring] + 0.25 * (np.log(super().rates(points)) - self.base))


def lattice(pitch: float, generator: np.random.Generator) -> Floats:
    """Return a hexagonal lattice, turned and shifted by chance."""
    n = int(SIZE_UM / pitch)
    row, column = np.mgrid[-n : n + 1, -n : n + 1]
    points = np.stack([row * np.sqrt(3) / 2, column + 0.5 * (row % 2)], axis=-1).reshape(-1, 2) * pitch
    return Affine.similarity(1.0, generator.uniform(0, 360), tuple(generator.uniform(0, pitch, 2))).apply(points)


def section(
    tissue: Tissue, generator: np.random.Generator, pitch: float, depth: float, dropout: float
) -> tuple[Floats, Floats]:
    points = lattice(pitch, generator)
    points = points[tissue.inside(points)]
    points = points[generator.random(len(points)) >= dropout]
    rates = tissue.rates(points) * np.exp(generator.normal(0, 0.4, tissue.base.shape))
    rates = rates / rates.sum(1, keepdims=True) * depth * np.exp(generator.normal(0, 0.4, (len(points), 1)))
    return points, generator.poisson(rates).astype(np.float64)


def section_pair(
    seed: int,
    degrees: float = 140.0,
    reflect: bool = True,
    overlap: float = 1.0,
    dropout: float = 0.1,
    pitch: float = 240.0,
    depth: float = 1500.0,
    related: bool = True,
    kind: type[Tissue] = Tissue,
) -> SectionPair:
    """Return two sections; with ``overlap`` below 1 each lacks the side that the other shows."""
    generator = np.random.default_rng(seed + 1000)
    tissue = kind(seed)
    other = tissue if related else kind(seed + 500)
    fixed, counts_fixed = section(tissue, generator, pitch, depth, dropout)
    moving, counts_moving = section(other, generator, pitch, depth, dropout)
    lacking = (1 - overlap) / (2 - overlap)
    below = fixed[:, 1] <= np.quantile(fixed[:, 1], 1 - lacking)
    above = moving[:, 1] >= np.quantile(moving[:, 1], lacking)
    fixed, counts_fixed, moving, counts_moving = fixed[below], counts_fixed[below], moving[above], counts_moving[above]
    away = Affine.similarity(1.0, degrees, (9000.0, -2500.0), reflect)
    pair = Pair(Side(points=fixed, features=counts_fixed), Side(points=away.apply(moving), features=counts_moving))
    return SectionPair(pair, away.inverse(), tissue.domains(fixed), other.domains(moving))
