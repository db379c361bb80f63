"""A reference of cell types: single cells with their types in an AnnData, or a table of signatures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from ..core import Reference
from ..core.count_state import State, as_counts
from ..core.gene_names import OWN, names_of
from ..errors import BadInput
from .anndata_parts import Cells, cells_in, cells_of, check_links, open_h5ad, open_zarr
from .signature_table import is_signatures, read_signatures

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

__all__ = ["INSIDE", "ReferenceFile", "read_reference", "split_place", "table_inside", "table_reference"]

OBVIOUS = (
    "celltype", "celltypes", "celltypename", "annotation", "annotations", "cellannotation", "cellsubtype",
    "cellclass", "celllabel", "assignedcelltype", "clusterannotation",
)  # fmt: skip
MOST = 500
"""Cell types that a column may name."""
INSIDE = "::"
"""Between a store's path and the name of a table in it."""


@dataclass(frozen=True)
class ReferenceFile(Reference):
    """A `Reference` that remembers where it came from.

    Parameters
    ----------
    column
        The obs column of the types; "" for signatures.
    notes
        What was assumed, left out or turned back, one sentence each.
    state
        What the values were.
    names
        Every way in which the genes are named: (g,) arrays, ``genes`` among them as "names".
    """

    column: str = ""
    notes: tuple[str, ...] = ()
    state: State = "raw"
    names: Mapping[str, Any] = field(default_factory=dict)


def read_reference(
    path: str | Path, column: str | None = None, genes: Mapping[str, Any] | None = None
) -> ReferenceFile:
    """Read a reference.

    Parameters
    ----------
    path
        An h5ad, or an AnnData in zarr, of cells × genes; ``store.zarr::table``, a table of a SpatialData store;
        or a table of signatures as CSV, TSV or parquet.
    column
        The obs column of cell types; None takes the obvious one, if there is exactly one.
    genes
        By what the spots call their genes: tells which side of a table of signatures holds genes.

    Raises
    ------
    BadInput
        No such file or column, values that are no counts, or more than one column could be meant: the
        message lists them.
    """
    from .anndata_file import is_anndata, load_anndata

    place, inside = split_place(path)
    if not place.exists():
        raise BadInput(f"There is no file '{place}'.", "Check the path.")
    if place.is_dir():
        with open_zarr(place, table_inside(place, inside)) as group:
            return _labelled(cells_in(group), inside or place.name, column)
    if is_anndata(place):
        with open_h5ad(place) as group:
            cells = cells_of(load_anndata(place, [])) if hasattr(group["obs"], "dtype") else cells_in(group)
            return _labelled(cells, place.name, column)  # before 0.7 anndata kept columns as records
    if is_signatures(place):
        return _signatures(place, genes)
    raise BadInput(
        f"'{place.name}' is not an AnnData file (h5ad), nor a table of signatures.",
        "Write the reference with AnnData's write_h5ad, or a table of genes by cell types as CSV.",
    )


def table_reference(table: AnnData, name: str, column: str | None = None) -> ReferenceFile:
    """Return the cells of an open table as a reference.

    Raises
    ------
    BadInput
        As `read_reference`.
    """
    return _labelled(cells_of(table), name, column)


def split_place(path: str | Path) -> tuple[Path, str]:
    """Return a reference's file or store, and the name of the table in it, if one is named."""
    place, _, inside = str(path).partition(INSIDE)
    return Path(place).expanduser(), inside


def table_inside(store: Path, inside: str = "") -> str:
    """Return where the table lies in a store: the one named, the only one, or "", the store itself.

    Raises
    ------
    BadInput
        When there is no such table, or several and none named, or a link in it leads out of the store.
    """
    tables = sorted(p.name for p in (store / "tables").iterdir() if p.is_dir()) if (store / "tables").is_dir() else []
    listed = ", ".join(f"'{name}'" for name in tables) or "none"
    if inside and inside not in tables:
        raise BadInput(f"'{store.name}' has no table '{inside}'.", f"Its tables: {listed}.")
    if not inside and len(tables) > 1:
        raise BadInput(f"'{store.name}' has several tables: {listed}.", f"Name one: {store.name}{INSIDE}{tables[0]}.")
    found = f"tables/{inside or tables[0]}" if tables else ""
    check_links(store, store / found)
    return found


def _labelled(cells: Cells, name: str, column: str | None) -> ReferenceFile:
    notes = list(cells.notes)
    chosen = _column(cells.obs, name, column, notes)
    types = cells.obs[chosen]
    known = types.notna().to_numpy() & (types.astype(str).str.strip() != "").to_numpy()
    n_types = int(types.nunique())
    if n_types > MOST:
        raise BadInput(
            f"The column '{chosen}' of '{name}' has {n_types:,} different values, too many for cell types.",
            f"Choose another; those that could: {_listed(cells.obs)}.",
        )
    if not known.all():
        notes.append(f"{int((~known).sum())} of {len(known)} cells have no type in '{chosen}' and were left out.")
    matrix = cells.counts if known.all() else cells.counts[known]
    if min(matrix.shape) == 0:
        raise BadInput(f"The reference '{name}' is empty: {matrix.shape[0]} × {matrix.shape[1]}.", "Choose another.")
    counts, state, told = as_counts(matrix, f"the reference's values in '{name}'")
    named = names_of(cells.var.index, {str(c): cells.var[c] for c in cells.var})
    return ReferenceFile(
        counts=counts,
        genes=named[OWN],
        types=types[known].astype(str).to_numpy(dtype=str),
        column=chosen,
        notes=(*notes, *told),
        state=state,
        names=named,
    )


def _signatures(path: Path, genes: Mapping[str, Any] | None) -> ReferenceFile:
    values, named, types = read_signatures(path, genes)
    note = f"'{path.name}' holds signatures of {len(types)} cell types: how their cells vary is not known."
    counts = sp.csr_matrix(values)
    return ReferenceFile(counts, named[OWN], np.asarray(types), notes=(note,), state="signatures", names=named)


def _column(obs: pd.DataFrame, name: str, column: str | None, notes: list[str]) -> str:
    listed = _listed(obs)
    if column is not None:
        if column not in obs:
            raise BadInput(f"'{name}' has no column '{column}'.", f"Columns that could name cell types: {listed}.")
        return column
    obvious = [title for title in _possible(obs) if "".join(filter(str.isalnum, title)).lower() in OBVIOUS]
    if len(obvious) == 1:
        notes.append(f"The cell types are those of the column '{obvious[0]}'.")
        return obvious[0]
    if listed == "none":
        raise BadInput(
            f"It is not clear which column of '{name}' names the cell types: none holds two or more names.",
            "Add one to its cells, and write it again; or choose another reference.",
        )
    raise BadInput(
        f"It is not clear which column of '{name}' names the cell types.",
        f"Choose one; those that could: {listed}.",
    )


def _listed(obs: pd.DataFrame) -> str:
    return ", ".join(f"'{title}'" for title in _possible(obs)) or "none"


def _possible(obs: pd.DataFrame) -> list[str]:
    """Return the columns of names with at least two values, and many cells to a value."""
    found = []
    for name in obs:
        values = obs[name]
        if values.dtype.kind in "fc":
            continue
        n = int(values.nunique())
        if 2 <= n <= min(MOST, max(2, len(values) // 2)):
            found.append(str(name))
    return found
