"""Spots that hold a cell type which the reference lacks: several of them are off in the same way.

What a fit leaves in a spot is divided by what it may leave: the noise of counts, and the noise of
the profiles of just the types that the spot holds. A type that is not in the reference leaves the
same genes in all spots that hold it, so that one direction stands out, and along it two
groups of spots. How far single spots may be off where no type is missing is told by a rehearsal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.linalg import eigh

from .count_model import Fit
from .unknown_type import unknown_of

__all__ = ["Outside", "outside"]

Array = npt.NDArray[np.floating[Any]]
_FEWEST, _MOST = 10, 400
"""Spots from which the direction is learnt."""
_PANEL = 50
"""With fewer genes than this, types of the reference that vary in space look like missing ones: nothing is flagged."""
_BLOCK = 1 << 20
_LITTLE = 0.02
_CLIP = 8.0
_SIGNS = ((0.8, 2.4, 3.0, 0.0), (0.79, 1.85, 4.0, 0.25), (0.72, 1.4, 12.0, 0.2), (0.6, 1.0, 25.0, 0.4))
"""Two groups explain so much of the variance, and are apart by so many standard deviations of the usual one; and one
more profile raises the logarithm of the likelihood of the others by so much per gene, and takes so much of them."""
_LOOK, _SPOTS = (0.6, 1.0), 128
"""Where two groups are less than this, nobody asks what one more profile explains; and of so many spots at most."""
_MORE, _AS_SPLIT = 1.3, 0.75
"""And so many times as far as in a rehearsal that is split as much."""
_FAR, _RARE = 2.0, 0.98
"""Else a spot is flagged that is so many times as far off as all but the last of the rehearsal's."""
_FEWEST_GENES = 5.0
"""Fewer genes, that stand out alone, are their own affair and no type's."""
_LED, _ODD = 5.0, 10
"""A direction that fewer spots lead is theirs alone: the first of them is left out, up to so many times."""
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
class _Noise:
    """What a fit may leave: (t, g) expected counts, (t, g) the variances of these, and a dispersion."""

    design: Array
    unsure: Array
    dispersion: float

    @classmethod
    def of(cls, found: Fit) -> _Noise:
        """Return it in single precision."""
        design = found.design
        unsure = (design**2 / found.reference.shape).astype(np.float32)
        # one dispersion for all genes: a gene that gives the missing type away has a large one of its own
        return cls(design.astype(np.float32), unsure, float(np.median(found.dispersion)))

    def left(self, counts: Array, abundance: Array) -> Array:
        """Return what the fit leaves over what it may leave, (k, g); it takes the place of ``counts``."""
        mean = abundance.astype(np.float32) @ self.design
        weight = mean * np.float32(self.dispersion)
        weight += 1
        weight *= mean
        weight += np.float32(_LITTLE)
        weight = np.reciprocal(weight, out=weight)
        profiles = (abundance**2 * (weight @ self.unsure.T)).sum(1)
        counts -= mean
        counts *= np.sqrt(weight, out=weight)
        np.clip(counts, -_CLIP, _CLIP, out=counts)
        counts /= np.sqrt(1 + profiles)[:, None].astype(np.float32)
        return counts


@dataclass(frozen=True)
class _Direction:
    """What spots that are off have in common: genes (g,), what is left of a usual spot (g,), and their scores (k,)."""

    genes: Array
    usual: Array
    scores: Array

    def score(self, left: Array) -> Array:
        """Return how far spots are off along it."""
        return np.asarray((left - self.usual) @ self.genes)

    def turned(self) -> _Direction:
        """Return the opposite direction."""
        return _Direction(-self.genes, self.usual, -self.scores)

    @property
    def n_genes(self) -> float:
        """How many genes it is made of."""
        return _number(self.genes)


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
    # spots of next to no counts rehearse as empty ones, which say nothing of what is usual
    if min(len(free), int((~rehearsed.empty).sum())) < _FEWEST or len(found.genes) < _PANEL:
        return nothing
    noise = _Noise.of(found)
    learnt = _spread(free, min(len(free), _MOST))
    seen = _direction(_left_of(found, learnt, noise))
    usual = _direction(_left_of(rehearsed, np.flatnonzero(~rehearsed.empty), _Noise.of(rehearsed))).scores
    seen, far = _towards(found, learnt, seen, usual)
    scores = np.empty(n)
    scores[learnt] = seen.scores
    for rows in _others(found, learnt):
        scores[rows] = seen.score(_left_of(found, rows, noise))
    flags = (scores > (_two_groups(scores[free])[0] if far is None else far)) & ~bound
    if not flags.any():
        return nothing
    scores -= np.median(scores[~flags])
    most = max(float(np.quantile(scores[flags], 0.9)), 1e-9)
    return Outside(flags, np.where(flags, np.clip(_PURE * scores / most, 0.05, _PURE), 0.0))


def _towards(found: Fit, rows: npt.NDArray[np.intp], seen: _Direction, usual: Array) -> tuple[_Direction, float | None]:
    """Return the direction, turned to the spots that are off, and the score above which they are: None at the cut.

    Of two groups it is the smaller one that holds a missing type, if one more profile explains enough of it.
    """
    _, as_split, as_far = _two_groups(usual)
    sides = [(side, *_two_groups(side.scores)) for side in (seen, seen.turned())]
    if sides[0][2] > _LOOK[0] and max(side[3] for side in sides) > _LOOK[1]:
        # in the larger half, states that the reference lacks as well (of cells in their niche) look like a type
        side, limit, split, apart = min(sides, key=lambda one: int((one[0].scores > one[1]).sum()))
        more = unknown_of(found, rows[side.scores > limit], _SPOTS)
        # domains of one type, whose profile is a little wrong, are two groups in the rehearsal too
        least = _MORE * as_far if as_split > _AS_SPLIT else 0.0
        for a_split, an_apart, gain, part in _SIGNS:
            if split > a_split and apart > max(an_apart, least) and more.gain > gain and more.part > part:
                return side, None
    if seen.n_genes < _FEWEST_GENES:
        return seen, float("inf")
    far = float(np.quantile(np.abs(usual - np.median(usual)), _RARE))
    return seen, float(np.median(seen.scores)) + _FAR * far


def _two_groups(scores: Array) -> tuple[float, float, float]:
    """Return where scores are best cut in two, the share of the variance between both, and how far they are apart.

    References
    ----------
    Otsu, IEEE Transactions on Systems, Man, and Cybernetics 9, 62 (1979), eq. 18: the cut.
    """
    ordered = np.sort(scores)
    n = len(ordered)
    at = np.arange(max(1, int(0.03 * n)), max(2, int(0.97 * n)))
    below = np.cumsum(ordered)[at - 1]
    between = at * (n - at) / n * (below / at - (ordered.sum() - below) / (n - at)) ** 2
    cut = int(at[between.argmax()])
    low, high = ordered[:cut], ordered[cut:]
    gap = float(np.quantile(high, 0.25) - np.quantile(low, 0.9)) / max(float(low.std()), 1e-9)
    split = float(between.max() / max(float(((ordered - ordered.mean()) ** 2).sum()), 1e-300))
    return float(ordered[cut - 1] + ordered[cut]) / 2, split, gap


def _spread(rows: npt.NDArray[np.intp], size: int) -> npt.NDArray[np.intp]:
    return rows[np.linspace(0, len(rows) - 1, size).round().astype(np.intp)]


def _others(found: Fit, learnt: npt.NDArray[np.intp]) -> Iterator[npt.NDArray[np.intp]]:
    """Yield the rows whose score is not known yet, in blocks; what lies on disk is read from end to end."""
    rows = np.arange(len(found.values))
    if isinstance(found.counts, sp.csr_matrix):
        rows = np.setdiff1d(rows, learnt)
    size = max(1, _BLOCK // len(found.genes))
    yield from (rows[start : start + size] for start in range(0, len(rows), size))


def _left_of(found: Fit, rows: npt.NDArray[np.intp], noise: _Noise) -> Array:
    if isinstance(found.counts, sp.csr_matrix):
        own = found.counts[rows].astype(np.float32).toarray()
        own /= found.units[rows, None].astype(np.float32)
        return noise.left(own, found.abundance[rows])
    runs = np.split(rows, np.flatnonzero(np.diff(rows) != 1) + 1)
    counts = np.concatenate([found.block(slice(int(run[0]), int(run[-1]) + 1)) for run in runs])
    return noise.left(counts.astype(np.float32), found.abundance[rows])


def _direction(left: Array) -> _Direction:
    """Return the direction along which spots differ most, towards the few spots and few genes that are far off.

    A single spot that is far off would lead it away from what several have in common: of a rehearsal nothing would be
    left that says how far off the others may be.
    """
    usual = left.mean(0)
    centred = left - usual
    squares = centred @ centred.T
    rows = np.arange(len(squares))
    vector = _first(squares)
    for _ in range(min(_ODD, len(rows) // 20)):
        if _number(vector) >= _LED:
            break
        rows = np.delete(rows, np.abs(vector).argmax())
        vector = _first(squares[np.ix_(rows, rows)])
    genes = centred[rows].T @ vector
    genes /= max(float(np.linalg.norm(genes)), 1e-300)
    scores = centred @ genes
    skew = [float((x**3).mean()) / max(float((x**2).mean()), 1e-300) ** 1.5 for x in (genes, scores)]
    sign = -1.0 if skew[0] / 3 + skew[1] < 0 else 1.0
    return _Direction(sign * genes, usual, sign * scores)


def _first(squares: Array) -> Array:
    last = len(squares) - 1
    return np.asarray(eigh(squares, subset_by_index=(last, last), check_finite=False)[1][:, 0])


def _number(direction: Array) -> float:
    """Return of how many entries a direction (of length 1) is made."""
    return float(1 / max(float((direction**4).sum()), 1e-300))
