"""Plain low-pass maps by scikit-learn: what anyone would write in ten lines, to be level with or better than."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from .sections import Known

__all__ = ["CLUSTERERS", "averaged"]

GENES, COMPONENTS, NEIGHBOURS, ROUNDS = 2000, 30, 6, 8
Array = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


def averaged(section: Known) -> Array:
    """Return components of the most variable genes, averaged with their six nearest, eight times."""
    from sklearn.decomposition import PCA
    from sklearn.neighbors import kneighbors_graph
    from sklearn.preprocessing import StandardScaler

    features = section.cells.features
    values = np.asarray(features.toarray() if sp.issparse(features) else features, dtype=float)
    total = np.maximum(values.sum(1, keepdims=True), 1e-12)
    values = np.log1p(values / total * np.median(total))
    values = values[:, np.argsort(-values.var(0), kind="stable")[:GENES]]
    scaled = StandardScaler().fit_transform(values)
    scores = PCA(min(COMPONENTS, scaled.shape[1] - 1), random_state=0).fit_transform(scaled)
    near = kneighbors_graph(section.cells.coordinates, NEIGHBOURS) + sp.eye(len(scores))
    mean = sp.diags(1 / np.asarray(near.sum(1)).ravel()) @ near
    for _ in range(ROUNDS):
        scores = mean @ scores
    return np.asarray(scores)


def k_means(values: Array, k: int, seed: int) -> Labels:
    """Return the best of ten k-means."""
    from sklearn.cluster import KMeans

    return np.asarray(KMeans(k, n_init=10, random_state=seed).fit_predict(values), dtype=np.int64)


def mixture(values: Array, k: int, seed: int) -> Labels:
    """Return the likeliest of ten Gaussian mixtures with one covariance, as mclust's EEE has."""
    from sklearn.mixture import GaussianMixture

    found = GaussianMixture(k, covariance_type="tied", n_init=10, random_state=seed, reg_covar=1e-6)
    return np.asarray(found.fit_predict(values), dtype=np.int64)


CLUSTERERS: dict[str, Callable[[Array, int, int], Labels]] = {
    "plain low-pass, k-means": k_means,
    "plain low-pass, mixture": mixture,
}
