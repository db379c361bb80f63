"""Fisher scoring for many spots at once: how much of each profile explains counts with negative binomial noise.

``solve(counts, profiles, dispersion, ...)`` is the whole of it: dense counts (n, g) in, abundances
(n, t) ≥ 0 out, with μ = abundance @ profiles and variance μ + dispersion · μ². It is what re-solves
perturbed counts, and what `core.solved_rows` calls for each block on the processor; `core.fisher_torch` is the
same on an accelerator.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from .box_simplex import nearest_within
from .fisher_moves import Moves

__all__ = ["Design", "drawn_to_zero", "pearson", "shares", "solve", "standard_errors"]

Array = npt.NDArray[Any]
PRIOR = 1.0
"""Weight of the prior that shares are even, as one over the variance of a share."""
BLOCK = 1 << 18
"""Counts that are solved together: with what is made of them they stay in a processor's cache."""
WORTH = 0.25
"""Part of the rows that must be done before they are left out: that copies the others."""
JITTER = 1e-7
LITTLE = 0.05
_SWEEPS = 50
DRAWN, CAUTION = 2.0, 4


@dataclass(frozen=True)
class Design:
    """Profiles and noise in the precision in which counts are solved.

    Parameters
    ----------
    profiles
        (t, g) > 0: expected counts of a gene for one unit of a type.
    dispersion
        (g,) ≥ 0: variance = grain · mean + dispersion · mean².
    grain
        (g,) ≥ 1: what a count is worth; 1 where every count is one molecule on its own.
    pairs
        (t (t + 1) / 2, g) products of two profiles, the upper triangle row by row.
    """

    profiles: Any
    dispersion: Any
    grain: Any
    pairs: Any

    @classmethod
    def of(
        cls,
        profiles: Array,
        dispersion: Array,
        grain: Array | float = 1.0,
        dtype: Any = np.float64,
    ) -> Design:
        """Return the design as arrays of numpy; `fisher_torch.placed` puts it on an accelerator."""
        first, second = np.triu_indices(len(profiles))
        arrays = [np.asarray(profiles), *(np.broadcast_to(x, profiles.shape[1:]) for x in (dispersion, grain))]
        arrays.append(arrays[0][first] * arrays[0][second])
        return cls(*(np.ascontiguousarray(array, dtype=dtype) for array in arrays))


def solve(
    counts: Array,
    design: Design,
    start: Array,
    ranges: tuple[Array, Array] | None = None,
    tolerance: float = 1e-4,
    steps: int = 50,
) -> Array:
    """Return the abundances that explain counts best.

    Parameters
    ----------
    counts
        (n, g) ≥ 0, dense, of the design's precision; rows may be all zero.
    design
        Profiles and noise.
    start
        (n, t) ≥ 0 where the search starts.
    ranges
        (n, t) lower and upper ends of the shares, or None where all are free.
    tolerance
        A row is done when no share moves by more.
    steps
        At most so many.

    Returns
    -------
    (n, t) ≥ 0; a row without counts is even, or what its ranges leave, and sums to next to nothing.

    Notes
    -----
    A step costs one matrix product n × g × t (t + 1) / 2. The quadratic problem of a step is solved
    exactly. Where the slope along a step has turned, the step was too long, and is cut where the
    slope is expected to vanish; where steps shrink by one ratio, with one sign or alternating, the
    next goes to where they would end. Rows that are done take no further part.
    """
    out = np.array(start, dtype=np.float64)
    size = max(1, BLOCK // counts.shape[1])
    for first in range(0, len(out), size):
        rows = slice(first, first + size)
        bounds = None if ranges is None else (ranges[0][rows], ranges[1][rows])
        out[rows] = _solve_block(counts[rows], design, out[rows], bounds, tolerance, steps)
    return out


def _solve_block(
    counts: Array, design: Design, out: Array, ranges: tuple[Array, Array] | None, tolerance: float, steps: int
) -> Array:
    full = np.asarray(counts.sum(1)).ravel() > 0
    out[full & (out.sum(1) <= 0)] = 1.0
    if ranges is not None:
        bound = ((ranges[0] > 0) | (ranges[1] < 1)).any(1)
        inside = nearest_within(shares(out[bound]), ranges[0][bound], ranges[1][bound])
        out[bound] = out[bound].sum(1, keepdims=True) * inside
    active = np.flatnonzero(full)
    here = counts if len(active) == len(out) else counts[active]
    moves = Moves(out[active], np)
    for _ in range(steps):
        if not len(active):
            break
        pairs, right = information(here, moves.at, design)
        bounds = None if ranges is None else (ranges[0][active], ranges[1][active])
        done = _step(moves, pairs, right, bounds) <= tolerance
        out[active] = moves.at
        if done.mean() > WORTH or done.all():
            active, here = active[~done], here[~done]
            moves.keep(~done)
    rest = np.flatnonzero(~full)
    out[rest] = 1e-12 * even(len(rest), out.shape[1], ranges, rest)
    return out


def _step(moves: Moves, pairs: Array, right: Array, bounds: tuple[Array, Array] | None) -> Array:
    ridge = _ridge(pairs, moves.at)
    wanted = _quadratic(pairs, right, ridge, moves.at, bounds)
    free = np.ones(len(wanted), bool) if bounds is None else ~((bounds[0] > 0) | (bounds[1] < 1)).any(1)
    return np.asarray(moves.step(right.T, _times(pairs, moves.at), ridge, wanted, free))


def information(counts: Array, abundance: Array, design: Design) -> tuple[Array, Array]:
    """Return the expected information (t (t + 1) / 2, n) and the weighted counts (t, n) at ``abundance``.

    The expected information is Σ_j s_kj s_lj w_j and the weighted counts Σ_j s_kj y_j w_j, with
    w = 1 / (μ + φ μ²): Fisher's step minimises ½ bᵀIb − rᵀb.
    """
    weight, _mean = _weight(abundance, design)
    pairs = design.pairs @ weight.T
    weight *= counts
    return np.asarray(pairs, np.float64), np.asarray(design.profiles @ weight.T, np.float64)


def _weight(abundance: Array, design: Design) -> tuple[Any, Any]:
    mean = abundance.astype(design.profiles.dtype) @ design.profiles
    mean += 1e-20
    weight = mean * design.dispersion
    weight += design.grain
    weight *= mean
    return np.reciprocal(weight, out=weight), mean


def standard_errors(pairs: Array, abundance: Array) -> Array:
    """Return the (n, t) standard errors of the shares of ``abundance`` under the information there."""
    from .quadratic_kernels import errors_of_shares

    out = np.zeros(abundance.shape)
    errors_of_shares(pairs, _ridge(pairs, abundance), np.maximum(abundance, 1e-300), out)
    # a share of which nothing is known lies somewhere between 0 and 1
    return np.minimum(out, 0.5)


def pearson(counts: Array, abundance: Array, design: Design) -> Array:
    """Return (n,) squared residuals over what the fit expects, about 1 where it fits.

    Each is divided by its variance plus a little, so that one count of a gene that is expected
    nowhere does not decide.
    """
    weight, mean = _weight(abundance, design)
    variance = np.reciprocal(weight, out=weight)
    soft = np.reciprocal(variance + LITTLE)
    expected = np.einsum("ij,ij->i", variance, soft)
    mean -= counts
    mean *= mean
    return np.asarray(np.einsum("ij,ij->i", mean, soft) / np.maximum(expected, 1e-30), np.float64)


def shares(abundance: Array) -> Array:
    """Return rows divided by their sum; a row of zeros becomes even."""
    total = abundance.sum(1, keepdims=True)
    even = np.full(abundance.shape, 1 / abundance.shape[1])
    return np.asarray(np.divide(abundance, total, out=even, where=total > 0))


def drawn_to_zero(pairs: Array, abundance: Array, errors: Array) -> Array:
    """Return (n, t) shares of which the uncertain ones are drawn towards 0: most types are absent from most spots.

    Where errors are independent, a share p with error e keeps p² / (p² + 2 r⁴ e²) of itself, where
    r = Σp² / Σ(p² + e²) says how well the whole spot is known: where little is known, nothing is
    taken for absent. What types share of the information they take over from one another.

    Parameters
    ----------
    pairs
        (t (t + 1) / 2, n) information at ``abundance``.
    abundance
        (n, t) as `solve` gives them.
    errors
        (n, t) standard errors of the shares.
    """
    from .quadratic_kernels import drawn

    squares = (shares(abundance) ** 2).sum(1)
    known = squares / np.maximum(squares + (errors**2).sum(1), 1e-300)
    out = np.empty(abundance.shape)
    drawn(pairs, _ridge(pairs, abundance), abundance, DRAWN * known**CAUTION, out)
    return shares(out)


def _ridge(pairs: Array, abundance: Array) -> Array:
    """Return what keeps types that no count tells apart even, and a system from being singular."""
    trace = pairs[_diagonal(abundance.shape[1])].mean(0)
    return np.asarray(PRIOR / np.maximum(abundance.sum(1), 1e-150) ** 2 + JITTER * trace + 1e-300)


@cache
def _diagonal(t: int) -> npt.NDArray[np.intp]:
    """Return where the diagonal is in an upper triangle that is written row by row."""
    return np.asarray(np.cumsum(np.arange(t + 1, 1, -1)) - (t + 1), np.intp)


def _times(pairs: Array, abundance: Array) -> Array:
    """Return the information of each row times its abundance, (n, t)."""
    from .quadratic_kernels import times

    out = np.empty(abundance.shape)
    times(pairs, abundance, out)
    return out


def _quadratic(pairs: Array, right: Array, ridge: Array, start: Array, bounds: tuple[Array, Array] | None) -> Array:
    from .quadratic_kernels import nonnegative

    out = np.empty(start.shape)
    if bounds is None:
        nonnegative(pairs, right, ridge, start, np.zeros(start.shape, bool), out)
        return out
    low, high = bounds
    held = has_range(low, high)
    nonnegative(pairs, right, ridge, start, high <= 0, out)
    if held.any():
        out[held] = within_ranges(pairs[:, held], right[:, held], ridge[held], start[held], low[held], high[held])
    return out


def has_range(low: Array, high: Array) -> npt.NDArray[np.bool_]:
    """Return (n,) rows that need a range of shares: a type that is free or forbidden needs none."""
    return np.asarray(((low > 0) | ((high > 0) & (high < 1))).any(1))


def within_ranges(pairs: Array, right: Array, ridge: Array, start: Array, low: Array, high: Array) -> Array:
    """Return the (n, t) solutions of quadratic problems whose shares keep to ranges."""
    from .quadratic_kernels import within

    inside = np.empty(start.shape)
    within(pairs, right, ridge, nearest_within(shares(start), low, high), low, high, _SWEEPS, inside)
    return inside


def even(n: int, t: int, ranges: tuple[Array, Array] | None, rows: Any) -> Array:
    """Return (n, t) shares of rows of which nothing is known: even, or what their ranges leave."""
    even = np.full((n, t), 1 / t)
    return even if ranges is None else nearest_within(even, ranges[0][rows], ranges[1][rows])
