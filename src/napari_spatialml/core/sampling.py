"""An unbiased sample of cells, and what it says about all of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .arrays import require

__all__ = ["Interval", "sample", "wilson"]

Z_95 = 1.959963984540054
"""The standard normal quantile of a two-sided interval of 95 %."""


@dataclass(frozen=True)
class Interval:
    """A share with its confidence interval, 0 <= low <= share <= high <= 1."""

    share: float
    low: float
    high: float


def wilson(right: int, n: int, population: int | None = None, z: float = Z_95) -> Interval:
    """Return the share of right ones among all, from a sample without replacement.

    Parameters
    ----------
    right
        How many of the sample are right, 0 <= right <= n.
    n
        Size of the sample, n >= 1.
    population
        How many there are in all, n <= population; None stands for many more than n.
    z
        Quantile of the standard normal distribution: 1.96 for 95 %.

    Returns
    -------
    Interval
        Where the whole population was looked at, it has no width.

    Raises
    ------
    BadInput
        When the numbers do not fit together.

    Notes
    -----
    Wilson's interval stays within 0 and 1 and covers as promised when nearly all are right, where the
    usual share ± 1.96 standard errors has no width at all. A finite population of N shrinks the variance
    of the share by (N − n) / (N − 1), so z² is multiplied by it.

    References
    ----------
    Wilson, Journal of the American Statistical Association 22, 209 (1927). Cochran, Sampling Techniques,
    3rd edition (1977), eq. 3.7: the factor for a finite population.
    """
    require(n >= 1, f"The sample has {n} cells.", "Look at one first.")
    require(0 <= right <= n, f"{right} of {n} cannot be right.")
    require(population is None or population >= n, f"{n} cells were looked at, but there are only {population}.")
    factor = 1.0 if population is None else (population - n) / max(population - 1, 1)
    share, z2 = right / n, z * z * factor
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = float(np.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n)))) / (1 + z2 / n)
    low, high = min(centre - half, share), max(centre + half, share)  # rounding must not leave the share outside
    return Interval(share, max(low, 0.0), min(high, 1.0))


def sample(cells: npt.NDArray[np.int64], n: int, seed: int) -> npt.NDArray[np.int64]:
    """Return ``n`` of the cells at random, each set of them equally likely, in random order; all if there are fewer.

    Parameters
    ----------
    cells
        Their ids; the result does not depend on the order.
    n
        How many, n >= 1.
    seed
        The same seed draws the same cells.
    """
    require(n >= 1, f"A sample of {n} cells says nothing.", "Draw at least one.")
    ids = np.sort(np.asarray(cells, dtype=np.int64))
    return np.random.default_rng(seed).permutation(ids)[:n]
