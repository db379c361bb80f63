"""GraphST and STAGATE as their tutorials on this cortex say: run by `peers` with its own Python, never imported.

``python peer_methods.py METHOD SECTION.npz OUT.npz SEED EPOCHS`` writes the embedding, the labels of the final
clusterer and the seconds of the processor on one thread. Both recommend mclust's model EEE, which needs R: here
scikit-learn's mixture with one covariance for all, which is the same model, of ten starts.
"""

from __future__ import annotations

import random
import sys
import time
import warnings
from typing import Any

import numpy as np
import scipy.sparse as sp

REFINED_OVER = 50
"""Neighbours whose majority a spot takes at the end, for GraphST: what its tutorial takes on this cortex."""


def main(name: str, section: str, out: str, seed: str, epochs: str) -> None:
    """Embed and divide one section."""
    import torch

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    held = np.load(section)
    # loading the packages is not part of the seconds
    run = {"GraphST": graphst, "STAGATE": stagate}[name]
    table = _table(held)
    _seeded(int(seed))
    start = time.process_time()
    embedding = np.asarray(run(table, int(seed), int(epochs), float(held["pitch_um"])), float)
    labels = tied_mixture(embedding, int(held["k"]), int(seed))
    refined = majority(labels, held["coordinates"]) if name == "GraphST" else labels
    np.savez(out, embedding=embedding, labels=refined, seconds=time.process_time() - start)


def graphst(table: Any, seed: int, epochs: int, pitch_um: float) -> Any:
    """Return the 20 components of the embedding that are clustered."""
    from GraphST.GraphST import GraphST
    from sklearn.decomposition import PCA

    found = GraphST(table, random_seed=seed, epochs=epochs).train()
    return PCA(n_components=20, random_state=42).fit_transform(found.obsm["emb"])


def stagate(table: Any, seed: int, epochs: int, pitch_um: float) -> Any:
    """Return the embedding; neighbours are those at one pitch, six a spot."""
    import scanpy as sc
    import STAGATE_pyG

    sc.pp.highly_variable_genes(table, flavor="seurat_v3", n_top_genes=3000)
    sc.pp.normalize_total(table, target_sum=1e4)
    sc.pp.log1p(table)
    STAGATE_pyG.Cal_Spatial_Net(table, rad_cutoff=1.3 * pitch_um, verbose=False)
    STAGATE_pyG.train_STAGATE(table, n_epochs=epochs, random_seed=seed, verbose=False)
    return table.obsm["STAGATE"]


def tied_mixture(values: Any, k: int, seed: int) -> Any:
    """Return the labels of the likeliest of ten mixtures with one covariance."""
    from sklearn.mixture import GaussianMixture

    return GaussianMixture(k, covariance_type="tied", n_init=10, random_state=seed).fit_predict(values)


def majority(labels: Any, coordinates: Any) -> Any:
    """Return for each spot the label that most of its nearest neighbours have."""
    from sklearn.neighbors import NearestNeighbors

    near = NearestNeighbors(n_neighbors=REFINED_OVER + 1).fit(coordinates).kneighbors(coordinates)[1][:, 1:]
    return np.array([np.bincount(row).argmax() for row in labels[near]])


def _table(held: Any) -> Any:
    import anndata

    counts = sp.csr_matrix((held["data"], held["indices"], held["indptr"]), shape=tuple(held["shape"]))
    table = anndata.AnnData(counts.astype(np.float32))
    table.obsm["spatial"] = held["coordinates"][:, ::-1].copy()
    return table


def _seeded(seed: int) -> None:
    import torch

    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


if __name__ == "__main__":
    main(*sys.argv[1:])
