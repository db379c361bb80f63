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
from .report import Report, part, silent

__all__ = ["components", "low_pass", "morans_i", "normalised", "rounds_for", "section_rows"]

Array = npt.NDArray[np.float64]
_BLOCK = 1 << 23
"""Numbers of a table that are dense at once (32 MB of float32)."""
_LARGEST_LOGARITHM = 30.0
_ROWS = 20_000
"""Rows of a sparse table that are multiplied between two reports."""
_MOST_ROUNDS = 100_000
_LARGE_PRODUCT = 5e9
_BORROWED_ROWS = 30
_RANKING = "Ranking the features by their pattern in space"


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
    # half and single precision end at 65,504 and 3e38, which a row can sum to
    whole_rows = features @ np.ones(features.shape[1]) if sp.issparse(features) else features.sum(1, dtype=np.float64)
    totals = np.asarray(whole_rows).ravel()
    there = totals > 0
    if not there.any():
        return features
    factor = np.divide(np.median(totals[there]), totals, out=np.zeros(len(totals)), where=there)
    if not whole:
        factor /= np.median(values[values > 0])
    if sp.issparse(features):
        table = sp.csr_matrix(features)
        if not table.has_canonical_format:
            table = table.copy()
            table.sum_duplicates()
        scaled = np.repeat(factor, np.diff(table.indptr))
        scaled *= table.data
        return sp.csr_matrix((np.log1p(scaled, out=scaled), table.indices, table.indptr), shape=table.shape)
    return np.log1p(np.asarray(features, dtype=np.float64) * factor[:, None])


def morans_i(
    features: Any, graph: sp.csr_matrix, report: Report = silent, sections: npt.NDArray[np.int64] | None = None
) -> Array:
    """Return (p,) Moran's I of each feature; 0 where the feature is constant.

    Parameters
    ----------
    features
        (n, p), dense or sparse.
    graph
        (n, n) neighbours, without the diagonal.
    sections
        (n,) the section that a row lies on: a feature is centred on each by itself. None: all on one.

    Notes
    -----
    O(number of values · neighbours) on a sparse table, and O(n p · neighbours) on a dense one.

    References
    ----------
    Moran (1950), doi:10.1093/biomet/37.1-2.17: I = n/W Σ w_ij z_i z_j / Σ z_i².
    """
    n, p = features.shape
    shared, power = np.zeros(p), np.zeros(p)
    groups = section_rows(sections, n)
    for number, rows in enumerate(groups):
        part_of = part(report, number / len(groups), (number + 1) / len(groups))
        alone = features if len(groups) == 1 else features[rows]
        around = graph if len(groups) == 1 else sp.csr_matrix(graph[rows][:, rows])
        found = (_sparse_products if sp.issparse(alone) else _dense_products)(alone, around, part_of)
        shared, power = shared + found[0], power + found[1]
    return np.divide(n * shared, float(graph.sum()) * power, out=np.zeros(p), where=power > 0)


def _sparse_products(features: Any, graph: sp.csr_matrix, report: Report) -> tuple[Array, Array]:
    """Return Σ w_ij z_i z_j and Σ z_i² of each feature; both 0 where it is constant."""
    from .lowpass_kernels import add_neighbour_products

    x = sp.csr_matrix(features)
    n, p = x.shape
    shared = np.zeros(p)
    for start in range(0, n, _ROWS):
        report(start / n, _RANKING)
        add_neighbour_products(
            start, min(start + _ROWS, n), x.indptr, x.indices, x.data, graph.indptr, graph.indices, graph.data, shared
        )
    mean, deviation = _moments(x)
    ends = np.asarray(graph.sum(1)).ravel() + np.asarray(graph.sum(0)).ravel()
    shared += mean**2 * float(graph.sum()) - mean * (x.T @ ends)
    power = n * np.where(deviation > 1e-5 * np.abs(mean), deviation, 0) ** 2
    return np.where(power > 0, shared, 0), power


def _dense_products(features: Any, graph: sp.csr_matrix, report: Report) -> tuple[Array, Array]:
    values = np.asarray(features)
    n, p = values.shape
    neighbours = graph.astype(np.float32)
    size = max(1, _BLOCK // n)
    scale = _moments(values)[0] ** 2
    shared, power = np.zeros(p), np.zeros(p)
    for start in range(0, p, size):
        report(start / p, _RANKING)
        at = slice(start, start + size)
        # single precision ranks as well, in half the time
        block = np.array(values[:, at], dtype=np.float32, order="C")
        block -= block.mean(0)
        squares = np.einsum("ij,ij->j", block, block)
        # what is left of a constant after subtracting its mean is rounding
        varies = squares > 1e-10 * n * scale[at]
        shared[at] = np.where(varies, np.einsum("ij,ij->j", block, neighbours @ block), 0)
        power[at] = np.where(varies, squares, 0)
    return shared, power


def components(
    features: Any, n_components: int, report: Report = silent, sections: npt.NDArray[np.int64] | None = None
) -> Array:
    """Return (n, d) principal component scores of the features scaled to unit variance, d <= ``n_components``.

    Parameters
    ----------
    features
        (n, p), dense or sparse; centred implicitly.
    n_components
        At most this many; fewer where the rank is lower, 0 where every feature is constant.
    sections
        (n,) the section that a row lies on: features are centred and scaled on each by itself, so that
        what sets one section off as a whole is no component. None: all on one.

    Notes
    -----
    Eigenvectors of the p × p correlation matrix, gathered in blocks of rows: O(n p² + p³). The
    largest loading of each component is positive, so that the scores do not depend on chance.
    """
    n, p = features.shape
    groups = section_rows(sections, n)
    means, scales = _standards(features, groups)
    varies = (scales > 0).any(0)
    if not varies.any():
        return np.zeros((n, 0))
    if not varies.all():
        features, means, scales = features[:, varies], means[:, varies], scales[:, varies]
        p = features.shape[1]
    correlation = _correlation(features, groups, means, scales, part(report, 0.0, 0.7))
    report(0.7, "Finding the principal components")
    d = min(n_components, p, n - 1)
    values, vectors = eigh(correlation, subset_by_index=(p - d, p - 1), overwrite_a=True)
    values, vectors = values[::-1], vectors[:, ::-1]
    vectors = vectors[:, values > 1e-9 * values[0]]
    vectors = vectors * np.sign(vectors[np.abs(vectors).argmax(0), np.arange(vectors.shape[1])])
    report(0.9)
    scores = np.empty((n, vectors.shape[1]))
    for rows, mean, scale in zip(groups, means, scales, strict=True):
        loadings = vectors * scale[:, None]
        scores[rows] = features[rows] @ loadings - mean @ loadings
    report(1.0)
    return scores


def section_rows(sections: npt.NDArray[np.int64] | None, n: int) -> list[Any]:
    """Return the rows of each section: one slice over all ``n`` where there is but one."""
    numbers = np.zeros(1) if sections is None else np.unique(sections)
    if sections is None or len(numbers) == 1:
        return [slice(0, n)]
    return [np.flatnonzero(sections == number) for number in numbers]


def _standards(features: Any, groups: list[Any]) -> tuple[Array, Array]:
    """Return the mean and one over the deviation of each feature on each section; 0 where it is constant."""
    n = features.shape[0]
    moments = [_moments(features[rows]) for rows in groups]
    means = np.array([mean for mean, _ in moments])
    variances = np.array([deviation**2 for _, deviation in moments])
    variances[np.sqrt(variances) <= 1e-10 * np.maximum(np.abs(means), 1e-300)] = 0
    sizes = np.array([[len(range(n)[rows]) if isinstance(rows, slice) else len(rows)] for rows in groups])
    pooled = (sizes * variances).sum(0) / n
    # a small section borrows its scale: one count among few rows would else outweigh all others
    variances = (sizes * variances + _BORROWED_ROWS * pooled) / (sizes + _BORROWED_ROWS)
    return means, np.divide(1, np.sqrt(variances), out=np.zeros_like(variances), where=variances > 0)


def _correlation(features: Any, groups: list[Any], means: Array, scales: Array, report: Report) -> Array:
    n, p = features.shape
    # single precision takes half the time; small tables can have both
    precision = np.float32 if n * p**2 > _LARGE_PRODUCT else np.float64
    size = max(1, _BLOCK // p)
    correlation = np.zeros((p, p))
    done = 0
    for rows, mean, scale in zip(groups, means, scales, strict=True):
        alone = features if isinstance(rows, slice) else features[rows]
        for start in range(0, alone.shape[0], size):
            report(done / n, "Finding the principal components")
            block = _dense(alone[start : start + size], precision)
            block -= mean.astype(precision)
            block *= scale.astype(precision)
            correlation += block.T @ block
            done += len(block)
    return correlation


def rounds_for(smoothing_um: float, coordinates: Array, graph: sp.csr_matrix) -> int:
    """Return how many rounds of `low_pass` blur by a standard deviation of ``smoothing_um`` a direction.

    Each round adds the mean squared step of the averaging matrix to the variance of the blur.

    Raises
    ------
    BadInput
        When that takes more than 100,000 rounds: about 200 spacings.
    """
    mean = averaging(graph).tocoo()
    steps = ((coordinates[mean.row] - coordinates[mean.col]) ** 2).sum(1)
    variance = float((mean.data * steps).sum()) / len(coordinates) / 2
    if variance == 0:
        return 0
    rounds = smoothing_um**2 / variance
    require(
        rounds <= _MOST_ROUNDS,
        f"A blur of {smoothing_um:g} µm is too wide for rows that lie {variance**0.5:.2g} µm apart.",
        f"Give {0.9 * (_MOST_ROUNDS * variance) ** 0.5:.2g} µm or less, or 0.",
    )
    return round(rounds)


def low_pass(values: Array, graph: sp.csr_matrix, rounds: int, report: Report = silent) -> Array:
    """Return ``values`` (n, d) after ``rounds`` of taking the mean over each row and its neighbours."""
    mean = averaging(graph)
    for done in range(rounds):
        report(done / rounds, "Smoothing over neighbours")
        values = mean @ values
    return np.asarray(values)


def _moments(features: Any) -> tuple[Array, Array]:
    """Return mean and standard deviation of each feature; a deviation that is but rounding is 0."""
    n, p = features.shape
    if not sp.issparse(features):
        values = np.asarray(features, dtype=np.float64)
        return values.mean(0), values.std(0)
    table = sp.csr_matrix(features)
    mean = np.bincount(table.indices, weights=table.data, minlength=p) / n
    square = np.bincount(table.indices, weights=np.square(table.data, dtype=np.float64), minlength=p) / n
    variance = np.maximum(square - mean**2, 0)
    return mean, np.sqrt(np.where(variance > 1e-12 * square, variance, 0))


def _dense(block: Any, dtype: Any) -> npt.NDArray[Any]:
    if sp.issparse(block):
        return np.asarray(block.astype(dtype).toarray(order="C"))
    return np.array(block, dtype=dtype, order="C")
