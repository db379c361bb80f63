"""What is said of spots by hand: that a type has a share, is not there, has at least so much, or is an artefact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from .number import DecimalField
from .step import choose
from .style import Quiet, Rows

__all__ = ["ARTEFACT", "LEAST", "NONE", "SET", "Saying"]

SET, NONE, LEAST, ARTEFACT = "This type's share is …", "This type is not here", "This type is at least …", "Artefact"
_HELP = {
    SET: "The other types share the rest as the counts say.",
    NONE: "Whatever the counts suggest.",
    LEAST: "More of it, if the counts say so.",
    ARTEFACT: "Nothing is learnt from these spots, and no mean counts them: folds, debris, bubbles.",
}
_WHAT = {"override": SET, "forbidden": NONE, "minimum": LEAST, "artefact": ARTEFACT}


class Saying(QWidget):
    """The fields of one statement: what, of which type, how much, and why."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.what, self.type, self.share, self.reason = QComboBox(), QComboBox(), DecimalField(), QLineEdit()
        for name in _HELP:
            self.what.addItem(name, name)
        self.what.currentIndexChanged.connect(lambda _i: self._follow())
        self.share.setRange(0.0, 100.0)
        self.share.setDecimals(0)
        self.share.setSuffix(" %")
        self.share.setValue(80.0)
        self.share.setKeyboardTracking(False)
        self.reason.setPlaceholderText("why (kept with the section)")
        self._hint, self._of, rows = Quiet(), QWidget(), Rows()
        across = QHBoxLayout(self._of)
        across.setContentsMargins(0, 0, 0, 0)
        across.setSpacing(4)
        across.addWidget(self.type, 1)
        across.addWidget(self.share)
        for box in (self.what, self.type):
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(6)
        rows.add("Say", self.what, "What holds in the spots selected.")
        self._of_label = rows.add("Cell type", self._of, "Which type, and how much of it.")
        rows.span(self._hint)
        rows.add("Reason", self.reason, "Kept with the section, and shown in the list and the table.")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(rows)
        self._follow()

    def set_types(self, types: Sequence[str]) -> None:
        """Offer the types of a result."""
        choose(self.type, types, types[0])

    @property
    def value(self) -> float | None:
        """The share, 0 to 1; None where the statement has none."""
        return self.share.value() / 100 if self.what.currentData() in (SET, LEAST) else None

    @property
    def why(self) -> str:
        """The reason, or ""."""
        return self.reason.text().strip()

    def said(self) -> tuple[str, dict[str, Any]]:
        """Return the correction that the fields stand for, and what it is given beside rows, place and reason."""
        what, of = self.what.currentData(), {"cell_type": str(self.type.currentData())}
        if what == SET:
            return "override-proportion", {**of, "value": self.value}
        if what == LEAST:
            return "require-cell-type", {**of, "minimum": self.value}
        return ("forbid-cell-type", of) if what == NONE else ("mark-spots-artefact", {})

    def show_entry(self, entry: Mapping[str, Any]) -> None:
        """Show what was laid down before; its share and its reason can be changed."""
        self.what.setCurrentIndex(self.what.findData(_WHAT.get(str(entry.get("what")), SET)))
        self.type.setCurrentIndex(max(self.type.findData(entry.get("cell_type")), 0))
        self.share.setValue(100 * float(entry.get("value") or 0.0))
        self.reason.setText(str(entry.get("reason", "")))

    def lock(self, locked: bool) -> None:
        """Let only the share and the reason be changed."""
        for part in (self.what, self.type):
            part.setEnabled(not locked)

    def _follow(self) -> None:
        """Show the fields that what is chosen needs."""
        what = str(self.what.currentData())
        for part in (self._of, self._of_label):
            part.setVisible(what != ARTEFACT)
        self.share.setVisible(what in (SET, LEAST))
        self._hint.setText(_HELP[what])
