"""Which features tell a domain from the rest, or two domains apart: effect sizes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from .arrays import require
from .lowpass import normalised
from .report import Report, part, silent

__all__ = ["Marker", "Markers", "compared", "markers"]

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_BLOCK = 1 << 22
"""Entries of a dense table that are gathered by columns at once."""
_EQUAL = 1e-9


@dataclass(frozen=True)
class Marker:
    """One feature in one domain; the figures are explained at `Markers`."""

    feature: str
    column: int
    mean_in: float
    mean_out: float
    log2_fold_change: float
    auroc: float
    cohens_d: float
    share_in: float
    share_out: float


@dataclass(frozen=True, eq=False)
class Markers:
    """How far each feature tells each domain from the other rows.

    All arrays are (k, p): domains, features. NaN where a domain, or what is beside it, has no rows.

    Parameters
    ----------
    features
        (p,) names.
    sizes
        (k,) rows of each domain.
    mean_in, mean_out
        Mean of the values as they are read: of counts, counts at the median depth; else of the values themselves.
    log2_fold_change
        Of these means, to each of which one row of the mean of all is added, so that a feature that is nowhere
        else has a large change, not an infinite one. NaN for a feature with negative values.
    auroc
        The probability that a row of the domain has more of the feature than one outside it, ties counting half:
        1 always more, 0.5 no difference, 0 always less.
    cohens_d
        Difference of the means over the pooled standard deviation, of logarithms where the values are counts; 0
        for a constant feature, infinite for one that is constant on either side and differs.
    share_in, share_out
        Share of rows with any of it, that is above 0.
    """

    features: tuple[str, ...]
    sizes: Ints
    mean_in: Array
    mean_out: Array
    log2_fold_change: Array
    auroc: Array
    cohens_d: Array
    share_in: Array
    share_out: Array

    def order(self, domain: int, *, lower: bool = False) -> Ints:
        """Return (p,) the columns of the features that are highest in a domain, best first; lowest if so asked.

        Parameters
        ----------
        domain
            0 <= domain < k.
        lower
            Those that are lowest instead.

        Notes
        -----
        Sorted by AUROC; equal ones by fold change, then by Cohen's d, then by name.
        """
        k = len(self.sizes)
        require(0 <= domain < k, f"There is no domain {domain}.", f"Give a number of 0 to {k - 1}.")
        sign = -1.0 if lower else 1.0
        keys = [
            np.nan_to_num(sign * a[domain], nan=-np.inf) for a in (self.auroc, self.log2_fold_change, self.cohens_d)
        ]
        # what differs by rounding is equal, so that the order of the rows does not decide
        order = np.lexsort([np.array(self.features), *(-np.round(key / _EQUAL) for key in keys[::-1])])
        return np.asarray(order, np.int64)

    def top(self, domain: int, n: int | None = None, *, lower: bool = False) -> list[Marker]:
        """Return the features that are highest in a domain, best first: at most ``n`` of `order`, all if None."""
        return [self._marker(domain, int(j)) for j in self.order(domain, lower=lower)[:n]]

    def _marker(self, domain: int, j: int) -> Marker:
        figures = (self.mean_in, self.mean_out, self.log2_fold_change, self.auroc, self.cohens_d, self.share_in)
        return Marker(self.features[j], j, *(float(a[domain, j]) for a in (*figures, self.share_out)))


def markers(
    features: Any,
    labels: npt.ArrayLike,
    names: Sequence[str],
    k: int | None = None,
    report: Report = silent,
    *,
    sections: npt.ArrayLike | None = None,
    normalise: Literal["auto", "log", "none"] = "auto",
) -> Markers:
    r"""Compare each domain with all other rows that have a domain, feature by feature.

    Parameters
    ----------
    features
        (n, p), dense or sparse: counts, intensities, proportions.
    labels
        (n,) int, below 0 without a domain: such rows count nowhere.
    names
        (p,) of the features.
    k
        Number of domains; as many as the labels name if None.
    sections
        (n,) the section of each row. Rows are then compared within their section only, and the figures averaged
        over sections, so that a feature that is brighter on one section is no marker of the domains on it.
    normalise
        As of `lowpass.normalised`.

    Notes
    -----
    **These are effect sizes, and no p-values are given on purpose.** The domains were found from the same
    features, so that some differ between domains even where the tissue is homogeneous; a test that takes the
    domains as given would call them significant however little they mean. Neighbouring rows are not independent
    either. To test a marker, use other sections, or features that the division did not read.

    AUROC is the Mann–Whitney statistic over the number of pairs, with mid-ranks for ties. Sections weigh by
    :math:`n_{in} n_{out} / (n_{in} + n_{out})`. The cost is that of sorting the entries that are not 0.

    References
    ----------
    Mann and Whitney, Annals of Mathematical Statistics 18, 50 (1947), doi:10.1214/aoms/1177730491; over sections
    as van Elteren, Bulletin de l'Institut International de Statistique 37, 351 (1960). Cohen, Statistical Power
    Analysis for the Behavioral Sciences, 1988, eq. 2.5.1. On testing what was clustered from the same data: Gao,
    Bien and Witten, Journal of the American Statistical Association 119, 332 (2024),
    doi:10.1080/01621459.2022.2116331.
    """
    group = np.asarray(labels, dtype=np.int64)
    found = int(group.max(initial=-1)) + 1
    k = found if k is None else k
    require(found <= k, f"A label is {found - 1}, for {k} domains.", f"Give at least {found} domains.")
    _check(features, group, names)
    return _effects(features, group, k, tuple(names), sections, normalise, report)


def compared(
    features: Any,
    labels: npt.ArrayLike,
    a: int | Collection[int],
    b: int | Collection[int],
    names: Sequence[str] | None = None,
    report: Report = silent,
    *,
    sections: npt.ArrayLike | None = None,
    normalise: Literal["auto", "log", "none"] = "auto",
) -> Markers:
    """Compare two domains, or two sets of domains, with each other; other rows count nowhere.

    Parameters
    ----------
    features, labels, report, sections, normalise
        As of `markers`, with the same caution.
    a, b
        Numbers of domains.
    names
        (p,) of the features; their numbers if None.

    Returns
    -------
    Markers
        Of two: 0 is ``a`` against ``b``, 1 is ``b`` against ``a``.

    Raises
    ------
    BadInput
        If the two share a domain, or one has no rows.
    """
    sides = [np.atleast_1d(np.asarray(list(s) if isinstance(s, Collection) else s, dtype=np.int64)) for s in (a, b)]
    both = np.intersect1d(sides[0], sides[1])
    require(not len(both), f"The domains {both.tolist()} are on both sides.", "Compare different domains.")
    own = np.asarray(labels, dtype=np.int64)
    group = np.where(np.isin(own, sides[0]), 0, np.where(np.isin(own, sides[1]), 1, -1))
    group[own < 0] = -1
    for side in (0, 1):
        require(bool((group == side).any()), f"No row is in domain {sides[side].tolist()}.", "Choose another domain.")
    named = tuple(str(j) for j in range(features.shape[1])) if names is None else tuple(names)
    _check(features, group, named)
    return _effects(features, group, 2, named, sections, normalise, report)


def _check(features: Any, group: Ints, names: Sequence[str]) -> None:
    n, p = features.shape
    require(group.shape == (n,), f"There are {group.size} labels for {n} rows.", "Give one a row.")
    require(len(names) == p, f"There are {len(names)} names for {p} features.", "Give one a feature.")
    values = features.data if sp.issparse(features) else np.asarray(features)
    require(bool(np.isfinite(values).all()), "The features hold NaN or infinite values.", "Remove or fill them first.")


@dataclass(eq=False)
class _Sums:
    """Sums by domain (k, p) over the rows of a section, and its sizes (k,)."""

    sizes: Ints
    values: Array
    squares: Array
    linear: Array
    above: Array
    ranks: Array


def _effects(
    features: Any, group: Ints, k: int, names: tuple[str, ...], sections: Any, how: Any, report: Report
) -> Markers:
    report(0.0, "Normalising")
    values = normalised(features, how)
    logged = values is not features
    there = group >= 0
    number = np.zeros(len(group), np.int64) if sections is None else np.unique(sections, return_inverse=True)[1]
    blocks = np.unique(number[there])
    shape = (k, len(names))
    weights, free, total, within = np.zeros((k, 1)), np.zeros((k, 1)), np.zeros((6, *shape)), np.zeros(shape)
    negative = np.zeros(shape[1], bool)
    for done, block in enumerate(blocks):
        step = part(report, 0.2 + 0.8 * done / len(blocks), 0.2 + 0.8 * (done + 1) / len(blocks))
        sums, below = _summed(values, np.where(number == block, group, -1), k, logged, step)
        weight, figures, scatter = _figures(sums)
        weights += weight
        total += weight * figures
        within += np.where(weight > 0, scatter, 0.0)
        free += np.where(weight > 0, sums.sizes.sum() - 2.0, 0.0)
        negative |= below
    nothing = np.full_like(total, np.nan)
    mean_in, mean_out, auroc, gap, share_in, share_out = np.divide(total, weights, out=nothing, where=weights > 0)
    apart = np.where(gap == 0, 0.0, np.copysign(np.inf, gap))
    d = np.divide(gap, np.sqrt(within / np.maximum(free, 1)), out=apart, where=within > 0)
    d[np.isnan(gap)] = np.nan
    sizes = np.bincount(group[there], minlength=k)
    change = _fold_change(mean_in, mean_out, sizes)
    change[:, negative] = np.nan
    report(1.0, f"Compared {len(names)} features")
    return Markers(names, sizes, mean_in, mean_out, change, auroc, d, share_in, share_out)


def _summed(values: Any, group: Ints, k: int, logged: bool, report: Report) -> tuple[_Sums, npt.NDArray[np.bool_]]:
    """Return the sums of the rows with a group, and (p,) which features have negative values."""
    from .marker_kernels import column_sums

    rows = np.flatnonzero(group >= 0)
    own = group[rows]
    sizes = np.bincount(own, minlength=k).astype(np.int64)
    p = values.shape[1]
    sums = _Sums(sizes, *(np.zeros((k, p)) for _ in range(5)))
    negative = np.zeros(p, bool)
    filled = (sums.values, sums.squares, sums.linear, sums.above, sums.ranks)
    chosen = values if len(rows) == values.shape[0] else values[rows]
    by_column = sp.csc_matrix(chosen) if sp.issparse(chosen) else chosen
    size = 64 if sp.issparse(chosen) else max(1, min(64, _BLOCK // max(len(rows), 1)))
    for start in range(0, p, size):
        report(start / p, "Comparing the features")
        piece = by_column[:, start : start + size]
        block = piece if sp.issparse(piece) else sp.csc_matrix(np.asarray(piece))
        parts = [np.zeros((k, block.shape[1])) for _ in filled]
        column_sums(block.indptr, block.indices, block.data, own, sizes, logged, *parts)
        for whole, found in zip(filled, parts, strict=True):
            whole[:, start : start + size] = found
        low = np.zeros(block.shape[1], bool)
        low[np.repeat(np.arange(block.shape[1]), np.diff(block.indptr))[block.data < 0]] = True
        negative[start : start + size] = low
    return sums, negative


def _figures(s: _Sums) -> tuple[Array, Array, Array]:
    """Return the weight of a section (k, 1), its figures (6, k, p) and its scatter within domain and rest (k, p).

    The figures: means in and out, AUROC, gap between the means of the values, shares in and out.
    """
    n_in = s.sizes[:, None].astype(np.float64)
    n_out = n_in.sum() - n_in
    a, b = np.maximum(n_in, 1), np.maximum(n_out, 1)
    mean_in, mean_out = s.linear / a, (s.linear.sum(0) - s.linear) / b
    share_in, share_out = s.above / a, (s.above.sum(0) - s.above) / b
    auroc = (s.ranks - n_in * (n_in + 1) / 2) / (a * b)
    first, second = s.values / a, (s.values.sum(0) - s.values) / b
    # what rounding leaves of a constant is neither gap nor scatter
    gap = first - second
    gap[np.abs(gap) <= 1e-9 * np.maximum(np.abs(first), np.abs(second))] = 0.0
    squares = s.squares.sum(0)
    within = squares - n_in * first**2 - n_out * second**2
    within = np.where(within > 1e-12 * squares, within, 0.0)
    weight = n_in * n_out / np.maximum(n_in + n_out, 1)
    return weight, np.stack([mean_in, mean_out, auroc, gap, share_in, share_out]), within


def _fold_change(mean_in: Array, mean_out: Array, sizes: Ints) -> Array:
    n_in = sizes[:, None].astype(np.float64)
    n_out = n_in.sum() - n_in
    every = (n_in * mean_in + n_out * mean_out) / np.maximum(n_in + n_out, 1)
    high = (n_in * mean_in + every) / (n_in + 1)
    low = (n_out * mean_out + every) / (n_out + 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(every == 0, 0.0, np.log2(high / low))
