"""The counts of a table of spots, bins or cells as a method takes them: raw if it has them, by rows if it is large."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import scipy.sparse as sp

from ..core.count_rows import CountRows, HeldRows
from ..core.count_state import as_counts, is_raw
from ..errors import BadInput
from ..io import stored_counts
from .document import Document

__all__ = ["SpotCounts", "spot_counts"]

_FIRST = 2_000
"""Rows of a matrix in its store by which it is told what it holds."""
_COUNTS = ("counts", "count", "rawcounts", "raw", "umi", "umicounts")


@dataclass(frozen=True)
class SpotCounts:
    """The counts of a table, and what there is to say of them.

    Parameters
    ----------
    values
        (n, g): CSR, or `CountRows` of a large table, from its store where it lies there unread.
    warnings
        One sentence for each thing that is not as a method wants it.
    """

    values: sp.csr_matrix | CountRows
    warnings: tuple[str, ...] = ()


def spot_counts(document: Document, table: str) -> SpotCounts:
    """Return a table's counts.

    The raw counts of a layer are taken where the matrix itself holds none; logarithms of normalised counts
    are turned back.

    Raises
    ------
    BadInput
        When the table has no counts, or values that are negative, NaN or infinite.
    """
    held = document.table(table)
    layer = next((name for name in held.layers if "".join(filter(str.isalnum, name)).lower() in _COUNTS), None)
    stored = getattr(held, "stored", None)
    if stored is not None:
        rows = stored_counts.StoredRows(stored)
        if is_raw(rows.rows(0, min(_FIRST, rows.shape[0]))):
            return SpotCounts(rows)
    if held.X is None or 0 in held.shape:
        raise BadInput(f"The table '{table}' has no counts.", "Choose another table.")
    if is_raw(held.X):
        return SpotCounts(_by_rows(held.X))
    if layer is not None and is_raw(held.layers[layer]):
        told = f"The counts of '{table}' were taken from its layer '{layer}': its main matrix holds none."
        return SpotCounts(_by_rows(held.layers[layer]), (told,))
    found, _, notes = as_counts(held.X, f"the spots' values in '{table}'")
    return SpotCounts(_by_rows(found), notes)


def _by_rows(values: Any) -> sp.csr_matrix | CountRows:
    found = sp.csr_matrix(values)
    return HeldRows(found) if found.nnz >= stored_counts.LARGE else found
