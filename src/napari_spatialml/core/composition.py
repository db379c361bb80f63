"""What groups of spots hold, against the section's mean, with intervals that know that neighbours are alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import as_coordinates, as_finite, frozen, require
from .tissue_blocks import blocks_of, cut_apart, suited_side

__all__ = ["Composition", "composition", "composition_of"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Composition:
    """Mean proportions of cell types in groups of spots, against all spots.

    Parameters
    ----------
    groups
        (k,) names.
    types
        (t,) names.
    sizes
        (k,) number of spots.
    section
        (t,) mean over all spots.
    mean, mean_lower, mean_upper
        (k, t) mean over the group, and its interval; NaN where there is no spot.
    difference, lower, upper
        (k, t) mean of the group less that of the section, and its interval.
    level
        Of the intervals. They are NaN for a group that lies in one block of the tissue.
    block_um
        Side of the blocks.
    """

    groups: tuple[str, ...]
    types: tuple[str, ...]
    sizes: npt.NDArray[np.int64]
    section: Array
    mean: Array
    mean_lower: Array
    mean_upper: Array
    difference: Array
    lower: Array
    upper: Array
    level: float
    block_um: float


def composition(
    proportions: Array,
    types: Sequence[str],
    coordinates: Array,
    categories: Any,
    *,
    level: float = 0.9,
    block_um: float = 0.0,
    n_resamples: int = 999,
    seed: int = 0,
) -> Composition:
    """Return what each category of spots holds, such as each domain or each region of the histology.

    Parameters
    ----------
    proportions
        (n, t).
    types
        (t,) names.
    coordinates
        (n, 2) as (y, x) in µm.
    categories
        (n,) the category of each spot; None, NaN and "" are of none, and count for the section only.
    level
        0 < level < 1.
    block_um
        Side of the blocks; 0 takes about twice the distance over which the types are alike.
    n_resamples
        ≥ 1.
    seed
        Of the resampling.

    Raises
    ------
    BadInput
        When no spot has a category.

    Notes
    -----
    Blocks of the tissue are drawn with replacement, as wholes, and the quantiles of the means taken. With few
    blocks that is too narrow: they are widened about the estimate by t / z · √(B / (B − 1)), B the effective
    number of blocks of the group, (Σ m)² / Σ m² over its spots m in each block; and by what blocks take from
    the variance, see `cut_apart`.

    References
    ----------
    Künsch, Ann. Stat. 17, 1217 (1989), doi:10.1214/aos/1176347265 (blocks); Hesterberg, Am. Stat. 69, 371
    (2015), doi:10.1080/00031305.2015.1089789 (few units).
    """
    values = as_finite(proportions, "The proportions", 2)
    where = as_coordinates(coordinates, "The coordinates", len(values))
    require(values.shape[1] == len(types), f"{values.shape[1]} columns of proportions for {len(types)} types.")
    names, member = _members(categories, len(values))
    side = block_um if block_um > 0 else suited_side(where, values, seed)
    spots, sums = _by_block(values, blocks_of(where, side).number, member, len(names))
    mean = sums.sum(1) / spots.sum(1)[:, None]
    resampled = _resampled(spots, sums, n_resamples, seed)
    wider = _few(spots[:-1], level)[:, None] * cut_apart(where, values, side, seed)[0]
    differ = mean[:-1] - mean[-1]
    mean_ends = _ends(resampled[:, :-1], mean[:-1], wider, level)
    ends = _ends(resampled[:, :-1] - resampled[:, -1:], differ, wider, level)
    return Composition(
        groups=names,
        types=tuple(str(t) for t in types),
        sizes=frozen(spots[:-1].sum(1).astype(np.int64)),
        section=frozen(mean[-1]),
        mean=frozen(mean[:-1]),
        mean_lower=frozen(np.maximum(mean_ends[0], 0)),
        mean_upper=frozen(np.minimum(mean_ends[1], 1)),
        difference=frozen(differ),
        lower=frozen(np.maximum(ends[0], -1)),
        upper=frozen(np.minimum(ends[1], 1)),
        level=float(level),
        block_um=float(side),
    )


def composition_of(
    proportions: Array, types: Sequence[str], coordinates: Array, rows: Any, **settings: Any
) -> Composition:
    """Return what some spots hold, against the section: one group, named "selected".

    Parameters
    ----------
    proportions, types, coordinates
        As in `composition`.
    rows
        Row numbers, or (n,) bool; at least one.
    **settings
        As in `composition`.
    """
    chosen = np.full(len(proportions), "", dtype="<U8")
    chosen[np.asarray(rows)] = "selected"
    return composition(proportions, types, coordinates, chosen, **settings)


def _members(categories: Any, n: int) -> tuple[tuple[str, ...], npt.NDArray[np.intp]]:
    """Return the sorted names of the categories, and the number of each spot's; −1 for none."""
    given = np.asarray(categories, dtype=object)
    require(given.shape == (n,), f"{given.size} categories for {n} spots.", "Give one a spot.")
    none = np.array([value is None or value != value or value == "" for value in given], dtype=bool)
    require(not none.all(), "No spot has a category.", "Select some spots, or choose another column.")
    names, number = np.unique(given[~none].astype(str), return_inverse=True)
    member = np.full(n, -1, np.intp)
    member[~none] = number
    return tuple(names.tolist()), member


def _by_block(values: Array, number: npt.NDArray[np.intp], member: npt.NDArray[np.intp], k: int) -> tuple[Array, Array]:
    """Return (k + 1, b) spots and (k + 1, b, t) sums of each group in each block; the last group is the section."""
    n_blocks = int(number.max()) + 1
    spots, sums = np.zeros((k + 1, n_blocks)), np.zeros((k + 1, n_blocks, values.shape[1]))
    for group in range(k + 1):
        rows = member == group if group < k else np.ones(len(values), bool)
        np.add.at(spots[group], number[rows], 1.0)
        np.add.at(sums[group], number[rows], values[rows])
    return spots, sums


def _resampled(spots: Array, sums: Array, n: int, seed: int) -> Array:
    """Return (n, k, t) means over blocks drawn with replacement; NaN where a group has none of them."""
    n_blocks = spots.shape[1]
    drawn = np.random.default_rng(seed).multinomial(n_blocks, np.full(n_blocks, 1 / n_blocks), n).astype(float)
    size = (drawn @ spots.T)[..., None]
    totals = np.einsum("rb,kbt->rkt", drawn, sums, optimize=True)
    return np.divide(totals, size, out=np.full(totals.shape, np.nan), where=size > 0)


def _few(spots: Array, level: float) -> Array:
    """Return (k,) by how much an interval from few blocks has to be wider; NaN from one block."""
    from scipy.stats import norm, t

    blocks = spots.sum(1) ** 2 / np.maximum((spots**2).sum(1), 1)
    out = np.full(len(blocks), np.nan)
    some = blocks > 1 + 1e-9
    b = blocks[some]
    tail = (1 + level) / 2
    out[some] = np.sqrt(b / (b - 1)) * t.ppf(tail, np.maximum(b - 1, 1)) / norm.ppf(tail)
    return out


def _ends(resampled: Array, estimate: Array, wider: Array, level: float) -> tuple[Array, Array]:
    """Return the (k, t) quantiles of resampled means, widened about the estimate."""
    known = np.isfinite(wider).all(1)
    low, high = np.full(estimate.shape, np.nan), np.full(estimate.shape, np.nan)
    if known.any():
        quantiles = np.nanquantile(resampled[:, known], [(1 - level) / 2, (1 + level) / 2], axis=0)
        off = (quantiles - estimate[known]) * wider[known]
        low[known] = estimate[known] + np.minimum(off[0], 0)
        high[known] = estimate[known] + np.maximum(off[1], 0)
    return low, high
