"""How far probabilities of cell types may be believed: cells of the reference that were held out, made as shallow."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from .cell_likelihood import CellModel, expected_deviance, learnt_from, log_likelihoods
from .type_profiles import type_profiles

__all__ = ["Calibration", "Misfit", "calibrated", "probabilities"]

Array = npt.NDArray[np.float64]
_EACH = 150
"""Of each type at most so many cells are held out."""
_TEMPERATURES = np.geomspace(1.0, 60.0, 80)
_RARE = 0.99
_DEPTHS = 6


@dataclass(frozen=True)
class Misfit:
    """How much worse than expected cells fit their likeliest type, in standard deviations.

    Parameters
    ----------
    model
        Under which they were judged.
    log_depths
        (d,) growing logarithms of totals.
    mean, spread
        (d, t) of ½ the deviance of cells that do fit.
    """

    model: CellModel
    log_depths: Array
    mean: Array
    spread: Array

    @classmethod
    def of(cls, model: CellModel, totals: Array, seed: int) -> Misfit:
        """Simulate cells of each type over the range of totals (> 0)."""
        logs = np.linspace(np.log(totals.min()), np.log(max(totals.max(), totals.min() * 1.01)), _DEPTHS)
        return cls(model, logs, *expected_deviance(model, np.exp(logs), np.random.default_rng(seed)))

    def __call__(self, likelihoods: Array, totals: Array) -> tuple[Array, Array]:
        """Return (n,) the misfit of cells, and their deviance over its expectation."""
        best = likelihoods.argmax(1)
        half = -likelihoods[np.arange(len(best)), best]
        mean, spread = np.ones((2, len(best)))
        logs = np.log(np.maximum(totals, 1e-300))
        for k in np.unique(best):
            own = best == k
            mean[own] = np.interp(logs[own], self.log_depths, self.mean[:, k])
            spread[own] = np.interp(logs[own], self.log_depths, self.spread[:, k])
        return (half - mean) / spread, half / np.maximum(mean, 1e-9)


@dataclass(frozen=True)
class Calibration:
    """What held-out cells of the reference say.

    Parameters
    ----------
    temperature
        ≥ 1: log-likelihoods are divided by it before they become probabilities.
    misfit
        (25, 50, 99 %) quantiles of the misfit of cells whose type is known.
    dispersion
        (g,) of cells of one type of the reference, or None where no cell could be held out.
    """

    temperature: float = 1.0
    misfit: tuple[float, float, float] = (-0.7, 0.0, 2.5)
    dispersion: Array | None = None

    def strict(self, model: CellModel) -> CellModel:
        """Return the model of cells that differ no more than those of the reference do.

        A type that is not in the reference makes the cells differ more: with what was learnt from them it
        would hide itself.
        """
        if self.dispersion is None:
            return model
        return replace(model, dispersion=np.minimum(model.dispersion, self.dispersion))

    def outside(self, misfit: Array) -> npt.NDArray[np.bool_]:
        """Return which cells fit no type: further off than 99 of 100 known ones.

        What all cells of a section have more of, such as counts from their neighbours, is not held against
        them: the distance is measured from their median, in units of its distance to the lower quartile.
        """
        low, middle, high = self.misfit
        own_low, own_middle = np.quantile(misfit, [0.25, 0.5]) if len(misfit) else (low, middle)
        wider = max((own_middle - own_low) / max(middle - low, 1e-9), 1.0)
        return np.asarray(misfit > max(own_middle, middle) + wider * max(high - middle, 2.5))


def probabilities(likelihoods: Array, temperature: float) -> Array:
    """Return (n, t) probabilities of types, every one as likely beforehand; rows sum to 1."""
    scaled = likelihoods / temperature
    scaled = np.exp(scaled - scaled.max(1, keepdims=True))
    return np.asarray(scaled / scaled.sum(1, keepdims=True))


def calibrated(counts: sp.csr_matrix, types: npt.NDArray[np.str_], totals: Array, seed: int = 0) -> Calibration:
    """Return the calibration from every fourth cell of a reference, with profiles from the others.

    Parameters
    ----------
    counts
        (m, g) counts of the reference's cells over the genes used.
    types
        (m,) names.
    totals
        (n,) > 0 totals of the cells that are to be judged: the held-out ones are thinned to such totals.
    seed
        Of the thinning.

    Notes
    -----
    The temperature maximises the mean log probability of the true type, at most 150 cells of each. A type with
    fewer than four cells is learnt from and not held out.

    References
    ----------
    Guo, Pleiss, Sun & Weinberger, ICML 2017, arXiv:1706.04599 (temperature scaling).
    """
    generator = np.random.default_rng(seed)
    learnt, held = _halves(counts, types)
    if not len(held):
        return Calibration()
    thinned = _thinned(counts[held], generator.choice(np.sort(totals), len(held)), generator)
    kept = np.asarray(thinned.sum(1)).ravel() > 0
    thinned, held = sp.csr_matrix(thinned[kept]), held[kept]
    profiles = type_profiles(counts[learnt], types[learnt])
    model = learnt_from(thinned, CellModel.of(profiles.profiles))
    likelihoods = log_likelihoods(thinned, model)
    number = np.searchsorted(profiles.types, types[held])
    scores = [
        float(np.log(probabilities(likelihoods, tau)[np.arange(len(number)), number] + 1e-12).mean())
        for tau in _TEMPERATURES
    ]
    depth = np.asarray(thinned.sum(1)).ravel()
    misfit, _ = Misfit.of(model, depth, seed)(likelihoods, depth)
    low, middle, high = np.quantile(misfit, [0.25, 0.5, _RARE])
    quantiles = (float(low), float(middle), float(high))
    return Calibration(float(_TEMPERATURES[int(np.argmax(scores))]), quantiles, model.dispersion)


def _halves(counts: sp.csr_matrix, types: npt.NDArray[np.str_]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return cells to learn from and cells held out; which ones does not hang on the order of the table."""
    marks = counts @ np.random.default_rng(0).integers(1, 1 << 20, counts.shape[1]).astype(np.float64)
    order = np.lexsort((marks, types))
    order = order[np.asarray(counts[order].sum(1)).ravel() > 0]
    _, first, number = np.unique(types[order], return_index=True, return_inverse=True)
    place = np.arange(len(order)) - first[number]
    held = (place % 4 == 3) & (place < 4 * _EACH)
    return order[~held], order[held]


def _thinned(counts: sp.csr_matrix, totals: Array, generator: np.random.Generator) -> sp.csr_matrix:
    """Return counts of cells as they would be with other totals; no cell gets more than it has."""
    own = np.asarray(counts.sum(1)).ravel()
    part = np.repeat(np.minimum(totals / own, 1.0), np.diff(counts.indptr))
    out = counts.copy().astype(np.float64)
    whole = bool((counts.data == np.rint(counts.data)).all())
    # what is no whole number was normalised, and cannot be thinned: counts are drawn around it
    out.data = generator.binomial(counts.data.astype(np.int64), part) if whole else generator.poisson(out.data * part)
    out.data = out.data.astype(np.float64)
    out.eliminate_zeros()
    return out
