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
from .report import Report, silent

__all__ = ["Cells", "DomainDetector", "Domains"]


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
    """

    features: Any
    coordinates: npt.NDArray[np.float64]
    anchors: npt.NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        if sp.issparse(self.features):
            features = sp.csr_matrix(self.features)
            finite = bool(np.isfinite(features.data).all())
        else:
            features = frozen(np.asarray(self.features))
            require(features.ndim == 2, f"The features have the shape {features.shape}.", "Give (rows, features).")
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
    """Base class of domain detection methods."""

    kind: ClassVar[str] = "domains"

    @abstractmethod
    def __call__(self, cells: Cells, report: Report = silent) -> Domains:
        """Divide the tissue into spatial domains."""
