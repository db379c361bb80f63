"""The Deconvolve dock: proportions of cell types in every spot, and how they are shown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from platformdirs import user_cache_path
from qtpy.QtWidgets import QComboBox, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from ..errors import BadInput
from ..session import DeconvolutionSelection, Selection
from .fields import PathField
from .step import MethodStep, choose
from .style import SPACING, Rows, tooltip

if TYPE_CHECKING:
    from ..views.state import ColourBy

__all__ = ["DeconvolveDock", "possible_columns"]

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


class DeconvolveDock(MethodStep):
    """Estimate which cell types make up each spot."""

    kind = "deconvolution"
    title = "Deconvolve"
    sentence = "Estimate the proportions of cell types in every spot from single cells with known types."

    def make_inputs(self) -> QWidget:
        """Make the fields for the table, the reference and its column."""
        self.tables, self.columns = QComboBox(), QComboBox()
        self.reference = PathField(as_text=True)
        self.reference.line.setPlaceholderText("an h5ad of single cells")
        self.reference.changed.connect(self._follow_reference)
        self.sample = QPushButton("Take the sample's reference")
        self.sample.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.sample.setToolTip(tooltip("Single cells simulated from the same tissue as the sample section."))
        self.sample.clicked.connect(lambda _checked=False: self.take_sample_reference())
        rows = Rows()
        rows.add("Spots", self.tables, "The table of raw counts.")
        rows.add("Reference", self.reference, "Raw counts of single cells, with a column that names their types.")
        rows.add("Cell types", self.columns, "The column of the reference that names the cell types.")
        rows.span(self.sample)
        self.columns.addItem(AUTOMATIC, "")
        return rows

    def make_correct(self) -> QWidget:
        """Make the chooser of what is shown of the result."""
        self.shown = QComboBox()
        self.shown.setToolTip("What the spots are coloured by.")
        self.shown.activated.connect(lambda _i: self._colour())
        rows = Rows()
        rows.add("Show", self.shown)
        self._result = QWidget()
        layout = QVBoxLayout(self._result)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        layout.addWidget(rows)
        return self._result

    def make(self) -> QWidget:
        """Make the panel; its last part chooses what is shown, since the hand corrects no proportions."""
        panel = super().make()
        self.panel._correct_heading.rename("Result")
        return panel

    def fill(self) -> None:
        """Offer the tables of spots, and the cell types found."""
        document = self.session.document
        tables = [t for t in document.names("tables") if document.annotated(t) and document.table(t).X is not None]
        choose(self.tables, sorted(tables, key=lambda t: (not _counts(document, t), t)))
        self.sample.setVisible(self.desk.simulated)
        table, frame = self._proportions()
        types = [str(c) for c in frame.columns] if frame is not None else []
        views = {"dominant type": "obs/proportions_dominant", **{t: f"obsm/proportions/{t}" for t in types}}
        blocked = self.shown.blockSignals(True)
        self.shown.clear()
        for text, key in views.items():
            self.shown.addItem(text, (table, key))
        keys = list(views.values())
        now = self._key_shown(table)
        self.shown.setCurrentIndex(keys.index(now) if now in keys else 0)
        self.shown.blockSignals(blocked)
        self._result.setEnabled(bool(types))

    def waiting_for(self) -> str:
        """Return what is missing."""
        if not self.tables.currentData():
            return "This section has no table of spots. Open one under Section."
        if not self.reference.value().strip():
            return "Choose a reference: single cells whose types are known, as an h5ad file."
        return ""

    def selection(self) -> Selection:
        """Return the table and the reference chosen."""
        path = Path(self.reference.value().strip()).expanduser()
        if not path.is_file():
            raise BadInput(f"There is no file '{path}'.", "Choose the reference again.")
        return DeconvolutionSelection(str(self.tables.currentData()), str(path), self.columns.currentData() or "")

    def show_result(self, selection: Selection) -> None:
        """Colour the spots by their dominant cell type."""
        self.shown.setCurrentIndex(0)
        self.desk.show_over_histology(self.session.document.annotated(self.shown.currentData()[0]))
        self._colour()

    def take_sample_reference(self) -> None:
        """Write the single cells that fit the sample section, and choose them."""
        from ..io.sample import sample_reference

        sources = self.session.document.attribute("sources", [])
        seed = int(next((s.get("seed", 0) for s in sources), 0))
        path = user_cache_path("napari-spatialml", ensure_exists=True) / f"sample_reference_{seed}.h5ad"
        if not path.exists():
            partial = path.with_suffix(".partial")
            sample_reference(seed).write_h5ad(partial)
            partial.replace(path)
        self.reference.set_value(str(path))
        self._follow_reference()

    def _follow_reference(self) -> None:
        path = Path(self.reference.value().strip()).expanduser()
        kept = self.columns.currentData() or ""
        self.columns.clear()
        self.columns.addItem(AUTOMATIC, "")
        try:
            names = possible_columns(path)
        except OSError:
            names = ()  # the run says what is wrong with the file
        for name in names:
            self.columns.addItem(name, name)
        self.columns.setCurrentIndex(max(self.columns.findData(kept), 0))
        self.mark_stale()

    def _proportions(self) -> tuple[str, Any]:
        document = self.session.document
        chosen = self.tables.currentData()
        for table in dict.fromkeys([chosen, *document.names("tables")]):
            if table and "proportions" in document.table(table).obsm:
                frame = document.table(table).obsm["proportions"]
                if hasattr(frame, "columns"):
                    return str(table), frame
        return "", None

    def _key_shown(self, table: str) -> str:
        presenter, element = self.desk.presenter, self.session.document.annotated(table) if table else ""
        colour = presenter.colour_of(element) if presenter is not None and element else None
        return colour.key if colour is not None else ""

    def _colour(self) -> None:
        data = self.shown.currentData()
        if data is None or self.desk.presenter is None or not data[0]:
            return
        element = self.session.document.annotated(data[0])
        self.desk.presenter.colour_by(element, _colour_by(*data))


def _colour_by(table: str, key: str) -> ColourBy:
    from ..views.state import ColourBy

    return ColourBy(table, key)


def _counts(document: Any, table: str) -> bool:
    """Return whether a table looks like spots: it annotates shapes."""
    element = document.annotated(table)
    return element in document.names("shapes")
