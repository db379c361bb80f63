"""Features made fit for spatial domains: normalise, choose by Moran's I, components, low-pass.

The table stays sparse; only blocks of it are ever dense.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.linalg import eigh

from .arrays import require
from .graph import averaging
from .report import Report, silent

__all__ = ["components", "low_pass", "morans_i", "normalised", "rounds_for"]

Array = npt.NDArray[np.float64]
_BLOCK = 1 << 23
"""Numbers of a table that are dense at once (32 MB of float32)."""
_LARGEST_LOGARITHM = 30.0


def normalised(features: Any, how: Literal["auto", "log", "none"] = "auto") -> Any:
    """Return log-normalised features, each row divided by its total.

    Parameters
    ----------
    features
        (n, p), dense or CSR.
    how
        "log": divide each row by its total, multiply by the median total, take log(1 + x);
        intensities that are no whole numbers are first expressed in units of their median above 0,
        so that their unit does not matter. "none": as they are. "auto": "log" for non-negative whole
        numbers (counts) and for non-negative numbers with any above 30, which cannot be logarithms;
        else "none".

    Raises
    ------
    BadInput
        When "log" is asked for and a feature is negative.
    """
    values = features.data if sp.issparse(features) else np.asarray(features)
    whole = bool((values == np.rint(values)).all())
    negative = int((values < 0).sum())
    if how == "auto":
        large = values.size > 0 and float(values.max()) > _LARGEST_LOGARITHM
        how = "log" if negative == 0 and (whole or large) else "none"
    if how == "none":
        return features
    require(negative == 0, f"{negative} features are negative and have no logarithm.", "Choose normalise = none.")
    totals = np.asarray(features.sum(1), dtype=np.float64).ravel()
    there = totals > 0
    if not there.any():
        return features
    factor = np.divide(np.median(totals[there]), totals, out=np.zeros(len(totals)), where=there)
    if not whole:
        factor /= np.median(values[values > 0])
    if sp.issparse(features):
        return sp.csr_matrix(sp.diags(factor) @ features).log1p()
    return np.log1p(np.asarray(features, dtype=np.float64) * factor[:, None])


def morans_i(features: Any, graph: sp.csr_matrix, report: Report = silent) -> Array:
    """Return (p,) Moran's I of each feature; 0 where the feature is constant.

    Parameters
    ----------
    features
        (n, p), dense or sparse.
    graph
        (n, n) neighbours, without the diagonal.

    References
    ----------
    Moran (1950), doi:10.1093/biomet/37.1-2.17: I = n/W Σ w_ij z_i z_j / Σ z_i².
    """
    n, p = features.shape
    by_column = sp.csc_matrix(features) if sp.issparse(features) else np.asarray(features)
    weights = float(graph.sum())
    neighbours = graph.astype(np.float32)
    size = max(1, _BLOCK // n)
    scale = _moments(features)[0] ** 2
    out = np.zeros(p)
    for start in range(0, p, size):
        report(start / p, "Ranking the features by their pattern in space")
        # single precision ranks as well, in half the time
        block = _dense(by_column[:, start : start + size], np.float32)
        block -= block.mean(0)
        power = np.einsum("ij,ij->j", block, block)
        shared = np.einsum("ij,ij->j", block, neighbours @ block)
        # what is left of a constant after subtracting its mean is rounding
        varies = power > 1e-10 * n * scale[start : start + size]
        out[start : start + size] = np.divide(n * shared, weights * power, out=np.zeros(len(power)), where=varies)
    report(1.0)
    return out


def components(features: Any, n_components: int, report: Report = silent) -> Array:
    """Return (n, d) principal component scores of the features scaled to unit variance, d <= ``n_components``.

    Parameters
    ----------
    features
        (n, p), dense or sparse; centred implicitly.
    n_components
        At most this many; fewer where the rank is lower, 0 where every feature is constant.

    Notes
    -----
    Eigenvectors of the p × p correlation matrix, gathered in blocks of rows: O(n p² + p³). The
    largest loading of each component is positive, so that the scores do not depend on chance.
    """
    n, p = features.shape
    mean, deviation = _moments(features)
    varies = deviation > 1e-10 * np.maximum(np.abs(mean), 1e-300)
    if not varies.any():
        return np.zeros((n, 0))
    features, mean, deviation = features[:, varies], mean[varies], deviation[varies]
    p = len(mean)
    size = max(1, _BLOCK // p)
    correlation = np.zeros((p, p))
    for start in range(0, n, size):
        report(0.8 * start / n, "Finding the principal components")
        block = (_dense(features[start : start + size]) - mean) / deviation
        correlation += block.T @ block
    d = min(n_components, p, n - 1)
    values, vectors = eigh(correlation, subset_by_index=(p - d, p - 1))
    values, vectors = values[::-1], vectors[:, ::-1]
    vectors = vectors[:, values > 1e-9 * values[0]]
    vectors = vectors * np.sign(vectors[np.abs(vectors).argmax(0), np.arange(vectors.shape[1])])
    parts = [(_dense(features[start : start + size]) - mean) / deviation @ vectors for start in range(0, n, size)]
    report(1.0)
    return np.vstack(parts)


def rounds_for(smoothing_um: float, coordinates: Array, graph: sp.csr_matrix) -> int:
    """Return how many rounds of `low_pass` blur by a standard deviation of ``smoothing_um`` a direction.

    Each round adds the mean squared step of the averaging matrix to the variance of the blur.
    """
    mean = averaging(graph).tocoo()
    steps = ((coordinates[mean.row] - coordinates[mean.col]) ** 2).sum(1)
    variance = float((mean.data * steps).sum()) / len(coordinates) / 2
    if variance == 0:
        return 0
    return round(smoothing_um**2 / variance)


def low_pass(values: Array, graph: sp.csr_matrix, rounds: int, report: Report = silent) -> Array:
    """Return ``values`` (n, d) after ``rounds`` of taking the mean over each row and its neighbours."""
    mean = averaging(graph)
    for done in range(rounds):
        report(done / rounds, "Smoothing over neighbours")
        values = mean @ values
    return np.asarray(values)


def _moments(features: Any) -> tuple[Array, Array]:
    mean = np.asarray(features.mean(0), dtype=np.float64).ravel()
    if sp.issparse(features):
        square = np.asarray(features.multiply(features).mean(0), dtype=np.float64).ravel()
        variance = np.maximum(square - mean**2, 0)
        return mean, np.sqrt(np.where(variance > 1e-12 * square, variance, 0))
    return mean, np.asarray(features, dtype=np.float64).std(0)


def _dense(block: Any, dtype: Any = np.float64) -> npt.NDArray[Any]:
    if sp.issparse(block):
        return np.asarray(block.astype(dtype).toarray(order="C"))
    return np.array(block, dtype=dtype, order="C")
