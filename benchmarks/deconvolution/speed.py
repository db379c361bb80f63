"""How long it takes: one section, a re-fit after the hand, and tables of a hundred thousand and of a million rows.

The large ones run in a process of their own (`large`), so that its memory is theirs. The million, which is
read from a zarr store, is measured with ``NAPARI_SPATIALML_BENCHMARK_LARGE=1``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from napari_spatialml.core import Reference, Spots
from napari_spatialml.core.deconvolution import Constraints
from napari_spatialml.methods import method, methods

from ..figures import Figure
from .simulate import Kind, Simulated, simulate

__all__ = ["measure"]

Found = Iterator[tuple[str, Figure]]


def measure() -> Found:
    """Yield seconds on one thread, and peaks of memory."""
    yield from _section()
    yield from _refit()
    yield from _large(100_000, 1000, 15, stored=False, seconds=20.0, peak=3.0)
    if os.environ.get("NAPARI_SPATIALML_BENCHMARK_LARGE"):
        yield from _large(1_000_000, 1000, 15, stored=True, seconds=None, peak=4.0)


def _processor(action: Callable[[], Any], times: int = 3) -> float:
    """Return the least seconds of the processor of several runs; the first one compiles."""
    taken = []
    for _ in range(times):
        start = time.process_time()
        action()
        taken.append(time.process_time() - start)
    return min(taken)


def _section() -> Found:
    made = _of_types(simulate(Kind("atlas", 3815, 8, 0.5, n_spots=900), 0), 11)
    default, there = method("deconvolution", "negative-binomial"), methods("deconvolution")
    data = f"{made.spots.counts.shape[0]} spots × {made.spots.counts.shape[1]} genes × {len(made.types)} types"
    yield (
        "a section",
        Figure(_processor(lambda: default(intervals=False)(made.spots, made.reference)), "s", 0.6, data=data, seed=0),
    )
    yield (
        "a section, with intervals and flags",
        Figure(_processor(lambda: default()(made.spots, made.reference)), "s", data=data, seed=0),
    )
    for name in ("weighted-nnls", "nnls", "graph-nnls"):
        if name in there:
            yield (
                f"a section, {name}",
                Figure(_processor(lambda name=name: there[name]()(made.spots, made.reference)), "s", data=data, seed=0),
            )


def _of_types(made: Simulated, n_types: int) -> Simulated:
    """Return it with the first types of the reference."""
    from dataclasses import replace

    kept = np.isin(made.reference.types, made.types[:n_types])
    reference = Reference(made.reference.counts[kept], made.reference.genes, made.reference.types[kept])
    return replace(made, reference=reference, types=made.types[:n_types])


def _refit() -> Found:
    made = simulate(Kind("atlas", 1000, 8, 0.5, n_spots=4000), 0)
    default = method("deconvolution", "negative-binomial")
    first = default()(made.spots, made.reference)
    types = len(made.types)
    lower, upper = np.eye(1, types) * 0.8, np.where(np.arange(types) == 0, 0.8, 1.0)[None]
    hand = Constraints(made.types, np.array([7]), lower, upper)
    again = Spots(made.spots.counts, made.spots.genes, made.spots.coordinates, hand, first)
    for name, intervals in (("", False), (", with intervals and flags", True)):
        taken = _processor(lambda intervals=intervals: default(intervals=intervals)(again, made.reference))
        floor = None if intervals else 1.0
        yield f"a re-fit after an override{name}", Figure(taken, "s", floor, data="4,000 spots × 1,000 genes", seed=0)


def _large(n: int, genes: int, types: int, stored: bool, seconds: float | None, peak: float) -> Found:
    data = f"{n:,} rows × {genes:,} genes × {types} types" + (", read from a zarr store" if stored else "")
    with tempfile.TemporaryDirectory() as folder:
        size = [str(k) for k in (n, genes, types, int(stored))]
        told = subprocess.run(
            [sys.executable, "-m", "benchmarks.deconvolution.large", folder, *size],
            text=True,
            capture_output=True,
            cwd=Path(__file__).resolve().parents[2],
            env={**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"},
        )
    if told.returncode:
        print(f"NOT MEASURED: {data}: {told.stderr.strip().splitlines()[-1:]}")
        return
    found = json.loads(told.stdout.strip().splitlines()[-1])
    yield f"{data}: seconds", Figure(found["seconds"], "s", seconds, data=data, seed=0)
    yield f"{data}: peak of memory", Figure(found["gigabytes"], "GB", peak, data=data, seed=0)
