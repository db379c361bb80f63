"""Totals that drift over a section: whether the components follow them, and features that do not.

Logarithms of few counts depend on how many there are in all: log(1 + x) of a row divided by its total
is lower where the total is low, for every gene. Where totals change smoothly over the section, by
reagents, focus or matrix, that is a pattern in space like a domain.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from .lowpass import components, low_pass
from .noise_fractions import signal_components

__all__ = ["capped_shares", "share_of_totals"]

Array = npt.NDArray[np.float64]

_FEATURES = 300
"""So many features are enough to see whether all of them follow the totals."""
_COMPONENTS, _CLEAREST, _ROUNDS = 20, 6, 5
_CAP = 5.0
"""In standard deviations above the mean: a share has a longer tail than its logarithm."""


def share_of_totals(
    features: Any, totals: Array, graph: sp.csr_matrix, sections: npt.NDArray[np.int64] | None = None
) -> float:
    """Return how much of the totals' pattern in space the clearest components of features explain, 0 to 1 (R²).

    Parameters
    ----------
    features
        (n, p) log-normalised, dense or CSR.
    totals
        (n,) of each row, before normalising.
    graph
        (n, n) neighbours, as from `tissue_graph`.
    sections
        (n,) the section of each row; each is looked at about its own mean.
    """
    step = -(-features.shape[1] // _FEATURES)
    scores = components(features[:, ::step], _COMPONENTS, sections=sections)
    if scores.shape[1] < 2 or len(totals) <= 2 * _CLEAREST:
        return 0.0
    signal = signal_components(scores, graph)[:, :_CLEAREST]
    pattern = np.column_stack([np.log(np.maximum(totals, 1e-300)), signal])
    pattern[:, 0] = np.where(totals > 0, pattern[:, 0], np.median(pattern[totals > 0, 0]) if (totals > 0).any() else 0)
    smooth = low_pass(pattern, graph, _ROUNDS)
    number = np.zeros(len(totals), np.int64) if sections is None else np.unique(sections, return_inverse=True)[1]
    member = sp.csr_matrix((np.ones(len(number)), (number, np.arange(len(number)))))
    smooth -= (member @ smooth / np.bincount(number)[:, None])[number]
    wanted, known = smooth[:, 0], smooth[:, 1:]
    power = float(wanted @ wanted)
    if power <= 1e-12 * len(wanted):
        return 0.0
    left = wanted - known @ np.linalg.lstsq(known, wanted, rcond=None)[0]
    return 1 - float(left @ left) / power


def capped_shares(features: Any) -> Any:
    """Return each row's shares of its total, times the median total, without logarithms.

    Parameters
    ----------
    features
        (n, p) non-negative, dense or CSR.

    Notes
    -----
    The mean of a share does not depend on the total. No feature exceeds its mean by more than five
    standard deviations, so that single rows do not speak for it.
    """
    table = sp.csr_matrix(features, dtype=np.float64)
    totals = np.asarray(table.sum(1)).ravel()
    there = totals > 0
    factor = np.divide(np.median(totals[there]) if there.any() else 1.0, totals, out=np.zeros(len(totals)), where=there)
    table = sp.csr_matrix(sp.diags(factor) @ table)
    mean = np.asarray(table.mean(0)).ravel()
    deviation = np.sqrt(np.maximum(np.asarray(table.multiply(table).mean(0)).ravel() - mean**2, 0))
    table.data = np.minimum(table.data, (mean + _CAP * deviation)[table.indices])
    return table if sp.issparse(features) else table.toarray()
