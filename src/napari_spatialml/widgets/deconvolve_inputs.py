"""What a deconvolution works on: the table of spots, the reference, and what the check of both found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from platformdirs import user_cache_path
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from ..session import DeconvolutionSelection
from .reference_check import Asked, ReferenceCheck
from .reference_field import ReferenceField
from .step import choose
from .style import SPACING, Rows, tooltip

if TYPE_CHECKING:
    from .desk import Desk

__all__ = ["DeconvolveInputs"]


class DeconvolveInputs(QWidget):
    """The table of spots, the reference and the column of its cell types; it is checked as soon as it is chosen.

    Parameters
    ----------
    desk
        The desk.
    """

    changed = Signal()
    """Another table, reference or column is chosen, other types are merged, or the check has ended."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.desk = desk
        self.tables, self.reference, self.check = QComboBox(), ReferenceField(), ReferenceCheck()
        self.sample = QPushButton("Take the sample's reference")
        self.sample.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.sample.setToolTip(tooltip("Single cells simulated from the same tissue as the sample section."))
        self.sample.clicked.connect(lambda _checked=False: self.take_sample_reference())
        rows = Rows()
        rows.add("Spots", self.tables, "The table of raw counts.")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        for part in (rows, self.reference, self.sample, self.check):
            layout.addWidget(part)
        self.tables.activated.connect(lambda _i: self._on_chosen())
        self.reference.changed.connect(self._on_chosen)
        self.check.changed.connect(self.changed)
        desk.opened.connect(self.check.clear)

    @property
    def table(self) -> str:
        """The table of spots, or ""."""
        return str(self.tables.currentData() or "")

    def fill(self) -> None:
        """Offer the tables of spots, and what could be a reference; check what is chosen."""
        assert self.desk.session is not None
        document = self.desk.session.document
        tables = [t for t in document.names("tables") if document.annotated(t) and document.table(t).X is not None]
        shapes = document.names("shapes")
        choose(self.tables, sorted(tables, key=lambda t: (document.annotated(t) not in shapes, t)))
        self.reference.set_document(document, self.table)
        self.sample.setVisible(self.desk.simulated and not self.reference.value())
        self._check()

    def selection(self) -> DeconvolutionSelection:
        """Return what a run works on."""
        place = self.table, self.reference.value(), self.reference.column
        return DeconvolutionSelection(*place, merged=self.check.merged)

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

    def _on_chosen(self) -> None:
        if self.desk.session is not None:
            self._check()
        self.changed.emit()

    def _check(self) -> None:
        """Check what is chosen, beside the window."""
        assert self.desk.session is not None
        if self.table and self.reference.value():
            self.check.ask(self.desk.session.document, Asked(self.table, self.reference.value(), self.reference.column))
        else:
            self.check.clear()
