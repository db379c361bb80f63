"""Rows sorted on disk with a few million in memory at a time: first into ranges of keys, then each range by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.report import Report, part

__all__ = ["Column", "Columns", "Keys", "in_order", "rows_of", "sort_rows", "steps"]

Values = npt.NDArray[Any]
Columns = dict[str, Values]
Keys = Callable[[Columns], Values]


class Column:
    """Values in a file, read and written by plain reads and writes: files mapped into memory would all count as ours.

    Parameters
    ----------
    file
        Where they lie.
    dtype, shape
        Of the values; rows along the first axis.
    raw
        Whether the file has no head.
    """

    def __init__(self, file: Path, dtype: Any, shape: tuple[int, ...], *, raw: bool = False) -> None:
        self.file, self.dtype, self.shape = file, np.dtype(dtype), shape
        self._width = int(np.prod(shape[1:], dtype=int))
        self._offset = 0
        if not raw:
            with file.open("wb") as out:
                head = {"descr": self.dtype.str, "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(out, head)  # type: ignore[no-untyped-call]
                self._offset = out.tell()
                out.truncate(self._offset + self._width * self.dtype.itemsize * shape[0])

    def read(self, a: int, b: int) -> Values:
        """Return the rows a to b."""
        with self.file.open("rb") as held:
            held.seek(self._place(a))
            values = np.fromfile(held, self.dtype, (b - a) * self._width)
        return values.reshape(b - a, *self.shape[1:])

    def write(self, a: int, values: Values) -> None:
        """Write rows from a on."""
        with self.file.open("r+b") as held:
            held.seek(self._place(a))
            np.ascontiguousarray(values, dtype=self.dtype).tofile(held)

    def _place(self, row: int) -> int:
        return self._offset + row * self._width * self.dtype.itemsize


def steps(n: int, step: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of rows, one after the other."""
    return ((start, min(start + step, n)) for start in range(0, n, step))


def rows_of(columns: dict[str, Column], a: int, b: int) -> Columns:
    """Return the rows a to b of every column."""
    return {name: column.read(a, b) for name, column in columns.items()}


def in_order(keys: Values, then: Values | None = None) -> npt.NDArray[np.intp]:
    """Return the order of rows by keys >= 0, and among equal ones by further keys; equal rows stay as they are."""
    order = np.argsort(_narrowest(then), kind="stable") if then is not None else None
    if order is None:
        return np.argsort(_narrowest(keys), kind="stable")
    return order[np.argsort(_narrowest(keys)[order], kind="stable")]


def _narrowest(keys: Values) -> Values:
    """Return keys as numbers of 16 bits, which numpy sorts ten times as fast, where they fit."""
    if not len(keys):
        return keys
    low = int(keys.min())
    return (keys - low).astype(np.uint16) if int(keys.max()) - low < 1 << 16 else keys


def sort_rows(
    pieces: Iterator[Columns],
    starts: npt.NDArray[np.int64],
    keys: Keys,
    then: str,
    out: dict[str, Column],
    report: Report,
    most: int,
    said: str,
) -> None:
    """Sort rows by a key, and among equal ones by a column.

    Parameters
    ----------
    pieces
        The rows, piece by piece.
    starts
        (keys + 1,) where the rows of each key begin.
    keys
        Returns the key of each row.
    then
        The column that orders rows of one key; "" leaves them in the order in which they come.
    out
        Where they are written.
    report
        Told how far it is.
    most
        Rows that are sorted at a time; more only where one key has more and they are ordered by a column.
    said
        What is reported.
    """
    n = int(starts[-1])
    firsts = _ranges(starts, most)
    range_of = np.repeat(np.arange(len(firsts) - 1, dtype=np.int32), np.diff(firsts))
    cursor, done, told = starts[firsts[:-1]].copy(), 0, part(report, 0.0, 0.5)
    for some in pieces:
        told(done / max(n, 1), said)
        _split(some, range_of[keys(some)], cursor, out)
        done += len(next(iter(some.values())))
    told = part(report, 0.5, 1.0)
    for first, last in zip(firsts[:-1].tolist(), firsts[1:].tolist(), strict=True):
        a, b = int(starts[first]), int(starts[last])
        told(a / max(n, 1), said)
        if last - first == 1 and not then:
            continue  # they came in this order
        some = rows_of(out, a, b)
        order = in_order(keys(some), some[then] if then else None)
        for name, column in out.items():
            column.write(a, some[name][order])


def _ranges(starts: npt.NDArray[np.int64], most: int) -> npt.NDArray[np.int64]:
    """Return where ranges of keys begin that have at most so many rows each, or one key."""
    firsts, last = [0], len(starts) - 1
    while firsts[-1] < last:
        stop = int(np.searchsorted(starts, starts[firsts[-1]] + most, side="right")) - 1
        firsts.append(min(max(stop, firsts[-1] + 1), last))
    return np.array(firsts, np.int64)


def _split(some: Columns, ranges: Values, cursor: npt.NDArray[np.int64], out: dict[str, Column]) -> None:
    """Write rows to the next free places of their ranges, in their order, and move the places on."""
    order = in_order(ranges)
    ends = np.cumsum(np.bincount(ranges, minlength=len(cursor)))
    for name, column in out.items():
        values = some[name][order]
        for k, (a, b) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
            if b > a:
                column.write(int(cursor[k]), values[a:b])
    cursor += np.diff(ends, prepend=0)
