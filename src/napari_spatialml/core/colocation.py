"""Which cell types lie together: their proportions over a section, against chance that respects the tissue."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from .arrays import as_coordinates, as_finite, frozen, require
from .graph import averaging, radius_graph
from .report import Report, silent
from .smoothed import pitch
from .tissue_blocks import Blocks, blocks_of, cut_apart, suited_side

__all__ = ["Colocation", "benjamini_hochberg", "colocation"]

Array = npt.NDArray[np.float64]
_LITTLE = 0.1
"""What is left beside a type is drawn to its mean, as by so much of a spot: a rest of nothing says nothing."""
_AT_ONCE = 4_000_000
_FEWEST_BLOCKS = 6
_A_SECOND = 2e9


@dataclass(frozen=True)
class Colocation:
    """How much the cell types of a section lie together.

    Parameters
    ----------
    types
        (t,) names.
    values
        (t, t), symmetric, −1 to 1: above 0 where two types lie together more than their room allows for, below
        0 where they shun each other. The diagonal says how alike a type's proportions are at neighbours; NaN
        there without a distance, and for a type that is everywhere the same.
    p
        (t, t) two-sided p-values; NaN on the diagonal and where a value is NaN.
    q
        (t, t) the same, adjusted over all pairs (false discovery rate).
    distance_um
        Neighbours lay within it; 0 for the spot alone.
    block_um
        Side of the blocks that were permuted.
    n_blocks, n_permutations
        How many.
    """

    types: tuple[str, ...]
    values: Array
    p: Array
    q: Array
    distance_um: float
    block_um: float
    n_blocks: int
    n_permutations: int


def colocation(
    proportions: Array,
    types: tuple[str, ...],
    coordinates: Array,
    *,
    distance_um: float = 0.0,
    block_um: float = 0.0,
    n_permutations: int = 0,
    seed: int = 0,
    report: Report = silent,
) -> Colocation:
    """Return how much each two cell types lie together, with block-permutation p-values.

    Parameters
    ----------
    proportions
        (n, t) ≥ 0, rows sum to 1, t ≥ 3.
    types
        (t,) names.
    coordinates
        (n, 2) as (y, x) in µm.
    distance_um
        ≥ 0. A type is looked for in the spot and in all spots within this distance; 0 takes the spot alone.
    block_um
        Side of the blocks; 0 takes about twice the distance over which the types are alike.
    n_permutations
        ≥ 1; 0 takes as many as about a second allows, 999 to 9,999. No p-value is below one over their number,
        and adjusting for all pairs multiplies it.
    seed
        Of the permutations.

    Raises
    ------
    BadInput
        When there are fewer than three types, or fewer than six blocks.

    Notes
    -----
    With proportions p, the rest beside b is r_a = p_a / (1 − p_b): that a spot holds much of b takes room from
    all others alike, and so leaves r_a as it is. The value of a pair is the bivariate Moran statistic
    corr(r_a, W p_b), W the mean over a spot and its neighbours, averaged with that of b and a. It is 0 for
    proportions without association in the sense of Connor and Mosimann (all Dirichlet ones are), where the
    plain correlation is negative.

    For its distribution by chance, p_b is cut into square blocks, which change places as wholes: each map keeps
    its own smoothness inside a block. What the cuts take from the variance is given back, see `cut_apart`.

    Time is n t (t + 1) × permutations: about a second for 4,000 spots and 20 types, half a minute for 100,000.

    References
    ----------
    Connor & Mosimann, J. Am. Stat. Assoc. 64, 194 (1969), doi:10.1080/01621459.1969.10500963 (neutrality).
    Wartenberg, Geogr. Anal. 17, 263 (1985), doi:10.1111/j.1538-4632.1985.tb00849.x (bivariate Moran).
    Mrkvička, Dvořák, González & Mateu, Spat. Stat. 42, 100430 (2021), doi:10.1016/j.spasta.2020.100430
    (variance correction of random shifts). Benjamini & Hochberg, J. R. Stat. Soc. B 57, 289 (1995).
    """
    values = as_finite(proportions, "The proportions", 2)
    where = as_coordinates(coordinates, "The coordinates", len(values))
    t = values.shape[1]
    require(t == len(types), f"{t} columns of proportions for {len(types)} types.")
    require(t >= 3, f"There are {t} cell types.", "Co-location needs three: of two, one is what the other is not.")
    require(n_permutations >= 0, f"{n_permutations} permutations were asked for.", "Give 1 or more, or 0.")
    n_permutations = n_permutations or int(np.clip(_A_SECOND / (len(values) * t * t), 999, 9999))
    report(0.0, "Dividing the tissue into blocks")
    side = block_um if block_um > 0 else suited_side(where, values, seed)
    blocks = blocks_of(where, side)
    require(
        blocks.n_blocks >= _FEWEST_BLOCKS,
        f"Blocks of {side:.0f} µm divide the tissue into {blocks.n_blocks}.",
        f"Choose smaller ones, for at least {_FEWEST_BLOCKS}.",
    )
    mean = averaging(radius_graph(where, distance_um)) if distance_um > 0 else sp.identity(len(values), format="csr")
    found, by_chance = _statistics(values, mean, _drawn(blocks, where, n_permutations, seed), report)
    p = _p_values(found, by_chance, cut_apart(where, values, side, seed)[1])
    report(1.0, f"{t * (t - 1) // 2} pairs of cell types")
    matrix = found.copy()
    np.fill_diagonal(matrix, _with_itself(values, mean) if distance_um > 0 else np.nan)
    return Colocation(
        tuple(types), frozen(matrix), frozen(p), frozen(_adjusted(p)),
        float(distance_um), float(side), blocks.n_blocks, n_permutations,
    )  # fmt: skip


def benjamini_hochberg(p: Array) -> Array:
    """Return p-values adjusted for the false discovery rate; NaN stays NaN and counts for none.

    References
    ----------
    Benjamini & Hochberg, J. R. Stat. Soc. B 57, 289 (1995), doi:10.1111/j.2517-6161.1995.tb02031.x.
    """
    out = np.full(p.shape, np.nan)
    there = np.flatnonzero(np.isfinite(p))
    order = there[np.argsort(-p[there], kind="stable")]
    rank = np.arange(len(order), 0, -1)
    out[order] = np.minimum(np.minimum.accumulate(p[order] * len(order) / np.maximum(rank, 1)), 1.0)
    return out


def _drawn(blocks: Blocks, where: Array, n: int, seed: int) -> npt.NDArray[np.int32]:
    """Return (n', rows) from which row each row takes its value, n' even: a permutation and its inverse in turn."""
    generator = np.random.default_rng(seed)
    nearest, place = blocks.counterparts(pitch(where) / 2)
    out = np.empty((2 * ((n + 1) // 2), len(place)), np.int32)
    for k in range(0, len(out), 2):
        order = generator.permutation(blocks.n_blocks)
        out[k] = nearest[order[blocks.number], place]
        out[k + 1] = nearest[np.argsort(order)[blocks.number], place]
    return out


def _statistics(
    values: Array, mean: sp.csr_matrix, drawn: npt.NDArray[np.int32], report: Report
) -> tuple[Array, npt.NDArray[np.float32]]:
    """Return the (t, t) statistic, and (permutations, t, t) what it is by chance."""
    n, t = values.shape
    one_way, by_chance = np.zeros((t, t)), np.zeros((len(drawn), t, t), np.float32)
    size = max(2, _AT_ONCE // n)
    for b in range(t):
        rest = _rest(values, b)
        around = mean @ values[:, b]
        scale = np.sqrt((rest**2).sum(0)) * np.sqrt(((around - around.mean()) ** 2).sum())
        flat = scale <= 1e-9 * n
        # a sum over rest · (W p) is one over (Wᵀ rest) · p: the smoothing is done once, not for each permutation
        weights = np.asarray(mean.T @ rest)
        weights = np.where(flat, np.nan, (weights - weights.mean(0)) / np.where(flat, 1.0, scale))
        one_way[:, b] = weights.T @ values[:, b]
        column, light = values[:, b].astype(np.float32), weights.astype(np.float32)
        for start in range(0, len(drawn), size):
            report(0.1 + 0.8 * (b + start / len(drawn)) / t, f"Permuting: {b + 1} of {t} types")
            by_chance[start : start + size, :, b] = column[drawn[start : start + size]] @ light
    # b at its new place meets a as a, by the inverse, meets b: one permutation for both halves of a pair
    inverse = by_chance.reshape(-1, 2, t, t)[:, ::-1].reshape(by_chance.shape)
    return (one_way + one_way.T) / 2, (by_chance + inverse.transpose(0, 2, 1)) / 2


def _rest(values: Array, b: int) -> Array:
    """Return (n, t) the centred shares of all types in what is left beside type ``b``; its own are 0."""
    left = values.sum(1) - values[:, b]
    total = left.sum()
    share = values.sum(0) / total if total > 0 else np.zeros(values.shape[1])
    rest = (values + _LITTLE * share) / (left + _LITTLE)[:, None]
    rest -= rest.mean(0)
    rest[:, b] = 0.0
    return np.asarray(rest)


def _p_values(found: Array, by_chance: npt.NDArray[np.float32], cut: Array) -> Array:
    middle = by_chance.mean(0, dtype=np.float64)
    away = np.abs(by_chance - middle) * cut
    beyond = (away >= np.abs(found - middle) * (1 - 1e-6)).sum(0)
    p = (1 + beyond) / (1 + len(by_chance))
    p[~np.isfinite(found)] = np.nan
    np.fill_diagonal(p, np.nan)
    return np.asarray(p)


def _adjusted(p: Array) -> Array:
    upper = np.triu_indices(len(p), 1)
    q = np.full(p.shape, np.nan)
    q[upper] = benjamini_hochberg(p[upper])
    q.T[upper] = q[upper]
    return q


def _with_itself(values: Array, mean: sp.csr_matrix) -> Array:
    """Return (t,) Moran's I over the neighbours, the spot itself left out; 0 where there are none."""
    centred = values - values.mean(0)
    own = mean.diagonal()[:, None]
    others = np.divide(mean @ centred - own * centred, 1 - own, out=np.zeros_like(centred), where=own < 1)
    variance = (centred**2).sum(0)
    flat = variance <= 1e-18 * len(values)
    return np.asarray(np.where(flat, np.nan, (centred * others).sum(0) / np.where(flat, 1.0, variance)))
