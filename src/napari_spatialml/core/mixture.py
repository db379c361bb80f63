"""A Gaussian mixture whose one covariance is shrunk towards a sphere."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from .report import Report, silent

__all__ = ["Clouds", "Mixture", "estimated", "fit_mixture", "k_means"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Clouds:
    """Gaussian clouds of one covariance, of one mixture or of a stack of them.

    The log density of cloud c at x, its share included, is slopes[c] · x + offsets[c] + sizes[c], and
    what all clouds share.

    Parameters
    ----------
    slopes
        (..., k, d).
    offsets
        (..., k).
    sizes
        (..., k) logarithms of the shares of the rows.
    shared
        (...) what all clouds have in common, as the mean over the rows that were fitted.
    """

    slopes: Array
    offsets: Array
    sizes: Array
    shared: Array

    def density(self, values: Array) -> Array:
        """Return (..., k, n) log densities of ``values`` (n, d), less what all clouds share."""
        density = self.slopes @ values.T
        density += (self.offsets + self.sizes)[..., None]
        return np.asarray(density)

    def posterior(self, values: Array) -> Array:
        """Return (..., k, n) probabilities of ``values`` (n, d)."""
        return self.expected(values)[0]

    def expected(self, values: Array) -> tuple[Array, Array]:
        """Return the probabilities and (...) the mean log likelihood of the rows that were fitted."""
        density = self.density(values)
        top = density.max(-2, keepdims=True)
        density -= top
        np.exp(density, out=density)
        total = density.sum(-2, keepdims=True)
        density /= total
        return density, (top + np.log(total)).mean((-2, -1)) + self.shared


@dataclass(frozen=True)
class Mixture:
    """A fitted mixture.

    Parameters
    ----------
    posterior
        (n, k), rows sum to 1.
    log_likelihood
        Mean over rows.
    clouds
        Of the last round: they give other rows their probabilities.
    """

    posterior: Array
    log_likelihood: float
    clouds: Clouds

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """The likeliest component of each row."""
        return np.asarray(self.posterior.argmax(1), dtype=np.int64)


def fit_mixture(
    values: Array, posterior: Array, shrinkage: float, rounds: int = 100, report: Report = silent
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
        >= 1, at most this many; stops when a round moves less than 1e-5 of the rows, at the mean.

    Notes
    -----
    One covariance for all components needs only the total scatter, so a round costs O(n d k + d³).
    A free pooled covariance collapses on outlying directions; the sphere prevents it.

    References
    ----------
    Dempster, Laird & Rubin (1977), doi:10.1111/j.2517-6161.1977.tb01600.x; the shrinkage as in
    Friedman (1989), doi:10.1080/01621459.1989.10478752, equation 18.
    """
    n = len(values)
    # centred, so that far from the origin nothing is lost to rounding
    centre = values.mean(0)
    values = values - centre
    scatter = values.T @ values
    # components first: maxima and sums then run along contiguous rows
    held = np.ascontiguousarray(posterior.T)
    for done in range(rounds):
        report(done / rounds, "Fitting the mixture")
        last = held
        clouds = estimated(values, held, scatter, float(n), shrinkage)
        held, likelihood = clouds.expected(values)
        if np.abs(held - last).sum() < 2e-5 * n:
            break
    clouds = replace(clouds, offsets=clouds.offsets - clouds.slopes @ centre)
    return Mixture(np.ascontiguousarray(held.T), float(likelihood), clouds)


def estimated(values: Array, weighted: Array, scatter: Array, total: float, shrinkage: float) -> Clouds:
    """Return the clouds of rows that belong to them in part.

    Parameters
    ----------
    values
        (n, d), their weighted mean about 0.
    weighted
        (..., k, n) posteriors times the weights of the rows.
    scatter
        (d, d): Σ w x xᵀ.
    total
        Sum of all weights.
    shrinkage
        As in `fit_mixture`.
    """
    d = values.shape[1]
    sizes = np.maximum(weighted.sum(-1), 1e-10)
    means = weighted @ values / sizes[..., None]
    within = (scatter - np.swapaxes(means * sizes[..., None], -1, -2) @ means) / total
    # rows that coincide leave no scatter at all; a trace of the total one keeps it positive
    least = max(1e-9 * float(np.trace(scatter)) / total / d, 1e-300)
    sphere = np.maximum(np.trace(within, axis1=-2, axis2=-1) / d, least)[..., None, None]
    covariance = (1 - shrinkage) * within + max(shrinkage, 1e-6) * sphere * np.eye(d)
    inverse = np.linalg.inv(covariance)
    slopes = means @ inverse
    # what all components share, -½ x'S⁻¹x and the constants, cancels in the posterior
    offsets = -0.5 * (means * slopes).sum(-1)
    shared = -0.5 * (inverse * scatter).sum((-2, -1)) / total
    shared = shared - 0.5 * np.linalg.slogdet(covariance)[1] - 0.5 * d * np.log(2 * np.pi)
    return Clouds(slopes, offsets, np.log(sizes / sizes.sum(-1, keepdims=True)), shared)


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
        member = (labels == np.arange(k)[:, None]).astype(np.float64)
        # a centre that has lost all its rows stays where it is
        centres = np.where(sizes[:, None] > 0, member @ values / np.maximum(sizes, 1)[:, None], centres)
    return labels.astype(np.int64)
