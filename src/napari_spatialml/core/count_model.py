"""Negative binomial model of spots: y_ij ~ NB(mean μ_ij = γ_j Σ_k b_ik s_kj, variance = κ_j μ + φ_j μ²).

``fit(spots, reference)`` gives a `Fit`: everything that was learnt, over the genes that were used.
What a parametric bootstrap needs is there::

    found = fit(spots, reference)
    rows = slice(0, 500)
    mean = found.abundance[rows] @ found.design   # (500, g) expected counts, in the unit of each spot
    variance = found.grain * mean + found.dispersion * mean**2   # NB: dispersion (grain − 1) / mean + dispersion
    counts = found.block(rows)                    # (500, g) dense counts in the same unit
    design = found.solver()                       # or Design.of(other profiles, dispersion, grain)
    again = solve(drawn, design, found.abundance[rows], found.ranges(rows))
    pairs, _ = information(drawn, again, design)
    drawn_to_zero(pairs, again, standard_errors(pairs, again))   # (500, t), as ``found.values`` (then `obeying`)

A profile's own noise: an entry of ``found.design`` has relative variance ``1 / found.reference.shape``.
``design = reference.profiles · reference.sizes · platform``; redraw the profiles, and make a new
`Design` (cheap: t (t + 1) / 2 products).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from .count_rows import CountRows, evenly_spaced, picked, some_rows
from .deconvolution import Constraints, Reference, Spots
from .device import Device
from .fisher import Design
from .platform_factors import GeneNoise, design_of, learn
from .report import Report, part, silent
from .signatures import shared_genes
from .solved_rows import Near, bounds_of, dense_counts, exactly, first_start, solve_rows
from .type_profiles import TypeProfiles, telling_genes, type_profiles

__all__ = ["Fit", "Options", "fit", "fit_again", "noise_of"]

Array = npt.NDArray[np.float64]
_LEARN = 2 << 20
_FEWEST = 256
"""Factors and dispersion are learnt from no more counts than this, nor from fewer spots."""


@dataclass(frozen=True)
class Options:
    """How the model is fitted.

    Parameters
    ----------
    n_markers
        At most so many marker genes a type.
    share
        "cells": a proportion is a share of cells; "RNA": of counts.
    platform
        Whether gene factors between the platforms are learnt.
    learn_from
        Factors and dispersion are learnt from at most so many spots, evenly spaced.
    device
        Where all spots are solved; "auto" takes an accelerator where there is one and counts are many.
    """

    n_markers: int = 400
    share: Literal["cells", "RNA"] = "cells"
    platform: bool = True
    learn_from: int = 2048
    device: Device = "auto"


@dataclass(frozen=True)
class Fit:
    """A fitted model.

    Parameters
    ----------
    genes
        (g,) names of the genes that were used.
    reference
        Types, profiles, their noise, and sizes, over these genes.
    noise
        Platform factors and dispersion of each gene.
    abundance
        (n, t) ≥ 0: how much of each type, in units of a cell of mean size, for counts in the unit of the spot.
    values
        (n, t) proportions; uncertain ones are drawn towards 0.
    units
        (n,) > 0: what one count of each spot is.
    errors
        (n, t) standard errors of the shares under the model.
    deviance
        (n,) squared residuals over what the fit expects, about 1 where it fits.
    empty
        (n,) bool: no counts in the genes used.
    counts
        (n, g) the counts over these genes, in the order of ``genes``.
    constraints
        What the hand has laid down, or None.
    """

    genes: npt.NDArray[Any]
    reference: TypeProfiles
    noise: GeneNoise
    abundance: Array
    values: Array
    units: Array
    errors: Array
    deviance: Array
    empty: npt.NDArray[np.bool_]
    counts: sp.csr_matrix | CountRows
    constraints: Constraints | None = None

    @property
    def design(self) -> Array:
        """(t, g) expected counts of one unit of each type."""
        return design_of(self.reference, self.noise.platform)

    @property
    def dispersion(self) -> Array:
        """(g,) variance = grain · mean + dispersion · mean²."""
        return self.noise.dispersion

    @property
    def grain(self) -> Array:
        """(g,) ≥ 1: what a count of the gene is worth."""
        return self.noise.grain

    def solver(self, dtype: Any = np.float64) -> Design:
        """Return the design and the noise as `solve` takes them."""
        return Design.of(self.design, self.dispersion, self.grain, dtype)

    def block(self, rows: slice) -> Array:
        """Return dense counts of some spots, each in its own unit."""
        counts = self.counts.rows(rows.start, rows.stop) if isinstance(self.counts, CountRows) else self.counts[rows]
        return np.asarray(counts.toarray() / self.units[rows, None])

    def ranges(self, rows: slice) -> tuple[Array, Array] | None:
        """Return the (k, t) ends of the shares of some spots, or None where all of them are free."""
        return bounds_of(self.constraints, self.reference.types, np.arange(len(self.units))[rows])


@dataclass(frozen=True)
class _Learnt:
    """What `learn` says, and the sorted rows of the spots that it was learnt from."""

    noise: GeneNoise
    profiles: TypeProfiles
    abundance: Array
    rows: npt.NDArray[np.intp]


def fit(spots: Spots, reference: Reference, options: Options = Options(), report: Report = silent) -> Fit:
    """Fit the model: profiles, a first fit, gene factors and dispersion, and the fit of all spots.

    Raises
    ------
    BadInput
        When spots and reference share too few genes, or a cell type has no counts in them.
    """
    report(0.0, "Matching genes")
    shared = shared_genes(spots, reference)
    profiles = type_profiles(shared.reference, reference.types)
    columns = _columns(profiles, options.n_markers)
    report(0.1, f"{len(columns)} of {len(shared.genes)} shared genes")
    profiles = profiles.over(columns)
    if options.share == "RNA":
        profiles = TypeProfiles(profiles.types, profiles.profiles, profiles.shape, np.ones(len(profiles.types)))
    counts = shared.spots
    if isinstance(counts, CountRows):
        places = np.full(len(shared.genes), -1)
        places[columns] = np.arange(len(columns))
        counts = picked(counts, places, len(columns))
    else:
        counts = sp.csr_matrix(counts[:, columns])
    learnt = _learnt(counts, profiles, spots, options, part(report, 0.1, 0.5))
    return _solved(shared.genes[columns], counts, learnt, spots, options, part(report, 0.5, 1.0), exactly(counts))


def fit_again(
    earlier: Fit, counts: sp.csr_matrix, profiles: TypeProfiles, options: Options, report: Report = silent
) -> Fit:
    """Fit other spots over the genes of an earlier fit, as precisely as that one.

    Parameters
    ----------
    earlier
        Of the same types.
    counts
        (m, g) whole counts.
    profiles
        (t, g) what the reference is taken to be.
    options
        Of the earlier fit.
    """
    learnt = _again(earlier, counts, profiles, options, part(report, 0.0, 0.5))
    spots = Spots(counts, earlier.genes)
    exact = exactly(earlier.counts)
    return _solved(earlier.genes, counts, learnt, spots, options, part(report, 0.5, 1.0), exact)


def noise_of(earlier: Fit, counts: sp.csr_matrix, profiles: TypeProfiles, options: Options) -> GeneNoise:
    """Return what `fit_again` learns of each gene, and leave out the fit of the spots."""
    return _again(earlier, counts, profiles, options, silent).noise


def _again(earlier: Fit, counts: sp.csr_matrix, profiles: TypeProfiles, options: Options, report: Report) -> _Learnt:
    dense = counts.astype(np.float64 if exactly(earlier.counts) else np.float32).toarray()
    noise = GeneNoise.of(dense.shape[1])
    found = learn(dense, profiles, first_start(dense, profiles, noise), noise, None, options.platform, report)
    return _Learnt(*found, np.arange(len(dense)))


def _solved(
    genes: npt.NDArray[Any],
    counts: sp.csr_matrix | CountRows,
    learnt: _Learnt,
    spots: Spots,
    options: Options,
    report: Report,
    exact: bool,
) -> Fit:
    near = Near(learnt.rows, learnt.abundance)
    hand = spots.constraints
    found = solve_rows(
        counts, learnt.profiles, learnt.noise, hand, spots.start, options.device, report, near=near, exact=exact
    )
    report(1.0)
    return Fit(genes, learnt.profiles, learnt.noise, counts=counts, constraints=hand, **vars(found))


def _columns(profiles: TypeProfiles, n_markers: int) -> npt.NDArray[np.intp]:
    markers = telling_genes(profiles, n_markers)
    # markers of types with one and the same profile are none: then every gene has to do
    return markers if len(markers) >= len(profiles.types) else np.arange(profiles.profiles.shape[1])


def _learnt(
    counts: sp.csr_matrix | CountRows,
    profiles: TypeProfiles,
    spots: Spots,
    options: Options,
    report: Report,
) -> _Learnt:
    """Learn gene factors, noise, and what the hand teaches of the profiles."""
    noise = GeneNoise.of(counts.shape[1])
    # many genes need fewer spots: it is their number together that tells
    enough = max(_FEWEST, _LEARN // counts.shape[1])
    rows = _to_learn_from(spots, min(options.learn_from, enough))
    if not len(rows):
        return _Learnt(noise, profiles, np.empty((0, len(profiles.types))), rows)
    chosen = some_rows(counts, rows)
    dense, _ = dense_counts(chosen, exactly(chosen))
    bounds = bounds_of(spots.constraints, profiles.types, rows)
    # from the same start whatever came before: how far the factors go depends a little on where they begin
    start = first_start(dense, profiles, noise)
    return _Learnt(*learn(dense, profiles, start, noise, bounds, options.platform, report), rows)


def _to_learn_from(spots: Spots, most: int) -> npt.NDArray[np.intp]:
    """Return spots that are evenly spaced over the table and no artefacts, and those that the hand has spoken on."""
    n = int(spots.counts.shape[0])
    hand = spots.constraints
    free = np.ones(n, bool)
    if hand is not None and hand.artefacts is not None:
        free &= ~hand.artefacts
    rows = np.flatnonzero(free)
    if len(rows) <= most:
        return rows
    rows = rows[evenly_spaced(spots.counts, len(rows), most)]
    told = np.empty(0, np.intp) if hand is None else hand.rows[free[hand.rows]][:most]
    return np.union1d(rows, told)
