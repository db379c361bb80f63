"""How long it takes: a slice, a changed number or smoothing, a stroke, and up to 400,000 rows.

Times are those of the processor on one thread, so that what else runs does not count. The large sections are
divided in processes of their own (`large`), so that the memory is theirs. Where another program has to do the same
work at least, it is measured in the same run: scikit-learn's truncated SVD of the table.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_spatialml.methods import method

from ..figures import Figure
from .large import stroked
from .sections import SLICES, dlpfc

__all__ = ["measure"]

Found = Iterator[tuple[str, Figure]]
SIZES = (4_000, 20_000, 100_000, 400_000)
GENES_OF_SIZES, LARGE, GENES_OF_LARGE = 500, 100_000, 2000
SLOPE = 1.1
PEER = "scikit-learn's truncated SVD"


def measure() -> Found:
    """Yield times of a slice and what follows the hand, then of large sections, and how they grow."""
    yield from _slice()
    yield from _large()
    yield from _growth()


def _slice() -> Found:
    from sklearn.decomposition import TruncatedSVD

    section = dlpfc(SLICES[0])
    cells, said = section.cells, {"data": section.name, "seed": 0}
    chosen = method("domains", "low-pass-mixture")(n_domains=section.k)
    svd = TruncatedSVD(30, random_state=0)
    limit = _processor(lambda: svd.fit_transform(cells.features.log1p()))
    whole = Figure(_processor(lambda: chosen(cells)), "s", 1.0, **said, peer=PEER, peer_value=limit)
    yield "a slice, from its counts", whole
    embedded = chosen.embedded(cells)
    smoothed = chosen.smoothed(embedded, cells)
    free = chosen.divided(smoothed, None)
    more, wider = replace(chosen, n_domains=section.k + 1), replace(chosen, smoothing_um=1.5 * section.pitch_um)
    yield "k changed, from the cache", Figure(_ms(lambda: more.divided(smoothed, None)), "ms", 150.0, **said)

    def smoother() -> None:
        wider.divided(wider.smoothed(embedded, cells), None)

    yield "smoothing changed, from the cache", Figure(_ms(smoother), "ms", 150.0, **said)
    anchors = stroked(cells.coordinates, np.maximum(section.truth, 0))
    taken = _ms(lambda: chosen.refitted(smoothed, free.probabilities, anchors))
    yield "a re-fit after a stroke", Figure(taken, "ms", 100.0, **said)


def _large() -> Found:
    found = divided(LARGE, GENES_OF_LARGE, peer=True)
    if found is None:
        return
    said = {"data": f"made, {LARGE:,} bins × {GENES_OF_LARGE:,} genes", "seed": 0}
    yield (
        "100,000 rows, from their counts",
        Figure(found["whole"], "s", 8.0, **said, peer=PEER, peer_value=found["peer"]),
    )
    yield "100,000 rows, peak of memory", Figure(found["gigabytes"], "GB", 2.0, **said)
    yield "100,000 rows, a re-fit after a stroke", Figure(1000 * found["refit"], "ms", 500.0, **said)
    yield "100,000 rows, k changed", Figure(found["divided"], "s", None, **said)


def _growth() -> Found:
    taken: dict[int, float] = {}
    for n in SIZES:
        found = divided(n, GENES_OF_SIZES)
        if found is None:
            return
        taken[n] = found["whole"]
        data = f"made, {n:,} bins × {GENES_OF_SIZES} genes"
        yield f"{n:,} rows", Figure(found["whole"], "s", None, data=data, seed=0)
        yield f"{n:,} rows, peak of memory", Figure(found["gigabytes"], "GB", None, data=data, seed=0)
    slope = float(np.polyfit(np.log(list(taken)), np.log(list(taken.values())), 1)[0])
    data = f"{SIZES[0]:,} to {SIZES[-1]:,} bins × {GENES_OF_SIZES} genes"
    yield "growth with the rows: power", Figure(slope, "", SLOPE, data=data, seed=0)


def divided(n: int, genes: int, peer: bool = False) -> dict[str, float] | None:
    """Return what a process of its own measures, or None, said, where it fails."""
    with tempfile.TemporaryDirectory() as folder:
        told = subprocess.run(
            [sys.executable, "-m", "benchmarks.domains.large", folder, str(n), str(genes), str(int(peer))],
            text=True,
            capture_output=True,
            cwd=Path(__file__).resolve().parents[2],
            env={**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"},
        )
    if told.returncode:
        print(f"NOT MEASURED: {n:,} rows: {told.stderr.strip().splitlines()[-1:]}")
        return None
    found: dict[str, float] = json.loads(told.stdout.strip().splitlines()[-1])
    return found


def _processor(action: Callable[[], Any], times: int = 3) -> float:
    """Return the median seconds of the processor, after one run that compiles and imports."""
    action()
    taken = []
    for _ in range(times):
        start = time.process_time()
        action()
        taken.append(time.process_time() - start)
    return statistics.median(taken)


def _ms(action: Callable[[], Any]) -> float:
    return 1000 * _processor(action)
