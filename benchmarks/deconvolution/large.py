"""A large table deconvolved in a process of its own: ``python -m benchmarks.deconvolution.large FOLDER N G T STORED``.

Prints the seconds of the processor and the peak of memory, that of making the table not among it.
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
import scipy.sparse as sp

from napari_spatialml.core import Reference, Spots
from napari_spatialml.methods import method

PIECE = 20_000
COUNTS = 400.0
CELLS = 40
"""Of each type, in the reference."""


def main(folder: str, n: str, genes: str, types: str, stored: str, made: str = "") -> None:
    """Make the table in another process, read and deconvolve it in this one."""
    path = Path(folder)
    if made:
        make(path, int(n), int(genes), int(types))
        return
    again = [sys.executable, "-m", "benchmarks.deconvolution.large", folder, n, genes, types, stored, "make"]
    subprocess.run(again, check=True)
    reference = reference_of(int(genes), int(types))
    start = time.process_time()
    spots = Spots(_counts(path, bool(int(stored))), reference.genes)
    method("deconvolution", "negative-binomial")()(spots, reference)
    taken = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(json.dumps({"seconds": taken, "gigabytes": peak}))


def make(folder: Path, n: int, genes: int, types: int) -> None:
    """Write counts of ``n`` rows as the CSR matrix of an AnnData's zarr store, piece by piece."""
    import zarr

    group = zarr.open_group(str(folder / "X"), mode="w")
    group.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0", "shape": [n, genes]})
    rng = np.random.default_rng(0)
    profiles = _profiles(genes, types)
    data, indices, indptr = [], [], [np.zeros(1, np.int64)]
    for start in range(0, n, PIECE):
        many = min(PIECE, n - start)
        shares = rng.dirichlet(np.full(types, 0.2), many)
        piece = sp.csr_matrix(rng.poisson(COUNTS * shares @ profiles).astype(np.float32))
        data.append(piece.data)
        indices.append(piece.indices.astype(np.int32))
        indptr.append(indptr[-1][-1] + piece.indptr[1:].astype(np.int64))
    for name, parts in (("data", data), ("indices", indices), ("indptr", indptr)):
        values = np.concatenate(parts)
        group.create_array(name, shape=values.shape, dtype=values.dtype, chunks=(1 << 20,))[:] = values


def reference_of(genes: int, types: int) -> Reference:
    """Return cells of the types."""
    rng = np.random.default_rng(1)
    number = np.repeat(np.arange(types), CELLS)
    counts = rng.poisson(2000.0 * _profiles(genes, types)[number] * rng.gamma(3.0, 1 / 3, (len(number), genes)))
    names = np.array([f"type {k:02d}" for k in number])
    return Reference(sp.csr_matrix(counts.astype(np.float64)), np.array([f"G{j:05d}" for j in range(genes)]), names)


def _profiles(genes: int, types: int) -> Any:
    rng = np.random.default_rng(2)
    profiles = np.exp(rng.normal(0, 1.2, genes) + np.where(rng.random((types, genes)) < 0.15, 1.5, 0.0))
    return profiles / profiles.sum(1, keepdims=True)


def _counts(folder: Path, stored: bool) -> Any:
    """Return the rows that wait in the store, or the matrix in memory."""
    if stored:
        from napari_spatialml.io.stored_counts import StoredRows

        return StoredRows(folder / "X")
    import zarr

    group = zarr.open_group(str(folder / "X"), mode="r")
    parts = tuple(group[name][:] for name in ("data", "indices", "indptr"))
    return sp.csr_matrix(parts, shape=tuple(group.attrs["shape"]))


if __name__ == "__main__":
    main(*sys.argv[1:])
