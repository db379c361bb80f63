"""Labels and values carried from one section to the other: what found no partner stays unknown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from .arrays import frozen, require

__all__ = ["LabelShares", "Transferred", "pull", "pull_labels", "push", "push_labels"]

Floats = npt.NDArray[np.float64]
_NOTHING = 1e-9
"""A share below this is rounding, not a partner."""


@dataclass(frozen=True)
class Transferred:
    """Values that came from the other section.

    Parameters
    ----------
    values
        (n, k), or (n,) where one value a row was given; NaN where nothing is known.
    known
        (n,) 0 ≤ known ≤ 1: the share of the row that found a partner with a value.
    """

    values: Floats
    known: Floats


@dataclass(frozen=True)
class LabelShares:
    """Labels that came from the other section.

    Parameters
    ----------
    shares
        (n, k) ≥ 0; a row sums to at most 1, and what is missing is unknown.
    """

    shares: Floats

    @property
    def known(self) -> Floats:
        """(n,) the share of each row that is known."""
        return np.asarray(np.clip(self.shares.sum(1), 0.0, 1.0))

    @property
    def probabilities(self) -> Floats:
        """(n, k) rows that sum to 1 among the labels; NaN where nothing is known."""
        total = self.shares.sum(1, keepdims=True)
        empty = np.full(self.shares.shape, np.nan)
        return np.asarray(np.divide(self.shares, total, out=empty, where=total > _NOTHING))

    def labels(self, at_least: float = 0.25) -> npt.NDArray[np.int64]:
        """Return (n,) the most likely label, −1 where less than the share ``at_least`` of the row is known."""
        if self.shares.shape[1] == 0:
            return np.full(len(self.shares), -1, dtype=np.int64)
        return np.where(self.known >= max(at_least, _NOTHING), self.shares.argmax(1), -1).astype(np.int64)


def push(values: Any, coupling: Any, full: Any = None) -> Transferred:
    """Carry values of the moving points to the fixed ones.

    Parameters
    ----------
    values
        (n_moving,) or (n_moving, k); NaN where not known.
    coupling
        (n_moving, n_fixed) weights ≥ 0, sparse or dense, such as `Alignment.coupling`.
    full
        What the weights of a receiving row sum to when all of it found a partner: a number, or one a
        row. None takes the largest sum that there is.

    Returns
    -------
    Transferred
        One row a fixed point: the mean of its partners, weighted by the coupling.

    Raises
    ------
    BadInput
        When the shapes do not fit, or a weight is negative or NaN.
    """
    return _carried(values, _checked(coupling).T.tocsr(), full)


def pull(values: Any, coupling: Any, full: Any = None) -> Transferred:
    """Carry values of the fixed points to the moving ones; the parameters are those of `push`."""
    return _carried(values, _checked(coupling), full)


def push_labels(codes: Any, n_labels: int, coupling: Any, full: Any = None) -> LabelShares:
    """Carry labels of the moving points to the fixed ones.

    Parameters
    ----------
    codes
        (n_moving,) whole numbers below ``n_labels``; −1 where not known.
    n_labels
        How many labels there are.
    coupling, full
        As in `push`.
    """
    return _shares(codes, n_labels, _checked(coupling).T.tocsr(), full)


def pull_labels(codes: Any, n_labels: int, coupling: Any, full: Any = None) -> LabelShares:
    """Carry labels of the fixed points to the moving ones; the parameters are those of `push_labels`."""
    return _shares(codes, n_labels, _checked(coupling), full)


def _checked(coupling: Any) -> sp.csr_matrix:
    weights = sp.csr_matrix(coupling, dtype=np.float64)
    fine = bool(np.isfinite(weights.data).all() and (weights.data >= 0).all())
    require(fine, "The coupling holds weights that are negative or no numbers.", "Register the pair again.")
    return weights


def _full(weights: sp.csr_matrix, full: Any) -> Floats:
    """Return (n,) what a row sums to when all of it is matched; above 0."""
    sums = np.asarray(weights.sum(1)).ravel()
    given = sums.max(initial=0.0) if full is None else np.asarray(full, dtype=np.float64)
    whole = np.broadcast_to(np.asarray(given, dtype=np.float64), sums.shape)
    return np.asarray(np.where(whole > 0, whole, 1.0))


def _carried(values: Any, weights: sp.csr_matrix, full: Any) -> Transferred:
    held = np.asarray(values, dtype=np.float64)
    _fits(len(held), weights)
    table = held.reshape(len(held), -1)
    there = np.isfinite(table)
    mass = np.asarray(weights @ there.astype(np.float64))
    total = np.asarray(weights @ np.where(there, table, 0.0))
    whole = _full(weights, full)
    something = mass > _NOTHING * whole[:, None]
    mean = np.divide(total, mass, out=np.full(total.shape, np.nan), where=something)
    known = np.clip(mass.mean(1) / whole, 0.0, 1.0) if table.shape[1] else np.zeros(len(whole))
    return Transferred(frozen(mean.reshape(len(mean), *held.shape[1:])), frozen(known))


def _shares(codes: Any, n_labels: int, weights: sp.csr_matrix, full: Any) -> LabelShares:
    held = np.asarray(codes)
    _fits(len(held), weights)
    require(held.ndim == 1 and held.dtype.kind in "iu", "The labels are not whole numbers.", "Give codes from 0.")
    high = int(held.max(initial=-1))
    require(high < n_labels, f"The label {high} is not among the {n_labels} labels.", "Give codes from 0.")
    there = np.flatnonzero(held >= 0)
    table = sp.csr_matrix((np.ones(len(there)), (there, held[there])), shape=(len(held), n_labels))
    whole = _full(weights, full)
    shares = np.asarray((weights @ table).todense()) / whole[:, None]
    excess = np.maximum(shares.sum(1, keepdims=True), 1.0)
    return LabelShares(frozen(shares / excess))


def _fits(n: int, weights: sp.csr_matrix) -> None:
    require(
        n == weights.shape[1],
        f"There are {n} values for {weights.shape[1]} points of the coupling.",
        "Register the pair again: the table has changed.",
    )
