"""Deconvolution: spots and a single-cell reference in, proportions of cell types out."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from .arrays import as_coordinates, frozen, require
from .count_rows import CountRows
from .method import Method
from .report import Report, silent

__all__ = ["Constraints", "Deconvolver", "Fitted", "Proportions", "Reference", "Spots"]


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
class Constraints:
    """What the hand has laid down about some spots: a range for the proportion of each cell type.

    An override is a range without width, a forbidden type a range that ends at 0. Every method
    keeps to them, in every row: `obeying` in `core.box_simplex` is how.

    Parameters
    ----------
    types
        (t,) names of the cell types; every one of them is a type of the reference.
    rows
        (k,) int: the spots that are not free, each once.
    lower, upper
        (k, t) ranges within 0 and 1; in every row the lower ends sum to at most 1, the upper to at least 1.
    artefacts
        (n,) bool: spots from which nothing is learnt, or None. They get proportions as all others do.
    """

    types: tuple[str, ...]
    rows: npt.NDArray[np.int64]
    lower: npt.NDArray[np.float64]
    upper: npt.NDArray[np.float64]
    artefacts: npt.NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        types = tuple(str(t) for t in self.types)
        rows = np.asarray(self.rows, dtype=np.int64)
        lower, upper = (np.asarray(end, dtype=np.float64) for end in (self.lower, self.upper))
        shape = (len(rows), len(types))
        require(lower.shape == shape and upper.shape == shape, "The ranges, the spots and the types do not fit.")
        require(len(np.unique(rows)) == len(rows), "A spot has two rows of ranges.", "Give each spot one.")
        inside = (lower >= 0) & (lower <= upper) & (upper <= 1)
        require(
            bool(inside.all()), "A range of a proportion is empty, or outside 0 to 1.", "Give 0 ≤ lower ≤ upper ≤ 1."
        )
        held = lower.sum(1) > 1 + 1e-9
        require(
            not held.any(),
            f"In {int(held.sum())} spots the least proportions sum to more than 1.",
            "Lower one of them, or take a constraint away.",
        )
        short = upper.sum(1) < 1 - 1e-9
        require(
            not short.any(),
            f"In {int(short.sum())} spots the greatest proportions sum to less than 1.",
            "Allow another cell type there, or take a constraint away.",
        )
        for name, value in (
            ("types", types),
            ("rows", frozen(rows)),
            ("lower", frozen(lower)),
            ("upper", frozen(upper)),
        ):
            object.__setattr__(self, name, value)
        if self.artefacts is not None:
            object.__setattr__(self, "artefacts", frozen(np.asarray(self.artefacts, dtype=bool)))


@dataclass(frozen=True)
class Spots:
    """Counts of genes in spots, bins or cells.

    Parameters
    ----------
    counts
        (n, g), becomes CSR; finite and ≥ 0. Or `CountRows`, which are read some rows at a time, and checked then.
    genes
        (g,) names.
    coordinates
        (n, 2) as (y, x) in µm, or None where the method does not look at space.
    constraints
        What the hand has laid down, or None.
    start
        An earlier result for the same spots and reference, from which a search may start; the
        answer is the same without it, within the method's tolerance. Or None.
    """

    counts: sp.csr_matrix | CountRows
    genes: npt.NDArray[Any]
    coordinates: npt.NDArray[np.float64] | None = None
    constraints: Constraints | None = None
    start: Proportions | None = None

    def __post_init__(self) -> None:
        held = isinstance(self.counts, CountRows)
        counts = self.counts if held else _counts(self.counts, "The spots' counts")
        require(min(counts.shape) > 0, f"The table of spots is empty: {counts.shape}.", "Choose another table.")
        object.__setattr__(self, "counts", counts)
        object.__setattr__(self, "genes", _genes(self.genes, counts.shape[1], "The spots"))
        if self.coordinates is not None:
            where = as_coordinates(self.coordinates, "The coordinates", counts.shape[0])
            object.__setattr__(self, "coordinates", where)
        self._check_hand(counts.shape[0])

    def _check_hand(self, n: int) -> None:
        hand = self.constraints
        if hand is not None:
            known = not len(hand.rows) or (int(hand.rows.min()) >= 0 and int(hand.rows.max()) < n)
            require(known, f"A constraint names a spot that is not among the {n}.", "Take the constraint away.")
            fits = hand.artefacts is None or hand.artefacts.shape == (n,)
            require(fits, "The artefacts marked do not fit the spots.", "Mark them again.")
        if self.start is not None:
            require(len(self.start.values) == n, "The earlier result has another number of spots.", "Start without it.")


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
class Fitted:
    """What a method has learnt beside the proportions, so that a re-fit can start there and a person can look.

    Parameters
    ----------
    genes
        (g,) names of the genes that were used.
    platform
        (g,) > 0: how much more of a gene the spots' platform sees than the reference's; 1 is as much.
    signatures
        (t, g) ≥ 0 profiles as they were used, after the platform and what the hand has taught.
    dispersion
        Of the counts: variance = mean + dispersion · mean²; NaN where the method has none.
    """

    genes: npt.NDArray[Any]
    platform: npt.NDArray[np.float64]
    signatures: npt.NDArray[np.float64]
    dispersion: float = float("nan")

    def __post_init__(self) -> None:
        genes = np.asarray(self.genes).astype(str)
        platform, profiles = np.asarray(self.platform, np.float64), np.asarray(self.signatures, np.float64)
        fits = platform.shape == genes.shape and profiles.ndim == 2 and profiles.shape[1:] == genes.shape
        require(fits, "Genes, platform factors and signatures do not fit.")
        for name, value in (("genes", genes), ("platform", platform), ("signatures", profiles)):
            object.__setattr__(self, name, frozen(value))


@dataclass(frozen=True)
class Proportions:
    """How much of each cell type a spot holds.

    Parameters
    ----------
    values
        (n, t) ≥ 0; rows sum to 1. A spot without counts has 1/t everywhere, or what its constraints leave.
    types
        (t,) names.
    standard_errors
        (n, t) ≥ 0, or None.
    abundance
        (n, t) ≥ 0, absolute: counts of the spot that each type explains; or None.
    lower, upper
        (n, t) ends of the 90 % intervals, lower ≤ value ≤ upper; both, or None. NaN where nothing is known.
    deviance
        (n,) ≥ 0: deviance of a spot's counts over its expectation under the fit, about 1 where it fits; or None.
    outside
        (n,) bool: the spot holds a cell type that is not in the reference; or None.
    empty
        (n,) bool: the spot has no counts in the genes used; or None.
    fitted
        What else was learnt, or None.
    notes
        Sentences that a person should read with the result.
    """

    values: npt.NDArray[np.float64]
    types: tuple[str, ...]
    standard_errors: npt.NDArray[np.float64] | None = None
    abundance: npt.NDArray[np.float64] | None = None
    lower: npt.NDArray[np.float64] | None = None
    upper: npt.NDArray[np.float64] | None = None
    deviance: npt.NDArray[np.float64] | None = None
    outside: npt.NDArray[np.bool_] | None = None
    empty: npt.NDArray[np.bool_] | None = None
    fitted: Fitted | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        values = _real(self.values)
        types = tuple(str(t) for t in self.types)
        require(values.ndim == 2 and values.shape[1] == len(types), "Proportions and types do not fit.")
        require(bool((values >= 0).all()), "A proportion is negative or NaN.")
        require(bool(np.allclose(values.sum(1), 1, atol=1e-6)), "The proportions of a spot do not sum to 1.")
        object.__setattr__(self, "values", frozen(values))
        object.__setattr__(self, "types", types)
        for name in ("standard_errors", "abundance", "lower", "upper"):
            self._keep(name, values.shape)
        for name in ("deviance", "outside", "empty"):
            self._keep(name, values.shape[:1])
        require((self.lower is None) == (self.upper is None), "An interval has only one end.")
        if self.lower is not None and self.upper is not None:
            apart = (self.lower > values + 1e-6) | (self.upper < values - 1e-6)
            require(not apart.any(), "An interval does not hold its proportion.")

    def _keep(self, name: str, shape: tuple[int, ...]) -> None:
        given = getattr(self, name)
        if given is None:
            return
        array = np.asarray(given, dtype=bool) if name in ("outside", "empty") else _real(given)
        require(array.shape == shape, f"{name.replace('_', ' ').capitalize()} and proportions do not fit.")
        object.__setattr__(self, name, frozen(array))


def _real(values: Any) -> npt.NDArray[Any]:
    """Return floating-point numbers as they are given, float32 for what is large; float64 for all else."""
    array = np.asarray(values)
    return array if array.dtype == np.float32 else array.astype(np.float64, copy=False)


class Deconvolver(Method):
    """Base class of deconvolution methods."""

    kind: ClassVar[str] = "deconvolution"
    mixtures: ClassVar[bool] = True
    """Whether a row may hold several types; False for a method that says which one type a single cell is."""
    reference_free: ClassVar[bool] = False
    """Whether it may be called with None for the reference, and then learns types from the spots themselves."""
    learnt_tolerance: ClassVar[float] = 1e-9
    """By so much may a proportion change when other spots are dropped, for what the method learns from all of them;
    rounding, where a spot stands alone."""

    @abstractmethod
    def __call__(self, spots: Spots, reference: Reference, report: Report = silent) -> Proportions:
        """Estimate the proportions of cell types in each spot; constraints of the hand are never overruled."""
