"""The peers on the same data: textbook NNLS here, FlashDeconv and Tangram in an environment of their own.

That environment is named by ``NAPARI_SPATIALML_PEER_DECONVOLUTION`` (its Python, with flashdeconv, tangram-sc,
torch and scanpy); where it is not named, their columns are left out.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.optimize
import scipy.sparse as sp

from napari_spatialml.core import Reference, Spots

__all__ = ["PEER", "Answer", "nnls", "others"]

PEER = "NAPARI_SPATIALML_PEER_DECONVOLUTION"
EPOCHS = os.environ.get("NAPARI_SPATIALML_TANGRAM_EPOCHS", "1000")
"""Of Tangram: its default."""
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Answer:
    """(n, t) proportions, columns sorted by name, and the seconds of the processor on one thread."""

    values: Array
    seconds: float


def nnls(spots: Spots, reference: Reference) -> dict[str, Answer]:
    """Return non-negative least squares of each spot on mean profiles over all shared genes, by SciPy.

    Once of raw counts on the mean counts of a type's cells, once of shares on the mean shares.
    """
    _, here, there = np.intersect1d(spots.genes, reference.genes, return_indices=True)
    assert isinstance(spots.counts, sp.csr_matrix)
    counts, cells = spots.counts[:, here].toarray(), reference.counts[:, there].toarray()
    names = np.unique(reference.types)
    found = {}
    for reading, (rows, of_cells) in {
        "raw": (counts, cells),
        "normalised": (_shares(counts), _shares(cells)),
    }.items():
        start = time.process_time()
        profiles = np.stack([of_cells[reference.types == name].mean(0) for name in names], axis=1)
        # one scale for all, so that the solver's tolerance means the same
        profiles = profiles / profiles.max()
        scale = np.maximum(rows.max(1, keepdims=True), 1e-12)
        values = np.stack([scipy.optimize.nnls(profiles, row)[0] for row in rows / scale])
        total = values.sum(1, keepdims=True)
        values = np.divide(values, total, out=np.full(values.shape, 1 / len(names)), where=total > 0)
        found[reading] = Answer(values, time.process_time() - start)
    return found


def others(sets: Mapping[str, tuple[Spots, Reference]]) -> dict[str, dict[str, Answer]]:
    """Return, for each data set by name, the answers of the peers that are there, by name."""
    peer = os.environ.get(PEER)
    if not peer:
        print(f"NOT COMPARED: {PEER} names no Python with flashdeconv and tangram-sc.")
        return {name: {} for name in sets}
    with tempfile.TemporaryDirectory() as folder:
        for number, (spots, reference) in enumerate(sets.values()):
            _write(Path(folder) / f"{number}.in.npz", spots, reference)
        script = Path(__file__).with_name("peer_methods.py")
        threads = {name: "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")}
        told = subprocess.run(
            [peer, str(script), folder, EPOCHS], text=True, stderr=subprocess.PIPE, env={**os.environ, **threads}
        )
        failures = [line for line in told.stderr.splitlines() if "failed on" in line]
        if told.returncode or failures:
            print(f"NOT COMPARED: {failures or told.stderr.strip().splitlines()[-1:]}")
        return {name: _read(Path(folder), number) for number, name in enumerate(sets)}


def _write(path: Path, spots: Spots, reference: Reference) -> None:
    held: dict[str, Any] = {"types": reference.types, "names": np.unique(reference.types)}
    for what, table in (("spots", spots), ("reference", reference)):
        counts = sp.csr_matrix(table.counts)
        held |= {f"{what}_{part}": getattr(counts, part) for part in ("data", "indices", "indptr", "shape")}
        held[f"{what}_genes"] = table.genes
    n = spots.counts.shape[0]
    grid = np.stack(np.divmod(np.arange(n), int(np.ceil(np.sqrt(n)))), 1)
    where = grid if spots.coordinates is None else spots.coordinates
    np.savez(path, coordinates=where.astype(float), **held)


def _read(folder: Path, number: int) -> dict[str, Answer]:
    answers = {}
    for path in sorted(folder.glob(f"{number}.*.npz")):
        method = path.name.split(".")[1]
        if method != "in":
            held = np.load(path)
            answers[method] = Answer(held["values"], float(held["seconds"]))
    return answers


def _shares(values: Array) -> Array:
    return values / np.maximum(values.sum(1, keepdims=True), 1e-12)
