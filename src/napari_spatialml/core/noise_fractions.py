"""Components in the order of their signal: what neighbours share is signal, what they do not is noise."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.linalg import eigh

from .graph import averaging
from .lowpass import low_pass
from .report import Report, silent

__all__ = ["signal_components", "signal_to_noise", "smoothed_by_signal"]

Array = npt.NDArray[np.float64]

_CLEAR = 0.3
"""Components of a higher signal-to-noise ratio are kept."""
_LEAST, _MOST = 10, 30
_PATIENCE = 3
_MOST_ROUNDS = 100
_PROBES = 40_000
"""Signs that are averaged for a trace: ten vectors of them at 4,000 rows, two at 20,000 and more."""
_WITHIN = 0.2
"""Within a domain a component varies by its noise and by this share of its signal: gradients."""


def signal_components(values: Array, graph: sp.csr_matrix) -> Array:
    """Return (n, m) combinations of ``values`` (n, d) with noise of variance 1, the clearest signal first.

    Parameters
    ----------
    values
        (n, d), of mean 0.
    graph
        (n, n) neighbours, without the diagonal.

    Returns
    -------
    Those with a signal-to-noise ratio above 0.3, at least 10 and at most 30, but none without a
    significant one beyond the second. All of ``values`` where no row has a neighbour.

    Notes
    -----
    Noise is independent between neighbours: the covariance with the mean of the neighbours is that of
    the signal alone, and the difference from it holds the noise. O(n d² + d³).

    References
    ----------
    Green, Berman, Switzer & Craig (1988), doi:10.1109/36.3001: maximum noise fractions.
    """
    difference, mean, own, excess = _against_neighbours(values, graph)
    n, d = len(own), values.shape[1]
    if n < 2 or d == 0:
        return values
    signal = own.T @ mean / n
    noise = difference.T @ difference / n / excess
    # copies of a column, or a table without noise, leave directions without any
    noise += 1e-6 * max(float(np.trace(own.T @ own)) / n / d, 1e-300) * np.eye(d)
    ratio, vectors = eigh((signal + signal.T) / 2, noise)
    ratio, vectors = ratio[::-1], vectors[:, ::-1]
    significant = int((ratio > 3 / np.sqrt(max(graph.nnz, 1))).sum())
    kept = min(max(_LEAST, int((ratio > _CLEAR).sum())), significant, _MOST)
    vectors = vectors[:, : max(kept, 2)]
    vectors = vectors * np.sign(vectors[np.abs(vectors).argmax(0), np.arange(vectors.shape[1])])
    return np.asarray(values @ vectors)


def signal_to_noise(values: Array, graph: sp.csr_matrix) -> Array:
    """Return (d,) the variance of each column's signal over that of its noise; at least 0."""
    difference, mean, own, excess = _against_neighbours(values, graph)
    noise = np.einsum("ij,ij->j", difference, difference) / excess
    signal = np.einsum("ij,ij->j", own, mean)
    floor = 1e-6 * np.maximum(np.einsum("ij,ij->j", own, own), 1e-300)
    return np.asarray(np.maximum(signal, 0) / np.maximum(noise, floor))


def smoothed_by_signal(
    values: Array, graph: sp.csr_matrix, rounds: int | None = None, report: Report = silent
) -> Array:
    """Return ``values`` averaged over neighbours, each column as often as it pays, and evened out by signal.

    Parameters
    ----------
    values
        (n, d).
    graph
        (n, n) neighbours, without the diagonal.
    rounds
        So many rounds of averaging for all columns; None: for each column those that predict it best, by
        generalised cross-validation.

    Notes
    -----
    A column of strong signal also varies most within a domain: each is divided by the standard
    deviation that is expected there, √(1 + 0.2 · signal-to-noise ratio).

    References
    ----------
    Golub, Heath & Wahba (1979), doi:10.1080/00401706.1979.10489751; trace as in Hutchinson (1990),
    doi:10.1080/03610919008812866.
    """
    ratio = signal_to_noise(values, graph)
    found = _cross_validated(values, graph, report) if rounds is None else low_pass(values, graph, rounds, report)
    return np.asarray(found / np.sqrt(1 + _WITHIN * ratio))


def _cross_validated(values: Array, graph: sp.csr_matrix, report: Report) -> Array:
    n, d = values.shape
    mean = averaging(graph)
    # the signs of the probes go with the values: shuffling the rows of the table changes nothing
    order = np.lexsort(values.T[2::-1])
    probes = int(np.clip(_PROBES // n, 2, 10))
    signs = np.empty((n, probes))
    signs[order] = np.random.default_rng(0).choice([-1.0, 1.0], (n, probes))
    best, out, last = np.full(d, np.inf), values.copy(), 0
    both = np.hstack([values, signs])
    for done in range(1, _MOST_ROUNDS):
        report(done / _MOST_ROUNDS, "Smoothing over neighbours")
        both = mean @ both
        share = float((signs * both[:, d:]).sum()) / signs.size
        error = ((values - both[:, :d]) ** 2).mean(0) / max(1 - share, 1e-9) ** 2
        better = error < best * (1 - 1e-9)
        best[better], last = error[better], done if better.any() else last
        out[:, better] = both[:, :d][:, better]
        if done - last >= _PATIENCE:
            break
    return out


def _against_neighbours(values: Array, graph: sp.csr_matrix) -> tuple[Array, Array, Array, float]:
    """Return, of the rows with neighbours: difference from their mean, the mean, the rows, 1 + mean of 1/degree."""
    degree = np.asarray(graph.sum(1)).ravel()
    some = degree > 0
    own = values - values.mean(0)
    mean = (graph @ own)[some] / degree[some, None]
    own = own[some]
    return own - mean, mean, own, 1 + float((1 / degree[some]).mean()) if some.any() else 1.0
