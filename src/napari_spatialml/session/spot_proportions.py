"""What a deconvolution has left in a table, read back: proportions, intervals, flags, and what spots are made of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from .constraints import key_of
from .proportions import ATTRIBUTE, unusually_uncertain

if TYPE_CHECKING:
    from .document import Document

__all__ = ["MeanShares", "SpotProportions", "of_reference", "proportion_outputs", "spot_proportions"]

Array = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
_DOMINANT = "_dominant"


@dataclass(frozen=True, eq=False)
class MeanShares:
    """What some spots are made of, beside the whole section.

    Parameters
    ----------
    types
        (t,) names.
    here, section
        (t,) mean proportions of these spots and of all spots.
    lower, upper
        (t,) ends of the 90 % interval of ``here``, or None where it is not known.
    n
        Number of these spots.
    """

    types: tuple[str, ...]
    here: Array
    section: Array
    lower: Array | None
    upper: Array | None
    n: int


@dataclass(frozen=True, eq=False)
class SpotProportions:
    """One result of a deconvolution. What the method does not give is None.

    Parameters
    ----------
    table, output
        Where it is kept: ``obsm[output]`` of the table.
    types
        (t,) names.
    values
        (n, t) what counts now, after the hand.
    lower, upper
        (n, t) ends of the 90 % intervals.
    uncertainty, deviance
        (n,) mean width of the intervals weighted by proportion, 0 to 1; misfit of the counts.
    empty, outside
        (n,) bool: no counts in the genes used; a cell type that the reference lacks.
    by_hand
        (n,) what the hand has laid down: "", "override", "forbidden", "minimum" or "artefact".
    """

    table: str
    output: str
    types: tuple[str, ...]
    values: Array
    lower: Array | None = None
    upper: Array | None = None
    uncertainty: Array | None = None
    deviance: Array | None = None
    empty: npt.NDArray[np.bool_] | None = None
    outside: npt.NDArray[np.bool_] | None = None
    by_hand: npt.NDArray[Any] | None = None

    @cached_property
    def counted(self) -> npt.NDArray[np.bool_]:
        """(n,) whether a spot counts in a mean: it has counts and is no artefact; all do where none would."""
        counted = np.ones(len(self.values), bool) if self.empty is None else ~self.empty
        if self.by_hand is not None:
            counted = counted & (self.by_hand != "artefact")
        return counted if counted.any() else np.ones(len(self.values), bool)

    @cached_property
    def section(self) -> Array:
        """The (t,) mean over all spots that count."""
        return np.asarray(self.values[self.counted].mean(0))

    def flagged(self) -> dict[str, Rows]:
        """Return the rows to look at, by why: "empty", "outside", "unsure"; the most uncertain first."""
        n = len(self.values)
        unsure = np.zeros(n, bool) if self.uncertainty is None else unusually_uncertain(self.uncertainty)
        empty = np.zeros(n, bool) if self.empty is None else self.empty
        outside = np.zeros(n, bool) if self.outside is None else self.outside
        masks = {"empty": empty, "outside": outside & ~empty, "unsure": unsure & ~empty & ~outside}
        return {why: self.by_uncertainty(np.flatnonzero(mask)) for why, mask in masks.items()}

    @cached_property
    def usual_width(self) -> float:
        """The median uncertainty of the spots that have counts; NaN where the method gives none."""
        if self.uncertainty is None:
            return float("nan")
        known = self.uncertainty if self.empty is None else self.uncertainty[~self.empty]
        known = known[np.isfinite(known)]
        return float(np.median(known)) if len(known) else float("nan")

    def by_uncertainty(self, rows: Rows | None = None) -> Rows:
        """Return rows, all if None, the most uncertain first; those of which nothing is known last."""
        rows = np.arange(len(self.values)) if rows is None else np.asarray(rows, np.int64)
        if self.uncertainty is None:
            return rows
        return np.asarray(rows[np.argsort(-np.nan_to_num(self.uncertainty[rows], nan=-1.0), kind="stable")])

    def means(self, rows: Any) -> MeanShares:
        """Return what spots are made of on average; of one alone, with its 90 % intervals.

        Parameters
        ----------
        rows
            (k,) rows, at least one.
        """
        rows = np.asarray(rows, np.int64)
        lower, upper = (None if end is None or len(rows) != 1 else end[rows[0]] for end in (self.lower, self.upper))
        if lower is None or upper is None or not np.isfinite(lower).all():
            lower = upper = None
        return MeanShares(self.types, self.values[rows].mean(0), self.section, lower, upper, len(rows))


def proportion_outputs(document: Document) -> tuple[tuple[str, str], ...]:
    """Return (table, output) of every deconvolution's result in the document."""
    found = []
    for name in document.names("tables"):
        table = document.table(name)
        found += [
            (name, str(key))
            for key in table.obsm
            if f"{key}{_DOMINANT}" in table.obs and isinstance(table.obsm[key], pd.DataFrame)
        ]
    return tuple(found)


def of_reference(document: Document, table: str, output: str = "proportions") -> bool:
    """Return whether a result's types are those of a reference; if not, a person may name them."""
    about = document.attribute(ATTRIBUTE, {}).get(key_of(table, output))
    return isinstance(about, dict) and bool(about.get("reference"))


def spot_proportions(document: Document, table: str, output: str = "proportions") -> SpotProportions:
    """Read one result; see `proportion_outputs` for those that there are."""
    held = document.table(table)
    frame = held.obsm[output]
    types = tuple(str(c) for c in frame.columns)

    def block(end: str) -> Array | None:
        found = held.obsm.get(f"{output}_{end}")
        fits = isinstance(found, pd.DataFrame) and tuple(map(str, found.columns)) == types
        return found.to_numpy(dtype=np.float64) if fits else None

    def column(end: str, kind: Any) -> Any:
        name = f"{output}_{end}"
        return held.obs[name].to_numpy(dtype=kind) if name in held.obs else None

    unsure = column("uncertainty", np.float64)
    if unsure is not None and not np.isfinite(unsure).any():
        unsure = None  # the method gave no intervals
    marks = column("by_hand", object)
    if marks is not None:
        marks = np.where(pd.isna(marks), "", marks)
    return SpotProportions(
        table, output, types, frame.to_numpy(dtype=np.float64), block("lower"), block("upper"),
        unsure, column("deviance", np.float64), column("empty", bool),
        column("outside", bool), marks,
    )  # fmt: skip
