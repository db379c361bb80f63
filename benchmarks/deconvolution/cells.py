"""Single cells to pool spots from: a made atlas, and the cells of real sections."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

__all__ = ["DATA", "Cells", "atlas", "cells_of", "osmfish", "pdac"]

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
FEWEST = 10
"""A type with fewer cells cannot be cut in two halves, and is left out."""
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Cells:
    """Counts of genes in single cells whose types, and perhaps places, are known.

    Parameters
    ----------
    counts
        (m, g).
    genes, types
        (g,) and (m,) names.
    coordinates
        (m, 2) as (y, x) in µm, or None.
    """

    counts: sp.csr_matrix
    genes: npt.NDArray[Any]
    types: npt.NDArray[Any]
    coordinates: Array | None = None

    def of(self, rows: npt.NDArray[Any]) -> Cells:
        """Return some of the cells."""
        where = None if self.coordinates is None else self.coordinates[rows]
        return Cells(self.counts[rows], self.genes, self.types[rows], where)

    def with_types_of(self, fewest: int) -> Cells:
        """Return the cells of the types of which there are at least so many."""
        _, number, size = np.unique(self.types, return_inverse=True, return_counts=True)
        return self.of(np.flatnonzero(size[number] >= fewest))

    def halves(self, rng: np.random.Generator) -> tuple[Cells, Cells]:
        """Return two halves, cut through each type."""
        first = np.zeros(len(self.types), bool)
        for name in np.unique(self.types):
            rows = rng.permutation(np.flatnonzero(self.types == name))
            first[rows[: len(rows) // 2]] = True
        return self.of(np.flatnonzero(first)), self.of(np.flatnonzero(~first))


def cells_of(source: str, n_genes: int, rng: np.random.Generator) -> Cells:
    """Return the cells of 'atlas', 'pdac' or 'osmfish'; an atlas is made anew, with at least so many genes."""
    if source == "atlas":
        return atlas(max(n_genes, 1000), rng)
    return {"pdac": pdac, "osmfish": osmfish}[source]()


def pdac() -> Cells:
    """Return the single-cell reference of a pancreatic tumour."""
    import anndata

    table = anndata.read_h5ad(DATA / "pdac" / "reference.h5ad")
    counts = sp.csr_matrix(table.X).astype(np.float64)
    cells = Cells(counts, table.var_names.to_numpy().astype(str), table.obs["cellType"].to_numpy().astype(str))
    return cells.with_types_of(FEWEST)


def osmfish() -> Cells:
    """Return the cells of a section of cortex, their types gathered to classes: 33 genes tell no more apart."""
    import h5py

    with h5py.File(DATA / "osmfish" / "osmfish.loom") as held:
        columns = {name: held["col_attrs"][name][:] for name in ("ClusterName", "X", "Y", "Valid")}
        counts = held["matrix"][:].T.astype(np.float64)
        genes = held["row_attrs"]["Gene"][:].astype(str)
    valid = np.flatnonzero((columns["Valid"] == 1) & (counts.sum(1) > 0))
    names = np.array([_class(name.decode()) for name in columns["ClusterName"]])
    # 0.065 µm a pixel
    where = np.stack([columns["Y"], columns["X"]], 1).astype(np.float64) * 0.065
    return Cells(sp.csr_matrix(counts[valid]), genes, names[valid], where[valid]).with_types_of(FEWEST)


def _class(name: str) -> str:
    first = name.split()[0].capitalize()
    return first if first in ("Pyramidal", "Inhibitory", "Oligodendrocyte", "Astrocyte", "Endothelial") else name


def atlas(n_genes: int, rng: np.random.Generator, families: int = 4, members: int = 3) -> Cells:
    """Return made cells of ``families × members`` types; the last two of each family are much alike.

    Types differ in how much RNA a cell holds and in how many cells there are (22 to 300). Within a
    type, cells differ by size, by a programme of genes that go together, and by gene (negative binomial).
    """
    n_types = families * members
    level = rng.normal(0, 1.5, n_genes)
    steps = {"family": 0.12, "type": 0.06, "alike": 0.025}
    profiles = np.empty((n_types, n_genes))
    for family in range(families):
        shared = level + _step(rng, n_genes, steps["family"])
        sibling = shared + _step(rng, n_genes, steps["type"])
        for member in range(members):
            alike = member >= members - 2
            base, share = (sibling, steps["alike"]) if alike else (shared, steps["type"])
            profiles[family * members + member] = base + _step(rng, n_genes, share)
    profiles = np.exp(profiles)
    profiles /= profiles.sum(1, keepdims=True)
    sizes = np.exp(rng.uniform(np.log(22), np.log(300), n_types)).astype(int)
    number = np.repeat(np.arange(n_types), sizes)
    content = 1.5 * n_genes * np.exp(rng.normal(0, 0.5, n_types))
    rates = profiles[number] * (content[number] * np.exp(rng.normal(0, 0.35, len(number))))[:, None]
    rates *= np.exp(np.outer(rng.normal(0, 1, len(number)), 0.6 * (rng.random(n_genes) < 0.1)))
    rates *= rng.gamma(1 / 0.4, 0.4, rates.shape)
    names = np.array([f"type {family}{member}" for family in range(families) for member in range(members)])
    return Cells(sp.csr_matrix(rng.poisson(rates).astype(np.float64)), _gene_names(n_genes), names[number])


def _step(rng: np.random.Generator, n_genes: int, share: float) -> Array:
    return np.asarray(np.where(rng.random(n_genes) < share, rng.normal(0.8, 1.2, n_genes), 0.0))


def _gene_names(n: int) -> npt.NDArray[Any]:
    return np.array([f"G{i:05d}" for i in range(n)])
