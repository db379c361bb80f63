"""A Gaussian mixture whose one covariance is shrunk towards a sphere, with rows that the hand has fixed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.linalg import cho_factor, cho_solve

from .report import Report, silent

__all__ = ["Mixture", "agreement", "fit_mixture", "k_means"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Mixture:
    """A fitted mixture.

    Parameters
    ----------
    posterior
        (n, k), rows sum to 1.
    log_likelihood
        Mean over rows.
    """

    posterior: Array
    log_likelihood: float

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """The likeliest component of each row."""
        return np.asarray(self.posterior.argmax(1), dtype=np.int64)


def fit_mixture(
    values: Array,
    posterior: Array,
    shrinkage: float,
    rounds: int = 100,
    clamped: npt.NDArray[np.bool_] | None = None,
    clamp_weight: float | Array = 1.0,
    report: Report = silent,
) -> Mixture:
    """Fit by expectation-maximisation from a starting posterior.

    Parameters
    ----------
    values
        (n, d).
    posterior
        (n, k) start, for example 0 and 1 from `k_means`.
    shrinkage
        0 <= a <= 1: the covariance is (1 − a) W + a tr(W)/d I, with W the pooled one.
    rounds
        At most this many; stops when no posterior changes by more than 1e-4.
    clamped
        (n,) rows that keep their starting posterior.
    clamp_weight
        Each clamped row counts as much as so many free ones: one number, or one a clamped row.

    Notes
    -----
    One covariance for all components needs only the total scatter, so a round costs O(n d k + d³).
    A free pooled covariance collapses on outlying directions; the sphere prevents it.

    References
    ----------
    Dempster, Laird & Rubin (1977), doi:10.1111/j.2517-6161.1977.tb01600.x; the shrinkage as in
    Friedman (1989), doi:10.1080/01621459.1989.10478752, equation 18.
    """
    weight = np.ones(len(values))
    if clamped is not None:
        weight[clamped] = clamp_weight
    values = values - np.average(values, axis=0, weights=weight)
    scatter = (values * weight[:, None]).T @ values
    likelihood = -np.inf
    # components first: maxima and sums then run along contiguous rows
    posterior = np.ascontiguousarray(posterior.T)
    start = posterior
    for done in range(rounds):
        report(done / rounds, "Fitting the mixture")
        last = posterior
        posterior, likelihood = _round(values, weight, scatter, posterior, shrinkage)
        if clamped is not None:
            posterior[:, clamped] = start[:, clamped]
        if np.abs(posterior - last).max() < 1e-4:
            break
    return Mixture(np.ascontiguousarray(posterior.T), likelihood)


def _round(values: Array, weight: Array, scatter: Array, posterior: Array, shrinkage: float) -> tuple[Array, float]:
    d = values.shape[1]
    weighted = posterior * weight
    sizes = np.maximum(weighted.sum(1), 1e-10)
    means = weighted @ values / sizes[:, None]
    within = (scatter - (means * sizes[:, None]).T @ means) / weight.sum()
    sphere = float(np.trace(within)) / d
    # rows that coincide leave no scatter at all; a trace of the total one keeps it positive
    sphere = max(sphere, 1e-9 * float(np.trace(scatter)) / weight.sum() / d, 1e-300)
    covariance = (1 - shrinkage) * within + max(shrinkage, 1e-6) * sphere * np.eye(d)
    factor = cho_factor(covariance, lower=True)
    slopes = cho_solve(factor, means.T).T
    # what all components share, -½ x'S⁻¹x and the constants, cancels in the posterior
    offsets = np.log(sizes / sizes.sum()) - 0.5 * (means * slopes).sum(1)
    density = slopes @ values.T + offsets[:, None]
    top = density.max(0)
    density -= top
    np.exp(density, out=density)
    total = density.sum(0)
    shared = -0.5 * float(np.trace(cho_solve(factor, scatter))) / weight.sum()
    shared -= float(np.log(np.diag(factor[0])).sum()) + 0.5 * d * np.log(2 * np.pi)
    likelihood = float(np.average(top + np.log(total), weights=weight))
    density /= total
    return density, likelihood + shared


def k_means(values: Array, k: int, generator: np.random.Generator, rounds: int = 50) -> npt.NDArray[np.int64]:
    """Return (n,) labels from one k-means++ start and at most ``rounds`` of Lloyd's algorithm.

    References
    ----------
    Arthur & Vassilvitskii (2007), "k-means++: the advantages of careful seeding".
    """
    n = len(values)
    centres = values[[generator.integers(n)]]
    nearest = ((values - centres[0]) ** 2).sum(1)
    for _ in range(k - 1):
        total = nearest.sum()
        chosen = generator.choice(n, p=nearest / total) if total > 0 else generator.integers(n)
        centres = np.vstack([centres, values[chosen]])
        nearest = np.minimum(nearest, ((values - values[chosen]) ** 2).sum(1))
    labels = np.full(n, -1)
    for _ in range(rounds):
        found = ((centres**2).sum(1)[:, None] - 2 * centres @ values.T).argmin(0)
        if np.array_equal(found, labels):
            break
        labels = found
        sizes = np.bincount(labels, minlength=k)
        member = sp.csr_matrix((np.ones(n), (labels, np.arange(n))), shape=(k, n))
        # a centre that has lost all its rows stays where it is
        centres = np.where(sizes[:, None] > 0, member @ values / np.maximum(sizes, 1)[:, None], centres)
    return labels.astype(np.int64)


def agreement(first: npt.NDArray[np.int64], second: npt.NDArray[np.int64]) -> float:
    """Return the adjusted Rand index of two labellings (Hubert & Arabie 1985, doi:10.1007/BF01908075)."""
    table = np.zeros((int(first.max()) + 1, int(second.max()) + 1))
    np.add.at(table, (first, second), 1)

    def pairs(counts: Array) -> float:
        return float((counts * (counts - 1) / 2).sum())

    both, a, b = pairs(table), pairs(table.sum(1)), pairs(table.sum(0))
    chance = a * b / max(pairs(np.array([float(len(first))])), 1.0)
    spread = (a + b) / 2 - chance
    return 1.0 if spread == 0 else (both - chance) / spread
