"""Which reference: a file of single cells, a table in a store, a table of signatures, or a table of this section."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QFileDialog, QMenu, QVBoxLayout, QWidget

from ..errors import SpatialMLError
from ..io.reference import INSIDE
from ..session.references import OF_TABLE
from .fields import PathField
from .step import choose
from .style import SPACING, Rows

if TYPE_CHECKING:
    from ..session import Document

__all__ = ["AUTOMATIC", "ReferenceField", "possible_columns", "tables_in"]

_MOST = 500
AUTOMATIC, A_FILE = "found by its name", "a file"


def possible_columns(place: Path, inside: str = "") -> tuple[str, ...]:
    """Return the columns of a reference that could name cell types, without reading its counts.

    Parameters
    ----------
    place
        An h5ad, or a store of zarr.
    inside
        The table in the store.

    Returns
    -------
    tuple[str, ...]
        Categorical or text columns; empty where the path is no AnnData: a run says what is wrong with it.
    """
    opened = _opened(place, inside)
    if opened is None:
        return ()
    try:
        with opened as group:
            obs = group["obs"]
            order = [str(name) for name in obs.attrs.get("column-order", list(obs))]
            return tuple(name for name in order if name in obs and _names_types(obs[name]))
    except (SpatialMLError, KeyError):
        return ()


def tables_in(place: Path) -> tuple[str, ...]:
    """Return the names of the tables of a SpatialData store."""
    folder = place / "tables"
    return tuple(sorted(p.name for p in folder.iterdir() if p.is_dir())) if folder.is_dir() else ()


def _opened(place: Path, inside: str) -> AbstractContextManager[Any] | None:
    import h5py

    from ..io.anndata_parts import open_h5ad, open_zarr

    if place.is_dir() and (inside or (place / "obs").is_dir()):
        return open_zarr(place, f"tables/{inside}" if inside else "")
    return open_h5ad(place) if place.is_file() and h5py.is_hdf5(place) else None


def _names_types(column: Any) -> bool:
    if hasattr(column, "keys"):  # a group: codes and categories
        return "categories" in column and 2 <= len(column["categories"]) <= _MOST
    return bool(column.dtype.kind in "OSUT")


class _AnyPath(PathField):
    """A path whose "Browse…" asks for a file or for a store, which is a folder."""

    def __init__(self) -> None:
        super().__init__(as_text=True)
        self.line.setPlaceholderText("h5ad, store or signatures")
        self.browse.clicked.disconnect()
        menu = QMenu(self.browse)
        menu.addAction("File (h5ad, CSV, TSV, parquet)…").triggered.connect(lambda _checked=False: self._open())
        menu.addAction("SpatialData store…").triggered.connect(lambda _checked=False: self._open_store())
        self.browse.setMenu(menu)

    def _open_store(self) -> None:
        dialog = QFileDialog(self, "Choose a store")
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self.line.set_value)
        dialog.open()


class ReferenceField(QWidget):
    """A reference and the column of its cell types."""

    changed = Signal()
    """Another reference or column is chosen."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._document: Document | None = None
        self.sources, self.inside, self.columns = QComboBox(), QComboBox(), QComboBox()
        self.file = _AnyPath()
        self.sources.addItem(A_FILE, A_FILE)
        self.columns.addItem(AUTOMATIC, "")
        self.rows = Rows()
        self._source_label = self.rows.add("Reference", self.sources, "Single cells whose types are known.")
        self._file_label = self.rows.add(
            "Reference",
            self.file,
            "Single cells (h5ad, or a table of a SpatialData store) with a column that names their types; or a table "
            "of signatures, genes by cell types (CSV, TSV, parquet).",
        )
        self._inside_label = self.rows.add("Table in it", self.inside, "Which table of the store holds the cells.")
        self._columns_label = self.rows.add("Cell types", self.columns, "The column that names the cell types.")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        layout.addWidget(self.rows)
        self.sources.activated.connect(lambda _i: self.follow())
        self.file.changed.connect(self.follow)
        self.inside.activated.connect(lambda _i: self.follow())
        self.columns.activated.connect(lambda _i: self.changed.emit())
        self._show_rows()

    def set_document(self, document: Document, spots: str) -> None:
        """Offer the tables of a section that could be references for another of its tables."""
        self._document = document
        tables = [t for t in document.names("tables") if t != spots and _columns_of(document, t)]
        choose(self.sources, [A_FILE, *tables], A_FILE)
        for row, name in enumerate(tables, 1):
            self.sources.setItemText(row, f"table '{name}' of this section")
        self._show_rows()

    def value(self) -> str:
        """Return the reference as a run takes it, "" while none is chosen."""
        source = str(self.sources.currentData())
        if source != A_FILE:
            return f"{OF_TABLE}{source}"
        path = str(self.file.value()).strip()
        inside = str(self.inside.currentData() or "")
        if not path:
            return ""
        place = str(Path(path).expanduser())
        return f"{place}{INSIDE}{inside}" if inside else place

    @property
    def column(self) -> str:
        """The column of cell types; "" for the one found by its name."""
        return str(self.columns.currentData() or "")

    def set_value(self, path: str) -> None:
        """Choose a file or a store."""
        self.sources.setCurrentIndex(0)
        if str(self.file.value()) == path:
            self.follow()
        self.file.set_value(path)

    def set_column(self, name: str, inside: str = "") -> None:
        """Choose the column of the cell types, and the table in a store, where they are there."""
        if inside and self.inside.findData(inside) >= 0:
            self.inside.setCurrentIndex(self.inside.findData(inside))
            self.follow()
        if name != self.column and self.columns.findData(name) >= 0:
            self.columns.setCurrentIndex(self.columns.findData(name))
            self.changed.emit()

    def follow(self) -> None:
        """Offer the tables and columns of another reference."""
        place, source = Path(str(self.file.value()).strip()).expanduser(), str(self.sources.currentData())
        of_file = source == A_FILE
        inside = choose(self.inside, tables_in(place) if of_file and str(place) != "." else ())
        if of_file:
            names = possible_columns(place, inside) if str(place) != "." else ()
        else:
            names = _columns_of(self._document, source) if self._document is not None else ()
        kept = self.column
        self.columns.clear()
        self.columns.addItem(AUTOMATIC, "")
        for name in names:
            self.columns.addItem(name, name)
        self.columns.setCurrentIndex(max(self.columns.findData(kept), 0))
        self._show_rows()
        self.changed.emit()

    def _show_rows(self) -> None:
        of_file = self.sources.currentData() == A_FILE
        several = self.sources.count() > 1
        for part, shown in (
            (self.sources, several),
            (self._source_label, several),
            (self.file, of_file),
            (self._file_label, of_file),
            (self.inside, of_file and self.inside.count() > 1),
            (self._inside_label, of_file and self.inside.count() > 1),
            (self.columns, self.columns.count() > 1),
            (self._columns_label, self.columns.count() > 1),
        ):
            part.setVisible(shown)
        self._file_label.setText("" if several else "Reference")


def _columns_of(document: Document, table: str) -> tuple[str, ...]:
    """Return the columns of a table of the section that could name cell types."""
    held = document.table(table)
    if held.X is None:
        return ()
    ties = held.uns.get("spatialdata_attrs") or {}
    names = [c for c in held.obs if c not in (ties.get("region_key"), ties.get("instance_key"))]
    sized = [(str(c), held.obs[c]) for c in names if isinstance(held.obs[c].dtype, pd.CategoricalDtype)]
    return tuple(name for name, values in sized if 2 <= len(values.cat.categories) <= _MOST)
