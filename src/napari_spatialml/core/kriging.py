"""Where landmarks miss, as a random field over the section: what is expected where none was placed.

The misses are an affine drift, a smooth field and the hand's own slips. How far the field reaches and how
much of the misses it makes up is not chosen but averaged over, weighted by how well each explains the
landmarks.

References
----------
Universal kriging with the drift integrated out (restricted maximum likelihood): Rasmussen and Williams (2006),
*Gaussian Processes for Machine Learning*, equations 2.41 to 2.45; leaving one out in closed form: 5.10 to 5.12,
which with the drift's projection Q in place of the inverse covariance are Dubrule (1983), doi:10.1007/BF01032232.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from .spline import spline_scale

__all__ = ["LEAST", "MissField", "matern"]

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

LEAST = 5
"""Fewer landmarks say nothing about what an affine transform leaves over."""
REACHES = (0.4, 1.2)
"""How far the smooth field reaches, in root mean square distances of the landmarks from their centre."""
SHARES = (0.7, 0.95, 0.995)
"""How much of the variance the smooth field makes up; 0 is tried too."""
_PLAIN = 6.0
"""That there is no such field is beforehand as probable as that there is one."""
_PRIOR = (2.0, 0.002)
"""A slip of the hand in those same units, and for how many observations this guess counts."""
_DRIFT = 0.1
"""Shear and scale that a model may have wrong: a tenth of the distance."""


def matern(a: Array, b: Array, reach: float) -> Array:
    """Return the (n, k) correlations of a field with one derivative (Matérn 3/2)."""
    distance = np.sqrt((a[:, None, 0] - b[None, :, 0]) ** 2 + (a[:, None, 1] - b[None, :, 1]) ** 2)
    distance *= np.sqrt(3) / reach
    return np.asarray((1 + distance) * np.exp(-distance))


@dataclass(frozen=True)
class _Guess:
    """One reach and share, fitted."""

    reach: float
    share: float
    projection: Array
    """(k, k): Q, the inverse covariance with the drift taken out."""
    free: int
    log_determinant: float
    """Less the logarithm of how probable the guess is beforehand."""


@dataclass(frozen=True)
class MissField:
    """Misses at places, and what they say of each other and of other places."""

    places: Array
    misses: Array
    guesses: tuple[_Guess, ...]
    centre: Array
    scale: float

    @classmethod
    def of(cls, places: Array, misses: Array) -> MissField:
        """Fit the field to (k, 2) misses in µm at (k, 2) places, k >= 5, not on one line. O(k³)."""
        centre, scale = spline_scale(places)
        where = (places - centre) / scale
        return cls(where, misses / scale, tuple(_guesses(where)), centre, scale)

    def surprises(self, out: Flags) -> Array:
        """Return (k,) probabilities of a miss as far from what the others say as this one, or farther.

        Parameters
        ----------
        out
            (k,) landmarks that have no say on the others.
        """
        logs, tails = np.empty((2, len(self.guesses), len(out)))
        for row, g in enumerate(self.guesses):
            q, pulled, gap = self._without(g, out)
            own = np.where(out, 1.0, np.maximum(np.diag(q), 1e-12))
            # one that is left out weighs nothing: its own gap is already known
            gap = np.where(out, gap, (pulled**2).sum(1) / own)
            spent = self._spent(pulled) - np.where(out, 0.0, gap)
            free = _PRIOR[0] + 2 * (g.free - out.sum() - ~out)
            rest = _PRIOR[0] * _PRIOR[1] ** 2 + np.maximum(spent, 0)
            logs[row] = -self._log_determinant(g, out) - np.log(own) - free / 2 * np.log(rest)
            tails[row] = (1 + gap / rest) ** (-free / 2)  # F with 2 and ``free`` degrees of freedom
        return np.asarray((_softmax(logs) * tails).sum(0))

    def evidence(self, out: Flags) -> float:
        """Return the log probability density of the other misses in µm, but for a constant."""
        free = _PRIOR[0] + 2 * (self.guesses[0].free - out.sum())
        each = []
        for g in self.guesses:
            rest = _PRIOR[0] * _PRIOR[1] ** 2 + self._spent(self._without(g, out)[1])
            each.append(-self._log_determinant(g, out) - free / 2 * np.log(rest))
        constant = gammaln(free / 2) - (free - _PRIOR[0]) * (np.log(np.pi) / 2 + np.log(self.scale))
        return float(np.logaddexp.reduce(each) - np.log(len(each)) + constant)

    def expected(self, places: Array, taken: Array, slip: bool = False) -> Array:
        """Return the (n,) expected distances in µm between the field at places and what is ``taken`` for it.

        Parameters
        ----------
        places, taken
            (n, 2) places, and misses there that a model takes for granted.
        slip
            Whether the hand's slip is counted.
        """
        square = np.zeros(len(places))
        for weight, mean, variance, nugget in self._elsewhere(places):
            square += weight * (((mean - taken / self.scale) ** 2).sum(1) + 2 * (variance + slip * nugget))
        # of a Gaussian in the plane the mean distance is √(π/4) of its root mean square
        return np.asarray(self.scale * np.sqrt(np.pi / 4 * square))

    def deviations(self, places: Array) -> Array:
        """Return the (n,) standard deviations in µm, in one direction, of what the misses leave open."""
        variance = sum(weight * variance for weight, _, variance, _ in self._elsewhere(places))
        return np.asarray(self.scale * np.sqrt(variance))

    def _elsewhere(self, places: Array) -> Iterator[tuple[float, Array, Array, float]]:
        """Yield of each guess its weight, (n, 2) means, (n,) variances and the variance of a slip."""
        where = (places - self.centre) / self.scale
        free = _PRIOR[0] + 2 * self.guesses[0].free
        rest = [_PRIOR[0] * _PRIOR[1] ** 2 + self._spent(g.projection @ self.misses) for g in self.guesses]
        logs = [-g.log_determinant - free / 2 * np.log(r) for g, r in zip(self.guesses, rest, strict=True)]
        for weight, g, r in zip(_softmax(np.array(logs)), self.guesses, rest, strict=True):
            mean, variance = self._predicted(where, g, r / free)
            heavy = free / (free - 2)  # Student's t has heavier tails than a Gaussian
            yield float(weight), mean, heavy * variance, heavy * (1 - g.share) * r / free

    def _without(self, g: _Guess, out: Flags) -> tuple[Array, Array, Array]:
        """Return Q of the others, Q times their misses, and the gaps of those left out in units of their variance."""
        q = g.projection
        pulled = q @ self.misses
        gap = np.zeros(len(out))
        if not out.any():
            return q, pulled, gap
        block = np.linalg.inv(q[np.ix_(out, out)])
        missed = block @ pulled[out]
        gap[out] = (missed**2).sum(1) / np.diag(block)
        q = q - q[:, out] @ block @ q[out]
        return q, pulled - g.projection[:, out] @ missed, gap

    def _spent(self, pulled: Array) -> float:
        return float((self.misses * pulled).sum())

    def _log_determinant(self, g: _Guess, out: Flags) -> float:
        return g.log_determinant + float(np.linalg.slogdet(g.projection[np.ix_(out, out)])[1])

    def _predicted(self, where: Array, g: _Guess, unit: float) -> tuple[Array, Array]:
        """Return (n, 2) means and (n,) variances, the drift being an affine transform that is nearly right."""
        drift = _DRIFT**2 / unit
        inner = _covariance(self.places, self.places, g, drift)
        inner[np.diag_indices_from(inner)] += 1 - g.share
        outer = _covariance(where, self.places, g, drift)
        solved = np.linalg.solve(inner, np.hstack([self.misses, outer.T]))
        own = g.share + drift * (1 + (where**2).sum(1))
        return outer @ solved[:, :2], unit * np.maximum(own - (outer * solved[:, 2:].T).sum(1), 1e-12)


def _covariance(a: Array, b: Array, g: _Guess, drift: float) -> Array:
    smooth = g.share * matern(a, b, g.reach) if g.share else np.zeros((len(a), len(b)))
    return np.asarray(smooth + drift * (1 + a @ b.T))


def _guesses(where: Array) -> Iterator[_Guess]:
    """Fit each guess; one eigendecomposition serves all shares of a reach."""
    k = len(where)
    basis = np.linalg.qr(np.hstack([np.ones((k, 1)), where]), mode="complete")[0][:, 3:]
    yield _Guess(1.0, 0.0, basis @ basis.T, k - 3, -np.log(_PLAIN))
    for reach in REACHES:
        values, vectors = np.linalg.eigh(basis.T @ matern(where, where, reach) @ basis)
        turned = basis @ vectors
        for share in SHARES:
            spread = 1 - share + share * np.maximum(values, 0)
            yield _Guess(reach, share, (turned / spread) @ turned.T, k - 3, float(np.log(spread).sum()))


def _softmax(logs: Array) -> Array:
    raised = np.exp(logs - logs.max(0))
    return np.asarray(raised / raised.sum(0))
