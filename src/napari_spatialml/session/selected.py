"""The selection of rows: cells, spots or pixels that a person marked, and those that are kept by name.

A kept selection is a boolean column of its table, so that every other program can read it, and an entry
of the attribute ``selections`` that knows its name and how it came about.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import BadInput, DocumentError

if TYPE_CHECKING:
    from .document import Document

__all__ = ["HOW", "SELECTIONS", "Kept", "Selected", "column_for", "kept_selection", "kept_selections", "selected_rows"]

SELECTIONS = "selections"
"""Our attribute: {table: {name: {"column": …, "said": …}}}."""
HOW = ("new", "add", "take away", "both")
"""How a selection joins the one before it."""


@dataclass(frozen=True, eq=False)
class Selected:
    """Rows of a table that the person has selected.

    Parameters
    ----------
    table
        The table.
    rows
        Places in the table, sorted, no doubles; anything else is sorted here.
    said
        How they were selected: "lasso on the canvas", "query domain == 'L4'".
    """

    table: str
    rows: npt.NDArray[np.int64]
    said: str = ""

    def __post_init__(self) -> None:
        rows = np.asarray(self.rows, dtype=np.int64).ravel()
        if len(rows) > 1 and not bool((rows[1:] > rows[:-1]).all()):
            rows = np.unique(rows)
        object.__setattr__(self, "rows", rows)

    def __len__(self) -> int:
        return len(self.rows)

    def joined(self, other: Selected, how: str) -> Selected:
        """Return this selection joined with another, which came after it.

        Parameters
        ----------
        other
            The later one. Of another table, it stands alone, whatever ``how`` says.
        how
            "new" (the other alone), "add", "take away" (this without the other) or "both" (what is in either).

        Raises
        ------
        BadInput
            When ``how`` is none of these.
        """
        if how not in HOW:
            raise BadInput(f"'{how}' is no way to join selections.", f"Choose one of: {', '.join(HOW)}.")
        if how == "new" or (self.table != other.table and how == "add"):
            return other
        if self.table != other.table:
            return Selected(other.table, np.empty(0, np.int64), other.said)
        said = f"{self.said}, {_WORDS[how]} {other.said}" if self.said else other.said
        return Selected(self.table, _JOIN[how](self.rows, other.rows), said)

    def mask(self, n: int) -> npt.NDArray[np.bool_]:
        """Return (n,) whether each row of the table is selected."""
        out = np.zeros(n, dtype=bool)
        out[self.rows] = True
        return out


_WORDS = {"add": "and", "take away": "without", "both": "within"}
_JOIN: dict[str, Any] = {
    "add": np.union1d,
    "take away": lambda a, b: np.setdiff1d(a, b, assume_unique=True),
    "both": lambda a, b: np.intersect1d(a, b, assume_unique=True),
}


@dataclass(frozen=True)
class Kept:
    """A selection that is kept in the document by name."""

    table: str
    name: str
    column: str
    said: str


def kept_selections(document: Document, table: str = "") -> tuple[Kept, ...]:
    """Return the selections that are kept, of one table or of all; none whose column is gone."""
    held = document.attribute(SELECTIONS, {})
    return tuple(
        Kept(of, name, entry["column"], entry.get("said", ""))
        for of, named in held.items()
        if of in document.sdata.tables and (not table or of == table)
        for name, entry in named.items()
        if entry["column"] in document.table(of).obs
    )


def kept_selection(document: Document, table: str, name: str) -> Kept:
    """Return one selection by its name.

    Raises
    ------
    DocumentError
        When none is called so.
    """
    found = kept_selections(document, table)
    for kept in found:
        if kept.name == name:
            return kept
    have = ", ".join(k.name for k in found) or "none"
    raise DocumentError(f"The table '{table}' has no selection '{name}'.", f"Its selections: {have}.")


def selected_rows(document: Document, kept: Kept) -> Selected:
    """Return the rows of a kept selection as they are now: cells that are gone have left it."""
    values = document.table(kept.table).obs[kept.column]
    return Selected(kept.table, np.flatnonzero(values.fillna(False).to_numpy(dtype=bool)), kept.name)


def column_for(name: str, taken: Any) -> str:
    """Return a name of a column for a selection: ASCII letters, digits and underscores, not among those taken."""
    plain = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_") or "rows"
    wanted, column, k = f"selection_{plain}", f"selection_{plain}", 1
    have = {str(t).lower() for t in taken}  # a store may not tell "A" from "a"
    while column.lower() in have:
        k += 1
        column = f"{wanted}_{k}"
    return column
