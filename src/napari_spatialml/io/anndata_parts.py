"""Some parts of an AnnData, in HDF5 or zarr, read without the rest; nothing outside the file is followed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from ..core.count_state import is_raw
from ..errors import BadInput

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Cells", "cells_in", "cells_of", "check_links", "open_h5ad", "open_zarr"]

_COUNT_LAYERS = ("counts", "count", "rawcounts", "raw", "umi", "umis", "umicounts")
_GLANCE = 200_000
"""Values that are looked at before a matrix is read as a whole."""
_VALUES = 1 << 24
"""Values of a dense matrix that are read at once."""


@dataclass(frozen=True)
class Cells:
    """Cells by genes with what is known of both; the counts are those of the rawest part.

    Parameters
    ----------
    obs, var
        Columns of the cells, and of the genes of ``counts``.
    counts
        (m, g) CSR.
    notes
        Where the counts were found, if not in the usual place.
    """

    obs: pd.DataFrame
    var: pd.DataFrame
    counts: sp.csr_matrix
    notes: tuple[str, ...] = ()


@contextmanager
def open_h5ad(path: Path) -> Iterator[Any]:
    """Open an h5ad as a group.

    Raises
    ------
    BadInput
        When it is damaged, or a part of it lies in another file.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            _check_links(file, path.name)
            yield file
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError) as error:  # of h5py and anndata
        raise BadInput(f"The AnnData file '{path.name}' is damaged ({error}).", "Write it again.") from error


@contextmanager
def open_zarr(store: Path, inside: str = "") -> Iterator[Any]:
    """Open an AnnData in a zarr store as a group.

    Parameters
    ----------
    store
        The store.
    inside
        Where in it the AnnData lies, as ``tables/NAME``; "" if the store is the AnnData.

    Raises
    ------
    BadInput
        When there is none, it is damaged, or it leads out of the store.
    """
    import zarr

    folder = store / inside if inside else store
    check_links(store, folder)
    try:
        group = zarr.open_group(str(folder), mode="r")
        if group.attrs.get("encoding-type") != "anndata":
            raise BadInput(f"'{folder.name}' is not an AnnData table.", "Name a table of a store.")
        yield group
    except BadInput:
        raise
    except Exception as error:  # zarr, numcodecs and anndata each raise their own
        told = f"The table '{folder.name}' of '{store.name}' is damaged ({error})."
        raise BadInput(told, "Copy it again.") from error


def check_links(store: Path, folder: Path) -> None:
    """Refuse a folder that lies outside its store, or from which a link leads there.

    Raises
    ------
    BadInput
        When it does; the message names it.
    """
    for found in (folder, *(folder.rglob("*") if folder.resolve().is_relative_to(store.resolve()) else ())):
        if not found.resolve().is_relative_to(store.resolve()):
            where = found.relative_to(store)
            raise BadInput(f"'{where}' in '{store.name}' is a link out of the store.", "Take a copy without links.")


def cells_in(group: Any) -> Cells:
    """Read the cells of an AnnData group: raw counts where any part holds them, else its main matrix."""
    from anndata.io import read_elem

    obs, var = read_elem(group["obs"]), read_elem(group["var"])
    if "X" in group and _looks_raw(group["X"]):
        return Cells(obs, var, _matrix(group["X"]))
    for name in group.get("layers", {}):
        if _spelt(name) in _COUNT_LAYERS and _looks_raw(group["layers"][name]):
            return Cells(obs, var, _matrix(group["layers"][name]), (_taken(f"the layer '{name}'"),))
    if "raw" in group and "X" in group["raw"] and _looks_raw(group["raw"]["X"]):
        raw = group["raw"]
        return Cells(obs, read_elem(raw["var"]), _matrix(raw["X"]), (_taken("its raw part"),))
    if "X" not in group:
        raise BadInput("The reference has no matrix of counts.", "Write it with its counts in X.")
    return Cells(obs, var, _matrix(group["X"]))


def cells_of(table: Any) -> Cells:
    """Return the cells of an AnnData in memory, as `cells_in` does."""
    if table.X is not None and is_raw(table.X):
        return Cells(table.obs, table.var, sp.csr_matrix(table.X))
    for name, layer in table.layers.items():
        if _spelt(name) in _COUNT_LAYERS and is_raw(layer):
            return Cells(table.obs, table.var, sp.csr_matrix(layer), (_taken(f"the layer '{name}'"),))
    if table.raw is not None and is_raw(table.raw.X):
        return Cells(table.obs, table.raw.var, sp.csr_matrix(table.raw.X), (_taken("its raw part"),))
    if table.X is None:
        raise BadInput("The reference has no matrix of counts.", "Choose another table.")
    return Cells(table.obs, table.var, sp.csr_matrix(table.X))


def _taken(where: str) -> str:
    return f"The reference's raw counts were taken from {where}; its main matrix does not hold any."


def _spelt(name: str) -> str:
    return "".join(filter(str.isalnum, name)).lower()


def _looks_raw(held: Any) -> bool:
    """Return whether the first values are whole and not negative."""
    dense = hasattr(held, "shape")
    first = np.asarray(held[: max(1, _GLANCE // max(held.shape[1], 1))] if dense else held["data"][:_GLANCE])
    return first.dtype.kind in "biuf" and is_raw(first)


def _matrix(held: Any) -> sp.csr_matrix:
    """Read a matrix as CSR; a dense one some rows at a time."""
    from anndata.io import read_elem

    if not hasattr(held, "shape"):
        return sp.csr_matrix(read_elem(held))
    step = max(1, _VALUES // max(held.shape[1], 1))
    blocks = [sp.csr_matrix(np.asarray(held[start : start + step])) for start in range(0, held.shape[0], step)]
    return sp.vstack(blocks, format="csr") if blocks else sp.csr_matrix(held.shape)


def _check_links(group: Any, name: str) -> None:
    """Refuse a part that lies in another file."""
    import h5py

    for key in group:
        link = group.get(key, getlink=True)
        inside = None if isinstance(link, h5py.ExternalLink) else group.get(key)
        stored = isinstance(inside, h5py.Dataset) and (inside.external or inside.is_virtual)
        if isinstance(link, h5py.ExternalLink) or stored:
            raise BadInput(
                f"'{group.name.rstrip('/')}/{key}' of '{name}' lies in another file.", "Take a file that is whole."
            )
        if isinstance(inside, h5py.Group) and isinstance(link, h5py.HardLink):
            _check_links(inside, name)
