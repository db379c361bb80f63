"""Estimates with their 95 % intervals, worked out without drawing random numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite, nan, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Estimate", "mean_of", "proportion", "quantile_of", "ratio_of"]

_Z = 1.959963984540054
"""The 97.5th percentile of the standard normal distribution."""


@dataclass(frozen=True)
class Estimate:
    """A value and the interval that holds the true one in 95 of 100 samples; NaN where it is not known."""

    value: float
    low: float = nan
    high: float = nan

    def map(self, function: Callable[[float], float]) -> Estimate:
        """Return the estimate of a growing function of the value."""
        return Estimate(*(function(v) if isfinite(v) else nan for v in (self.value, self.low, self.high)))


def proportion(hits: int, n: int) -> Estimate:
    """Return a share of n independent trials, with Wilson's score interval; NaN if there was none.

    References
    ----------
    Wilson, Journal of the American Statistical Association 22, 209 (1927).
    """
    if n == 0:
        return Estimate(nan)
    p, z2 = hits / n, _Z**2
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z / (1 + z2 / n) * sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return Estimate(p, max(0.0, middle - half) if hits else 0.0, min(1.0, middle + half) if hits < n else 1.0)


def mean_of(values: npt.NDArray[Any]) -> Estimate:
    """Return the mean of independent values, with Student's interval."""
    from scipy.stats import t

    n = len(values)
    if n < 2:
        return Estimate(float(values[0]) if n else nan)
    mean, half = float(values.mean()), float(t.ppf(0.975, n - 1) * values.std(ddof=1) / sqrt(n))
    return Estimate(mean, mean - half, mean + half)


def quantile_of(values: npt.NDArray[Any], share: float) -> Estimate:
    """Return a quantile of independent values, with the interval between two of them.

    Notes
    -----
    How many of n values lie below the true quantile is binomial, whatever their distribution. Where n
    is too small for an end of the interval, it is NaN.

    References
    ----------
    Conover, Practical Nonparametric Statistics, 3rd ed., 1999, section 3.2.
    """
    from scipy.stats import binom

    n = len(values)
    if n == 0:
        return Estimate(nan)
    ordered = np.sort(values)
    # the r-th smallest lies below the quantile in all but P(X <= r - 1) of the samples
    below, above = int(binom.ppf(0.025, n, share)), int(binom.ppf(0.975, n, share)) + 1
    low = float(ordered[below - 1]) if below >= 1 else nan
    high = float(ordered[above - 1]) if above <= n else nan
    return Estimate(float(np.quantile(values, share)), low, high)


def ratio_of(numerators: npt.NDArray[Any], denominators: npt.NDArray[Any]) -> Estimate:
    """Return the ratio of two sums over independent units, with the interval of its linearisation.

    Notes
    -----
    :math:`R = \\sum x / \\sum y` and
    :math:`s^2(R) = n / (n - 1) \\cdot \\sum (x - R y)^2 / (\\sum y)^2`.

    References
    ----------
    Cochran, Sampling Techniques, 3rd ed., 1977, eq. 2.46.
    """
    total, n = float(denominators.sum()), len(denominators)
    if total == 0:
        return Estimate(nan)
    ratio = float(numerators.sum()) / total
    if n < 2:
        return Estimate(ratio)
    left = numerators - ratio * denominators
    half = _Z * sqrt(n / (n - 1) * float((left**2).sum())) / total
    return Estimate(ratio, max(0.0, ratio - half), min(1.0, ratio + half))
