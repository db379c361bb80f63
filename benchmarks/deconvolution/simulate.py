"""Spots with known truth: pooled from the single cells of one half, beside a reference of the other half."""

from __future__ import annotations

import itertools
import zlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from napari_spatialml.core import Reference, Spots
from napari_spatialml.core.signatures import marker_genes, signatures

from .cells import Cells, cells_of
from .places import Plan, in_domains, on_a_grid, spatial_halves

__all__ = ["FEW_KINDS", "KINDS", "Kind", "Simulated", "simulate"]

Array = npt.NDArray[np.float64]
AMBIENT = 0.05
"""The share of a spot's RNA that comes from anywhere in the section."""
NOT_SHARED = 0.03
"""The share of the spots' genes that the reference lacks."""


@dataclass(frozen=True)
class Kind:
    """One kind of simulation.

    Parameters
    ----------
    source
        Where the cells are from: 'atlas' (made), 'pdac' or 'osmfish'.
    n_genes
        Of the spots; osmFISH has 33. Fewer than 1,000 are a panel: half of it markers, half of it any genes.
    cells
        The mean number of cells in a spot.
    platform
        The standard deviation of the genes' log factors between the reference's platform and the spots'.
    missing
        Whether a type that lives in one domain is missing from the reference.
    doublets
        Whether a third of the spots mixes the cells of two domains.
    n_spots
        How many; osmFISH has as many as its half of the section gives.
    """

    source: str
    n_genes: int
    cells: int
    platform: float
    missing: bool = False
    doublets: bool = False
    n_spots: int = 400

    @property
    def name(self) -> str:
        """What the tables call it."""
        more = (", a type missing" if self.missing else "") + (", doublets" if self.doublets else "")
        return f"{self.source}, {self.n_genes} genes, {self.cells} cells, platform {self.platform:g}{more}"


@dataclass(frozen=True)
class Simulated:
    """Spots, a reference and what is true.

    Parameters
    ----------
    spots, reference
        What a method is given; the reference holds no cell of the spots.
    types
        (t,) sorted names of the reference's types.
    cells, rna
        (n, t) true shares of cells and of RNA among the reference's types; rows sum to 1, or are NaN where
        a spot holds none of them.
    outside
        (n,) share of a spot's cells whose type is missing from the reference.
    domains
        (n, 2) the domain of each spot, and the second one of a doublet (the same for the others).
    platform
        (g,) true factors of the spots' genes.
    section
        What no method is given: the cells of these types that the spots are pooled of, over the spots' genes.
    """

    spots: Spots
    reference: Reference
    types: tuple[str, ...]
    cells: Array
    rna: Array
    outside: Array
    domains: npt.NDArray[np.intp]
    platform: Array
    section: Reference


def _kinds() -> tuple[Kind, ...]:
    sizes = {"atlas": (100, 2000), "pdac": (100, 3000), "osmfish": (33,)}
    plain = [
        Kind(source, n_genes, cells, platform)
        for source in sizes
        for n_genes, cells, platform in itertools.product(sizes[source], (4, 15), (0.0, 0.5, 1.0))
    ]
    chosen = [kind for kind in plain if kind.source != "osmfish" and kind.cells == 15]
    return (*plain, *(replace(k, missing=True) for k in chosen), *(replace(k, doublets=True) for k in chosen))


KINDS = _kinds()
FEW_KINDS = (
    *(
        Kind("atlas", *rest)
        for rest in ((100, 4, 0.5), (100, 15, 0.0), (2000, 4, 0.0), (2000, 15, 0.5), (4000, 4, 1.0))
    ),
    *(Kind("pdac", *rest) for rest in ((100, 4, 0.5), (3000, 4, 0.0), (3000, 15, 0.5), (1000, 15, 1.0))),
    *(Kind("osmfish", 33, *rest) for rest in ((4, 0.0), (15, 0.5))),
    Kind("atlas", 100, 15, 0.5, missing=True),
    Kind("atlas", 2000, 15, 1.0, missing=True),
    Kind("pdac", 3000, 15, 0.5, missing=True),
    Kind("atlas", 2000, 4, 0.5, doublets=True),
    Kind("pdac", 3000, 15, 0.5, doublets=True),
)
"""Each value of each property at least once: what the benchmark runs when it is not asked for all."""


def simulate(kind: Kind, seed: int) -> Simulated:
    """Return simulated spots; the same kind and seed give the same."""
    rng = np.random.default_rng([seed, zlib.crc32(kind.name.encode()), kind.n_spots])
    whole = cells_of(kind.source, kind.n_genes, rng)
    pool, known = spatial_halves(whole, rng) if whole.coordinates is not None else whole.halves(rng)
    panel = _panel(known, kind.n_genes, rng)
    plan = on_a_grid(pool, kind.cells) if pool.coordinates is not None else _in_domains(pool, kind, rng)
    known = known.of(np.flatnonzero(known.types != plan.absent))
    factors = np.exp(rng.normal(0, kind.platform, len(panel)))
    counts = _counts(sp.csr_matrix(plan.members @ pool.counts[:, panel]), factors, rng)
    types = np.unique(known.types)
    one = (pool.types[:, None] == types).astype(np.float64)
    rna = np.asarray(pool.counts[:, panel].sum(1))
    cells = np.asarray(plan.members @ one)
    return Simulated(
        Spots(counts, pool.genes[panel], plan.coordinates),
        _reference(known, panel, rng),
        tuple(types.tolist()),
        _shares(cells),
        _shares(np.asarray(plan.members @ (rna * one))),
        1 - cells.sum(1) / np.asarray(plan.members.sum(1)).ravel(),
        plan.domains,
        factors,
        _section(pool, panel, types),
    )


def _section(pool: Cells, panel: npt.NDArray[Any], types: npt.NDArray[Any]) -> Reference:
    """Return the cells of some types, over the spots' genes."""
    cells = pool.of(np.flatnonzero(np.isin(pool.types, types)))
    return Reference(cells.counts[:, panel], cells.genes[panel], cells.types)


def _in_domains(pool: Cells, kind: Kind, rng: np.random.Generator) -> Plan:
    return in_domains(pool, kind.n_spots, kind.cells, rng, kind.missing, kind.doublets / 3)


def _shares(values: Array) -> Array:
    total = values.sum(1, keepdims=True)
    return np.divide(values, total, out=np.full(values.shape, np.nan), where=total > 0)


def _panel(known: Cells, n_genes: int, rng: np.random.Generator) -> npt.NDArray[Any]:
    """Return the sorted columns of the spots' genes: a panel of markers and others, or the most abundant genes."""
    seen = np.asarray(known.counts.sum(0)).ravel()
    n = min(n_genes, int((seen > 0).sum()))
    if n_genes >= 1000 or n == len(seen):
        return np.sort(np.argsort(-seen, kind="stable")[:n])
    profiles, types = signatures(known.counts, known.types)
    # of genes that are seen at all often: nobody puts others on a panel
    often = np.flatnonzero(seen >= np.quantile(seen, 0.5))
    markers = rng.permutation(often[marker_genes(profiles[:, often], 3 * n // len(types))])[: n // 2]
    others = rng.permutation(np.setdiff1d(often, markers))[: n - len(markers)]
    return np.sort(np.concatenate([markers, others]))


def _counts(pooled: sp.csr_matrix, factors: Array, rng: np.random.Generator) -> sp.csr_matrix:
    """Return what the spots' platform sees of the cells' RNA, and of what floats about.

    A molecule is seen with a probability that spots and genes set; a gene whose factor asks for more than
    every molecule gives more than one count for each.
    """
    n = pooled.shape[0]
    capture = 0.4 * np.exp(rng.normal(0, 0.3, n))
    rate = capture[:, None] * factors
    dense = pooled.toarray()
    seen = rng.binomial(dense.astype(np.int64), np.minimum(rate, 1)) + rng.poisson(dense * np.maximum(rate - 1, 0))
    soup = dense.sum(0) / dense.sum()
    floating = AMBIENT / (1 - AMBIENT) * dense.sum(1).mean() * soup
    return sp.csr_matrix((seen + rng.poisson(rate * floating)).astype(np.float64))


def _reference(known: Cells, panel: npt.NDArray[np.intp], rng: np.random.Generator) -> Reference:
    """Return the reference without a few of the panel's genes, and with others that the spots lack."""
    genes = len(known.genes)
    gone: Any = rng.permutation(panel)[: int(NOT_SHARED * len(panel))]
    kept = np.setdiff1d(np.arange(genes), gone)
    return Reference(known.counts[:, kept], known.genes[kept], known.types)
