"""Types learnt without a reference: the autoencoder beside NMF and LDA of scikit-learn, on spots of known types.

Each is told how many types there are. A learnt type has no name: types are matched with the true ones one to one, so
that the correlations of their shares over spots sum to the most. Shares are of RNA, which is all that counts can say.
The two peers run with their defaults on all genes and on those that the autoencoder takes, and the better one counts.
"""

from __future__ import annotations

import time
import warnings
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.optimize import linear_sum_assignment

from napari_spatialml.core import Spots
from napari_spatialml.core.learnt_types import overdispersed_genes
from napari_spatialml.methods import method

from ..figures import Figure
from .simulate import Kind, Simulated, simulate
from .simulated import there

__all__ = ["matched", "measure"]

SEEDS = (641, 642, 643)
"""Fresh ones: the method was made on 601."""
KINDS = (
    Kind("atlas", 2000, 15, 0.5),
    Kind("atlas", 100, 15, 0.5),
    Kind("pdac", 3000, 15, 0.5),
    Kind("osmfish", 33, 15, 0.0),
)
OURS = "autoencoder"
GENES = 1000
Array = npt.NDArray[np.float64]


def measure() -> Iterator[tuple[str, Figure]]:
    """Yield, for each kind, correlation and error of matched shares, and how many types are suggested."""
    for kind in (kind for kind in KINDS if there(kind)):
        scores: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        numbers = []
        for seed in SEEDS:
            made = simulate(kind, seed)
            known = np.isfinite(made.rna).all(1) & (np.asarray(made.spots.counts.sum(1)).ravel() > 0)  # type: ignore[union-attr]
            counts, truth = sp.csr_matrix(made.spots.counts)[known], made.rna[known]
            for name, (values, seconds) in _answers(made, counts, truth.shape[1], seed).items():
                found = matched(values, truth) | {"seconds": seconds}
                for what, value in found.items():
                    scores[name][what].append(value)
            free = method("deconvolution", OURS)(seed=seed)(Spots(counts, made.spots.genes), None)
            numbers.append(len(free.types) / truth.shape[1])
        yield from _figures(kind, scores)
        what = f"{kind.name}; {', '.join(f'{n:.2f}' for n in numbers)}"
        yield f"{kind.name}: number suggested, share of the true one", Figure(float(np.median(numbers)), "", data=what)


def matched(values: Array, truth: Array) -> dict[str, float]:
    """Return the mean correlation of (n, t) shares with the true types that they are matched with, and their RMSE."""
    t = truth.shape[1]
    with np.errstate(invalid="ignore", divide="ignore"):
        alike = np.nan_to_num(np.corrcoef(values.T, truth.T)[: values.shape[1], values.shape[1] :])
    rows, columns = linear_sum_assignment(-alike)
    wrong = values[:, rows] - truth[:, columns]
    return {"correlation": float(alike[rows, columns].sum() / t), "RMSE": float(np.sqrt((wrong**2).mean()))}


def _answers(made: Simulated, counts: sp.csr_matrix, t: int, seed: int) -> dict[str, tuple[Array, float]]:
    from sklearn.decomposition import NMF, LatentDirichletAllocation

    start = time.process_time()
    ours = method("deconvolution", OURS)(n_types=t, seed=seed)(Spots(counts, made.spots.genes), None)
    found = {OURS: (ours.values, time.process_time() - start)}
    chosen = counts[:, overdispersed_genes(counts, GENES)]
    for genes, table in {"all genes": counts, "chosen genes": chosen}.items():
        for name, model in {
            "NMF": NMF(t, random_state=seed),
            "LDA": LatentDirichletAllocation(t, random_state=seed),
        }.items():
            start = time.process_time()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that it did not converge in its default of steps
                weights = model.fit_transform(table) * (model.components_.sum(1) if name == "NMF" else 1.0)
            total = weights.sum(1, keepdims=True)
            shares = np.divide(weights, total, out=np.full(weights.shape, 1 / t), where=total > 0)
            found[f"{name}, {genes}"] = shares, time.process_time() - start
    return found


def _figures(kind: Kind, scores: dict[str, dict[str, list[float]]]) -> Iterator[tuple[str, Figure]]:
    median = {name: {what: float(np.median(v)) for what, v in found.items()} for name, found in scores.items()}
    for name, found in median.items():
        for what, value in found.items():
            lower, floor, peer = what != "correlation", None, ""
            if name == OURS and what != "seconds":
                better = min if lower else max
                peer = better((other for other in median if other != OURS), key=lambda other: median[other][what])
                floor = median[peer][what]
            each = scores[name][what]
            data = f"{kind.name}; {min(each):.3g} to {max(each):.3g} over {len(each)} seeds"
            unit = "s" if what == "seconds" else ""
            yield f"{kind.name}: {name}, {what}", Figure(value, unit, floor, lower, peer, floor, data, SEEDS[0])
