"""How good a result is, against the truth: masks, partitions, landmarks, proportions, spatial pattern."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from .arrays import as_coordinates, require
from .overlap import average_precision, dice, intersection_over_union

__all__ = [
    "RegistrationError",
    "adjusted_rand_index",
    "average_precision",
    "dice",
    "intersection_over_union",
    "jensen_shannon",
    "morans_i",
    "normalised_mutual_information",
    "rmse",
    "target_registration_error",
]

Floats = npt.NDArray[np.float64]


def _contingency(true: npt.ArrayLike, predicted: npt.ArrayLike) -> sp.csr_matrix:
    a, b = np.asarray(true).ravel(), np.asarray(predicted).ravel()
    require(len(a) == len(b), f"There are {len(a)} true and {len(b)} found labels.", "Give labels of the same rows.")
    require(len(a) > 0, "There are no labels.", "Give at least one.")
    names_a, codes_a = np.unique(a, return_inverse=True)
    names_b, codes_b = np.unique(b, return_inverse=True)
    return sp.coo_matrix((np.ones(len(a)), (codes_a, codes_b)), shape=(len(names_a), len(names_b))).tocsr()


def adjusted_rand_index(true: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Return the agreement of two partitions, corrected for chance: 1 is identity, 0 is chance.

    Parameters
    ----------
    true, predicted
        (n,) labels of any kind; what they are called does not matter.

    Raises
    ------
    BadInput
        If the lengths differ or are 0.

    References
    ----------
    Hubert and Arabie, Journal of Classification 2, 193 (1985), eq. 5.
    """
    table = _contingency(true, predicted)
    both, of_true, of_found = (
        float((v * (v - 1) / 2).sum()) for v in (table.data, np.asarray(table.sum(1)), np.asarray(table.sum(0)))
    )
    n = float(table.sum())
    expected = of_true * of_found / max(n * (n - 1) / 2, 1.0)
    largest = (of_true + of_found) / 2
    return (both - expected) / (largest - expected) if largest != expected else 1.0


def normalised_mutual_information(true: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Return the mutual information of two partitions over the mean of their entropies, in 0..1.

    Notes
    -----
    :math:`NMI = 2 I(U; V) / (H(U) + H(V))`, and 1 if both have one class only.

    References
    ----------
    Vinh, Epps and Bailey, Journal of Machine Learning Research 11, 2837 (2010), table 2.
    """
    table = _contingency(true, predicted)
    joint = table / table.sum()
    entropies = [_entropy(p) for p in (np.asarray(joint.sum(1)).ravel(), np.asarray(joint.sum(0)).ravel())]
    information = sum(entropies) - _entropy(joint.data)
    return float(np.clip(2 * information / sum(entropies), 0, 1)) if sum(entropies) > 0 else 1.0


def _entropy(p: Floats) -> float:
    positive = p[p > 0]
    return max(0.0, -float((positive * np.log(positive)).sum()))


@dataclass(frozen=True)
class RegistrationError:
    """How far landmarks lie from where they belong.

    Parameters
    ----------
    distances_um
        (k,) one a landmark.
    median_um, mean_um, largest_um
        Of the distances.
    median_relative
        The median as a share of the image's diagonal (rTRE), or None if no extent was given.
    """

    distances_um: Floats
    median_um: float
    mean_um: float
    largest_um: float
    median_relative: float | None


def target_registration_error(
    fixed_um: npt.ArrayLike, moved_um: npt.ArrayLike, extent_um: tuple[float, float] | None = None
) -> RegistrationError:
    """Measure how far moved landmarks lie from their partners.

    Parameters
    ----------
    fixed_um, moved_um
        (k, 2) as (y, x), k ≥ 1; the second after the transform. Landmarks that the transform was
        fitted to flatter it.
    extent_um
        Height and width of the fixed image, for the relative error.

    Raises
    ------
    BadInput
        If the numbers of landmarks differ, are 0, or a coordinate is not finite.

    References
    ----------
    Borovec et al., IEEE Transactions on Medical Imaging 39, 3042 (2020), eq. 1 to 2.
    """
    fixed = as_coordinates(fixed_um, "The fixed landmarks")
    moved = as_coordinates(moved_um, "The moved landmarks", len(fixed))
    require(len(fixed) > 0, "There are no landmarks.", "Place at least one pair.")
    distances = np.linalg.norm(moved - fixed, axis=1)
    median = float(np.median(distances))
    relative = None if extent_um is None else median / float(np.hypot(*extent_um))
    return RegistrationError(distances, median, float(distances.mean()), float(distances.max()), relative)


def _same_shape(true: npt.ArrayLike, predicted: npt.ArrayLike) -> tuple[Floats, Floats]:
    a, b = np.asarray(true, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    require(a.shape == b.shape, f"The shapes are {a.shape} and {b.shape}.", "Give the same rows and columns.")
    require(a.size > 0, "There are no values.", "Give at least one row.")
    return a, b


def rmse(true: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Return the root of the mean squared difference over all entries, as of proportions (n, t)."""
    a, b = _same_shape(true, predicted)
    return float(np.sqrt(np.mean((a - b) ** 2)))


def jensen_shannon(true: npt.ArrayLike, predicted: npt.ArrayLike) -> Floats:
    """Return the Jensen–Shannon divergence of each row, in bits: 0 is identity, 1 is disjoint.

    Parameters
    ----------
    true, predicted
        (n, t) ≥ 0; rows are scaled to sum 1.

    Returns
    -------
    npt.NDArray[np.float64]
        (n,) in 0..1.

    Raises
    ------
    BadInput
        If the shapes differ, a value is negative or a row sums to 0.

    Notes
    -----
    :math:`JSD(p, q) = H((p + q) / 2) - (H(p) + H(q)) / 2` with entropies in bits. Its square root
    is a metric.

    References
    ----------
    Lin, IEEE Transactions on Information Theory 37, 145 (1991), eq. 4.1.
    """
    a, b = _same_shape(true, predicted)
    require(a.ndim == 2, f"The proportions have {a.ndim} dimensions.", "Give (rows, types).")
    require(bool((a >= 0).all() and (b >= 0).all()), "A proportion is negative or NaN.", "Give values of 0 or more.")
    sums = a.sum(1, keepdims=True), b.sum(1, keepdims=True)
    require(all(bool((s > 0).all()) for s in sums), "A row of proportions sums to 0.", "Leave empty rows out.")
    p, q = a / sums[0], b / sums[1]

    def entropy(rows: Floats) -> Floats:
        logs = np.log2(rows, out=np.zeros_like(rows), where=rows > 0)
        return np.asarray(-np.einsum("ij,ij->i", rows, logs))

    return np.asarray(np.clip(entropy((p + q) / 2) - (entropy(p) + entropy(q)) / 2, 0, 1))


def morans_i(values: Any, graph: Any) -> Floats:
    r"""Return Moran's I of each column: 1 is smooth, about 0 is random, below 0 is a chequerboard.

    Parameters
    ----------
    values
        (n, g) or (n,), dense or sparse.
    graph
        (n, n) sparse weights ≥ 0 of neighbours, diagonal 0; it need not be symmetric.

    Returns
    -------
    npt.NDArray[np.float64]
        (g,); NaN for a constant column.

    Raises
    ------
    BadInput
        If the graph does not fit or has no edge.

    Notes
    -----
    :math:`I = (n / W) \sum_{ij} w_{ij} z_i z_j / \sum_i z_i^2` with z centred and W the sum of all
    weights. Sparse values stay sparse: z is never formed, its products are expanded.

    References
    ----------
    Moran, Biometrika 37, 17 (1950); with weights, Cliff and Ord, Spatial Processes, 1981, eq. 1.44.
    """
    weights = sp.csr_matrix(graph)
    x: Any = sp.csc_matrix(values) if sp.issparse(values) else np.asarray(values, dtype=np.float64)
    if x.ndim == 1:
        x = x[:, None]
    n, total = x.shape[0], float(weights.sum())
    require(weights.shape == (n, n), f"The graph is {weights.shape} for {n} rows.", "Build it from the same rows.")
    require(total > 0, "The graph has no edge.", "Use more neighbours or a larger radius.")
    mean = np.asarray(x.mean(0)).ravel()
    out_degree, in_degree = np.asarray(weights.sum(1)).ravel(), np.asarray(weights.sum(0)).ravel()
    if sp.issparse(x):
        products = np.asarray(x.multiply(weights @ x).sum(0)).ravel()
        squares = np.asarray(x.multiply(x).sum(0)).ravel() - n * mean**2
        cross = products - mean * (x.T @ (out_degree + in_degree)) + total * mean**2
    else:
        z = x - mean
        squares, cross = np.einsum("ij,ij->j", z, z), np.einsum("ij,ij->j", z, np.asarray(weights @ z))
    scale = np.maximum(n * mean**2, 1.0) * 1e-12
    varies = squares > scale if sp.issparse(x) else squares > 1e-24 * np.maximum(1.0, n * mean**2)
    return np.divide(n / total * cross, squares, out=np.full(len(mean), np.nan), where=varies)
