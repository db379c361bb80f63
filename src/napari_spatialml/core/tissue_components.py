"""Features of tissue as a few components: normalised, those with a pattern in space."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import scipy.sparse as sp

from .arrays import require
from .domains import Cells, Embedded
from .graph import tissue_graph
from .lowpass import components, morans_i, normalised
from .report import Report, part, silent

__all__ = ["different_rows", "patterned", "tissue_components"]

_NEIGHBOURS = 6


def patterned(
    cells: Cells, how: Literal["auto", "log", "none"], n_features: int, report: Report = silent
) -> tuple[Any, sp.csr_matrix]:
    """Return the normalised features with the clearest pattern in space (Moran's I), and the neighbours.

    Parameters
    ----------
    cells
        Their anchors are not read.
    how
        As in `normalised`.
    n_features
        At most so many are kept, in their order.

    Returns
    -------
    (n, p) features, dense or CSR, p <= ``n_features``; and the (n, n) graph of six neighbours.
    """
    report(0.0, "Normalising")
    features = normalised(cells.features, how)
    graph = tissue_graph(cells.coordinates, _NEIGHBOURS, cells.sections)
    if features.shape[1] > n_features:
        clear = morans_i(features, graph, part(report, 0.1, 1.0), cells.sections)
        features = features[:, np.sort(np.argsort(-clear, kind="stable")[:n_features])]
    return features, graph


def tissue_components(
    cells: Cells,
    how: Literal["auto", "log", "none"],
    n_features: int,
    n_components: int,
    report: Report = silent,
) -> Embedded:
    """Return the principal components of the features with the clearest pattern in space, and the neighbours.

    Parameters
    ----------
    cells, how, n_features
        As in `patterned`.
    n_components
        At most this many.

    Raises
    ------
    BadInput
        When every feature is constant.
    """
    features, graph = patterned(cells, how, n_features, part(report, 0.0, 0.6))
    scores = components(features, n_components, part(report, 0.6, 1.0), cells.sections)
    require(scores.shape[1] > 0, "Every feature is constant over the section.", "Choose another table.")
    return Embedded(scores, graph)


def different_rows(features: Any) -> int:
    """Return how many rows of ``features`` (n, p) differ: by a random direction, without sorting whole rows."""
    largest = np.asarray(abs(features).max(0).todense() if sp.issparse(features) else np.abs(features).max(0)).ravel()
    weight = np.random.default_rng(0).normal(size=features.shape[1]) / np.where(largest > 0, largest, 1)
    along = np.asarray(features @ weight).ravel()
    return len(np.unique(np.round(along / max(float(np.abs(along).max()), 1e-300), 9)))
