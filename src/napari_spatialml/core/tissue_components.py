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
from .total_drift import capped_shares, share_of_totals

__all__ = ["different_rows", "patterned", "tissue_components"]

_NEIGHBOURS = 6
_FOLLOWS = 0.5
"""Share of the totals' pattern in space from which features are said to follow them."""


def patterned(
    cells: Cells,
    how: Literal["auto", "log", "none"],
    n_features: int,
    report: Report = silent,
    *,
    watch_totals: bool = False,
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
    watch_totals
        With "auto": shares of the totals instead of logarithms, where the logarithms' pattern in space
        follows that of the totals.

    Returns
    -------
    (n, p) features, dense or CSR, p <= ``n_features``; and the (n, n) graph of six neighbours.
    """
    report(0.0, "Normalising")
    features = normalised(cells.features, how)
    graph = tissue_graph(cells.coordinates, _NEIGHBOURS, cells.sections)
    kept = np.arange(features.shape[1])
    if features.shape[1] > n_features:
        clear = morans_i(features, graph, part(report, 0.1, 1.0), cells.sections)
        kept = np.sort(np.argsort(-clear, kind="stable")[:n_features])
        features = features[:, kept]
    if watch_totals and how == "auto" and features is not cells.features:
        totals = np.asarray(cells.features.sum(1), dtype=np.float64).ravel()
        if share_of_totals(features, totals, graph, cells.sections) > _FOLLOWS:
            features = capped_shares(cells.features)[:, kept]
    return features, graph


def tissue_components(
    cells: Cells,
    how: Literal["auto", "log", "none"],
    n_features: int,
    n_components: int,
    report: Report = silent,
    *,
    watch_totals: bool = False,
) -> Embedded:
    """Return the principal components of the features with the clearest pattern in space, and the neighbours.

    Parameters
    ----------
    cells, how, n_features, watch_totals
        As in `patterned`.
    n_components
        At most this many.

    Raises
    ------
    BadInput
        When every feature is constant.
    """
    features, graph = patterned(cells, how, n_features, part(report, 0.0, 0.6), watch_totals=watch_totals)
    scores = components(features, n_components, part(report, 0.6, 1.0), cells.sections)
    require(scores.shape[1] > 0, "Every feature is constant over the section.", "Choose another table.")
    return Embedded(scores, graph)


def different_rows(features: Any) -> int:
    """Return how many rows of ``features`` (n, p) differ: by a random direction, without sorting whole rows."""
    largest = np.asarray(abs(features).max(0).todense() if sp.issparse(features) else np.abs(features).max(0)).ravel()
    weight = np.random.default_rng(0).normal(size=features.shape[1]) / np.where(largest > 0, largest, 1)
    along = np.asarray(features @ weight).ravel()
    return len(np.unique(np.round(along / max(float(np.abs(along).max()), 1e-300), 9)))
