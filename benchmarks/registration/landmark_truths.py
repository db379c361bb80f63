"""Sections of 5 mm whose true map is known, and the kidney pair that people marked, for the benchmark of landmarks."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

__all__ = ["DATA", "KINDS", "kidney", "map_of", "tissue"]

Array = npt.NDArray[np.float64]

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "kidney_pair"
KINDS = ("similarity", "affine", "smooth", "sharp")
_STAINS = ("HE", "PanCytokeratin")


def kidney() -> tuple[Array, Array]:
    """Return the (69, 2) landmarks of H&E (fixed) and PanCytokeratin (moving) as (y, x) in pixels."""
    sides: list[dict[str, list[float]]] = []
    for stain in _STAINS:
        with (DATA / f"Rat-Kidney_{stain}.csv").open(newline="") as file:
            sides.append({row[""]: [float(row["Y"]), float(row["X"])] for row in csv.DictReader(file)})
    shared = [name for name in sides[0] if name in sides[1]]
    return np.array([sides[0][n] for n in shared]), np.array([sides[1][n] for n in shared])


def tissue(rng: np.random.Generator, n: int) -> Array:
    """Return (n, 2) places, as (y, x) in µm, in a section of some 5 mm with a lobed outline."""
    flat, phase, height = rng.uniform(0.6, 1), rng.uniform(0, 2 * np.pi, 3), rng.uniform(0, 0.15, 3)
    found = np.empty((0, 2))
    while len(found) < n:
        tried = rng.uniform(-1.3, 1.3, (4 * n, 2))
        angle = np.arctan2(tried[:, 0], tried[:, 1])[:, None]
        outline = 1 + (height * np.cos((np.arange(3) + 2) * angle + phase)).sum(1)
        found = np.vstack([found, tried[np.hypot(tried[:, 0] / flat, tried[:, 1]) < outline]])
    return 2500 * found[:n]


def map_of(rng: np.random.Generator, kind: str) -> Callable[[Array], Array]:
    """Return a map of a section: turned and scaled; sheared by 3 %; bent over 2.5 mm, or over 0.7 mm."""
    turn, scale = rng.uniform(0, 2 * np.pi), rng.uniform(0.8, 1.25)
    linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    if kind != "similarity":
        linear = linear @ (np.eye(2) + rng.normal(0, 0.03, (2, 2)))
    reach, height = {"smooth": (2500.0, rng.uniform(40, 150)), "sharp": (700.0, rng.uniform(30, 100))}.get(
        kind, (1.0, 0.0)
    )
    # a Gaussian random field, by random Fourier features
    waves, phase, weight = (
        rng.normal(0, 1 / reach, (300, 2)),
        rng.uniform(0, 2 * np.pi, 300),
        rng.normal(0, 1, (300, 2)),
    )

    def apply(places: Array) -> Array:
        bend = np.cos(places @ waves.T + phase) @ weight * np.sqrt(2 / 300)
        return np.asarray(places @ linear.T + (300, -700) + height * bend)

    return apply
