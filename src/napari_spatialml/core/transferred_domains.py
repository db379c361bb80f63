"""A map of domains laid onto another section: the domains of its rows, told by those of the first."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .arrays import require

__all__ = ["centred_apart", "domains_like"]

Array = npt.NDArray[np.float64]
_SHRINKAGE = 0.65


def centred_apart(
    values: Array, sections: npt.NDArray[np.int64], ignored: npt.NDArray[np.bool_] | None = None
) -> Array:
    """Return (n, d) values less the mean of their section: what all rows of one have in common is no domain.

    Parameters
    ----------
    values
        (n, d).
    sections
        (n,) numbers from 0.
    ignored
        (n,) rows that do not count for the mean; or None.
    """
    counted = np.ones(len(values)) if ignored is None else (~ignored).astype(np.float64)
    total = np.zeros((int(sections.max()) + 1, values.shape[1]))
    np.add.at(total, sections, values * counted[:, None])
    n = np.bincount(sections, counted, len(total))
    return np.asarray(values - (total / np.maximum(n, 1)[:, None])[sections])


def domains_like(values: Array, codes: npt.NDArray[np.int64], others: Array, k: int) -> Array:
    """Return (m, k) how likely other rows lie in each of k domains, by rows whose domain is known.

    Parameters
    ----------
    values, codes
        (n, d), and the domain of each row; below 0 for a row that teaches nothing.
    others
        (m, d) in the same space.
    k
        Number of domains; one without a row gets nothing.

    Raises
    ------
    BadInput
        When no row has a domain.

    References
    ----------
    Friedman (1989), doi:10.1080/01621459.1989.10478752: discriminant analysis with one covariance for all,
    shrunk towards a sphere.
    """
    known = codes >= 0
    there = np.unique(codes[known])
    require(len(there) > 0, "No row has a domain.", "Choose another map.")
    found = np.zeros((len(others), k))
    if len(there) == 1:
        found[:, there[0]] = 1.0
        return found
    means = np.stack([values[codes == c].mean(0) for c in there])
    spread = values[known] - means[np.searchsorted(there, codes[known])]
    within = spread.T @ spread / known.sum()
    d = values.shape[1]
    sphere = max(float(np.trace(within)) / d, 1e-9 * float(values.var(0).sum()) / d, 1e-300)
    covariance = (1 - _SHRINKAGE) * within + _SHRINKAGE * sphere * np.eye(d)
    slopes = np.linalg.solve(covariance, means.T)
    share = np.bincount(np.searchsorted(there, codes[known])) / known.sum()
    density = others @ slopes + np.log(share) - 0.5 * (means.T * slopes).sum(0)
    density = np.exp(density - density.max(1, keepdims=True))
    found[:, there] = density / density.sum(1, keepdims=True)
    return found
