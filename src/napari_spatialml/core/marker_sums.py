"""Sums of features over the domains of a section, and the effect sizes that follow from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from .report import Report

__all__ = ["Effects", "Sums", "group_sums"]

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_COLUMNS = 64
_BLOCK = 1 << 22
"""Entries of a dense table that are gathered by columns at once."""


@dataclass(frozen=True, eq=False)
class Sums:
    """Sums over the rows of one section.

    Parameters
    ----------
    sizes
        (k,) rows of each domain.
    values, squares, linear, above, ranks
        (k, p) sums of the values, of their squares, of what they were before the logarithm; how many are above 0;
        sums of ranks among all rows, ties having their mean rank.
    negative
        (p,) bool: features with values below 0.
    """

    sizes: Ints
    values: Array
    squares: Array
    linear: Array
    above: Array
    ranks: Array
    negative: Bools


def group_sums(values: Any, group: Ints, k: int, *, logged: bool, report: Report) -> Sums:
    """Return the sums of rows by group.

    Parameters
    ----------
    values
        (n, p), dense or sparse, finite.
    group
        (n,) the group of each row, below ``k``; below 0 for none.
    logged
        Whether the values are logarithms of 1 + what they were.
    """
    from .marker_kernels import column_sums

    rows = np.flatnonzero(group >= 0)
    own = group[rows]
    sizes = np.bincount(own, minlength=k).astype(np.int64)
    p = values.shape[1]
    sums, negative = np.zeros((5, k, p)), np.zeros(p, bool)
    chosen = values if len(rows) == values.shape[0] else values[rows]
    by_column = sp.csc_matrix(chosen) if sp.issparse(chosen) else chosen
    size = _COLUMNS if sp.issparse(chosen) else max(1, min(_COLUMNS, _BLOCK // max(len(rows), 1)))
    for start in range(0, p, size):
        report(start / p, "Comparing the features")
        piece = by_column[:, start : start + size]
        block = piece if sp.issparse(piece) else sp.csc_matrix(np.asarray(piece))
        found = np.zeros((5, k, block.shape[1]))
        column_sums(block.indptr, block.indices, block.data, own, sizes, logged, *found)
        sums[:, :, start : start + size] = found
        column = np.repeat(np.arange(start, start + block.shape[1]), np.diff(block.indptr))
        negative[column[block.data < 0]] = True
    plain, squares, linear, above, ranks = sums
    return Sums(sizes, plain, squares, linear, above, ranks, negative)


@dataclass(eq=False)
class Effects:
    """What sections say together; each weighs by n_in n_out / (n_in + n_out) of the domain (k, 1)."""

    total: Array
    within: Array
    weight: Array
    free: Array
    negative: Bools

    @classmethod
    def none(cls, k: int, p: int) -> Effects:
        """Return the effects of no section."""
        return cls(np.zeros((6, k, p)), np.zeros((k, p)), np.zeros((k, 1)), np.zeros((k, 1)), np.zeros(p, bool))

    def add(self, s: Sums) -> None:
        """Add a section; a domain that has no row in it, or all of them, learns nothing from it."""
        n_in = s.sizes[:, None].astype(np.float64)
        n_out = n_in.sum() - n_in
        a, b = np.maximum(n_in, 1), np.maximum(n_out, 1)
        means = [(one / a, (one.sum(0) - one) / b) for one in (s.linear, s.values, s.above)]
        auroc = (s.ranks - n_in * (n_in + 1) / 2) / (a * b)
        first, second = means[1]
        # what rounding leaves of a constant is neither gap nor scatter
        gap = first - second
        gap[np.abs(gap) <= 1e-9 * np.maximum(np.abs(first), np.abs(second))] = 0.0
        squares = s.squares.sum(0)
        within = squares - n_in * first**2 - n_out * second**2
        weight = n_in * n_out / np.maximum(n_in + n_out, 1)
        self.total += weight * np.stack([*means[0], auroc, gap, *means[2]])
        self.within += np.where((weight > 0) & (within > 1e-12 * squares), within, 0.0)
        self.free += np.where(weight > 0, s.sizes.sum() - 2.0, 0.0)
        self.weight += weight
        self.negative |= s.negative

    def means(self) -> Array:
        """Return means in and out, AUROC, gap of the means of the values, shares in and out, (6, k, p)."""
        return np.divide(self.total, self.weight, out=np.full_like(self.total, np.nan), where=self.weight > 0)

    def standardised(self, gap: Array) -> Array:
        """Return the gap over the pooled standard deviation: Cohen's d."""
        apart = np.where(gap == 0, 0.0, np.copysign(np.inf, gap))
        d = np.divide(gap, np.sqrt(self.within / np.maximum(self.free, 1)), out=apart, where=self.within > 0)
        return np.where(np.isnan(gap), np.nan, d)
