"""Made sections whose domains are known: three tissues, seen by four technologies.

A domain is a mixture of cell types, the same types in other shares next door, as in tissue; nothing a method
assumes is built in. The tissues are bands as of cortex, regions within regions as of a tumour, and niches
scattered over a ground. They are seen as spots of several cells, as bins of few molecules, as single cells
of a panel of genes that are often missed, and as pixels of intensities whose total varies.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from napari_spatialml.core import Cells

from .sections import Known

__all__ = ["SEEN", "TISSUES", "simulate"]

Array = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
TYPES = 14


@dataclass(frozen=True)
class Seen:
    """A technology.

    Parameters
    ----------
    across
        Rows along an edge; n is some tenths less than its square.
    pitch_um
        From row to row.
    features, cells
        How many features are measured, and how many cells fall into a row.
    depth
        Mean count of a row; 0 for intensities.
    grid
        "hexagonal", "square" or "none".
    """

    across: int
    pitch_um: float
    features: int
    cells: int
    depth: float
    grid: str


SEEN = {
    "spots": Seen(58, 100.0, 2000, 8, 4000.0, "hexagonal"),
    "bins": Seen(90, 16.0, 1500, 2, 250.0, "square"),
    "single cells": Seen(70, 12.0, 250, 1, 150.0, "none"),
    "m/z pixels": Seen(70, 50.0, 150, 6, 0.0, "square"),
}


def simulate(tissue: str, seen: str, seed: int) -> Known:
    """Return a tissue (of `TISSUES`) as a technology (of `SEEN`) sees it."""
    rng = np.random.default_rng([seed, *map(ord, tissue + seen)])
    technology = SEEN[seen]
    where = _places(technology, rng)
    unit = where / where.max()
    truth = TISSUES[tissue](unit, rng)
    shares = _shares(int(truth.max()) + 1, rng)
    composition = rng.multinomial(technology.cells, shares[truth]) / technology.cells
    measure = _counts if technology.depth > 0 else _intensities
    features = measure(composition, unit, technology, rng)
    name = f"made: {tissue} seen as {seen}, {len(truth):,} × {technology.features:,}"
    return Known(name, Cells(features, where), truth, technology.pitch_um)


def _shares(k: int, rng: np.random.Generator) -> Array:
    """Return (k, types): what is next door is much alike, and some types are everywhere."""
    own = rng.dirichlet(np.full(TYPES, 0.45), k)
    for number in range(1, k):
        own[number] = (own[number] + own[number - 1]) / 2
    return np.asarray(0.6 * own + 0.4 * rng.dirichlet(np.full(TYPES, 1.0)))


def _places(seen: Seen, rng: np.random.Generator) -> Array:
    rows, columns = (part.ravel().astype(float) for part in np.mgrid[: seen.across, : seen.across])
    if seen.grid == "hexagonal":
        rows, columns = rows * np.sqrt(3) / 2, columns + 0.5 * (rows % 2)
    where = np.stack([rows, columns], 1)
    if seen.grid == "none":
        where += rng.uniform(-0.45, 0.45, where.shape)
        where = where[rng.random(len(where)) > 0.08]
    # the outline of a section is no square
    middle = where.max(0) / 2
    angle = np.arctan2(*(where - middle).T)
    reach = 1 + 0.06 * sum(rng.normal() * np.cos(m * angle + rng.uniform(0, 6)) for m in (2, 3, 5))
    inside = np.hypot(*((where - middle) / middle).T) < np.maximum(reach, 0.7) * 1.15
    return np.asarray(where[inside] * seen.pitch_um)


def _wave(along: Array, rng: np.random.Generator, height: float) -> Array:
    return np.asarray(
        sum(height / m * np.sin(2 * np.pi * m * along * rng.uniform(0.5, 1) + rng.uniform(0, 6)) for m in (1, 2, 3))
    )


def layers(unit: Array, rng: np.random.Generator) -> Labels:
    """Return seven bent bands of different thickness, turned by any angle."""
    turn = rng.uniform(0, 2 * np.pi)
    across, along = ((unit - 0.5) @ np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])).T
    depth = across + _wave(along, rng, 0.06)
    thickness = rng.uniform(0.5, 2.0, 7)
    edges = np.quantile(depth, np.cumsum(thickness)[:-1] / thickness.sum())
    return np.digitize(depth, edges).astype(np.int64)


def nested(unit: Array, rng: np.random.Generator) -> Labels:
    """Return two bodies of three regions within each other, of the same kinds, in a ground."""
    truth = np.zeros(len(unit), np.int64)
    for middle, size in ((rng.uniform(0.28, 0.4, 2), 0.27), (rng.uniform(0.62, 0.72, 2), 0.2)):
        angle = np.arctan2(*(unit - middle).T)
        reach = np.hypot(*(unit - middle).T) / (size * (1 + _wave(angle / (2 * np.pi), rng, 0.1)))
        for number, radius in ((1, 1.0), (2, 0.75), (3, 0.45)):
            truth[reach < radius] = number
    return truth


def niches(unit: Array, rng: np.random.Generator) -> Labels:
    """Return three kinds of niches, eight of each, scattered over two grounds."""
    truth = (unit[:, 0] + _wave(unit[:, 1], rng, 0.05) > 0.5).astype(np.int64)
    for number in (2, 3, 4):
        for middle in rng.uniform(0.05, 0.95, (8, 2)):
            truth[np.hypot(*(unit - middle).T) < rng.uniform(0.035, 0.075)] = number
    return truth


TISSUES: dict[str, Callable[[Array, np.random.Generator], Labels]] = {
    "layers": layers,
    "nested": nested,
    "niches": niches,
}


def _profiles(seen: Seen, rng: np.random.Generator) -> Array:
    """Return (types, features) mean shares: a common level, and few features that a type has more of.

    The genes of a panel are those of a whole transcriptome that differ most between the types.
    """
    features = 2000 if seen.cells == 1 else seen.features
    level = rng.normal(0, 1.3, features)
    more = np.where(rng.random((TYPES, features)) < 0.08, rng.normal(1.0, 0.8, (TYPES, features)), 0.0)
    profiles = np.exp(level + more)[:, np.sort(np.argsort(-more.var(0), kind="stable")[: seen.features])]
    return np.asarray(profiles / profiles.sum(1, keepdims=True))


def _counts(composition: Array, unit: Array, seen: Seen, rng: np.random.Generator) -> sp.csr_matrix:
    """Return negative binomial counts; depth varies from row to row and drifts over the section."""
    n = len(unit)
    depth = seen.depth * np.exp(rng.normal(0, 0.35, n) + 0.4 * np.sin(3 * unit @ rng.normal(0, 1, 2)))
    rates = composition @ _profiles(seen, rng) * depth[:, None]
    rates *= rng.gamma(1 / 0.3, 0.3, rates.shape)
    if seen.cells == 1:
        # a probe that finds its gene in some cells only
        rates *= rng.random(rates.shape) < rng.beta(4, 2, seen.features)
    return sp.csr_matrix(rng.poisson(rates).astype(np.float64))


def _intensities(composition: Array, unit: Array, seen: Seen, rng: np.random.Generator) -> Array:
    """Return dense intensities above a floor of noise, whose total varies by pixel, by line and over the section."""
    line = np.unique(unit[:, 0], return_inverse=True)[1]
    total = rng.normal(0, 0.4, len(unit)) + rng.normal(0, 0.15, line.max() + 1)[line]
    total += 0.5 * np.sin(4 * unit @ rng.normal(0, 1, 2))
    signal = composition @ _profiles(seen, rng) * seen.features
    signal *= np.exp(rng.normal(0, 0.35, signal.shape) + total[:, None])
    floor = rng.gamma(2.0, 0.05, signal.shape)
    return np.asarray(1e4 * (signal + floor))
