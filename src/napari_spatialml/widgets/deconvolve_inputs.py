"""What a deconvolution works on: the table of spots, the reference, and what the check of both found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from platformdirs import user_cache_path
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QPushButton, QSizePolicy, QVBoxLayout, QWidget

from ..io.reference import split_place
from ..session import DeconvolutionSelection
from ..session.proportions import ATTRIBUTE as DECONVOLUTIONS
from ..session.references import OF_TABLE
from .name_box import NameBox
from .reference_check import Asked, ReferenceCheck
from .reference_field import ReferenceField
from .step import choose
from .style import SPACING, Quiet, Rows, tooltip

if TYPE_CHECKING:
    from .desk import Desk

__all__ = ["DeconvolveInputs"]

_LONGEST = 30
"""Letters of a file's name on a button."""


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
        self.tables, self.reference, self.check = NameBox(), ReferenceField(), ReferenceCheck()
        self.sample = QPushButton("Take the sample's reference")
        self.sample.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.sample.setToolTip(tooltip("Single cells simulated from the same tissue as the sample section."))
        self.sample.clicked.connect(lambda _checked=False: self.take_sample_reference())
        self.former = QPushButton()
        self.former.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.former.clicked.connect(lambda _checked=False: self.take_former_reference())
        self.free = Quiet(
            "No reference: types are learnt from the spots themselves, and named by their genes. Or choose one:"
        )
        rows = Rows()
        rows.add("Spots", self.tables, "The table of raw counts.")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        for part in (rows, self.free, self.reference, self.former, self.sample, self.check):
            layout.addWidget(part)
        self.tables.activated.connect(lambda _i: self._on_chosen())
        self.reference.changed.connect(self._on_chosen)
        self.check.changed.connect(self.changed)
        desk.opened.connect(self.check.clear)
        self.set_reference_free(False)

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
        self._offer_former()
        self.sample.setVisible(self.desk.simulated and not self.reference.value())
        self._check()

    def set_reference_free(self, free: bool) -> None:
        """Say that no reference is needed, where the method does without."""
        self._reference_free = free
        self.free.setVisible(free and not self.reference.value())

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

    def take_former_reference(self) -> None:
        """Choose the reference that the section's result was made with, and its column."""
        made = self._former()
        if made:
            place, inside = split_place(str(made["reference"]))
            self.reference.set_value(str(place))
            self.reference.set_column(str(made.get("column") or ""), inside)

    def _former(self) -> dict[str, Any]:
        """Return how the last result of the table was made; empty where that names no file."""
        assert self.desk.session is not None
        held = self.desk.session.document.attribute(DECONVOLUTIONS, {})
        known = [e for e in held.values() if isinstance(e, dict)] if isinstance(held, dict) else []
        made = [e for e in known if e.get("table") == self.table and isinstance(e.get("reference"), str)]
        last = made[-1] if made else {}
        return {} if str(last.get("reference", "")).startswith(OF_TABLE) else last

    def _offer_former(self) -> None:
        """Offer the reference of the last result by its name. Its path comes from a file: only a click reads it."""
        made = self._former() if not self.reference.value() else {}
        place = str(made.get("reference", ""))
        self.former.setVisible(bool(place))
        name = split_place(place)[0].name if place else ""
        self.former.setText(f"Take {name if len(name) <= _LONGEST else name[:_LONGEST] + '…'} again")
        self.former.setToolTip(tooltip(f"The reference of the result that is here: {place}"))

    def _on_chosen(self) -> None:
        if self.desk.session is not None:
            self._check()
        self.set_reference_free(self._reference_free)
        self.changed.emit()

    def _check(self) -> None:
        """Check what is chosen, beside the window."""
        assert self.desk.session is not None
        if self.table and self.reference.value():
            self.check.ask(self.desk.session.document, Asked(self.table, self.reference.value(), self.reference.column))
        else:
            self.check.clear()
