"""What a plot says about rows: counts in bins, the density of each category, shares of one category in another."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Density", "bin_edges", "densities", "shares"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_GRID = 512
_MOST_BINS = 200


@dataclass(frozen=True, eq=False)
class Density:
    """How the numbers of one category are spread.

    Parameters
    ----------
    n
        How many numbers.
    at, height
        (m,) places and the density there, its largest value being 1; a constant has one place.
    quartiles
        The lower quartile, the median and the upper quartile; NaN without numbers.
    """

    n: int
    at: Floats
    height: Floats
    quartiles: tuple[float, float, float]


def bin_edges(values: Floats) -> Floats:
    """Return edges of equal bins for finite numbers.

    Parameters
    ----------
    values
        (n,) finite, n ≥ 1.

    Notes
    -----
    The width is Freedman and Diaconis's, 2 · IQR / n^⅓, but there are 10 to 200 bins. Whole numbers that
    span fewer than 200 get a bin each, centred on the number, or each bin the same count of whole numbers:
    else some bins would hold two and their neighbours one. A constant has one bin.

    References
    ----------
    Freedman and Diaconis, Z. Wahrscheinlichkeitstheorie 57, 453 (1981).
    """
    low, high = float(values.min()), float(values.max())
    if not high > low:
        half = max(abs(low) * 0.01, 0.5)
        return np.array([low - half, low + half])
    lower, upper = np.percentile(values, [25, 75])
    width = 2 * float(upper - lower) / len(values) ** (1 / 3)
    wanted = (high - low) / width if width > 0 else np.sqrt(len(values))
    bins = int(np.clip(np.ceil(wanted), 10, _MOST_BINS))
    if bool((values == np.rint(values)).all()):
        step = max(1, int(np.ceil((high - low + 1) / (bins if high - low + 1 > _MOST_BINS else _MOST_BINS))))
        return np.arange(low - 0.5, high + step, step)
    return np.linspace(low, high, bins + 1)


def densities(values: Floats, codes: Ints, n_categories: int) -> tuple[Density, ...]:
    """Return how the numbers of each category are spread.

    Parameters
    ----------
    values
        (n,); what is not finite is left out.
    codes
        (n,) the category of each, -1 for none.
    n_categories
        How many there are.

    Notes
    -----
    A Gaussian kernel of Silverman's width, 0.9 · min(σ, IQR / 1.34) · n^(−⅕), on a grid of 512 places that ends
    at the smallest and the largest number: no density is drawn where there is no number. O(n) beside a sort.

    References
    ----------
    Silverman, Density Estimation for Statistics and Data Analysis, eq. 3.31 (1986).
    """
    kept = np.isfinite(values) & (codes >= 0)
    order = np.argsort(codes[kept], kind="stable")
    held, group = values[kept][order], codes[kept][order]
    ends = np.searchsorted(group, np.arange(n_categories + 1))
    return tuple(_density(held[a:b]) for a, b in itertools.pairwise(ends))


def _density(values: Floats) -> Density:
    from scipy.ndimage import gaussian_filter1d

    n = len(values)
    if n == 0:
        return Density(0, np.empty(0), np.empty(0), (np.nan, np.nan, np.nan))
    lower, median, upper = (float(v) for v in np.percentile(values, [25, 50, 75]))
    low, high = float(values.min()), float(values.max())
    if not high > low:
        return Density(n, np.array([low]), np.ones(1), (lower, median, upper))
    spread = min(s for s in (float(values.std()), (upper - lower) / 1.34) if s > 0)
    step = (high - low) / (_GRID - 1)
    place = np.rint((values - low) / step).astype(np.int64)
    counts = np.bincount(place, minlength=_GRID).astype(float)
    smooth = gaussian_filter1d(counts, max(0.9 * spread * n ** (-1 / 5) / step, 1.0), mode="constant")
    return Density(n, low + step * np.arange(_GRID), smooth / smooth.max(), (lower, median, upper))


def shares(members: Sequence[Ints], codes: Ints, n_categories: int) -> tuple[Ints, Floats]:
    """Return how many rows of each group have each category, and which share of the group that is.

    Parameters
    ----------
    members
        For each group the places of its rows.
    codes
        (n,) the category of each row; rows without one (-1) count in no group.
    n_categories
        How many there are.

    Returns
    -------
    counts, shares
        (groups, categories) each. A group's shares sum to 1; those of an empty group are 0.
    """
    counts = np.zeros((len(members), n_categories), np.int64)
    for group, rows in enumerate(members):
        held = codes[rows]
        counts[group] = np.bincount(held[held >= 0], minlength=n_categories)
    totals = counts.sum(axis=1, keepdims=True)
    return counts, np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
