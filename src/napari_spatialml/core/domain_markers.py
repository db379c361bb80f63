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
from .marker_sums import Effects, group_sums
from .report import Report, part, silent

__all__ = ["Marker", "Markers", "compared", "markers"]

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

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
        Of counts: counts at the median depth. Of raw intensities: the same, in units of their median. Else of the
        values themselves.
    log2_fold_change
        Of these means, to each of which one row of the mean of all is added, so that a feature that is nowhere
        else has a large change, not an infinite one. NaN for a feature with negative values. Of values that are
        logarithms already it is the change of their means, which is smaller: give counts where there are any.
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


def _effects(
    features: Any, group: Ints, k: int, names: tuple[str, ...], sections: Any, how: Any, report: Report
) -> Markers:
    report(0.0, "Normalising")
    values = normalised(features, how)
    there = group >= 0
    number = np.zeros(len(group), np.int64) if sections is None else np.unique(sections, return_inverse=True)[1]
    blocks = np.unique(number[there])
    found = Effects.none(k, len(names))
    for done, block in enumerate(blocks):
        step = part(report, 0.2 + 0.8 * done / len(blocks), 0.2 + 0.8 * (done + 1) / len(blocks))
        own = np.where(number == block, group, -1)
        found.add(group_sums(values, own, k, logged=values is not features, report=step))
    sizes = np.bincount(group[there], minlength=k)
    mean_in, mean_out, auroc, gap, share_in, share_out = found.means()
    change = _fold_change(mean_in, mean_out, sizes)
    change[:, found.negative] = np.nan
    report(1.0, f"Compared {len(names)} features")
    return Markers(names, sizes, mean_in, mean_out, change, auroc, found.standardised(gap), share_in, share_out)


def _fold_change(mean_in: Array, mean_out: Array, sizes: Ints) -> Array:
    n_in = sizes[:, None].astype(np.float64)
    n_out = n_in.sum() - n_in
    every = (n_in * mean_in + n_out * mean_out) / np.maximum(n_in + n_out, 1)
    high = (n_in * mean_in + every) / (n_in + 1)
    low = (n_out * mean_out + every) / (n_out + 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(every == 0, 0.0, np.log2(high / low))
