"""A million bins from a zarr store: what the command line needs of memory and time, in a process of its own.

``python -m benchmarks.deconvolution.streamed SIDE METHOD`` does it with SIDE × SIDE bins. Each bin holds 150 counts
of two cell types, drawn from profiles of 15 types over 1,000 genes: about 110 genes a bin are not zero.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from ..figures import Figure

SIDE, GENES, TYPES, DEPTH, CELLS, SEED = 1_000, 1_000, 15, 75, 3_000, 0
METHOD, MOST_GB = "negative-binomial", 4.0
_BLOCK = 50_000
_RUN = "import sys; from napari_spatialml.cli import main; sys.exit(main())"


def measure() -> Iterator[tuple[str, Figure]]:
    """Yield the peak of memory, the time, and how far the proportions are from the truth."""
    yield from _measured(SIDE, METHOD)


def _measured(side: int, method: str) -> Iterator[tuple[str, Figure]]:
    with tempfile.TemporaryDirectory(prefix="streamed-") as folder:
        here = [sys.executable, "-m", "benchmarks.deconvolution.streamed", str(side), method, folder]
        done = subprocess.run(here, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.strip().splitlines()[-1])
    said: dict[str, Any] = {"data": f"{side * side:,} bins × {GENES:,} genes × {TYPES} types, {method}", "seed": SEED}
    yield "peak memory", Figure(found["gigabytes"], "GB", MOST_GB, **said)
    yield "processor time", Figure(found["seconds"], "s", None, **said)
    yield "RMSE", Figure(found["rmse"], "", None, **said)


def main(side: int, method: str, folder: Path) -> None:
    """Make a store, deconvolve it by the command line in another process, and print what that took."""
    first, second = make(side, folder)
    store = folder / "section.zarr"
    reference = ["--table", "counts", "--reference", str(folder / "reference.h5ad")]
    environment = {**os.environ, "NAPARI_SPATIALML_STATE": str(folder / "state")}
    command = [sys.executable, "-c", _RUN, "deconvolution", method, str(store), *reference]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=sys.stderr, env=environment)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    peak = used.ru_maxrss / (1e9 if sys.platform == "darwin" else 1e6)
    print(json.dumps({"gigabytes": peak, "seconds": seconds, "rmse": _error(store, first, second)}))


def make(side: int, folder: Path) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Write a section of bins and its reference; return the two types of each bin."""
    import anndata as ad
    import pandas as pd
    from spatialdata import SpatialData
    from spatialdata.models import Labels2DModel, TableModel
    from spatialdata.transformations import Scale

    generator, n = np.random.default_rng(SEED), side * side
    profiles = generator.gamma(0.5, 1, GENES) * np.exp(generator.normal(0, 1, (TYPES, GENES)))
    sums = np.cumsum(profiles / profiles.sum(1, keepdims=True), 1)
    names = [f"Gene{i}" for i in range(GENES)]
    first, second = generator.integers(0, TYPES, (2, n))
    blocks = [
        _drawn(first[start : start + _BLOCK], DEPTH, sums, generator)
        + _drawn(second[start : start + _BLOCK], DEPTH, sums, generator)
        for start in range(0, n, _BLOCK)
    ]
    ids = np.arange(1, n + 1, dtype=np.int32)
    obs = pd.DataFrame({"region": pd.Categorical(["bins"] * n), "instance_id": ids}, index=[f"b{i}" for i in ids])
    table = ad.AnnData(sp.vstack(blocks, format="csr"), obs=obs, var=pd.DataFrame(index=names))
    bins = Labels2DModel.parse(
        ids.reshape(side, side), dims=("y", "x"), transformations={"global": Scale([8.0, 8.0], ("x", "y"))}
    )
    told = {"spatialml": {"version": 1, "um_per_unit": {"global": 1.0}}}
    counts = TableModel.parse(table, region="bins", region_key="region", instance_key="instance_id")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        SpatialData.init_from_elements({"bins": bins, "counts": counts}, attrs=told).write(folder / "section.zarr")
    types = generator.integers(0, TYPES, CELLS)
    cells = _drawn(types, 2_000, sums, generator)
    about = pd.DataFrame({"cell_type": [_name(k) for k in types]}, index=[f"c{i}" for i in range(CELLS)])
    ad.AnnData(cells, obs=about, var=pd.DataFrame(index=names)).write_h5ad(folder / "reference.h5ad")
    return first, second


def _name(number: int) -> str:
    return f"type {number:02}"


def _drawn(types: Any, depth: int, sums: Any, generator: np.random.Generator) -> sp.csr_matrix:
    """Return ``depth`` counts for each type of a row, drawn from its profile."""
    at = generator.random((len(types), depth), dtype=np.float32)
    genes = np.empty(at.shape, np.int32)
    for k in np.unique(types):
        genes[types == k] = np.searchsorted(sums[k], at[types == k])
    ends = np.arange(0, genes.size + 1, depth, dtype=np.int32)
    ones, genes = np.ones(genes.size, np.float32), np.minimum(genes.ravel(), GENES - 1)
    made = sp.csr_matrix((ones, genes, ends), shape=(len(types), GENES))
    made.sum_duplicates()
    return made


def _error(store: Path, first: npt.NDArray[np.int64], second: npt.NDArray[np.int64]) -> float:
    """Return the root mean square error of the proportions in the store."""
    import zarr
    from anndata.io import read_elem

    frame = read_elem(zarr.open_group(str(store / "tables" / "counts" / "obsm"), mode="r")["proportions"])
    found = frame[[_name(k) for k in range(TYPES)]].to_numpy()
    rows = np.arange(len(first))
    np.subtract.at(found, (rows, first), 0.5)
    np.subtract.at(found, (rows, second), 0.5)
    return float(np.sqrt((found**2).mean()))


if __name__ == "__main__":
    given = sys.argv[1:]
    if len(given) == 3:
        main(int(given[0]), given[1], Path(given[2]))
    else:
        for told, figure in _measured(int(given[0]) if given else SIDE, given[1] if len(given) > 1 else METHOD):
            print(f"{told}: {figure.value:.3g} {figure.unit} ({figure.data}; seed {figure.seed})")
