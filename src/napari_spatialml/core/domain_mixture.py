"""Rows of a space divided into domains by a Gaussian mixture, the likeliest of several starts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .arrays import require
from .domains import Domains
from .mixture import Mixture, fit_mixture, k_means
from .report import Report, part, silent

__all__ = ["in_order_of_values", "mixture_domains", "numbered_by_size"]

Array = npt.NDArray[np.float64]
_HEAVY = 1e6


def in_order_of_values(values: Array) -> npt.NDArray[np.intp]:
    """Return (n,) row numbers in an order that comes from the values: shuffling the rows changes nothing."""
    # rounded: what rounding tells apart in one column must not decide the order
    scale = max(float(np.abs(values).max(initial=0.0)), 1e-300)
    return np.asarray(np.lexsort(np.round(values / scale, 9).T[::-1]))


def numbered_by_size(probabilities: Array, values: Array) -> Domains:
    """Return domains numbered from the largest by expected size; ``values`` (n, d) break ties."""
    order = np.lexsort((values[:, 0] @ probabilities, -probabilities.sum(0)))
    probabilities = probabilities[:, order]
    return Domains(probabilities.argmax(1), probabilities)


def mixture_domains(
    values: Array,
    n_domains: int,
    seed: int,
    ignored: npt.NDArray[np.bool_] | None = None,
    shrinkage: float = 0.65,
    n_starts: int = 10,
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
    """
    order = in_order_of_values(values)
    taught = np.ones(len(values), dtype=bool) if ignored is None else ~ignored
    order = order[taught[order]]
    require(
        len(order) >= n_domains, f"{len(order)} rows are not ignored, for {n_domains} domains.", "Choose fewer domains."
    )
    generator = np.random.default_rng(seed)
    best: Mixture | None = None
    for start in range(n_starts):
        report(start / n_starts, f"Start {start + 1} of {n_starts}")
        labels = k_means(values[order], n_domains, generator)
        step = part(report, start / n_starts, (start + 1) / n_starts)
        found = fit_mixture(values[order], np.eye(n_domains)[labels], shrinkage, report=step)
        if best is None or found.log_likelihood > best.log_likelihood:
            best = found
    assert best is not None  # n_starts >= 1
    posterior = np.full((len(values), n_domains), 1 / n_domains)
    posterior[order] = best.posterior
    if not taught.all():
        # the others get what the fit says of them, and weigh next to nothing in it
        posterior = fit_mixture(values, posterior, shrinkage, 2, taught, _HEAVY).posterior
    return numbered_by_size(posterior, values)
