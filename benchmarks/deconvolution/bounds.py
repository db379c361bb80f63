"""What the default's likelihood reaches when it is told what no method can know: how far a floor is within its reach.

It is given the true gene factors of the simulation, the profiles of the very cells that the spots are made of, or
both. The profiles favour it: of a type with few cells, the same few are in the profile and in the spots.

Spots of known mixtures (`mixtures`) are sums of the logarithms of a few cells' expression, not counts: there, least
squares are told the noise around the true proportions instead.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls

from napari_spatialml.core import Reference
from napari_spatialml.core.count_model import Options
from napari_spatialml.core.count_rows import CountRows, picked
from napari_spatialml.core.platform_factors import GeneNoise, learn
from napari_spatialml.core.signatures import shared_genes
from napari_spatialml.core.solved_rows import dense_counts, exactly, first_start, solve_rows
from napari_spatialml.core.type_profiles import TypeProfiles, telling_genes, type_profiles

from .simulate import Simulated

__all__ = ["FACTORS", "GIVEN", "PROFILES", "Spread", "bound", "spread_around", "weighted_by"]

FACTORS, PROFILES = "given the true gene factors", "given the profiles of the section's own cells"
GIVEN = {FACTORS: (True, False), PROFILES: (False, True), "given both": (True, True)}
"""Whether the gene factors are told, and whether the profiles are."""
Array = npt.NDArray[np.float64]
_LEAST = 0.02
_SHRUNK = 0.5
"""Of how genes vary together, so much is taken for chance: there are hardly more spots than genes."""
_STEPS = 3


@dataclass(frozen=True)
class Spread:
    """How spots scatter around what profiles and true proportions make of them.

    Parameters
    ----------
    variances
        (t, g) of a gene in as much of a type as one unit of its profile.
    together
        (g, g) correlations of the genes.
    """

    variances: Array
    together: Array


def spread_around(counts: Array, truth: Array, profiles: Array) -> Spread:
    """Return how spots (n, g) of true proportions (n, t) scatter around profiles (t, g), each at its own scale."""
    mean = truth @ profiles
    scale = (counts * mean).sum(1, keepdims=True) / (mean**2).sum(1, keepdims=True)
    left = (counts - scale * mean) / np.sqrt(scale)
    squares = left**2
    variances = np.stack([nnls(truth, gene)[0] for gene in squares.T], axis=1) + _LEAST * squares.mean()
    return Spread(variances, np.corrcoef((left / np.sqrt(truth @ variances)).T))


def weighted_by(counts: Array, profiles: Array, variances: Array, together: Array | None = None) -> Array:
    """Return the (n, t) shares of generalised least squares that are told the noise, as `Spread` describes it.

    Without ``together`` genes vary apart.
    """
    turned = np.eye(counts.shape[1])
    if together is not None:
        turned = np.linalg.cholesky(np.linalg.inv((1 - _SHRUNK) * together + _SHRUNK * turned)).T
    found = np.stack([nnls(profiles.T, spot)[0] for spot in counts])
    for _ in range(_STEPS):
        weights = 1 / np.sqrt(found @ variances / found.sum(1, keepdims=True))
        pairs = zip(counts, weights, strict=True)
        found = np.stack([nnls(turned @ (profiles * each).T, turned @ (spot * each))[0] for spot, each in pairs])
    return np.asarray(found / found.sum(1, keepdims=True))


def bound(made: Simulated, factors: bool, profiles: bool) -> Array:
    """Return the (n, t) proportions that the default's likelihood finds when it is told so much.

    Genes, noise and the last fit are as in the default.
    """
    shared = shared_genes(made.spots, made.reference)
    known = type_profiles(shared.reference, made.reference.types)
    columns = telling_genes(known, Options().n_markers)
    genes = shared.genes[columns]
    used = (_of_section(made.section, shared.genes) if profiles else known).over(columns)
    assert not isinstance(shared.spots, CountRows)
    counts = shared.spots[:, columns]
    dense, _ = dense_counts(counts, exactly(counts))
    noise = GeneNoise.of(len(genes))
    if factors:
        order = np.argsort(made.spots.genes)
        true = made.platform[order[np.searchsorted(made.spots.genes, genes, sorter=order)]]
        noise = replace(noise, platform=true / np.exp(np.log(true).mean()))
    learnt, used, _ = learn(dense, used, first_start(dense, used, noise), noise, factors=not factors)
    return solve_rows(counts, used, learnt, exact=exactly(counts)).values


def _of_section(section: Reference, genes: npt.NDArray[np.str_]) -> TypeProfiles:
    place = np.minimum(np.searchsorted(genes, section.genes), len(genes) - 1)
    place = np.where(genes[place] == section.genes, place, -1)
    return type_profiles(picked(section.counts, place, len(genes)), section.types)
