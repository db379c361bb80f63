"""Spots that hold a cell type which the reference lacks: several of them are off in the same way.

What a fit leaves in a spot is divided by what it may leave: the noise of counts, and the noise of
the profiles of just the types that the spot holds. A type that is not in the reference leaves the
same genes in all spots that hold it, so that one direction stands out. How far it may stand out
where no type is missing is told by a rehearsal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .count_model import Fit

__all__ = ["Outside", "outside"]

Array = npt.NDArray[np.float64]
_MOST = 400
"""Spots from which the direction is learnt."""
_BLOCK = 1 << 20
_LITTLE = 0.02
_CLIP = 8.0
_STANDS_OUT = 1.5
"""A direction with so many times the strength of the rehearsal's is one of a type; else a spot has to be as far off."""
_RARE = 0.99
_PURE = 0.8
"""The share of the type that is missing in the spots that hold most of it."""


@dataclass(frozen=True)
class Outside:
    """Spots that hold a type which is not in the reference.

    Parameters
    ----------
    flags
        (n,) bool.
    share
        (n,) roughly how much of the spot is of that type; 0 where it is not flagged.
    """

    flags: npt.NDArray[np.bool_]
    share: Array


@dataclass(frozen=True)
class _Direction:
    """What spots that are off have in common: genes (g,), what is left of a usual spot (g,), and how strong it is."""

    genes: Array
    usual: Array
    strength: float
    middle: float
    high: float

    def scores(self, left: Array) -> Array:
        """Return how far spots are off along it; a usual one is at 0."""
        return np.asarray((left - self.usual) @ self.genes - self.middle)


def outside(found: Fit, rehearsed: Fit) -> Outside:
    """Return the spots that hold a type which is not in the reference.

    Parameters
    ----------
    found
        The fit of the real spots.
    rehearsed
        The fit of the spots of a rehearsal, in which no type is missing.

    Notes
    -----
    O(n g t) for all spots. What is found depends on how much the missing type differs from every
    mixture of the others: one with a near relative in the reference is taken for that relative.
    Spots that the hand has bound are not flagged: they may be off because of it.
    """
    n = len(found.values)
    bound = found.empty.copy()
    if found.constraints is not None:
        bound[found.constraints.rows] = True
    free = np.flatnonzero(~bound)
    nothing = Outside(np.zeros(n, bool), np.zeros(n))
    size = min(len(free), len(rehearsed.values), _MOST)
    if size < 10:
        return nothing
    seen = _direction(_left_of(found, _spread(free, size)))
    usual = _direction(_left_of(rehearsed, _spread(np.flatnonzero(~rehearsed.empty), size)))
    limit = usual.high * (1.0 if seen.strength > _STANDS_OUT * usual.strength else _STANDS_OUT)
    scores = np.empty(n)
    size = max(1, _BLOCK // len(found.genes))
    for start in range(0, n, size):
        rows = np.arange(start, min(start + size, n))
        scores[rows] = seen.scores(_left_of(found, rows))
    flags = (scores > limit) & ~bound
    if not flags.any():
        return nothing
    most = max(float(np.quantile(scores[flags], 0.9)), 1e-9)
    return Outside(flags, np.where(flags, np.minimum(_PURE * scores / most, _PURE), 0.0))


def _spread(rows: npt.NDArray[np.intp], size: int) -> npt.NDArray[np.intp]:
    return rows[np.linspace(0, len(rows) - 1, size).round().astype(np.intp)]


def _left_of(found: Fit, rows: npt.NDArray[np.intp]) -> Array:
    runs = np.split(rows, np.flatnonzero(np.diff(rows) != 1) + 1)
    counts = np.concatenate([found.block(slice(int(run[0]), int(run[-1]) + 1)) for run in runs])
    return _left(found, counts, rows)


def _left(found: Fit, counts: Array, rows: npt.NDArray[np.intp]) -> Array:
    """Return what the fit leaves over what it may leave, (k, g)."""
    abundance, design = found.abundance[rows], found.design
    mean = abundance @ design
    # one dispersion for all genes: a gene that gives the missing type away has a large one of its own
    variance = mean + float(np.median(found.dispersion)) * mean**2 + _LITTLE
    left = np.clip((counts - mean) / np.sqrt(variance), -_CLIP, _CLIP)
    profiles = (abundance**2 * ((1 / variance) @ (design**2 / found.reference.shape).T)).sum(1)
    return np.asarray(left / np.sqrt(1 + profiles)[:, None])


def _direction(left: Array) -> _Direction:
    """Return the direction along which spots differ most, towards the few that are far off."""
    usual = left.mean(0)
    centred = left - usual
    values, vectors = np.linalg.eigh(centred @ centred.T)
    scores = vectors[:, -1] * np.sqrt(max(float(values[-1]), 0.0))
    sign = 1.0 if (scores**3).sum() >= 0 else -1.0
    genes = sign * (centred.T @ vectors[:, -1]) / np.sqrt(max(float(values[-1]), 1e-300))
    strength = float(values[-1] / max(float(values.mean()), 1e-300))
    middle = float(np.median(sign * scores))
    return _Direction(genes, usual, strength, middle, float(np.quantile(sign * scores - middle, _RARE)))
