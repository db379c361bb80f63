"""Gene factors between the platforms of spots and reference, and the dispersion of each gene, learnt from residuals.

Both come after a first fit, from what it leaves, and are shrunk: the factors towards 1 by a
log-normal prior whose variance is estimated, the dispersions towards one value for all genes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .fisher import Design, solve
from .report import Report, silent
from .type_profiles import TypeProfiles

__all__ = ["GeneNoise", "learn"]

Array = npt.NDArray[np.float64]
FIRST_DISPERSION = 0.1
_LEAST, _MOST = 1e-3, 20.0
_ROUNDS = 8
_SETTLED = 0.01


@dataclass(frozen=True)
class GeneNoise:
    """What is learnt of each gene.

    Parameters
    ----------
    platform
        (g,) > 0: how much more of the gene the spots' platform sees than the reference's.
    dispersion
        (g,) > 0: variance = mean + dispersion · mean².
    spread
        Standard deviation of the logarithm of the factors before they were shrunk; 0 where there is no effect.
    """

    platform: Array
    dispersion: Array
    spread: float = 0.0

    @classmethod
    def of(cls, n_genes: int) -> GeneNoise:
        """Return what is assumed before anything is learnt."""
        return cls(np.ones(n_genes), np.full(n_genes, FIRST_DISPERSION))


def learn(
    counts: Array,
    reference: TypeProfiles,
    abundance: Array,
    noise: GeneNoise,
    ranges: tuple[Array, Array] | None = None,
    factors: bool = True,
    report: Report = silent,
) -> tuple[GeneNoise, Array]:
    """Fit, look at what is left, and fit again until the factors have settled.

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
        (n, t) ends of the shares, or None.
    factors
        Whether gene factors are learnt, or only the dispersion.

    Returns
    -------
    GeneNoise, Array
        What was learnt, and the abundance under it.
    """
    dtype = counts.dtype
    for number in range(_ROUNDS):
        report(number / _ROUNDS, "Gene factors of the platform")
        design = Design.of(design_of(reference, noise.platform), noise.dispersion, dtype)
        abundance = solve(counts, design, abundance, ranges, 1e-3, 3 if number else 6)
        before = noise
        noise = _noise(counts, abundance, reference, noise, factors)
        moved = np.abs(np.log(noise.platform / before.platform))
        if number and float(np.quantile(moved, 0.9)) < _SETTLED:
            break
    report(1.0)
    return noise, abundance


def design_of(reference: TypeProfiles, platform: Array) -> Array:
    """Return (t, g) expected counts of a cell, in counts of a cell of mean size."""
    return np.asarray(reference.profiles * reference.sizes[:, None] * platform)


def _noise(counts: Array, abundance: Array, reference: TypeProfiles, noise: GeneNoise, factors: bool) -> GeneNoise:
    mean = (abundance.astype(counts.dtype) @ design_of(reference, noise.platform).astype(counts.dtype)) + 1e-20
    soft = 1 / (1 + mean * noise.dispersion.astype(counts.dtype))
    seen = np.einsum("ij,ij->j", counts, soft, dtype=np.float64)
    expected = np.einsum("ij,ij->j", mean, soft, dtype=np.float64)
    platform, spread = noise.platform, noise.spread
    if factors:
        change = np.log((seen + 0.5) / (expected + 0.5))
        known = 1 / (expected + 0.5) + _signature_variance(abundance, reference)
        platform, spread = _shrunk_factors(np.log(platform) + change, known)
        mean *= (platform / noise.platform).astype(counts.dtype)
    return GeneNoise(platform, _dispersions(counts, mean, soft, abundance), spread)


def _signature_variance(abundance: Array, reference: TypeProfiles) -> Array:
    """Return the variance of the logarithm of a gene's mean profile over the tissue, from the reference's noise."""
    part = abundance.sum(0)[:, None] * reference.profiles * reference.sizes[:, None]
    part = part / part.sum(0)
    return np.asarray((part**2 / reference.shape).sum(0))


def _shrunk_factors(logs: Array, variance: Array) -> tuple[Array, float]:
    """Return factors drawn towards 1 by a normal prior of their logarithm, with its variance by moments."""
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
    return np.exp(shrink * (logs - centre)), float(np.sqrt(prior))


def _dispersions(counts: Array, mean: Array, soft: Array, abundance: Array) -> Array:
    """Return each gene's dispersion by moments, drawn towards the pooled one as far as few counts speak for it."""
    g = counts.shape[1]
    used = float((abundance > 0).sum(1).mean())
    lost = max(1 - used / g, 0.5)
    squares = (counts - mean) ** 2
    squares /= lost
    squares -= mean
    soft = soft * soft
    above = np.einsum("ij,ij->j", squares, soft, dtype=np.float64)
    mean = mean * mean
    below = np.einsum("ij,ij->j", mean, soft, dtype=np.float64)
    common = float(np.clip(np.median(above[below >= np.median(below)] / below[below >= np.median(below)]), _LEAST, 2))
    known = 0.5 * below * common**2
    own = np.clip(above / np.maximum(below, 1e-300), _LEAST, _MOST)
    weight = known / (known + 1)
    return np.asarray(np.exp(weight * np.log(own) + (1 - weight) * np.log(common)))
