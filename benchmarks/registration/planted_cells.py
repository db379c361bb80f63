"""Planted sections of cells: a tissue, and the same one bent, turned, thinned and mistaken.

``python -m benchmarks.registration.planted_cells CELLS SEED`` matches one pair in a process of its own and
prints its seconds, gigabytes and error as JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Array = npt.NDArray[np.float64]
KINDS = 12
SPACING_UM = 10.0
TISSUES = ("patches", "layers", "random")


@dataclass(frozen=True)
class Planted:
    """Two sides, and where the moving cells (noise aside) lie in truth on the fixed side."""

    fixed: Array
    fixed_kinds: npt.NDArray[np.int64]
    moving: Array
    moving_kinds: npt.NDArray[np.int64]
    exact: Array
    truth: Array

    def error(self, apply: Any) -> float:
        """Return the median distance in µm from where the moving cells are put to where they belong."""
        return float(np.median(np.linalg.norm(apply(self.exact) - self.truth, axis=1)))


def planted(
    n: int, seed: int, tissue: str = "patches", *, warp_um: float = 150.0, dropped: float = 0.2, wrong: float = 0.1,
    jitter_um: float = 0.0,
) -> Planted:  # fmt: skip
    """Return a pair of about ``n`` cells a side, 10 µm apart, turned by any angle and mirrored every second time."""
    generator = np.random.default_rng(seed)
    where, kinds = _tissue(int(n / (1 - dropped)), tissue, generator)
    size = float(np.ptp(where, axis=0).max())
    bent = where + warp_um * _smooth(where / size, generator)
    angle = generator.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = bent @ (turn @ np.diag([1.0, (-1.0) ** seed])).T + generator.normal(0, size, 2)
    here, there = (generator.uniform(size=len(where)) >= dropped for _ in range(2))
    mistaken = np.where(generator.uniform(size=len(where)) < wrong, generator.integers(0, KINDS, len(where)), kinds)
    order = generator.permutation(np.flatnonzero(there))
    seen = moved[order] + generator.normal(0, 1, (len(order), 2)) * jitter_um
    return Planted(where[here], kinds[here], seen, mistaken[order], moved[order], where[order])


def _tissue(n: int, tissue: str, generator: np.random.Generator) -> tuple[Array, npt.NDArray[np.int64]]:
    where = generator.uniform(-0.5, 0.5, (int(2.4 * n) + 100, 2))
    angle, radius = np.arctan2(where[:, 0], where[:, 1]), np.hypot(*where.T)
    phase = generator.uniform(0, 2 * np.pi, 3)
    outline = 0.4 + sum(a * np.sin(k * angle + p) for a, k, p in zip((0.03, 0.03, 0.02), (1, 2, 3), phase, strict=True))
    where = where[radius < outline][:n]
    if tissue == "random":
        strength = np.zeros((len(where), KINDS))
    elif tissue == "layers":
        depth = (where[:, 0] + 0.1 * np.sin(7 * where[:, 1] + phase[0]) + 0.5) * KINDS
        strength = -((depth[:, None] - np.arange(KINDS)) ** 2) / 2
    else:
        strength = np.stack([1.2 * _noise(where, generator) for _ in range(KINDS)], 1)
    kinds = (strength + generator.gumbel(size=strength.shape)).argmax(1)
    # a square of the tissue's scale holds one cell in the square of the spacing
    scale = SPACING_UM * np.sqrt(len(where) / 0.5)
    return where * scale, kinds


def _noise(where: Array, generator: np.random.Generator) -> Array:
    field = ndimage.gaussian_filter(generator.normal(size=(128, 128)), 5, mode="wrap")
    at = ((where - where.min(0)) / np.ptp(where, axis=0).max() * 126).T
    return np.asarray(ndimage.map_coordinates(field / field.std(), at, order=1, mode="nearest"))


def _smooth(where: Array, generator: np.random.Generator) -> Array:
    """Return a smooth displacement (n, 2) whose longest is 1."""
    fields = [ndimage.gaussian_filter(generator.normal(size=(64, 64)), 9, mode="wrap") for _ in range(2)]
    at = ((where - where.min(0)) * 62 + 0.5).T
    way = np.stack([ndimage.map_coordinates(field, at, order=3, mode="nearest") for field in fields], 1)
    return np.asarray(way / np.linalg.norm(way, axis=1).max())


def timed(n: int, seed: int) -> dict[str, float]:
    """Match one pair; the loops are compiled by then."""
    from napari_spatialml.core import Pair, Side
    from napari_spatialml.methods import methods

    matcher = methods("registration")["cells"](coupling="never")

    def sides(given: Planted) -> Pair:
        eye = np.eye(KINDS)
        return Pair(
            Side(points=given.fixed, features=eye[given.fixed_kinds]),
            Side(points=given.moving, features=eye[given.moving_kinds]),
        )

    matcher(sides(planted(1000, 0, warp_um=10)))
    given = planted(n, seed)
    pair = sides(given)
    start = time.process_time()
    found = matcher(pair)
    spent = time.process_time() - start
    return {
        "seconds": spent,
        "gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "error": given.error(found.transform.apply),
        "trust": 0.0 if found.trust is None else found.trust.score,
        "cells": float(len(given.moving)),
    }


if __name__ == "__main__":
    print(json.dumps(timed(int(sys.argv[1]), int(sys.argv[2]))))
