"""Spots made from a reference, of which the truth is known: what a network learns from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from .type_profiles import TypeProfiles

__all__ = ["Mixtures", "Recipe"]

Array = npt.NDArray[np.float64]
_MOST_TYPES = 8
_MOST_CELLS = 30
_NOISE = 0.2
_BLOCK = 500


@dataclass(frozen=True)
class Mixtures:
    """Counts of simulated spots, and what they hold.

    Parameters
    ----------
    counts
        (n, g).
    truth
        (n, t) shares of the cell types; rows sum to 1.
    """

    counts: npt.NDArray[np.float32]
    truth: Array


@dataclass(frozen=True)
class Recipe:
    """How spots are made from a reference.

    Half of them pool cells of the reference, as different from one another as they are; the other half are
    drawn from the profiles. Each spot has its own number of types and of cells, a depth such as the real ones
    have, and genes of its own that are seen a little more or less.

    Parameters
    ----------
    cells
        (m, g) counts of the reference over the genes used, in an order that does not hang on the table's.
    number
        (m,) type of each cell.
    profiles
        Of the types.
    platform
        (g,) > 0: how much more of a gene the real spots' platform sees.
    depths
        Totals of real spots, sorted.
    share
        Whether the truth is in shares of cells or of RNA.
    jitter
        Standard deviation of the logarithm of a spot's own gene factors.
    """

    cells: sp.csr_matrix
    number: npt.NDArray[np.intp]
    profiles: TypeProfiles
    platform: Array
    depths: Array
    share: Literal["cells", "RNA"]
    jitter: float

    def make(self, n: int, generator: np.random.Generator) -> Mixtures:
        """Return ``n`` simulated spots."""
        counts, truth = np.empty((n, self.cells.shape[1]), np.float32), np.empty((n, len(self.profiles.types)))
        for start in range(0, n, _BLOCK):
            rows = slice(start, min(start + _BLOCK, n))
            counts[rows], truth[rows] = self._block(rows.stop - start, generator)
        return Mixtures(counts, truth)

    def _block(self, n: int, generator: np.random.Generator) -> tuple[Array, Array]:
        members = self._members(n, generator)
        pooled = np.asarray((members @ self.cells).todense(), dtype=np.float64)
        one = (np.ones(len(self.number)), (np.arange(len(self.number)), self.number))
        kind = sp.csr_matrix(one, (len(self.number), len(self.profiles.types)))
        of_cells = np.asarray((members @ kind).todense(), dtype=np.float64)
        amount = np.asarray(self.cells.sum(1), dtype=np.float64).ravel()
        of_rna = np.asarray((members @ sp.diags(amount) @ kind).todense(), dtype=np.float64)
        pure = generator.random(n) < 0.5
        # a mixture of profiles has shares of its own, not those of whole numbers of cells
        free = self._compositions(int(pure.sum()), generator)
        rna = free * self.profiles.sizes
        pooled[pure] = rna @ self.profiles.profiles
        of_cells[pure], of_rna[pure] = free, rna
        mean = pooled / np.maximum(pooled.sum(1, keepdims=True), 1e-300)
        mean *= self.platform * np.exp(generator.normal(0, self.jitter, mean.shape))
        mean *= generator.choice(self.depths, (n, 1)) / mean.sum(1, keepdims=True)
        counts = generator.poisson(generator.gamma(1 / _NOISE, mean * _NOISE))
        truth = of_cells if self.share == "cells" else of_rna
        return counts, truth / truth.sum(1, keepdims=True)

    def _compositions(self, n: int, generator: np.random.Generator) -> Array:
        """Return (n, t) shares of one to eight types, every type as often as any other."""
        t = len(self.profiles.types)
        present = generator.integers(1, min(_MOST_TYPES, t) + 1, n)
        rank = generator.random((n, t)).argsort(1).argsort(1)
        amount = generator.gamma(generator.choice([0.5, 1.0, 3.0], (n, 1)), size=(n, t)) + 1e-6
        amount[rank >= present[:, None]] = 0
        return np.asarray(amount / amount.sum(1, keepdims=True))

    def _members(self, n: int, generator: np.random.Generator) -> sp.csr_matrix:
        """Return (n, m) how often each cell of the reference is in each spot."""
        cells = np.exp(generator.uniform(0, np.log(_MOST_CELLS), n)).astype(np.int64)
        spot = np.repeat(np.arange(n), cells)
        chances = np.cumsum(self._compositions(n, generator), axis=1)[spot]
        kind = (generator.random((len(spot), 1)) > chances[:, :-1]).sum(1)
        size = np.bincount(self.number, minlength=len(self.profiles.types))
        first = np.concatenate([[0], np.cumsum(size)[:-1]])
        cell = first[kind] + (generator.random(len(spot)) * size[kind]).astype(np.int64)
        return sp.csr_matrix((np.ones(len(spot)), (spot, cell)), (n, len(self.number)))
