"""UMAP through scanpy: normalise, variable features, components, neighbours, layout."""

from __future__ import annotations

import warnings
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt

from ...core.arrays import require
from ...core.embedding import Embedder, Embedding, Features
from ...core.lowpass import normalised
from ...core.method import Advanced, Interval, method
from ...core.report import Report, part, silent


@method(
    title="UMAP",
    citation="McInnes, Healy and Melville, UMAP: uniform manifold approximation and projection, 2018. "
    "https://doi.org/10.48550/arXiv.1802.03426",
    requires=("scanpy", "umap"),
    extra="analysis",
)
class Umap(Embedder):
    """Lay out rows in two dimensions so that rows with similar features lie close together.

    Features are log-normalised where they are counts, the most variable kept, reduced to principal
    components and joined to a graph of nearest neighbours by scanpy; the graph is laid out as
    `scanpy.tl.umap` does, with progress. Distances between clumps say little.
    """

    n_neighbours: Annotated[int, Interval(ge=2, le=200)] = 15
    """How many nearest rows each row keeps close; fewer show finer structure."""
    min_distance: Annotated[float, Interval(ge=0, le=1)] = 0.5
    """How far apart the closest points lie: smaller makes tighter clumps."""
    n_features: Annotated[int, Interval(ge=2, le=100_000), Advanced()] = 2000
    """At most so many features are used: the most variable ones."""
    n_components: Annotated[int, Interval(ge=2, le=500), Advanced()] = 50
    """At most so many principal components are used."""
    normalise: Annotated[Literal["auto", "log", "none"], Advanced()] = "auto"
    """Divide each row by its total and take logarithms: "auto" does so for counts and raw intensities."""
    seed: Annotated[int, Interval(ge=0, le=2**31 - 1), Advanced()] = 0
    """Seed of the components, the search for neighbours and the layout."""

    def __call__(self, features: Features, report: Report = silent) -> Embedding:
        """Lay out the rows.

        Raises
        ------
        BadInput
            When there are too few rows, or every feature is constant.
        """
        n = features.values.shape[0]
        require(n > self.n_neighbours, f"There are {n} rows for {self.n_neighbours} neighbours.", "Choose fewer.")
        graph, components = self._graph(features, part(report, 0.0, 0.4))
        places = self._laid_out(graph, components, part(report, 0.4, 1.0))
        report(1.0, f"{n:,} rows laid out")
        return Embedding(places.astype(np.float64))

    def _graph(self, features: Features, report: Report) -> tuple[Any, npt.NDArray[Any]]:
        """Return scanpy's graph of neighbours and the components that it rests on."""
        report(0.0, "Normalising")
        import anndata
        import scanpy as sc

        values = normalised(features.values, self.normalise)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # scanpy's of its own dependencies: nothing that a person could act on
            table = anndata.AnnData(values.astype(np.float32))
            if table.n_vars > self.n_features:
                report(0.1, "Choosing the most variable features")
                sc.pp.highly_variable_genes(table, n_top_genes=self.n_features, subset=True)
            table = table[:, _varying(table.X)].copy()
            require(table.n_vars > 0, "Every feature is constant.", "Choose another table.")
            report(0.3, "Finding the principal components")
            most = min(self.n_components, table.n_vars - 1, table.n_obs - 1)
            if most >= 2:
                sc.pp.pca(table, n_comps=most, random_state=self.seed)
            report(0.6, "Finding the nearest neighbours")
            use = "X_pca" if most >= 2 else "X"
            sc.pp.neighbors(table, n_neighbors=self.n_neighbours, use_rep=use, random_state=self.seed)
        report(1.0)
        return table.obsp["connectivities"], np.asarray(table.obsm["X_pca"] if most >= 2 else table.X)

    def _laid_out(self, graph: Any, components: npt.NDArray[Any], report: Report) -> npt.NDArray[Any]:
        """Lay out the graph as `scanpy.tl.umap` does, which itself tells no progress and cannot be stopped."""
        report(0.0, "Laying out")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from umap.umap_ import find_ab_params, simplicial_set_embedding

            a, b = find_ab_params(1.0, self.min_distance)
            n_epochs = 500 if graph.shape[0] <= 10_000 else 200
            told = _Told(report, n_epochs)
            places, _ = simplicial_set_embedding(
                data=components, graph=graph.tocoo(), n_components=2, initial_alpha=1.0, a=a, b=b, gamma=1.0,
                negative_sample_rate=5, n_epochs=n_epochs, init="spectral",
                random_state=np.random.RandomState(self.seed), metric="euclidean", metric_kwds={}, densmap=False,
                densmap_kwds={}, output_dens=False, verbose=False,
                tqdm_kwds={"disable": False, "file": told, "bar_format": "{n}", "mininterval": 0.1, "miniters": 1},
            )  # fmt: skip
        return np.asarray(places)


class _Told:
    """Where the progress bar of the layout writes: it goes on as a report, in which a stop is raised."""

    def __init__(self, report: Report, n: int) -> None:
        self._report, self._n = report, n

    def write(self, text: str) -> None:
        """Take the number of rounds done."""
        said = text.strip()
        if said.isdigit():
            self._report(min(int(said) / self._n, 1.0), "Laying out")

    def flush(self) -> None:
        """Do nothing: every text has gone on."""


def _varying(values: Any) -> npt.NDArray[np.bool_]:
    low, high = values.min(axis=0), values.max(axis=0)
    dense = (np.asarray(v.todense() if hasattr(v, "todense") else v).ravel() for v in (low, high))
    smallest, largest = dense
    return np.asarray(largest > smallest)
