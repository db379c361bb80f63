"""Deconvolution: spots and a single-cell reference in, proportions of cell types out."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from .arrays import as_coordinates, frozen, require
from .method import Method
from .report import Report, silent

__all__ = ["Deconvolver", "Proportions", "Reference", "Spots"]


def _counts(values: Any, what: str) -> sp.csr_matrix:
    matrix = sp.csr_matrix(values)
    require(bool(np.isfinite(matrix.data).all()), f"{what} hold NaN or infinite values.", "Use raw counts.")
    negative = int((matrix.data < 0).sum())
    require(negative == 0, f"{what} hold {negative} negative values.", "Use raw counts, which are 0 or more.")
    return matrix


def _genes(genes: Any, n: int, what: str) -> npt.NDArray[Any]:
    names = np.asarray(genes).astype(str)
    require(names.shape == (n,), f"{what}: {names.size} gene names for {n} columns.", "Give one name a column.")
    return frozen(names)


@dataclass(frozen=True)
class Spots:
    """Counts of genes in spots, bins or cells.

    Parameters
    ----------
    counts
        (n, g), becomes CSR; finite and ≥ 0.
    genes
        (g,) names.
    coordinates
        (n, 2) as (y, x) in µm, or None where the method does not look at space.
    """

    counts: sp.csr_matrix
    genes: npt.NDArray[Any]
    coordinates: npt.NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        counts = _counts(self.counts, "The spots' counts")
        require(min(counts.shape) > 0, f"The table of spots is empty: {counts.shape}.", "Choose another table.")
        object.__setattr__(self, "counts", counts)
        object.__setattr__(self, "genes", _genes(self.genes, counts.shape[1], "The spots"))
        if self.coordinates is not None:
            where = as_coordinates(self.coordinates, "The coordinates", counts.shape[0])
            object.__setattr__(self, "coordinates", where)


@dataclass(frozen=True)
class Reference:
    """Counts of genes in single cells whose types are known.

    Parameters
    ----------
    counts
        (m, g), becomes CSR; finite and ≥ 0.
    genes
        (g,) names.
    types
        (m,) name of each cell's type; at least two different ones.
    """

    counts: sp.csr_matrix
    genes: npt.NDArray[Any]
    types: npt.NDArray[Any]

    def __post_init__(self) -> None:
        counts = _counts(self.counts, "The reference's counts")
        types = np.asarray(self.types).astype(str)
        require(
            types.shape == (counts.shape[0],),
            f"The reference has {types.size} types for {counts.shape[0]} cells.",
            "Give one type a cell.",
        )
        found = np.unique(types)
        require(
            len(found) >= 2,
            f"The reference has {len(found)} cell type{'' if len(found) == 1 else 's'}"
            + (f" ('{found[0]}')." if len(found) else "."),
            "Choose the column that names the cell types; at least two are needed.",
        )
        object.__setattr__(self, "counts", counts)
        object.__setattr__(self, "genes", _genes(self.genes, counts.shape[1], "The reference"))
        object.__setattr__(self, "types", frozen(types))


@dataclass(frozen=True)
class Proportions:
    """How much of each cell type a spot holds.

    Parameters
    ----------
    values
        (n, t) ≥ 0; rows sum to 1. A spot without counts has 1/t everywhere.
    types
        (t,) names.
    standard_errors
        (n, t) ≥ 0, or None.
    """

    values: npt.NDArray[np.float64]
    types: tuple[str, ...]
    standard_errors: npt.NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        values = np.asarray(self.values, dtype=np.float64)
        types = tuple(str(t) for t in self.types)
        require(values.ndim == 2 and values.shape[1] == len(types), "Proportions and types do not fit.")
        require(bool((values >= 0).all()), "A proportion is negative or NaN.")
        require(bool(np.allclose(values.sum(1), 1, atol=1e-6)), "The proportions of a spot do not sum to 1.")
        object.__setattr__(self, "values", frozen(values))
        object.__setattr__(self, "types", types)
        if self.standard_errors is not None:
            errors = np.asarray(self.standard_errors, dtype=np.float64)
            require(errors.shape == values.shape, "Standard errors and proportions do not fit.")
            object.__setattr__(self, "standard_errors", frozen(errors))


class Deconvolver(Method):
    """Base class of deconvolution methods."""

    kind: ClassVar[str] = "deconvolution"

    @abstractmethod
    def __call__(self, spots: Spots, reference: Reference, report: Report = silent) -> Proportions:
        """Estimate the proportions of cell types in each spot."""
