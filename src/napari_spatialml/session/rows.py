"""Rows of a document's table taken out and put in, so that a slide of half a million cells follows the hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import DocumentError
from .blocks import Exchange

if TYPE_CHECKING:
    from .document import Document

__all__ = ["exchange_rows", "places_of", "plain", "rows_with", "taken"]


def exchange_rows(document: Document, name: str, exchange: Exchange, fresh: Any) -> None:
    """Take rows out of a table of a document and put others in; called by commands only.

    Raises
    ------
    DocumentError
        When there are no such rows.
    """
    from .hand_table import HandTable

    table = document.table(name)
    if not exchange.fits or exchange.n != table.n_obs:
        raise DocumentError(f"The rows to change do not fit the table '{name}'.", "Undo, and try again.")
    held = table if isinstance(table, HandTable) else HandTable.of(table)
    before = held.n_obs
    held.exchange(exchange, fresh)
    if held is not table or before == 0 or held.n_obs == 0:  # SpatialData looks at what annotates nothing
        document.replace_rows(name, held)
    else:
        document.touch(("tables", name))


def taken(table: Any, rows: npt.NDArray[np.int64]) -> Any:
    """Return a copy of some rows of a table; of one that the hand changes, without making its whole matrix."""
    own = getattr(table, "taken", None)
    if own is not None:
        return own(rows)
    import anndata

    # categories that these rows do not use stay: else the same rows would be other bits in a `HandTable`
    with anndata.settings.override(remove_unused_categories=False):
        return table[rows].copy()


def plain(element: Any) -> Any:
    """Return an element as other programs write it: a table that the hand changes as a plain AnnData."""
    made = getattr(element, "plain", None)
    return element if made is None else made()


def places_of(instances: npt.NDArray[Any], gone: npt.NDArray[np.int64], ids: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return where new rows stand among those that stay, so that ascending instances go on ascending.

    Parameters
    ----------
    instances
        Of all rows as they are.
    gone
        The positions of the rows that leave.
    ids
        The instances of the rows that come, ascending.
    """
    if _ascends(instances) and (np.diff(gone) > 0).all():  # half a million rows need not be copied without a few
        before = np.searchsorted(instances, ids) - np.searchsorted(instances[gone], ids)
    else:
        before = np.searchsorted(np.delete(instances, gone), ids)
    return np.asarray(before + np.arange(len(ids)), dtype=np.int64)


def _ascends(instances: npt.NDArray[Any]) -> bool:
    return instances.dtype.kind in "iu" and bool((instances[:-1] < instances[1:]).all())


def rows_with(instances: npt.NDArray[Any], wanted: Any) -> npt.NDArray[np.int64]:
    """Return the positions of some instances, ascending; those that are not there are left out."""
    sought = np.asarray(wanted)
    if not _ascends(instances):
        return np.flatnonzero(np.isin(instances, sought))
    sought = np.unique(sought)  # the rows of what this program measured ascend: half a million need no search
    at = np.searchsorted(instances, sought)
    found = at < len(instances)
    found[found] = instances[at[found]] == sought[found]
    rows: npt.NDArray[np.int64] = at[found]
    return rows
