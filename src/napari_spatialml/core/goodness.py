"""How well proportions explain the counts, and how sure they are, whichever method has found them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from .count_rows import CountRows, evenly_spaced, row_blocks, some_rows
from .count_units import count_units
from .fisher import Design, information, pearson, standard_errors
from .platform_factors import noise_around
from .report import Report, silent

__all__ = ["Goodness", "goodness"]

Array = npt.NDArray[np.float64]
_LEARN = 400
_BLOCK = 1 << 22


@dataclass(frozen=True)
class Goodness:
    """What `core.Proportions` tells beside the proportions themselves; its parts are named as there.

    Parameters
    ----------
    abundance
        (n, t) counts that each type explains.
    standard_errors
        (n, t) under the noise of counts; without that of the reference, which only `core.uncertainty` knows.
    deviance
        (n,) squared residuals over what is expected, about 1 where the profiles fit.
    empty
        (n,) bool.
    """

    abundance: Array
    standard_errors: Array
    deviance: Array
    empty: npt.NDArray[np.bool_]


def goodness(
    counts: sp.csr_matrix | CountRows,
    columns: npt.NDArray[np.intp],
    profiles: Array,
    values: Array,
    report: Report = silent,
) -> Goodness:
    """Return how well proportions explain counts.

    Parameters
    ----------
    counts
        (n, g) of all genes, read some rows at a time.
    columns
        Those that were used.
    profiles
        (t, k) expected counts over the columns of one unit of each type's proportion.
    values
        (n, t) proportions.

    Notes
    -----
    Each gene's noise around the means is learnt from about 400 spots, evenly spaced; then one
    pass over the counts, O(n k t²).
    """
    n, t = values.shape
    rows = evenly_spaced(counts, n, _LEARN)
    design = _design(counts, columns, profiles, values, rows)
    told = Goodness(np.zeros((n, t)), np.full((n, t), np.nan), np.zeros(n), np.zeros(n, bool))
    for part, block in row_blocks(counts, max(1, _BLOCK // len(columns))):
        report(part.start / n, "How well the proportions explain the counts")
        dense, units = _dense(block, columns)
        size = _size(dense, profiles, values[part])
        at = values[part] * size[:, None]
        empty = dense.sum(1) == 0
        told.empty[part] = empty
        told.abundance[part] = at * profiles.sum(1) * units[:, None]
        told.deviance[part] = np.where(empty, 0.0, pearson(dense, at, design))
        errors = standard_errors(information(dense, at, design)[0], at)
        told.standard_errors[part] = np.where(empty[:, None], np.nan, errors)
    report(1.0)
    return told


def _design(
    counts: sp.csr_matrix | CountRows,
    columns: npt.NDArray[np.intp],
    profiles: Array,
    values: Array,
    rows: npt.NDArray[np.intp],
) -> Design:
    """Return the profiles with the noise of each gene, as these rows show it."""
    dense, _ = _dense(some_rows(counts, rows), columns)
    at = values[rows] * _size(dense, profiles, values[rows])[:, None]
    noise = noise_around(dense, at @ profiles + 1e-20, at)
    return Design.of(profiles, noise.dispersion, noise.grain)


def _dense(block: sp.csr_matrix, columns: npt.NDArray[np.intp]) -> tuple[Array, Array]:
    used = sp.csr_matrix(block[:, columns]).astype(np.float64)
    units = count_units(used)
    return used.toarray() / units[:, None], units


def _size(dense: Array, profiles: Array, values: Array) -> Array:
    return np.asarray(dense.sum(1) / np.maximum(values @ profiles.sum(1), 1e-300))
