"""A table whose matrix stays in its store until somebody asks for it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from anndata import AnnData, settings

from ..errors import BadInput
from . import stored_counts

if TYPE_CHECKING:
    from spatialdata import SpatialData

__all__ = ["StoredTable", "large_tables", "put_tables"]

_READING = threading.Lock()
_PARTS = ("layers", "obsm", "varm", "obsp", "varp", "uns")


class StoredTable(AnnData):
    """An AnnData that reads its matrix when it is first asked for; whoever asks sees no difference.

    Millions of bins are deconvolved without it: `stored` says where the counts lie as long as nobody did.
    """

    @classmethod
    def waiting(cls, folder: Path, parts: dict[str, Any]) -> StoredTable:
        """Return a table with its parts, whose matrix lies in ``folder / "X"``."""
        made = cls(**parts)
        made.__dict__["_stored"] = (folder, _looks(folder))
        return made

    def read_through(self, other: StoredTable) -> None:
        """Take the matrix of another table: that one reads it, and so has it still when a save replaces the file."""
        self.__dict__["_source"] = other

    @property
    def stored(self) -> Path | None:
        """The folder of the matrix as long as it was not read and is what it was, else None."""
        source = self.__dict__.get("_source")
        if source is not None:
            return source.stored  # type: ignore[no-any-return]
        where = self.__dict__.get("_stored")
        return where[0] / "X" if where is not None and _looks(where[0]) == where[1] else None

    @property
    def isbacked(self) -> bool:
        """Never: anndata's own way of leaving a matrix on disk is not used."""
        return False

    @property
    def _X(self) -> Any:
        """What anndata reads and sets as its matrix."""
        if "_source" in self.__dict__:
            return self.__dict__["_source"]._X
        if self.__dict__.get("_stored") is not None:
            with _READING:
                if self.__dict__.get("_stored") is not None:
                    self.__dict__["_matrix"] = self._read()
                    self.__dict__["_stored"] = None
        return self.__dict__.get("_matrix")

    @_X.setter
    def _X(self, value: Any) -> None:
        self.__dict__.pop("_source", None)
        self.__dict__["_matrix"], self.__dict__["_stored"] = value, None

    def _read(self) -> Any:
        import zarr
        from anndata.io import read_elem

        folder, looked = self.__dict__["_stored"]
        if _looks(folder) != looked:
            raise BadInput(
                f"The table '{folder.name}' was replaced in its store since it was opened.", "Open the section again."
            )
        try:
            return read_elem(zarr.open_group(str(folder), mode="r")["X"])
        except Exception as error:  # zarr, its codecs and anndata each raise their own
            raise BadInput(f"The counts of '{folder.name}' are damaged ({error}).", "Copy the store again.") from error

    def plain(self) -> AnnData:
        """Return an AnnData with the same parts, not copied: anndata writes no other class."""
        with settings.override(check_uniqueness=False):
            made = AnnData(X=self.X, obs=self.obs, var=self.var, uns=dict(self.uns))
        for part in ("obsm", "layers", "obsp", "varm", "varp"):
            setattr(made, f"_{part}", dict(getattr(self, part).items()))
        made._raw = self._raw
        return made


def large_tables(store: Path) -> tuple[str, ...]:
    """Return the names of a store's tables whose matrix is large and can be read by rows."""
    import zarr

    found = []
    for folder in sorted((store / "tables").glob("*")):
        if folder.is_dir() and (folder / "X").is_dir():
            table: Any = zarr.open_group(str(folder), mode="r")
            plain = "raw/X" not in table and "raw.X" not in table and table.attrs.get("encoding-type") == "anndata"
            if plain and stored_counts.n_values(table["X"]) >= stored_counts.LARGE:
                found.append(folder.name)
    return tuple(found)


def put_tables(document: SpatialData, store: Path, large: tuple[str, ...]) -> None:
    """Add a store's tables to what was read without them; the matrices of the large ones are not read."""
    from anndata import read_zarr

    for folder in sorted((store / "tables").glob("*")):
        if folder.is_dir() and not folder.name.startswith("."):
            table = _waiting(folder) if folder.name in large else read_zarr(str(folder))
            told = table.uns.get("spatialdata_attrs")
            if told is not None:
                region = told.get("region")
                told |= {key: told.get(key) for key in ("region", "region_key", "instance_key")}
                told["region"] = region.tolist() if isinstance(region, np.ndarray) else region
            document.tables[folder.name] = table


def _waiting(folder: Path) -> StoredTable:
    import zarr
    from anndata.io import read_elem

    group: Any = zarr.open_group(str(folder), mode="r")
    parts = {part: read_elem(group[part]) for part in ("obs", "var", *_PARTS) if part in group}
    return StoredTable.waiting(folder, parts)


def _looks(folder: Path) -> tuple[int, ...]:
    """Return when the matrix's metadata were written, by which one that was replaced is known."""
    held = (folder / "X" / name for name in ("zarr.json", ".zgroup", ".zattrs", ".zarray", "indptr/zarr.json"))
    return tuple(p.stat().st_mtime_ns if p.is_file() else 0 for p in held)
