"""Rows of a sparse matrix in blocks, so that changing some copies their blocks and not the whole.

A slide of half a million cells that count 42 million transcripts holds a matrix of 160 MB: copied at
every stroke, it is what a hand waits for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

__all__ = ["Exchange", "RowBlocks", "woven"]

ROWS = 4096
"""Of a block: a stroke copies about this many, some hundred kilobytes."""
Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Exchange:
    """Rows that leave, and rows that come.

    Parameters
    ----------
    n
        How many rows there are.
    gone
        The positions of those that leave, as they stand before.
    come
        The positions of those that come, as they stand after.
    """

    n: int
    gone: Positions
    come: Positions

    @property
    def fits(self) -> bool:
        """Whether the positions can be: none twice, none beyond the last row."""
        after = self.n - len(self.gone) + len(self.come)
        return all(
            len(np.unique(rows)) == len(rows) and (len(rows) == 0 or (rows.min() >= 0 and int(rows.max()) < most))
            for rows, most in ((self.gone, self.n), (self.come, after))
        )

    @cached_property
    def leaving(self) -> Positions:
        """The positions of those that leave, ascending."""
        return np.sort(self.gone)

    @cached_property
    def order(self) -> Positions:
        """Which of those that come is put in first, second …"""
        return np.argsort(self.come, kind="stable")

    @cached_property
    def places(self) -> Positions:
        """Before which row, counted before, each of those that come is put, in their `order`."""
        kept = self.come[self.order] - np.arange(len(self.come))
        return kept + np.searchsorted(self.leaving - np.arange(len(self.gone)), kept, side="left")

    @cached_property
    def runs(self) -> tuple[tuple[bool, slice], ...]:
        """The pieces of which the rows afterwards consist: whether new, and where; new ones in their `order`."""
        made: list[tuple[bool, slice]] = []
        at = 0
        cuts = sorted([(int(p), False) for p in self.places] + [(int(g), True) for g in self.leaving])
        for position, leaves in cuts:
            if position > at:
                made.append((False, slice(at, position)))
            at = position + 1 if leaves else position
            if not leaves:
                _add_new(made)
        return (*made, (False, slice(at, self.n)))


def _add_new(runs: list[tuple[bool, slice]]) -> None:
    """Add the next new row to the last run, where that is one of new rows; else as a run of its own."""
    placed = next((cut.stop for new, cut in reversed(runs) if new), 0)
    if runs and runs[-1][0]:
        runs[-1] = (True, slice(runs[-1][1].start, placed + 1))
    else:
        runs.append((True, slice(placed, placed + 1)))


def woven(exchange: Exchange, held: npt.NDArray[Any], fresh: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the rows of an array after an exchange.

    Parameters
    ----------
    exchange
        What leaves and comes.
    held
        (n, …) as it is before.
    fresh
        (m, …) the rows that come, in the order of `Exchange.come`.
    """
    new = np.asarray(fresh)[exchange.order].astype(held.dtype)
    return np.concatenate([(new if fresh_ones else held)[cut] for fresh_ones, cut in exchange.runs])


class RowBlocks:
    """A CSR matrix whose rows lie in blocks that never change: an exchange makes a few of them anew.

    Parameters
    ----------
    blocks
        CSR matrices of as many columns, one below the other; at least one.
    whole
        The same as one matrix, where it is there.
    """

    def __init__(self, blocks: Sequence[Any], whole: Any = None) -> None:
        self._blocks = tuple(blocks)
        self._whole = whole
        self._starts = np.concatenate([[0], np.cumsum([b.shape[0] for b in self._blocks])]).astype(np.int64)

    @classmethod
    def of(cls, matrix: Any) -> RowBlocks:
        """Cut a sparse matrix into blocks; nothing is copied but where each row begins."""
        whole = sp.csr_matrix(matrix)
        return cls(list(_cut(whole)), whole)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return int(self._starts[-1]), int(self._blocks[0].shape[1])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""
        return np.dtype(self._blocks[0].dtype)

    @cached_property
    def _filled(self) -> npt.NDArray[np.int64]:
        """How many values lie before each block."""
        return np.concatenate([[0], np.cumsum([len(b.data) for b in self._blocks])]).astype(np.int64)

    @property
    def nnz(self) -> int:
        """How many values are held."""
        return int(self._filled[-1])

    @property
    def indptr(self) -> npt.NDArray[Any]:
        """Where each row begins."""
        return _starts(np.concatenate([np.diff(b.indptr) for b in self._blocks]), self.nnz)

    def values(self, part: str, start: int, stop: int) -> npt.NDArray[Any]:
        """Return some of the values ("data") or of their columns ("indices"), in the order of the rows."""
        first, last = np.searchsorted(self._filled, [start, stop - 1], side="right") - 1
        pieces = [
            getattr(self._blocks[k], part)[max(start - low, 0) : stop - low]
            for k, low in ((k, int(self._filled[k])) for k in range(first, last + 1))
        ]
        return np.concatenate(pieces)

    def whole(self) -> Any:
        """Return all rows as one CSR matrix; made at the first call after an exchange, then kept."""
        if self._whole is None:
            held = np.concatenate([np.diff(b.indptr) for b in self._blocks])
            data = np.concatenate([b.data for b in self._blocks])
            indices = np.concatenate([b.indices for b in self._blocks])
            self._whole = _csr(data, indices, held, self.shape[1])
            self._blocks = tuple(_cut(self._whole, self._starts))  # lie in it, so that the old one can go
        return self._whole

    def taken(self, rows: Positions) -> Any:
        """Return some rows, in the order asked for."""
        if self._whole is not None or len(rows) > ROWS:
            return self.whole()[rows]
        at = np.searchsorted(self._starts, rows, side="right") - 1
        parts = [(self._blocks[b], int(r - self._starts[b])) for b, r in zip(at, rows, strict=True)]
        cuts = [(b, slice(int(b.indptr[r]), int(b.indptr[r + 1]))) for b, r in parts]
        data = np.concatenate([np.empty(0, self.dtype), *(b.data[cut] for b, cut in cuts)])
        first = self._blocks[0].indices
        indices = np.concatenate([np.empty(0, first.dtype), *(b.indices[cut] for b, cut in cuts)])
        return _csr(data, indices, np.array([cut.stop - cut.start for _, cut in cuts], np.int64), self.shape[1])

    def exchanged(self, exchange: Exchange, fresh: Any) -> RowBlocks:
        """Return the rows after an exchange; the blocks that it does not touch are shared.

        Parameters
        ----------
        exchange
            What leaves and comes.
        fresh
            Sparse (m, columns): the rows that come, in the order of `Exchange.come`.
        """
        new = sp.csr_matrix(fresh, dtype=self.dtype)[exchange.order]
        last = len(self._blocks) - 1
        of_new = np.minimum(np.searchsorted(self._starts, exchange.places, side="right") - 1, last)
        of_old = np.searchsorted(self._starts, exchange.leaving, side="right") - 1
        blocks: list[Any] = list(self._blocks)
        for number in np.union1d(of_new, of_old).tolist():
            first = int(self._starts[number])
            coming = np.flatnonzero(of_new == number)
            order = _order(
                blocks[number].shape[0],
                exchange.leaving[of_old == number] - first,
                exchange.places[coming] - first,
            )
            blocks[number] = _rows_of(blocks[number], new[coming], order)
        return RowBlocks(list(_sized(blocks)))


def _order(n: int, gone: Positions, places: Positions) -> Positions:
    """Return the order of n rows and the new ones below them after an exchange within a block."""
    held = np.arange(n)
    held[gone] = -1
    order = np.insert(held, places, n + np.arange(len(places)))
    return order[order >= 0]


def _rows_of(top: Any, bottom: Any, order: Positions) -> Any:
    return sp.vstack([top, bottom], format="csr")[order]


def _cut(whole: Any, starts: Positions | None = None) -> Iterator[Any]:
    """Yield blocks of a CSR matrix that lie in its arrays."""
    n, columns = whole.shape
    edges = np.append(np.arange(0, max(n, 1), ROWS), n) if starts is None else starts
    for a, b in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        low, high = int(whole.indptr[a]), int(whole.indptr[b])
        block = sp.csr_matrix((b - a, columns), dtype=whole.dtype)
        block.data, block.indices = whole.data[low:high], whole.indices[low:high]
        block.indptr = whole.indptr[a : b + 1] - whole.indptr[a]
        yield block


def _sized(blocks: list[Any]) -> Iterator[Any]:
    """Leave out what became empty, and cut what grew too large."""
    some = [b for b in blocks if b.shape[0]] or blocks[:1]
    for block in some:
        if block.shape[0] > 2 * ROWS:
            yield from _cut(block)
        else:
            yield block


def _csr(data: npt.NDArray[Any], indices: npt.NDArray[Any], held: Positions, columns: int) -> Any:
    """Return a CSR matrix of so many values a row."""
    made = sp.csr_matrix((len(held), columns), dtype=data.dtype)
    made.indptr = _starts(held, len(data))
    made.data, made.indices = data, indices.astype(made.indptr.dtype, copy=False)
    return made


def _starts(held: npt.NDArray[Any], n: int) -> npt.NDArray[Any]:
    """Return where each row begins, in as few bytes as the number of values allows."""
    return np.asarray(np.concatenate([[0], np.cumsum(held)]), np.int32 if n < 2**31 else np.int64)
