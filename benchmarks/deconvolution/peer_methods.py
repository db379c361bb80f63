"""FlashDeconv and Tangram as their documentation says: run by `peers` with its own Python, never imported.

``python peer_methods.py FOLDER [EPOCHS]`` reads every ``FOLDER/*.in.npz`` and writes beside it one
``NAME.METHOD.npz`` a method, with the proportions and the seconds of the processor on one thread.
"""

from __future__ import annotations

import logging
import sys
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

MARKERS = 100
"""A type, for Tangram: what its tutorial takes."""


def main(folder: str, epochs: str = "1000") -> None:
    """Run both on every data set of a folder."""
    import torch

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    logging.disable(logging.INFO)
    methods = {"FlashDeconv": flashdeconv, "Tangram": lambda *tables: tangram(*tables, int(epochs))}
    for path in sorted(Path(folder).glob("*.in.npz")):
        held = np.load(path)
        for name, run in methods.items():
            try:
                best = np.inf
                # the first run of FlashDeconv compiles: not part of the seconds
                for _ in range(2 if name == "FlashDeconv" else 1):
                    tables = _tables(held)
                    start = time.process_time()
                    values = run(*tables)
                    best = min(best, time.process_time() - start)
            except Exception:
                print(f"{name} failed on {path.name}: {traceback.format_exc(limit=-2)}", file=sys.stderr, flush=True)
                continue
            columns = values.reindex(columns=held["names"], fill_value=0.0).to_numpy(float)
            total = columns.sum(1, keepdims=True)
            shares = np.divide(columns, total, out=np.full(columns.shape, 1 / columns.shape[1]), where=total > 0)
            np.savez(path.with_name(path.name.replace(".in.npz", f".{name}.npz")), values=shares, seconds=best)


def flashdeconv(spots: Any, reference: Any) -> Any:
    """Return what the quick start of its README gives, all parameters at their defaults."""
    import flashdeconv as fd

    fd.tl.deconvolve(spots, reference, cell_type_key="cell_type")
    return spots.obsm["flashdeconv"]


def tangram(spots: Any, reference: Any, epochs: int) -> Any:
    """Return what mapping clusters gives: markers of each type, ``epochs`` steps, annotations projected."""
    import scanpy as sc
    import tangram as tg

    sc.pp.normalize_total(reference)
    genes = _markers(reference, set(spots.var_names))
    tg.pp_adatas(reference, spots, genes=genes)
    found = tg.map_cells_to_space(
        reference, spots, mode="clusters", cluster_label="cell_type", num_epochs=epochs, random_state=0, verbose=False
    )
    tg.project_cell_annotations(found, spots, annotation="cell_type")
    return spots.obsm["tangram_ct_pred"]


def _markers(reference: Any, known: set[str]) -> list[str]:
    """Return the markers of each type, as its tutorial does; all genes where a type has one row, of a table."""
    import scanpy as sc

    if reference.obs["cell_type"].value_counts().min() < 2:
        return [gene for gene in reference.var_names if gene in known]
    logged = reference.copy()
    sc.pp.log1p(logged)
    sc.tl.rank_genes_groups(logged, groupby="cell_type", use_raw=False)
    ranked = logged.uns["rank_genes_groups"]["names"]
    markers = np.unique([gene for row in list(ranked)[:MARKERS] for gene in row])
    return [str(gene) for gene in markers if gene in known]


def _tables(held: Any) -> tuple[Any, Any]:
    import anndata
    import pandas as pd

    def table(what: str) -> Any:
        shape = tuple(held[f"{what}_shape"])
        counts = sp.csr_matrix((held[f"{what}_data"], held[f"{what}_indices"], held[f"{what}_indptr"]), shape=shape)
        made = anndata.AnnData(counts.astype(np.float32))
        made.var_names = held[f"{what}_genes"]
        return made

    spots, reference = table("spots"), table("reference")
    spots.obsm["spatial"] = held["coordinates"]
    reference.obs["cell_type"] = pd.Categorical(held["types"])
    return spots, reference


if __name__ == "__main__":
    main(*sys.argv[1:])
