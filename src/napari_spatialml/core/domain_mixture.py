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


def numbered_by_size(probabilities: Array, values: Array, counted: npt.NDArray[np.bool_]) -> Domains:
    """Return domains numbered from the largest.

    Parameters
    ----------
    probabilities
        (n, k), rows sum to 1.
    values
        (n, d): the first column breaks ties.
    counted
        (n,) rows that count for the size of a domain.
    """
    sizes = probabilities[counted].sum(0)
    order = np.lexsort((values[counted, 0] @ probabilities[counted], -sizes))
    probabilities = probabilities[:, order]
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
    shrinkage, n_starts
        As in `likeliest_mixture`.

    Raises
    ------
    BadInput
        When fewer rows are left than domains.
    """
    counted = np.ones(len(values), dtype=bool) if ignored is None else ~ignored
    left = int(counted.sum())
    require(
        left >= n_domains, f"{left} rows are left for {n_domains} domains.", "Ignore less, or choose fewer domains."
    )
    values = values - values[counted].mean(0)
    order = in_order_of_values(values[counted])
    found = likeliest_mixture(values[counted][order], n_domains, shrinkage, n_starts, seed, report)
    return numbered_by_size(np.ascontiguousarray(found.clouds.posterior(values).T), values, counted)
