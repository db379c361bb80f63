"""Domains: features and coordinates in, one spatial domain a cell, spot, bin or pixel out."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from .arrays import as_coordinates, frozen, require
from .method import Method
from .report import Report, part, silent

__all__ = ["Cells", "DomainDetector", "Domains", "Embedded"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Cells:
    """Cells, spots, bins or pixels with their features.

    Parameters
    ----------
    features
        (n, p), dense or CSR: counts, intensities or an embedding; finite.
    coordinates
        (n, 2) as (y, x) in µm.
    anchors
        (n,) int: the domain that the hand has given, -1 where free; or None.
    sections
        (n,) int: the section that a row lies on, 0 or more; no neighbours across sections. None: all on one.
    ignored
        (n,) bool: rows that are no tissue to divide (folds, bubbles, glass). They teach nothing, and get
        their likeliest domain only so that the arrays stay whole. None: none.
    """

    features: Any
    coordinates: npt.NDArray[np.float64]
    anchors: npt.NDArray[np.int64] | None = None
    sections: npt.NDArray[np.int64] | None = None
    ignored: npt.NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        if sp.issparse(self.features):
            features = sp.csr_matrix(self.features)
            _check_numbers(features.dtype)
            finite = bool(np.isfinite(features.data).all())
        else:
            features = frozen(np.asarray(self.features))
            require(features.ndim == 2, f"The features have the shape {features.shape}.", "Give (rows, features).")
            _check_numbers(features.dtype)
            finite = bool(np.isfinite(features).all())
        require(finite, "The features hold NaN or infinite values.", "Remove or fill them first.")
        n = int(features.shape[0])
        require(n > 0 and features.shape[1] > 0, f"The features are empty: {features.shape}.", "Choose another table.")
        object.__setattr__(self, "features", features)
        object.__setattr__(self, "coordinates", as_coordinates(self.coordinates, "The coordinates", n))
        if self.anchors is not None:
            anchors = np.asarray(self.anchors)
            require(anchors.shape == (n,), f"There are {anchors.size} anchors for {n} rows.", "Give one a row.")
            require(np.issubdtype(anchors.dtype, np.integer), "The anchors are not integers.", "Use -1 for free rows.")
            require(int(anchors.min()) >= -1, f"An anchor is {anchors.min()}.", "Use -1 for free rows.")
            object.__setattr__(self, "anchors", frozen(anchors.astype(np.int64)))
        if self.sections is not None:
            sections = np.asarray(self.sections)
            require(sections.shape == (n,), f"There are {sections.size} sections for {n} rows.", "Give one a row.")
            require(np.issubdtype(sections.dtype, np.integer), "The sections are not integers.", "Number them from 0.")
            require(int(sections.min()) >= 0, f"A section is {sections.min()}.", "Number them from 0.")
            object.__setattr__(self, "sections", frozen(sections.astype(np.int64)))
        if self.ignored is not None:
            ignored = np.asarray(self.ignored)
            require(ignored.shape == (n,), f"There are {ignored.size} marks for {n} rows.", "Give one a row.")
            require(ignored.dtype == bool, "The marks of ignored rows are not booleans.", "Give true or false.")
            require(not ignored.all(), "All rows are ignored.", "Leave some tissue.")
            object.__setattr__(self, "ignored", frozen(ignored))


def _check_numbers(dtype: np.dtype[Any]) -> None:
    require(dtype.kind in "biuf", f"The features are of the type '{dtype}', not numbers.", "Convert or replace them.")


@dataclass(frozen=True, eq=False)
class Embedded:
    """Rows as points of a space in which domains are clouds, and their neighbours on the tissue.

    Parameters
    ----------
    values
        (n, d) float64.
    graph
        (n, n) CSR of ones: neighbours, without the diagonal, none across sections.
    different
        How many rows differ before any averaging; counted if 0. `dataclasses.replace` carries it on.
    """

    values: Array
    graph: sp.csr_matrix
    different: int = 0

    def __post_init__(self) -> None:
        if self.different == 0:
            # a random direction tells different rows apart without sorting whole rows
            along = self.values @ np.random.default_rng(0).normal(size=self.values.shape[1])
            scale = max(float(np.abs(along).max()), 1e-300)
            object.__setattr__(self, "different", len(np.unique(np.round(along / scale, 9))))


@dataclass(frozen=True)
class Domains:
    """The domains found.

    Parameters
    ----------
    labels
        (n,) int, 0 <= label < k. Where there was an anchor, the anchor.
    probabilities
        (n, k), rows sum to 1.
    """

    labels: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float64]

    def __post_init__(self) -> None:
        labels, p = np.asarray(self.labels), np.asarray(self.probabilities, dtype=np.float64)
        require(labels.ndim == 1 and p.ndim == 2 and len(p) == len(labels), "Labels and probabilities do not fit.")
        require(bool(((p >= -1e-9) & (p <= 1 + 1e-9)).all()), "A probability is outside 0 to 1.")
        require(bool(np.allclose(p.sum(1), 1, atol=1e-6)), "The probabilities of a row do not sum to 1.")
        require(bool(((labels >= 0) & (labels < p.shape[1])).all()), "A label is outside 0 to k - 1.")
        object.__setattr__(self, "labels", frozen(labels.astype(np.int64)))
        object.__setattr__(self, "probabilities", frozen(p))


class DomainDetector(Method):
    """Base class of domain detection methods: three stages, so that a change runs again only what it must.

    `embedded` is slow and reads the features; `smoothed` averages over the tissue; `divided` finds the
    domains. What the hand gives is a fourth, `refitted`: one for all methods, in the space of the method.
    """

    kind: ClassVar[str] = "domains"
    embeds: ClassVar[tuple[str, ...]] = ()
    """The parameters that `embedded` reads."""
    smooths: ClassVar[tuple[str, ...]] = ()
    """The parameters that `smoothed` reads."""

    def check(self, cells: Cells, embedded: Embedded | None = None) -> None:
        """Raise `BadInput` when there are fewer rows, or fewer different ones, than domains."""
        k, n = int(getattr(self, "n_domains", 1)), len(cells.coordinates)
        rows = "is 1 row" if n == 1 else f"are {n} rows"
        require(n >= k, f"There {rows} for {k} domains.", "Choose fewer domains.")
        different = n if embedded is None else embedded.different
        require(
            different >= k,
            f"Only {different} rows differ in their features, for {k} domains.",
            f"Choose {different} domains or fewer." if different >= 2 else "Choose another table.",
        )

    @abstractmethod
    def embedded(self, cells: Cells, report: Report = silent) -> Embedded:
        """Return the rows in the space of the method; anchors are not read."""

    def smoothed(self, embedded: Embedded, cells: Cells, report: Report = silent) -> Embedded:
        """Return the rows after averaging over the tissue; the features of ``cells`` are not read."""
        return embedded

    @abstractmethod
    def divided(self, smoothed: Embedded, ignored: npt.NDArray[np.bool_] | None, report: Report = silent) -> Domains:
        """Return the map before the hand: domains numbered from the largest."""

    def taught(self, smoothed: Embedded) -> Embedded:
        """Return the space in which strokes teach: that of the second stage, unless a method says otherwise."""
        return smoothed

    def refitted(
        self,
        smoothed: Embedded,
        probabilities: Array,
        anchors: npt.NDArray[np.int64],
        ignored: npt.NDArray[np.bool_] | None = None,
        report: Report = silent,
    ) -> Domains:
        """Return the map that follows the hand.

        Parameters
        ----------
        smoothed
            As `smoothed` returned it.
        probabilities
            (n, k) of the map before the hand; anchors may name more domains than k.
        anchors, ignored
            As in `Cells`.
        """
        from .refitted_domains import refitted

        return refitted(self.taught(smoothed), probabilities, anchors, ignored, report)

    def __call__(self, cells: Cells, report: Report = silent) -> Domains:
        """Divide the tissue into spatial domains; anchors are kept and teach the rest."""
        self.check(cells)
        embedded = self.embedded(cells, part(report, 0.0, 0.55))
        self.check(cells, embedded)
        smoothed = self.smoothed(embedded, cells, part(report, 0.55, 0.6))
        found = self.divided(smoothed, cells.ignored, part(report, 0.6, 0.95))
        if cells.anchors is not None and (cells.anchors >= 0).any():
            free = found.probabilities
            found = self.refitted(smoothed, free, cells.anchors, cells.ignored, part(report, 0.95, 1.0))
        report(1.0, f"Found {found.probabilities.shape[1]} domains")
        return found
