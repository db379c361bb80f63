"""Embeddings: features in, a place in few dimensions a row out. Near means alike; far says little."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from .arrays import as_finite, frozen, require
from .method import Method
from .report import Report, silent

__all__ = ["Embedder", "Embedding", "Features"]


@dataclass(frozen=True)
class Features:
    """Features of rows, wherever these lie.

    Parameters
    ----------
    values
        (n, p), dense or CSR: counts, intensities or an embedding; finite.
    """

    values: Any

    def __post_init__(self) -> None:
        values: Any = sp.csr_matrix(self.values) if sp.issparse(self.values) else frozen(np.asarray(self.values))
        require(values.ndim == 2, f"The features have the shape {values.shape}.", "Give (rows, features).")
        require(min(values.shape) > 0, f"The features are empty: {values.shape}.", "Choose another table.")
        held: Any = values.data if sp.issparse(values) else values
        require(bool(np.isfinite(held).all()), "The features hold NaN or infinite values.", "Remove or fill them.")
        object.__setattr__(self, "values", values)


@dataclass(frozen=True)
class Embedding:
    """Where each row lies.

    Parameters
    ----------
    values
        (n, d), finite.
    """

    values: npt.NDArray[np.float64]

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", as_finite(self.values, "The places", 2))


class Embedder(Method):
    """Base class of embedding methods."""

    kind: ClassVar[str] = "embedding"

    @abstractmethod
    def __call__(self, features: Features, report: Report = silent) -> Embedding:
        """Lay out the rows."""
