"""A single-cell reference: an h5ad with a column that names each cell's type."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..core import Reference
from ..errors import BadInput

if TYPE_CHECKING:
    from anndata import AnnData

__all__ = ["ReferenceFile", "read_reference"]

OBVIOUS = (
    "celltype", "celltypes", "celltypename", "annotation", "annotations", "cellannotation", "cellsubtype",
    "cellclass", "celllabel", "assignedcelltype", "clusterannotation",
)  # fmt: skip
MOST = 500


@dataclass(frozen=True)
class ReferenceFile(Reference):
    """A `Reference` that remembers the column its types came from.

    Parameters
    ----------
    column
        The obs column.
    notes
        What was assumed or left out, one sentence each.
    """

    column: str = ""
    notes: tuple[str, ...] = ()


def read_reference(path: str | Path, column: str | None = None) -> ReferenceFile:
    """Read a single-cell reference.

    Parameters
    ----------
    path
        An h5ad of raw counts, cells × genes.
    column
        The obs column of cell types; None takes the obvious one, if there is exactly one.

    Raises
    ------
    BadInput
        No such file or column, or more than one column could be meant: the message lists them.
    """
    from .anndata_file import is_anndata, load_anndata

    path = Path(path)
    if not path.exists():
        raise BadInput(f"There is no file '{path}'.", "Check the path.")
    if not is_anndata(path):
        raise BadInput(
            f"'{path.name}' is not an AnnData file (h5ad).", "Write the reference with AnnData's write_h5ad."
        )
    notes: list[str] = []
    table = load_anndata(path, notes)
    chosen = _column(table, path, column, notes)
    types = table.obs[chosen]
    known = types.notna().to_numpy() & (types.astype(str).str.strip() != "").to_numpy()
    if not known.all():
        notes.append(f"{int((~known).sum())} of {len(known)} cells have no type in '{chosen}' and were left out.")
    return ReferenceFile(
        counts=table.X[known],
        genes=table.var_names.to_numpy(dtype=str),
        types=types[known].astype(str).to_numpy(dtype=str),
        column=chosen,
        notes=tuple(notes),
    )


def _column(table: AnnData, path: Path, column: str | None, notes: list[str]) -> str:
    possible = _possible(table)
    listed = ", ".join(f"'{name}'" for name in possible) or "none"
    if column is not None:
        if column not in table.obs:
            raise BadInput(f"'{path.name}' has no column '{column}'.", f"Columns that could name cell types: {listed}.")
        return column
    obvious = [name for name in possible if "".join(filter(str.isalnum, name)).lower() in OBVIOUS]
    if len(obvious) == 1:
        notes.append(f"The cell types are those of the column '{obvious[0]}'.")
        return obvious[0]
    raise BadInput(
        f"It is not clear which column of '{path.name}' names the cell types.",
        f"Choose one; those that could: {listed}.",
    )


def _possible(table: AnnData) -> list[str]:
    """Return the columns of names with at least two values, and many cells to a value."""
    found = []
    for name in table.obs:
        values = table.obs[name]
        if values.dtype.kind in "fc":
            continue
        n = int(values.nunique())
        if 2 <= n <= min(MOST, max(2, len(values) // 2)):
            found.append(str(name))
    return found
