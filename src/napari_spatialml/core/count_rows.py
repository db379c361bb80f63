"""Counts of more rows than memory should hold, read some rows at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import scipy.sparse as sp

__all__ = ["CountRows", "row_blocks"]


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
