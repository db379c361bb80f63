"""Many starts of a mixture at once, of which ever fewer go on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .mixture import Clouds, Mixture, estimated, fit_mixture
from .report import Report, part, silent

__all__ = ["likeliest_mixture"]

Array = npt.NDArray[np.float64]

_FEW_ROWS = 50
"""On fewer there are not so many maps to find."""
_SAMPLE_ROWS = 1200
"""Starts are compared on so many rows, evenly over their values; the likeliest go on with all of them."""
_ROUNDS = 5
_FINALISTS = 4
_FINAL_ROUNDS = 10


def likeliest_mixture(
    values: Array, k: int, shrinkage: float, n_starts: int, seed: int, report: Report = silent
) -> Mixture:
    """Return the likeliest of ``n_starts`` mixtures, each from another k-means++ start.

    Parameters
    ----------
    values
        (n, d) of mean 0, n >= k, in an order that does not depend on the table's.
    k
        Number of components.
    shrinkage
        As in `fit_mixture`.
    n_starts
        So many, and in proportion more of tables of a few hundred rows. All run a few rounds on some
        rows; by likelihood the better half goes on, until four are left to run on all rows; the best of
        them converges.
    seed
        Of the starts.

    References
    ----------
    Jamieson & Talwalkar (2016), "Non-stochastic best arm identification and hyperparameter optimization":
    successive halving.
    """
    some = np.ascontiguousarray(values[:: -(-len(values) // max(_SAMPLE_ROWS, 20 * k))])
    some_centred = some - some.mean(0)
    # a small table has as many hills as a large one, and its starts cost less: by its rows, or by its columns
    n_starts *= max(1, _SAMPLE_ROWS // max(*values.shape, _FEW_ROWS))
    held = _plus_plus(some_centred, k, n_starts, np.random.default_rng(seed))
    clouds, likelihood = _run(some_centred, held, shrinkage, _ROUNDS, part(report, 0.0, 0.2))
    while len(likelihood) > _FINALISTS:
        better = np.argsort(-likelihood, kind="stable")[: max(len(likelihood) // 2, _FINALISTS)]
        held = _kept(clouds, better).posterior(some_centred)
        clouds, likelihood = _run(some_centred, held, shrinkage, _ROUNDS)
    finals = []
    for at in range(len(likelihood)):
        step = part(report, 0.3 + 0.1 * at, 0.4 + 0.1 * at)
        # one by one: of all rows there may be a great many
        start = _kept(clouds, np.array([at])).posterior(values - some.mean(0))[0]
        finals.append(fit_mixture(values, start.T, shrinkage, _FINAL_ROUNDS, step))
    best = max(finals, key=lambda found: found.log_likelihood)
    return fit_mixture(values, best.posterior, shrinkage, report=part(report, 0.7, 1.0))


def _run(values: Array, held: Array, shrinkage: float, rounds: int, report: Report = silent) -> tuple[Clouds, Array]:
    """Return the clouds after so many rounds from (starts, k, n) posteriors, and the likelihood of each start."""
    scatter = values.T @ values
    for done in range(rounds):
        report(done / rounds, "Comparing starts")
        clouds = estimated(values, held, scatter, float(len(values)), shrinkage)
        held, likelihood = clouds.expected(values)
    return clouds, likelihood


def _kept(clouds: Clouds, starts: npt.NDArray[np.int64]) -> Clouds:
    return Clouds(clouds.slopes[starts], clouds.offsets[starts], clouds.sizes[starts], clouds.shared[starts])


def _plus_plus(values: Array, k: int, n_starts: int, generator: np.random.Generator) -> Array:
    """Return (n_starts, k, n): each row wholly in the cloud of its nearest centre, centres drawn as in k-means++.

    References
    ----------
    Arthur & Vassilvitskii (2007), "k-means++: the advantages of careful seeding".
    """
    n = len(values)
    length = (values**2).sum(1)
    nearest = np.full((n_starts, n), np.inf)
    owner = np.zeros((n_starts, n), np.int64)
    chosen = generator.integers(n, size=n_starts)
    for component in range(k):
        if component:
            reach = np.cumsum(nearest, axis=1)
            drawn = generator.random(n_starts) * reach[:, -1]
            chosen = np.minimum((reach <= drawn[:, None]).sum(1), n - 1)
        distance = np.maximum(length + length[chosen, None] - 2 * values[chosen] @ values.T, 0)
        closer = distance < nearest
        owner[closer] = component
        nearest = np.where(closer, distance, nearest)
    return np.asarray(owner[:, None, :] == np.arange(k)[None, :, None], dtype=np.float64)
