"""Profiles of cell types for a count likelihood: pooled counts, shrunk where few cells were seen, with their noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from .arrays import require

__all__ = ["TypeProfiles", "telling_genes", "type_profiles"]

Array = npt.NDArray[np.float64]
_STRENGTH = 3.0
_TRUST = 0.7
"""Power to which the ratio of two types' counts a cell is believed: how cells were taken apart distorts it as well."""
_SIGNATURE_CELLS = 50.0
_SIGNATURE_COUNTS = 1e6
"""As good as so many cells, and counts, is the row of a table that gives one row a type."""
_AMBIENT = 1e-3
"""Part of the mean profile in every profile: no gene is impossible in any type."""
_COUNTS, _DISPERSION = 20_000.0, 0.04
"""Of a usual spot: its counts, and a gene's variance beyond counting. Which genes tell most hardly depends on them."""


@dataclass(frozen=True)
class TypeProfiles:
    """What a reference says about its cell types.

    Parameters
    ----------
    types
        (t,) sorted names.
    profiles
        (t, g) > 0, rows sum to 1: shares of a type's counts.
    shape
        (t, g) > 0: a profile's entry is known as well as from so many counts; its relative variance is 1 / shape.
    sizes
        (t,) > 0: counts of a cell of the type over those of the mean type (geometric mean 1), as far as believed.
    """

    types: tuple[str, ...]
    profiles: Array
    shape: Array
    sizes: Array

    def over(self, columns: npt.NDArray[np.intp]) -> TypeProfiles:
        """Return the same over some genes; profiles stay shares of all."""
        return TypeProfiles(self.types, self.profiles[:, columns], self.shape[:, columns], self.sizes)


def type_profiles(counts: sp.csr_matrix, types: npt.NDArray[np.str_]) -> TypeProfiles:
    """Return the profiles of the cell types of a reference.

    The counts of a type's cells are pooled, and each gene's ratio to the mean of all types is
    shrunk towards 1 as far as few counts and few cells speak for it: a gamma prior, with the noise
    of counts and of cells.

    Parameters
    ----------
    counts
        (m, g) counts of cells.
    types
        (m,) names.

    Raises
    ------
    BadInput
        When no cell of a type has a count.
    """
    names, number = np.unique(types, return_inverse=True)
    member = sp.csr_matrix((np.ones(len(number)), (number, np.arange(len(number)))), shape=(len(names), len(number)))
    pooled = np.asarray((member @ counts).toarray(), dtype=np.float64)
    totals = pooled.sum(1)
    empty = names[totals == 0]
    require(
        len(empty) == 0,
        f"No cell of the type '{empty[0] if len(empty) else ''}' has a count in the shared genes.",
        "Leave the type out of the reference.",
    )
    seen = np.asarray(counts.sum(1)).ravel() > 0
    cells = np.bincount(number[seen], minlength=len(names)).astype(np.float64)
    # one row a type is a table of signatures: averages over cells that are not here, whose sizes are meant as given
    given = bool((cells == 1).all())
    if given:
        cells = np.full(len(cells), _SIGNATURE_CELLS)
        pooled = pooled * (_SIGNATURE_COUNTS / totals.mean())
        totals = pooled.sum(1)
    spread = _spread(counts, member, pooled, cells)
    profiles, shape = _shrunk(pooled, cells, spread)
    sizes = totals / cells
    sizes = (sizes / np.exp(np.log(sizes).mean())) ** (1.0 if given else _TRUST)
    return TypeProfiles(tuple(names.tolist()), profiles, shape, sizes)


def telling_genes(known: TypeProfiles, n_genes: int) -> npt.NDArray[np.intp]:
    """Return the sorted columns of the ``n_genes`` genes of each type that tell it best from the mean of the others.

    By (p − q)² / v, the squared difference of a gene's shares in the type and in the others over the variance with
    which it is seen: of counts, of cells, and of the profile itself. So a gene that is seen too seldom, or is known
    from too few cells, tells little, however far both are apart; and one that only the others have tells as well.
    """
    p, t = known.profiles, len(known.profiles)
    q = (p.sum(0) - p) / (t - 1)
    variance = (p + (t - 1) * q) / t / _COUNTS + _DISPERSION * (p**2 + q**2) / 2 + p**2 / known.shape
    # what rounding leaves of two equal shares is no difference
    apart = np.where(np.abs(p - q) > 1e-9 * q, p - q, 0.0)
    score = np.divide(apart**2, variance, out=np.zeros(p.shape), where=variance > 0)
    best = np.argsort(-score, axis=1, kind="stable")[:, :n_genes]
    keep = np.zeros(p.shape[1], bool)
    for row, columns in enumerate(best):
        keep[columns[score[row, columns] > 0]] = True
    return np.flatnonzero(keep)


def _spread(counts: sp.csr_matrix, member: sp.csr_matrix, pooled: Array, cells: Array) -> float:
    """Return how much cells of one type differ beyond counting: the dispersion of a gene between them."""
    several = (cells > 1) & (np.diff(member.indptr) > 1)
    squares = np.asarray((member @ counts.multiply(counts)).toarray(), dtype=np.float64)[several]
    size = cells[several, None]
    mean = pooled[several] / size
    variance = (squares / size - mean**2) * size / np.maximum(size - 1, 1)
    known = pooled[several] >= 20
    if not known.any():
        return 1.0
    return float(np.clip(np.median((variance[known] - mean[known]) / mean[known] ** 2), 0.05, 5.0))


def _shrunk(pooled: Array, cells: Array, spread: float) -> tuple[Array, Array]:
    """Return profiles and their shapes: each gene's ratio to the mean of all types has a gamma prior of mean 1."""
    totals = pooled.sum(1, keepdims=True)
    average = (pooled / totals).mean(0)
    average = average + 1e-3 * average.mean()
    expected = totals * average
    # counts of overdispersed cells tell as much as so many fewer of even ones
    worth = 1 / (1 + spread * np.maximum(pooled, expected) / np.maximum(cells, 1)[:, None])
    prior = _prior_shapes(pooled, expected, worth)
    shape = pooled * worth + prior
    ratio = shape / (expected * worth + prior)
    profiles = ratio * average
    profiles = profiles / profiles.sum(1, keepdims=True)
    profiles = (1 - _AMBIENT) * profiles + _AMBIENT * average / average.sum()
    return profiles, shape


def _prior_shapes(pooled: Array, expected: Array, worth: Array) -> Array:
    """Return (g,) shapes: one over the variance of a gene's ratio between types, beyond the noise of counting.

    By moments, each type weighted by how well it is known, and drawn towards the median of the
    well-seen genes with the strength of three types.
    """
    noise = 1 / (expected * worth)
    weight = 1 / (noise + 0.5)
    weight /= weight.sum(0)
    ratio = pooled / expected
    centre = (weight * ratio).sum(0)
    variance = (weight * ((ratio - centre) ** 2 - noise)).sum(0) / np.maximum(1 - (weight**2).sum(0), 0.2)
    known = len(pooled) * np.clip((expected / (expected + 3)).mean(0), 0, 1)
    seen = expected.mean(0) > 3
    common = float(np.median(np.maximum(variance[seen], 1e-3))) if seen.sum() > 10 else 1.0
    drawn = (_STRENGTH * common + known * np.maximum(variance, 0)) / (_STRENGTH + known)
    return np.asarray(np.clip(1 / np.maximum(drawn, 1e-6), 0.05, 20.0))
