"""Gene factors between the platforms of spots and reference, and the dispersion of each gene, learnt from residuals.

Both come after a first fit, from what it leaves, and are shrunk: the factors towards 1 by a
log-normal prior whose variance is estimated, the dispersions towards one value for all genes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .fisher import Design, shares, solve
from .report import Report, silent
from .taught_profiles import resized, taught, teaching
from .type_profiles import TypeProfiles

__all__ = ["GeneNoise", "design_of", "learn", "noise_around", "shrunk_factors"]

Array = npt.NDArray[np.float64]
FIRST_DISPERSION = 0.1
_LEAST, _MOST = 1e-3, 100.0
_ROUNDS = 3
_FOR_VARIANCE = 400
_BLOCK = 1 << 17
_FEW = 5
"""Genes a type."""
_FARTHEST = 4.0
"""Of the logarithm of a factor: a gene that is farther off is not in the reference at all."""
_LITTLE = 0.1
_STRENGTH = 5.0


@dataclass(frozen=True)
class GeneNoise:
    """What is learnt of each gene.

    Parameters
    ----------
    platform
        (g,) > 0: how much more of the gene the spots' platform sees than the reference's.
    dispersion
        (g,) > 0: variance = grain · mean + dispersion · mean².
    grain
        (g,) ≥ 1.
    spread
        Standard deviation of the logarithm of the factors before they were shrunk; 0 where there is no effect.
    """

    platform: Array
    dispersion: Array
    grain: Array
    spread: float = 0.0

    @classmethod
    def of(cls, n_genes: int) -> GeneNoise:
        """Return what is assumed before anything is learnt."""
        return cls(np.ones(n_genes), np.full(n_genes, FIRST_DISPERSION), np.ones(n_genes))


def learn(
    counts: Array,
    reference: TypeProfiles,
    abundance: Array,
    noise: GeneNoise,
    ranges: tuple[Array, Array] | None = None,
    factors: bool = True,
    report: Report = silent,
) -> tuple[GeneNoise, TypeProfiles, Array]:
    """Fit, look at what is left, and fit again.

    Twice and no more: factors and composition have the mean profile of the tissue in common, and a
    fit that went on to the end would give more and more of it to the factors.

    Parameters
    ----------
    counts
        (n, g) dense counts of the spots to learn from.
    reference
        Profiles over the same genes.
    abundance
        (n, t) where the first fit starts.
    noise
        Where the search for the factors starts.
    ranges
        (n, t) ends of the shares, or None. Where they are narrow, the spots teach the profiles.
    factors
        Whether gene factors are learnt, or only the noise.

    Returns
    -------
    GeneNoise, TypeProfiles, (n, t)
        What was learnt of the genes, the profiles after what the hand has taught, and the last fit's abundances.
    """
    told, current = teaching(ranges), reference
    # where genes are few, factors can stand for a composition: then they get no second chance to
    rounds = 0 if not factors else 1 if counts.shape[1] < _FEW * len(reference.types) else 2
    for number in range(_ROUNDS):
        report(number / _ROUNDS, "Gene factors of the platform")
        design = Design.of(design_of(current, noise.platform), noise.dispersion, noise.grain, counts.dtype)
        abundance = solve(counts, design, abundance, ranges, 1e-3, 3 if number else 6)
        mean = abundance.astype(counts.dtype) @ design.profiles
        mean += 1e-20
        soft = mean * design.dispersion
        soft += design.grain
        soft = np.reciprocal(soft, out=soft)
        before = noise
        noise = _noise(counts, mean, soft, abundance, current, noise, number < rounds, number > 0)
        if told is not None and ranges is not None:
            if number == 1:
                reference = _resized(counts, abundance, ranges, told, reference, design)
            current = taught(counts, abundance, mean, soft, before.platform, told, reference, current)
    report(1.0)
    return noise, current, abundance


def _resized(
    counts: Array, abundance: Array, ranges: tuple[Array, Array], told: npt.NDArray[np.bool_],
    reference: TypeProfiles, design: Design,
) -> TypeProfiles:  # fmt: skip
    rows = told.any(1)
    free = shares(solve(counts[rows], design, abundance[rows], None, 1e-3))
    return resized(free, (ranges[0][rows], ranges[1][rows]), told[rows], reference)


def design_of(reference: TypeProfiles, platform: Array) -> Array:
    """Return (t, g) expected counts of a cell, in counts of a cell of mean size."""
    return np.asarray(reference.profiles * reference.sizes[:, None] * platform)


def _noise(
    counts: Array,
    mean: Array,
    soft: Array,
    abundance: Array,
    reference: TypeProfiles,
    noise: GeneNoise,
    factors: bool,
    later: bool,
) -> GeneNoise:
    seen = np.einsum("ij,ij->j", counts, soft).astype(np.float64)
    expected = np.einsum("ij,ij->j", mean, soft).astype(np.float64)
    platform, spread = noise.platform, noise.spread
    if factors:
        change = np.log((seen + 0.5) / (expected + 0.5))
        known = 1 / (expected + 0.5) + _signature_variance(abundance, reference)
        platform, spread = shrunk_factors(np.log(platform) + change, known)
        mean = mean * (platform / noise.platform).astype(counts.dtype)
    some = slice(None, None, max(1, len(counts) // _FOR_VARIANCE))
    grain, dispersion = _variances(counts[some], mean[some], noise, abundance[some])
    if later and factors:
        # half way: noise and factor of a gene that fits badly would otherwise chase each other
        grain, dispersion = np.sqrt(grain * noise.grain), np.sqrt(dispersion * noise.dispersion)
    return GeneNoise(platform, dispersion, grain, spread)


def noise_around(counts: Array, mean: Array, abundance: Array) -> GeneNoise:
    """Return the grain and dispersion of genes whose means another method has found; factors are 1.

    Parameters
    ----------
    counts, mean
        (n, g) of some spots, in the unit of each.
    abundance
        (n, t) of which a row's non-zero entries say how much of the data its fit has used up.
    """
    noise = GeneNoise.of(counts.shape[1])
    for _ in range(2):
        grain, dispersion = _variances(counts, mean, noise, abundance)
        noise = GeneNoise(noise.platform, dispersion, grain)
    return noise


def _signature_variance(abundance: Array, reference: TypeProfiles) -> Array:
    """Return the variance of the logarithm of a gene's mean profile over the tissue, from the reference's noise."""
    part = abundance.sum(0)[:, None] * reference.profiles * reference.sizes[:, None]
    part = part / part.sum(0)
    return np.asarray((part**2 / reference.shape).sum(0))


def shrunk_factors(logs: Array, variance: Array) -> tuple[Array, float]:
    """Return factors drawn towards 1 by a normal prior of their logarithm, with its variance by moments.

    Parameters
    ----------
    logs, variance
        (g,) logarithms of factors as they were seen, and how uncertain each is.

    Returns
    -------
    (g,) factors, and the prior's standard deviation: 0 where the data do not speak for any effect.
    """
    prior = 0.0
    for _ in range(20):
        weight = 1 / (variance + prior)
        centre = float((weight * logs).sum() / weight.sum())
        excess = (logs - centre) ** 2 - variance
        # a few genes far off must not speak for all
        excess = np.minimum(excess, np.quantile(excess, 0.95))
        share = weight**2 / (weight**2).sum()
        found = float((share * excess).sum())
        error = float(np.sqrt((share**2 * (excess - found) ** 2).sum()))
        wanted = found if found > 2 * error else 0.0
        if abs(wanted - prior) < 1e-4:
            prior = wanted
            break
        prior = wanted
    shrink = prior / (prior + variance)
    return np.exp(np.clip(shrink * (logs - centre), -_FARTHEST, _FARTHEST)), float(np.sqrt(prior))


def _variances(counts: Array, mean: Array, noise: GeneNoise, abundance: Array) -> tuple[Array, Array]:
    """Return each gene's grain and dispersion: the squares that are left, regressed on the mean and its square.

    Both are drawn towards the ones of all genes together, as far as few counts speak for a gene's own.
    """
    lost = max(1 - float((abundance > 0).sum(1).mean()) / counts.shape[1], 0.5)
    sums = np.zeros((5, counts.shape[1]))
    size = max(1, _BLOCK // counts.shape[1])
    for first in range(0, len(counts), size):
        rows = slice(first, first + size)
        sums += _sums(counts[rows], mean[rows], noise, lost)
    return _two_terms(sums)


def _sums(counts: Array, mean: Array, noise: GeneNoise, lost: float) -> Array:
    """Return what the regression of squares on the mean and its square needs, each gene weighted by its noise."""
    weight = mean * noise.dispersion.astype(counts.dtype)
    weight += noise.grain.astype(counts.dtype)
    weight *= mean
    weight += _LITTLE
    weight = np.reciprocal(weight, out=weight)
    scaled = mean * weight
    left = counts - mean
    left *= weight
    left *= left
    left /= lost
    left *= mean
    square = scaled * mean
    each = [(scaled, scaled), (scaled, square), (square, square), (left, np.ones_like(left)), (left, mean)]
    return np.asarray(np.stack([np.einsum("ij,ij->j", one, other) for one, other in each]), dtype=np.float64)


def _two_terms(sums: Array) -> tuple[Array, Array]:
    """Solve the 2 × 2 systems of `_variances` with grain ≥ 1 and dispersion ≥ 0, drawn towards the common answer."""
    every = sums.sum(1, keepdims=True)
    grain, dispersion = _bounded(every, np.ones(1))
    # the common answer counts as so many squares
    scale = _STRENGTH / np.maximum(every[0], 1e-300)
    pulled = sums + scale * np.stack(
        [
            every[0],
            every[1],
            every[2],
            every[0] * grain + every[1] * dispersion,
            every[1] * grain + every[2] * dispersion,
        ]
    )
    return _bounded(pulled, np.ones(sums.shape[1]))


def _bounded(sums: Array, least: Array) -> tuple[Array, Array]:
    one, cross, two, first, second = sums
    det = np.maximum(one * two - cross**2, 1e-12 * one * two + 1e-300)
    grain = (first * two - second * cross) / det
    dispersion = (second * one - first * cross) / det
    low = grain < least
    grain = np.where(low, least, grain)
    dispersion = np.where(low, (second - cross * least) / np.maximum(two, 1e-300), dispersion)
    none = dispersion < _LEAST
    grain = np.where(none, np.maximum(first / np.maximum(one, 1e-300), least), grain)
    return grain, np.clip(dispersion, _LEAST, _MOST)
