"""Counts of more rows than memory should hold, read some rows at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from .arrays import require

__all__ = ["CountRows", "HeldRows", "evenly_spaced", "picked", "row_blocks", "some_rows"]

_RUN = 64
_CHECKED = 1 << 24
"""Values that are checked at once."""


class CountRows(ABC):
    """A table of counts that is read by rows; whoever subclasses it says where they lie."""

    shape: tuple[int, int]
    """(n, g)."""

    @abstractmethod
    def rows(self, start: int, stop: int) -> sp.csr_matrix:
        """Return the rows from ``start`` up to ``stop``, (stop − start, g), finite and ≥ 0.

        Raises
        ------
        BadInput
            When what is read is no counts: NaN, infinite or negative.
        """


def row_blocks(counts: sp.csr_matrix | CountRows, size: int) -> Iterator[tuple[slice, sp.csr_matrix]]:
    """Yield a table of counts as (rows, their counts), at most ``size`` rows at a time."""
    n = int(counts.shape[0])
    for start in range(0, n, size):
        stop = min(start + size, n)
        yield slice(start, stop), counts.rows(start, stop) if isinstance(counts, CountRows) else counts[start:stop]


def evenly_spaced(counts: sp.csr_matrix | CountRows, n: int, most: int) -> npt.NDArray[np.intp]:
    """Return about ``most`` of n places, evenly spaced; of what lies on disk in runs, each from one chunk or two."""
    if n <= most:
        return np.arange(n)
    run = _RUN if isinstance(counts, CountRows) else 1
    starts = np.linspace(0, n - run, max(1, most // run)).round().astype(np.intp)
    return np.unique(starts[:, None] + np.arange(run))


def some_rows(counts: sp.csr_matrix | CountRows, rows: npt.NDArray[np.intp]) -> sp.csr_matrix:
    """Return sorted rows of a table of counts, (k, g); of what lies on disk nothing else is read."""
    if not isinstance(counts, CountRows):
        return counts[rows]
    runs = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)
    return sp.csr_matrix(sp.vstack([counts.rows(int(run[0]), int(run[-1]) + 1) for run in runs]))


class HeldRows(CountRows):
    """A large table in memory, used by rows all the same, so that no step makes another one of its size.

    Parameters
    ----------
    counts
        (n, g).

    Raises
    ------
    BadInput
        When a value is NaN, infinite or negative.
    """

    def __init__(self, counts: sp.csr_matrix) -> None:
        self._counts, self.shape = counts, (int(counts.shape[0]), int(counts.shape[1]))
        for start in range(0, len(counts.data), _CHECKED):
            some = counts.data[start : start + _CHECKED]
            fine = bool(np.isfinite(some).all()) and some.min() >= 0
            require(fine, "The spots' counts hold values that are NaN, infinite or negative.", "Use raw counts.")

    def rows(self, start: int, stop: int) -> sp.csr_matrix:
        """Return the rows, copied."""
        return self._counts[start:stop]


class _Picked(CountRows):
    """Some columns of a table that is read by rows."""

    def __init__(self, counts: CountRows, places: npt.NDArray[np.int64], n: int) -> None:
        self._counts, self._places = counts, places
        self.shape = (counts.shape[0], n)

    def rows(self, start: int, stop: int) -> sp.csr_matrix:
        """Return the rows, over the columns picked."""
        return picked(self._counts.rows(start, stop), self._places, self.shape[1])


def picked(counts: sp.csr_matrix | CountRows, places: npt.NDArray[Any], n: int) -> Any:
    """Return counts with each column put to another place; what is read by rows stays so.

    Parameters
    ----------
    counts
        (n, g) counts.
    places
        (g,) int: the new place of each column; below 0 it is left out; columns of one place are added up.
    n
        The number of new columns.
    """
    places = np.asarray(places, np.int64)
    if n == counts.shape[1] and np.array_equal(places, np.arange(n)):
        return counts
    if isinstance(counts, CountRows):
        return _Picked(counts, places, n)
    to = places.astype(counts.indices.dtype)[counts.indices]
    kept = to >= 0
    ends = np.concatenate([[0], np.cumsum(kept)])[counts.indptr].astype(counts.indptr.dtype)
    made = sp.csr_matrix((counts.data[kept], to[kept], ends), shape=(counts.shape[0], n))
    used = places[places >= 0]
    if len(np.unique(used)) < len(used):
        made.sum_duplicates()  # which sorts, and takes longer than all else
    return made
