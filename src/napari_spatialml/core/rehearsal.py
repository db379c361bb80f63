"""A rehearsal of deconvolution: spots like the real ones, made of the reference's own cells; there the truth is known.

Half of the cells of each type is pooled to spots with the composition, the counts and the gene
factors of the real ones; the other half is the reference of the rehearsal. What such spots are said
to hold is off by all that puts real ones off: counts, few cells a spot and few cells a type, gene
factors, and RNA that floats about.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from .count_model import Fit, Options, fit_again, noise_of
from .count_rows import picked
from .deconvolution import Reference
from .report import Report, part, silent
from .type_profiles import TypeProfiles, type_profiles

__all__ = ["Rehearsal", "rehearse"]

Array = npt.NDArray[np.float64]
AMBIENT = 0.05
"""The share of a spot's counts that comes from anywhere in the section."""
_SPOTS, _FIRST_SPOTS = 200, 50
_MOST_CELLS = 400
"""Of one type; more tell nothing new."""
_FEWEST_CELLS, _MADE_CELLS, _MADE_COUNTS = 4, 25, 1000.0
"""A type with fewer cells cannot be halved: as many as this are made for each half, with such totals."""
_TRIED = (3.0, 15.0)
_LEAST, _MOST = 1.0, 40.0


@dataclass(frozen=True)
class Rehearsal:
    """What was true and what was said of the spots of a rehearsal.

    Parameters
    ----------
    truth, values, errors
        (m, t) true shares, and shares and standard errors as the model says.
    cells
        The number of cells of a spot with which the counts scatter as much as they really do.
    fitted
        The fit of its spots; None in one that was made up.
    """

    truth: Array
    values: Array
    errors: Array
    cells: float = float("nan")
    fitted: Fit | None = None


@dataclass(frozen=True)
class _Stock:
    """Cells of the reference over the genes used, the type of each, and which of them are pooled."""

    counts: sp.csr_matrix
    number: npt.NDArray[np.intp]
    pooled: npt.NDArray[np.bool_]


def rehearse(found: Fit, reference: Reference, options: Options, seed: int = 0, report: Report = silent) -> Rehearsal:
    """Return a rehearsal of a fit.

    Parameters
    ----------
    found
        The fit of the real spots.
    reference, options
        What it was fitted with.
    seed
        Of all that is drawn.

    Notes
    -----
    Costs a fit of 200 spots over the genes of ``found``, and the first half of two fits of 50, however many
    spots there are.
    """
    rng = np.random.default_rng(seed)
    stock = _stock(found, reference, rng)
    report(0.0, "Intervals: how many cells a spot is like")
    cells = _cells_a_spot(found, stock, options, rng)
    report(0.4, f"Intervals: spots of {cells:.1f} of the reference's own cells")
    counts, truth = _spots(found, stock, options, cells, _SPOTS, rng)
    again = fit_again(found, counts, _profiles(found, stock, ~stock.pooled, options), options, part(report, 0.4, 1.0))
    return Rehearsal(truth, again.values, again.errors, cells, again)


def _cells_a_spot(found: Fit, stock: _Stock, options: Options, rng: np.random.Generator) -> float:
    """Return the number of cells at which dispersion is what it is in the real spots.

    The same cells are pooled and make the profiles, so that dispersion is due to few cells a spot alone.
    """
    everything = replace(stock, pooled=np.ones(len(stock.number), bool))
    profiles = _profiles(found, stock, everything.pooled, options)
    made = [_spots(found, everything, options, cells, _FIRST_SPOTS, rng)[0] for cells in _TRIED]
    tried = [noise_of(found, counts, profiles, options).dispersion for counts in made]
    logs = np.log([max(float(np.median(dispersion)), 1e-3) for dispersion in tried])
    wanted = np.log(max(float(np.median(found.dispersion)), 1e-3))
    slope = min((logs[1] - logs[0]) / np.log(_TRIED[1] / _TRIED[0]), -0.3)
    nearest = int(abs(wanted - logs[1]) < abs(wanted - logs[0]))
    guess = np.log(_TRIED[nearest]) + (wanted - logs[nearest]) / slope
    return float(np.clip(np.exp(guess), _LEAST, _MOST))


def _profiles(found: Fit, stock: _Stock, known: npt.NDArray[np.bool_], options: Options) -> TypeProfiles:
    """Return the profiles of the cells that are known."""
    types = np.array(found.reference.types)
    made = type_profiles(sp.csr_matrix(stock.counts[known]), types[stock.number[known]])
    return replace(made, sizes=np.ones(len(types))) if options.share == "RNA" else made


def _spots(
    found: Fit, stock: _Stock, options: Options, cells: float, n_spots: int, rng: np.random.Generator
) -> tuple[sp.csr_matrix, Array]:
    """Return counts and true shares of spots with the shares and the totals of real ones."""
    rows = _like(found, n_spots)
    total = found.abundance[rows] @ found.design.sum(1)
    # a spot with many counts has many cells
    number = np.maximum(rng.poisson(cells * np.clip(total / np.median(total), 0.1, 10)), 1)
    shares = found.values[rows]
    members = _members(rng.multinomial(number, shares / shares.sum(1, keepdims=True)), stock, rng)
    pooled = (members @ stock.counts).tocsr()
    seen = np.exp(rng.normal(0, found.noise.spread, pooled.shape[1]))
    scale = (1 - AMBIENT) * total / np.maximum(pooled @ seen, 1e-9)
    rate = np.repeat(scale, np.diff(pooled.indptr)) * seen[pooled.indices]
    # a molecule is seen or not; where more are asked for than there are, each gives several counts
    counts = pooled.copy()
    counts.data = rng.binomial(np.rint(pooled.data).astype(np.int64), np.minimum(rate, 1)).astype(np.float64)
    more = rate > 1
    counts.data[more] += rng.poisson(pooled.data[more] * (rate[more] - 1))
    soup = np.asarray(pooled.sum(0)).ravel() * seen
    counts = counts + _floating(AMBIENT * total.mean() * soup / soup.sum(), n_spots, rng)
    return counts, _truth(members, stock, options, len(found.reference.types))


def _floating(expected: Array, n_spots: int, rng: np.random.Generator) -> sp.csr_matrix:
    """Return (n_spots, g) Poisson counts with the same (g,) expectations in every spot."""
    if expected.sum() > len(expected):
        return sp.csr_matrix(rng.poisson(expected, (n_spots, len(expected))).astype(np.float64))
    # few counts are faster strewn over the spots, one by one
    many = rng.poisson(n_spots * expected)
    spots = rng.integers(0, n_spots, many.sum())
    held = spots, np.repeat(np.arange(len(expected)), many)
    return sp.csr_matrix((np.ones(len(spots)), held), shape=(n_spots, len(expected)))


def _like(found: Fit, n_spots: int) -> npt.NDArray[np.intp]:
    """Return rows of real spots that are like what is to be made: evenly spaced, with counts, no artefacts."""
    good = ~found.empty
    if found.constraints is not None and found.constraints.artefacts is not None:
        good = good & ~found.constraints.artefacts
    rows = np.flatnonzero(good if good.any() else np.ones(len(good), bool))
    return rows[np.linspace(0, len(rows) - 1, n_spots).round().astype(np.intp)]


def _members(many: npt.NDArray[np.int64], stock: _Stock, rng: np.random.Generator) -> sp.csr_matrix:
    """Return (n, cells) how often a cell of the stock lies in a spot with so many cells of each type."""
    spots, cells = [], []
    for k in range(many.shape[1]):
        pool = np.flatnonzero((stock.number == k) & stock.pooled)
        spots.append(np.repeat(np.arange(len(many)), many[:, k]))
        cells.append(rng.choice(pool, len(spots[-1])))
    held = np.concatenate(spots), np.concatenate(cells)
    return sp.csr_matrix((np.ones(len(held[0])), held), shape=(len(many), len(stock.number)))


def _truth(members: sp.csr_matrix, stock: _Stock, options: Options, n_types: int) -> Array:
    weight = np.ones(len(stock.number))
    if options.share == "RNA":
        weight = np.asarray(stock.counts.sum(1), dtype=np.float64).ravel()
    place = np.arange(len(weight)), stock.number
    held = np.asarray((members @ sp.csr_matrix((weight, place), shape=(len(weight), n_types))).toarray())
    return np.asarray(held / held.sum(1, keepdims=True))


def _stock(found: Fit, reference: Reference, rng: np.random.Generator) -> _Stock:
    """Return at most some hundred cells of each type, cut in halves; made ones where there are too few."""
    blocks, numbers, pooled = [], [], []
    filled = np.asarray(reference.counts.sum(1)).ravel() > 0
    place = np.minimum(np.searchsorted(found.genes, reference.genes), len(found.genes) - 1)
    place = np.where(found.genes[place] == reference.genes, place, -1)
    for k, name in enumerate(found.reference.types):
        rows = rng.permutation(np.flatnonzero((reference.types == name) & filled))[:_MOST_CELLS]
        cells = picked(reference.counts[rows], place, len(found.genes))
        cells = cells[np.flatnonzero(np.asarray(cells.sum(1)).ravel() > 0)]
        n = cells.shape[0]
        if n < _FEWEST_CELLS:
            cells, n = _made(found, k, rng), 2 * _MADE_CELLS
        blocks.append(cells)
        numbers.append(np.full(n, k))
        pooled.append(np.arange(n) < n // 2)
    return _Stock(sp.csr_matrix(sp.vstack(blocks)), np.concatenate(numbers), np.concatenate(pooled))


def _made(found: Fit, k: int, rng: np.random.Generator) -> sp.csr_matrix:
    """Return cells of a type of which the reference has too few, or only a profile.

    Each half has a profile of its own, as far apart as the reference's noise lets them be.
    """
    profile, shape = found.reference.profiles[k], found.reference.shape[k]
    halves = []
    for _ in range(2):
        drawn = profile * rng.gamma(shape) / shape
        size = _MADE_COUNTS * np.exp(rng.normal(0, 0.35, _MADE_CELLS)) / max(float(drawn.sum()), 1e-12)
        halves.append(rng.poisson(size[:, None] * drawn * rng.gamma(2.0, 0.5, (_MADE_CELLS, len(drawn)))))
    return sp.csr_matrix(np.concatenate(halves).astype(np.float64))
