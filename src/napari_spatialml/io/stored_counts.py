"""Counts that stay in their zarr store and are read some rows at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from ..core.count_rows import CountRows
from ..errors import BadInput

__all__ = ["LARGE", "StoredRows", "n_values"]

LARGE = 1 << 24
"""Values from which on a matrix waits in its store: 130 megabytes of counts and their genes."""
_SLAB = 1 << 22
"""Values that are read at once and kept, so that small steps do not unpack a chunk again and again."""


def n_values(matrix: Any) -> int:
    """Return how many values a matrix in a zarr store holds, 0 where it cannot be read by rows."""
    if hasattr(matrix, "shape"):
        return int(np.prod(matrix.shape)) if len(matrix.shape) == 2 else 0
    by_rows = matrix.attrs.get("encoding-type") == "csr_matrix" and "data" in matrix
    return int(matrix["data"].shape[0]) if by_rows else 0


class StoredRows(CountRows):
    """A matrix of a zarr store, CSR or dense, of which only some rows are in memory.

    Parameters
    ----------
    folder
        The matrix: an AnnData's ``X`` or layer.

    Raises
    ------
    BadInput
        When it is neither CSR nor dense, or damaged.

    Notes
    -----
    Of CSR where each row starts is held: 8 bytes a row. Beside it, one slab of about four million values.
    """

    def __init__(self, folder: Path) -> None:
        import zarr

        self._folder = folder
        self._starts: Any = None
        self._slab: tuple[int, sp.csr_matrix] | None = None
        self._next = 0
        try:
            self._held: Any = zarr.open(str(folder), mode="r")
            self.shape = self._shape()
        except BadInput:
            raise
        except Exception as error:  # zarr raises its own errors and those of its codecs
            raise _damaged(folder, error) from error

    def _shape(self) -> tuple[int, int]:
        """Return (n, g); of CSR, find out where each row starts."""
        if hasattr(self._held, "shape"):
            return int(self._held.shape[0]), int(self._held.shape[1])
        kind = self._held.attrs.get("encoding-type")
        if kind != "csr_matrix":
            raise BadInput(
                f"The counts in '{self._folder.parent.name}' are stored by genes ({kind}), and cannot be read by rows.",
                "Write the table with its matrix as CSR.",
            )
        n, g = (int(k) for k in self._held.attrs["shape"])
        self._starts = np.asarray(self._held["indptr"][:], np.int64)
        sizes = {int(self._held[part].shape[0]) for part in ("data", "indices")}
        fits = len(self._starts) == n + 1 and self._starts[0] == 0 and sizes == {int(self._starts[-1])}
        if not fits or (np.diff(self._starts) < 0).any():
            raise _damaged(self._folder, "its rows do not fit its values")
        return n, g

    def rows(self, start: int, stop: int) -> sp.csr_matrix:
        """Return the rows from ``start`` up to ``stop`` as CSR."""
        slab = self._slab
        if slab is None or start < slab[0] or stop > slab[0] + slab[1].shape[0]:
            onwards = start == self._next  # who goes on will go on; who looks here and there needs no more
            slab = (start, self._read(start, max(stop, self._end(start)) if onwards else stop))
            self._slab = slab
        self._next = stop
        first, held = slab
        return held if (start, stop - first) == (first, held.shape[0]) else held[start - first : stop - first]

    def _end(self, start: int) -> int:
        """Return the row at which a slab from ``start`` on is full."""
        if self._starts is None:
            return min(self.shape[0], start + max(1, _SLAB // max(self.shape[1], 1)))
        return int(np.searchsorted(self._starts, self._starts[start] + _SLAB, side="right")) - 1

    def _read(self, start: int, stop: int) -> sp.csr_matrix:
        try:
            if self._starts is None:
                made = sp.csr_matrix(np.asarray(self._held[start:stop]))
            else:
                begin, end = int(self._starts[start]), int(self._starts[stop])
                data, indices = (np.asarray(self._held[part][begin:end]) for part in ("data", "indices"))
                kind = np.int32 if self.shape[1] < 2**31 and end - begin < 2**31 else np.int64
                ends = (self._starts[start : stop + 1] - begin).astype(kind)
                wrong = len(indices) and (indices.min() < 0 or indices.max() >= self.shape[1])
                if wrong:
                    raise _damaged(self._folder, "it names a gene that is not there")
                made = sp.csr_matrix((data, indices.astype(kind), ends), shape=(stop - start, self.shape[1]))
        except BadInput:
            raise
        except Exception as error:  # zarr raises its own errors and those of its codecs
            raise _damaged(self._folder, error) from error
        if not np.isfinite(made.data).all() or (len(made.data) and made.data.min() < 0):
            what = "NaN or infinite values" if not np.isfinite(made.data).all() else "negative values"
            raise BadInput(f"The spots' counts hold {what}, in rows {start:,} to {stop:,}.", "Use raw counts.")
        return made


def _damaged(folder: Path, why: object) -> BadInput:
    told = (str(why).strip().splitlines() or [type(why).__name__])[0][:200]
    return BadInput(f"The counts in '{folder.parent.name}' are damaged ({told}).", "Copy the store again.")
