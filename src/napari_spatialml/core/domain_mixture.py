"""Rows of a space divided into domains by a Gaussian mixture, the likeliest of several starts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .arrays import require
from .domains import Domains
from .mixture_starts import likeliest_mixture
from .report import Report, silent

__all__ = ["in_order_of_values", "mixture_domains", "numbered_by_size"]

Array = npt.NDArray[np.float64]


def in_order_of_values(values: Array) -> npt.NDArray[np.intp]:
    """Return (n,) row numbers in an order that comes from the values: shuffling the rows changes nothing."""
    # rounded: what rounding tells apart in one column must not decide the order
    scale = max(float(np.abs(values).max(initial=0.0)), 1e-300)
    return np.asarray(np.lexsort(np.round(values / scale, 9).T[::-1]))


def numbered_by_size(probabilities: Array, values: Array, ignored: npt.NDArray[np.bool_] | None = None) -> Domains:
    """Return domains numbered from the largest by expected size; ``values`` (n, d) break ties.

    Rows that are ignored, (n,) bool, do not count.
    """
    counted = slice(None) if ignored is None else ~ignored
    sizes, along = probabilities[counted].sum(0), values[counted, 0] @ probabilities[counted]
    probabilities = probabilities[:, np.lexsort((along, -sizes))]
    return Domains(probabilities.argmax(1), probabilities)


def mixture_domains(
    values: Array,
    n_domains: int,
    seed: int,
    ignored: npt.NDArray[np.bool_] | None = None,
    shrinkage: float = 0.65,
    n_starts: int = 32,
    report: Report = silent,
) -> Domains:
    """Divide rows by a Gaussian mixture with one covariance, shrunk towards a sphere.

    Parameters
    ----------
    values
        (n, d).
    n_domains
        >= 2.
    seed
        Of the starts.
    ignored
        (n,) rows that teach nothing; they get their likeliest domain.
    shrinkage
        As in `fit_mixture`.
    n_starts
        Starts of k-means++, of which the likeliest fit is kept.

    Raises
    ------
    BadInput
        When fewer rows are left than domains.
    """
    counted = slice(None) if ignored is None else ~ignored
    values = values - values[counted].mean(0)
    taught = values[counted]
    require(
        len(taught) >= n_domains,
        f"{len(taught)} rows are left for {n_domains} domains.",
        "Ignore less, or choose fewer domains.",
    )
    order = in_order_of_values(taught)
    found = likeliest_mixture(taught[order], n_domains, shrinkage, n_starts, seed, report)
    return numbered_by_size(np.ascontiguousarray(found.clouds.posterior(values).T), values, ignored)
