"""How likely single cells are under each cell type: negative binomial counts around one profile."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from .platform_factors import FIRST_DISPERSION, shrunk_factors

__all__ = [
    "CellModel",
    "expected_deviance",
    "learnt_from",
    "log_likelihoods",
    "moment_dispersions",
]

Array = npt.NDArray[np.float64]
_STEP = np.log(1.05)
"""Depths of a grid lie so far apart; between two of them the likelihood is interpolated."""
_LEAST, _MOST = 1e-2, 20.0
_ROUNDS = 6
_SIMULATED = 50


@dataclass(frozen=True)
class CellModel:
    """Profiles and noise of single cells.

    Parameters
    ----------
    profiles
        (t, g) > 0, rows sum to 1: expected shares of a cell's counts on the platform of the reference.
    platform
        (g,) > 0: how much more of a gene the cells' platform sees.
    dispersion
        (g,) > 0: variance = mean + dispersion · mean².
    """

    profiles: Array
    platform: Array
    dispersion: Array

    @classmethod
    def of(cls, profiles: Array) -> CellModel:
        """Return what is assumed before anything is learnt."""
        n = profiles.shape[1]
        return cls(profiles / profiles.sum(1, keepdims=True), np.ones(n), np.full(n, FIRST_DISPERSION))

    @property
    def expected(self) -> Array:
        """(t, g) expected shares of a cell's counts on its own platform; rows sum to 1."""
        seen = self.profiles * self.platform
        return np.asarray(seen / seen.sum(1, keepdims=True))


def log_likelihoods(counts: sp.csr_matrix, model: CellModel) -> Array:
    """Return how likely each cell is under each type, given its total, against a model that fits it exactly.

    Parameters
    ----------
    counts
        (n, g) ≥ 0.

    Returns
    -------
    (n, t) ≤ 0: −½ the deviance of the negative binomial; 0 for a cell without counts.

    Notes
    -----
    With μ = N q: Σ y log μ − (y + 1/φ) log(1 + φ μ), which is one sparse product for cells of one total N.
    Totals are put between the points of a fixed grid, so that other cells change nothing.
    O(non-zeros × t).
    """
    totals = np.asarray(counts.sum(1)).ravel()
    out = np.zeros((counts.shape[0], len(model.profiles)))
    there = np.flatnonzero(totals > 0)
    place = np.log(totals[there]) / _STEP
    below = np.floor(place).astype(np.int64)
    order = np.argsort(below, kind="stable")
    starts = np.flatnonzero(np.diff(below[order], prepend=below[order][:1] - 1))
    share = model.expected
    for group in np.split(order, starts[1:]) if len(order) else []:
        rows = there[group]
        weight = (place[group] - below[group])[:, None]
        ends = [_at(counts[rows], np.exp(_STEP * (below[group[0]] + end)) * share, model.dispersion) for end in (0, 1)]
        out[rows] = (1 - weight) * ends[0] + weight * ends[1]
    return out - _saturated(counts, model.dispersion)[:, None] * (totals > 0)[:, None]


def _at(counts: sp.csr_matrix, mean: Array, dispersion: Array) -> Array:
    over = np.log1p(dispersion * mean)
    return np.asarray(counts @ (np.log(mean) - over).T - (over / dispersion).sum(1))


def _saturated(counts: sp.csr_matrix, dispersion: Array) -> Array:
    """Return (n,) what the likelihood would be with μ = y."""
    y = counts.data.astype(np.float64)
    y = np.maximum(y, 1e-300)
    own = dispersion[counts.indices]
    terms = y * np.log(y) - (y + 1 / own) * np.log1p(own * y)
    sums = np.concatenate([[0.0], np.cumsum(terms)])
    return np.asarray(sums[counts.indptr[1:]] - sums[counts.indptr[:-1]])


def learnt_from(counts: sp.csr_matrix, model: CellModel, factors: bool = True) -> CellModel:
    """Return the model with gene factors of the cells' platform and with their dispersion.

    Cells are given to their likeliest type, what is left of each gene gives its factor, drawn towards 1 as
    far as few counts speak for it, and so again until the factors have settled.
    """
    for _ in range(_ROUNDS):
        best = log_likelihoods(counts, model).argmax(1)
        change, dispersion = _residuals(counts, best, model)
        found = replace(model, dispersion=dispersion)
        if factors:
            found = replace(found, platform=shrunk_factors(np.log(model.platform) + change[0], change[1])[0])
        moved = float(np.abs(np.log(found.platform / model.platform)).max())
        model = found
        if moved < 0.02:
            break
    return model


def _residuals(
    counts: sp.csr_matrix, best: npt.NDArray[np.intp], model: CellModel
) -> tuple[tuple[Array, Array], Array]:
    """Return what each gene's factor lacks, as (logarithm, variance), and each gene's dispersion."""
    t = len(model.profiles)
    totals = np.asarray(counts.sum(1)).ravel()
    share = model.expected
    member = sp.csr_matrix((np.ones(len(best)), (best, np.arange(len(best)))), shape=(t, len(best)))
    depth = np.bincount(best, totals, t)
    seen, expected = np.asarray(counts.sum(0)).ravel(), depth @ share
    # Σ (y − N q)² over the cells of each type, from sums of y², N y and N²
    squares = np.asarray((member @ counts.multiply(counts)).todense())
    crossed = np.asarray((member @ sp.diags(totals) @ counts).todense())
    second = np.bincount(best, totals**2, t)
    left = (squares - 2 * share * crossed + share**2 * second[:, None]).sum(0) - expected
    mean_squares = (share**2 * second[:, None]).sum(0)
    dispersion = moment_dispersions(left, mean_squares)
    spread = dispersion * mean_squares / (expected + 0.5) ** 2
    return (np.log((seen + 0.5) / (expected + 0.5)), 1 / (expected + 0.5) + spread), dispersion


def moment_dispersions(left: Array, squares: Array) -> Array:
    """Return each gene's dispersion by moments, drawn towards the common one where its mean is low.

    Parameters
    ----------
    left
        (g,) sums of (y − μ)² − μ.
    squares
        (g,) sums of μ².
    """
    known = squares >= np.median(squares)
    common = float(np.clip(np.median(left[known] / np.maximum(squares[known], 1e-300)), _LEAST, _MOST))
    own = np.clip(left / np.maximum(squares, 1e-300), _LEAST, _MOST)
    worth = 0.5 * squares * common**2
    weight = worth / (worth + 1)
    return np.asarray(np.exp(weight * np.log(own) + (1 - weight) * np.log(common)))


def expected_deviance(model: CellModel, depths: Array, generator: np.random.Generator) -> tuple[Array, Array]:
    """Return (d, t) mean and standard deviation of ½ the deviance of cells of each type with some totals.

    Parameters
    ----------
    depths
        (d,) > 0.

    Notes
    -----
    From 50 simulated cells each, given to their likeliest type as real ones are.
    """
    share, shape = model.expected, 1 / model.dispersion
    half = np.empty((len(depths), len(share), _SIMULATED))
    for i, depth in enumerate(depths):
        mean = np.repeat(depth * share, _SIMULATED, axis=0)
        drawn = sp.csr_matrix(generator.poisson(generator.gamma(shape, mean / shape)).astype(np.float64))
        half[i] = -log_likelihoods(drawn, model).max(1).reshape(len(share), _SIMULATED)
    return half.mean(2), half.std(2) + 1e-9
