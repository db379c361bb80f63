"""Cells by the hundred thousand, cells to nuclei, and stacks of sections, beside POT, SimpleITK and plain ICP.

Each size runs in a process of its own, which tells its CPU seconds and its peak memory, all imports included. The
largest, 800,000 × 800,000 cells, runs where NAPARI_SPATIALML_BENCHMARK_LARGE is 1. The peers run in their own
environment, named by NAPARI_SPATIALML_PEER_REGISTRATION; where it is not named, their rows are left out.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..figures import Figure
from .planted_cells import KINDS, TISSUES, Planted, planted

__all__ = ["measure"]

PEER_PYTHON = "NAPARI_SPATIALML_PEER_REGISTRATION"
LARGE = "NAPARI_SPATIALML_BENCHMARK_LARGE"
SIZES, SEEDS, MOST = (10_000, 100_000), (0, 1, 2), 800_000
ERROR_UM, SECONDS, GIGABYTES, SLOPE = 45.0, 60.0, 2.0, 1.1
_SMALL = 1000
_ONE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}


def measure() -> Iterator[tuple[str, Figure]]:
    """Yield the table of sizes, the peers at a small size, cells to nuclei, and the drift of a stack."""
    yield from _sizes()
    yield from _beside_peers()
    yield from _nuclei()
    yield from _stack()


def _sizes() -> Iterator[tuple[str, Figure]]:
    spent: dict[int, float] = {}
    runs = [(n, seed) for n in SIZES for seed in SEEDS]
    if os.environ.get(LARGE) == "1":
        runs.append((MOST, 0))
    for n, seed in runs:
        told = subprocess.run(
            [sys.executable, "-m", "benchmarks.registration.planted_cells", str(n), str(seed)],
            capture_output=True, text=True, timeout=900, check=True, env={**os.environ, **_ONE},
        )  # fmt: skip
        found: dict[str, float] = json.loads(told.stdout.splitlines()[-1])
        spent[n] = min(spent.get(n, np.inf), found["seconds"])
        data = f"planted: {n:,} × {n:,} cells, any turn, warp of 150 µm, 20 % dropped, 10 % of types wrong"
        at: dict[str, Any] = {"data": data, "seed": seed}
        yield f"{n:,} cells, seed {seed}: median error", Figure(found["error"], "µm", ERROR_UM, **at)
        yield f"{n:,} cells, seed {seed}: CPU seconds", Figure(found["seconds"], "s", SECONDS, **at)
        yield f"{n:,} cells, seed {seed}: peak memory", Figure(found["gigabytes"], "GB", GIGABYTES, **at)
    sizes, times = np.log(list(spent)), np.log(list(spent.values()))
    slope = float(np.polyfit(sizes, times, 1)[0])
    yield (
        "growth of seconds with cells, power",
        Figure(slope, "", SLOPE, data=f"{min(spent):,} to {max(spent):,} cells"),
    )


def _match(given: Planted, *, typed: bool = True, **settings: Any) -> Any:
    from napari_spatialml.core import Pair, Side
    from napari_spatialml.methods import methods

    eye = np.eye(KINDS)
    kinds = (given.fixed_kinds, given.moving_kinds)
    features = [eye[k] for k in kinds] if typed else [None, None]
    pair = Pair(Side(points=given.fixed, features=features[0]), Side(points=given.moving, features=features[1]))
    return methods("registration")["cells"](coupling="never", **settings)(pair)


def _beside_peers() -> Iterator[tuple[str, Figure]]:
    """Yield errors at a size that the peers can do, over tissues; every pair turned at random."""
    python = os.environ.get(PEER_PYTHON, "")
    for number, tissue in enumerate(TISSUES):
        given = planted(_SMALL, number, tissue, warp_um=10)
        at: dict[str, Any] = {"data": f"planted: {_SMALL:,} cells in {tissue}, warp of 10 µm", "seed": number}
        start = time.process_time()
        error = given.error(_match(given).transform.apply)
        spent = time.process_time() - start
        yield f"{tissue}: nearest neighbours from 12 turns (ICP), median error", Figure(_icp(given), "µm", **at)
        for name, peer in (_peers(python, given) if python else {}).items():
            beside = {"peer": name, **at}
            yield f"{tissue}: median error beside {name}", Figure(error, "µm", peer_value=peer["error"], **beside)
            yield f"{tissue}: CPU seconds beside {name}", Figure(spent, "s", peer_value=peer["seconds"], **beside)
        if not python:
            yield f"{tissue}: median error", Figure(error, "µm", **at)


def _peers(python: str, given: Planted) -> dict[str, dict[str, float]]:
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "pair.npz"
        np.savez(file, **vars(given))
        script = Path(__file__).with_name("peer_cells.py")
        told = subprocess.run(
            [python, str(script), str(file)], capture_output=True, text=True, timeout=600, check=False,
            env={**os.environ, **_ONE},
        )  # fmt: skip
    if told.returncode:
        raise RuntimeError(f"The peer failed:\n{told.stderr[-2000:]}")
    found: dict[str, dict[str, float]] = json.loads(told.stdout.splitlines()[-1])
    return found


def _icp(given: Planted) -> float:
    """Return the median error of iterated closest points: six turns, mirrored or not, the best by its distances."""
    from scipy.spatial import KDTree

    from napari_spatialml.core import Affine
    from napari_spatialml.core.movements import fit_movement

    tree, best = KDTree(given.fixed), (np.inf, Affine.identity())
    for flip in (False, True):
        for degrees in range(0, 360, 60):
            turn = Affine.similarity(1, degrees, reflect=flip)
            at = Affine.translation(*(given.fixed.mean(0) - turn.apply(given.moving).mean(0))) @ turn
            for _ in range(40):
                moved = at.apply(given.moving)
                distance, partner = tree.query(moved)
                at = fit_movement("rigid", moved, given.fixed[partner], reflect=False) @ at
            best = min(best, (float(np.median(distance)), at), key=lambda one: one[0])
    return given.error(best[1].apply)


def _nuclei() -> Iterator[tuple[str, Figure]]:
    for seed in SEEDS:
        given = planted(20_000, seed, TISSUES[seed], warp_um=20, dropped=0.3, jitter_um=5)
        found = _match(given, typed=False)
        data = f"planted: 20,000 cells and nuclei in {TISSUES[seed]}, no types, 30 % missing each, 5 µm jitter"
        error = Figure(given.error(found.transform.apply), "µm", 5.0, data=data, seed=seed)
        yield f"cells to nuclei, seed {seed}: median error", error
        trust = Figure(found.trust.score, "", 0.5, lower_is_better=False, data=data, seed=seed)
        yield f"cells to nuclei, seed {seed}: trust", trust
    for seed in SEEDS:
        here, there = planted(5000, seed, TISSUES[seed]), planted(5000, seed + 10, TISSUES[seed])
        other = Planted(here.fixed, here.fixed_kinds, there.moving, there.moving_kinds, there.exact, there.truth)
        data = f"planted: 5,000 cells of two tissues in {TISSUES[seed]} that do not belong together"
        yield (
            f"not belonging together, seed {seed}: trust",
            Figure(_match(other).trust.score, "", 0.5, data=data, seed=seed),
        )


def _stack() -> Iterator[tuple[str, Figure]]:
    """Yield the error of the last of 20 sections, by links of 10 µm and 0.2° each, beside the chain's."""
    from napari_spatialml.core import Affine
    from napari_spatialml.core.stacks import align_stack

    n, found = 20, {reach: list[float]() for reach in (1, 2, 3)}
    places = [np.array([[-3000.0, -3000], [-3000, 3000], [3000, -3000], [3000, 3000], [0, 0]])] * n
    for seed in range(20):
        for reach, errors in found.items():
            generator = np.random.default_rng(seed)
            links = {}
            for i in range(n):
                for j in range(max(0, i - reach), i):
                    slip = Affine.rotation(generator.normal(0, 0.2))
                    links[i, j] = Affine.translation(*generator.normal(0, 10, 2)) @ slip
            last = align_stack(links, n, points=places)[-1]
            errors.append(float(((last.apply(places[0]) - places[0]) ** 2).sum(1).mean()))
    data = "planted: 20 sections of 6 mm, links off by 10 µm and 0.2° each, 20 trials"
    chain = float(np.sqrt(np.mean(found[1])))
    for reach in (2, 3):
        error = float(np.sqrt(np.mean(found[reach])))
        figure = Figure(error, "µm", 0.6 * chain, peer="chain of neighbours", peer_value=chain, data=data, seed=0)
        yield f"last section of a stack, links up to {reach} apart", figure
