"""A large section divided in a process of its own: ``python -m benchmarks.domains.large FOLDER N GENES PEER``.

Another process makes the table. Prints seconds of the processor, and the peak of memory with the table in it; with
PEER, the seconds that scikit-learn's truncated SVD takes for as many components of the same table, measured last.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from napari_spatialml.core import Cells
from napari_spatialml.methods import method

__all__ = ["made", "stroked"]

K, MOLECULES, PITCH_UM, STROKES = 7, 300, 20.0, 10


def main(folder: str, n: str, genes: str, peer: str, make: str = "") -> None:
    """Make the section in another process, divide it and follow strokes in this one."""
    path = Path(folder) / "section.npz"
    if make:
        counts, where, truth = made(int(n), int(genes))
        parts = {part: getattr(counts, part) for part in ("data", "indices", "indptr", "shape")}
        np.savez(path, where=where, truth=truth, **parts)
        return
    again = [sys.executable, "-m", "benchmarks.domains.large", folder, n, genes, peer, "make"]
    subprocess.run(again, check=True)
    held = np.load(path)
    counts = sp.csr_matrix((held["data"], held["indices"], held["indptr"]), shape=tuple(held["shape"]))
    print(json.dumps(_measured(counts, held["where"], held["truth"], bool(int(peer)))))


def _measured(counts: sp.csr_matrix, where: Any, truth: Any, peer: bool) -> dict[str, float]:
    cells = Cells(counts, where)
    chosen = method("domains", "low-pass-mixture")(n_domains=K)
    found: dict[str, float] = {}
    clock = time.process_time()

    def lap(name: str) -> None:
        nonlocal clock
        now = time.process_time()
        found[name], clock = now - clock, now

    # what calling the method does, stage by stage
    embedded = chosen.embedded(cells)
    chosen.check(cells, embedded)
    lap("embedded")
    smoothed = chosen.smoothed(embedded, cells)
    lap("smoothed")
    free = chosen.divided(smoothed, None)
    lap("divided")
    found["whole"], found["gigabytes"] = sum(found.values()), _peak_gb()
    anchors = stroked(where, truth)
    clock = time.process_time()
    chosen.refitted(smoothed, free.probabilities, anchors)
    lap("refit")
    if peer:
        _svd(counts)
        lap("peer")
    return found


def _svd(counts: sp.csr_matrix) -> None:
    from sklearn.decomposition import TruncatedSVD

    TruncatedSVD(30, random_state=0).fit_transform(counts.log1p())


def made(n: int, genes: int) -> tuple[sp.csr_matrix, npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return counts of bins on a square grid, where they are in µm, and in which of seven bent bands."""
    rng = np.random.default_rng(0)
    across = int(np.ceil(np.sqrt(n)))
    where = np.stack(np.divmod(np.arange(n), across), 1).astype(float)
    depth = where[:, 0] / across + 0.08 * np.sin(7 * where[:, 1] / across)
    truth = np.digitize(depth, np.quantile(depth, np.arange(1, K) / K)).astype(np.int64)
    profiles = np.exp(rng.normal(0, 1.2, genes) + np.where(rng.random((K, genes)) < 0.1, 0.7, 0.0))
    steps = np.cumsum(profiles / profiles.sum(1, keepdims=True), 1)
    steps[:, -1] = 1.0
    molecules = rng.poisson(MOLECULES * rng.gamma(4.0, 0.25, n))
    rows = np.repeat(np.arange(n, dtype=np.int32), molecules)
    columns = np.empty(len(rows), np.int32)
    draw = rng.random(len(rows))
    for domain in range(K):
        here = truth[rows] == domain
        columns[here] = np.searchsorted(steps[domain], draw[here])
    counts = sp.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=(n, genes))
    return counts, where * PITCH_UM, truth


def stroked(where: npt.NDArray[np.float64], truth: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return anchors: ten strokes of fifteen rows, anywhere."""
    from scipy.spatial import cKDTree

    middles = np.random.default_rng(1).integers(len(where), size=STROKES)
    rows = cKDTree(where).query(where[middles], k=15)[1].ravel()
    anchors = np.full(len(where), -1, np.int64)
    anchors[rows] = truth[np.repeat(middles, 15)]
    return anchors


def _peak_gb() -> float:
    unit = 1e9 if sys.platform == "darwin" else 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


if __name__ == "__main__":
    main(*sys.argv[1:])
