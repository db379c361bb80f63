"""What a deconvolution works on: the table of spots, the reference, its column, and the check of both."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from platformdirs import user_cache_path
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from .fields import PathField
from .step import choose
from .style import SPACING, Rows, tooltip

if TYPE_CHECKING:
    from .desk import Desk

__all__ = ["AUTOMATIC", "DeconvolveInputs", "possible_columns"]

_MOST = 500
AUTOMATIC = "found by its name"


def possible_columns(path: Path) -> tuple[str, ...]:
    """Return the columns of a reference that could name cell types, without reading its counts.

    Parameters
    ----------
    path
        An h5ad.

    Returns
    -------
    tuple[str, ...]
        Categorical or text columns; empty where the path is no AnnData file.
    """
    import h5py

    if not path.is_file() or not h5py.is_hdf5(path):
        return ()
    with h5py.File(path, "r") as file:
        obs = file.get("obs")
        if not isinstance(obs, h5py.Group):
            return ()
        order = [str(name) for name in obs.attrs.get("column-order", list(obs))]
        return tuple(name for name in order if name in obs and _names_types(obs[name]))


def _names_types(column: Any) -> bool:
    import h5py

    if isinstance(column, h5py.Group):
        categories = column.get("categories")
        return categories is not None and 2 <= len(categories) <= _MOST
    return bool(column.dtype.kind in "OSU")


class DeconvolveInputs(QWidget):
    """The table of spots, the reference and the column of its cell types.

    Parameters
    ----------
    desk
        The desk.
    """

    changed = Signal()
    """Another table, reference or column is chosen."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.desk = desk
        self.tables, self.columns = QComboBox(), QComboBox()
        self.reference = PathField(as_text=True)
        self.reference.line.setPlaceholderText("an h5ad of single cells")
        self.reference.changed.connect(self.follow_reference)
        self.tables.currentIndexChanged.connect(lambda _i: self.changed.emit())
        self.columns.currentIndexChanged.connect(lambda _i: self.changed.emit())
        self.sample = QPushButton("Take the sample's reference")
        self.sample.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.sample.setToolTip(tooltip("Single cells simulated from the same tissue as the sample section."))
        self.sample.clicked.connect(lambda _checked=False: self.take_sample_reference())
        self.rows = Rows()
        self.rows.add("Spots", self.tables, "The table of raw counts.")
        self.rows.add("Reference", self.reference, "Raw counts of single cells, with a column that names their types.")
        self.rows.add("Cell types", self.columns, "The column of the reference that names the cell types.")
        self.rows.span(self.sample)
        self.columns.addItem(AUTOMATIC, "")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        layout.addWidget(self.rows)

    @property
    def table(self) -> str:
        """The table of spots, or ""."""
        return str(self.tables.currentData() or "")

    @property
    def column(self) -> str:
        """The column of cell types; "" for the one found by its name."""
        return str(self.columns.currentData() or "")

    @property
    def path(self) -> str:
        """The reference as it was typed, or ""."""
        return str(self.reference.value()).strip()

    def fill(self) -> None:
        """Offer the tables of spots."""
        assert self.desk.session is not None
        document = self.desk.session.document
        tables = [t for t in document.names("tables") if document.annotated(t) and document.table(t).X is not None]
        shapes = document.names("shapes")
        choose(self.tables, sorted(tables, key=lambda t: (document.annotated(t) not in shapes, t)))
        self.sample.setVisible(self.desk.simulated and not self.path)

    def take_sample_reference(self) -> None:
        """Write the single cells that fit the sample section, and choose them."""
        from ..io.sample import sample_reference

        assert self.desk.session is not None
        sources = self.desk.session.document.attribute("sources", [])
        seed = int(next((s.get("seed", 0) for s in sources), 0))
        path = user_cache_path("napari-spatialml", ensure_exists=True) / f"sample_reference_{seed}.h5ad"
        if not path.exists():
            partial = path.with_suffix(".partial")
            sample_reference(seed).write_h5ad(partial)
            partial.replace(path)
        self.reference.set_value(str(path))

    def follow_reference(self) -> None:
        """Offer the columns of another reference."""
        kept = self.column
        blocked = self.columns.blockSignals(True)
        self.columns.clear()
        self.columns.addItem(AUTOMATIC, "")
        try:
            names = possible_columns(Path(self.path).expanduser())
        except OSError:
            names = ()  # the run says what is wrong with the file
        for name in names:
            self.columns.addItem(name, name)
        self.columns.setCurrentIndex(max(self.columns.findData(kept), 0))
        self.columns.blockSignals(blocked)
        self.changed.emit()
