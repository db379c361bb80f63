"""How far a map agrees with another labelling of the same rows: figures in words, and who is where as a heat map."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from qtpy.QtWidgets import QComboBox, QGridLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from ..errors import BadInput
from ..session.domain_agreement import Agreement, agreement
from ..session.labelling import labelling, labellings
from .domain_window import in_a_line
from .matrix_map import MatrixMap
from .name_box import NameBox
from .style import SPACING, Quiet, tooltip

if TYPE_CHECKING:
    from .domain_compare_window import CompareDomainsWindow

__all__ = ["AgreementPage"]

_MOST = 4
_FIRST = ("layer", "truth", "region", "annotation")
"""Words in the name of what is offered first."""


class AgreementPage(QWidget):
    """The third page of the window that compares domains.

    Parameters
    ----------
    window
        The window.
    """

    title = "With another labelling"

    def __init__(self, window: CompareDomainsWindow) -> None:
        super().__init__(window)
        self.window_of = window
        self.found: Agreement | None = None
        self.other, self.colour_button = NameBox(), QPushButton("Show it")
        self.matrix, self.pair, self.about = MatrixMap(shares=True), Quiet(), Quiet()
        self.figures = [(QLabel(), QLabel(), Quiet()) for _ in range(_MOST)]
        self._key = self._token = ""
        self.other.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.other.setToolTip(tooltip("Another column of the table, or the classes of regions drawn on the tissue."))
        self.other.activated.connect(lambda _i: self.compute())
        self.colour_button.setToolTip(tooltip("Colour the section by the other labelling."))
        self.colour_button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.colour_button.clicked.connect(lambda _checked=False: self._show_other())
        self.matrix.pointed.connect(self._tell)
        self.matrix.clicked.connect(self._select)
        self._lay_out()

    def fill(self) -> None:
        """Offer the other labellings, as they are now."""
        window, kept = self.window_of, self.other.currentData()
        offered = labellings(window.document, window.table, window.column)
        names = sorted(offered, key=lambda n: not any(word in n.lower() for word in _FIRST))
        blocked = self.other.blockSignals(True)
        self.other.clear()
        for name in names:
            self.other.addItem(name, offered[name])
        self.other.setCurrentIndex(max(self.other.findData(kept), 0) if names else -1)
        self.other.blockSignals(blocked)

    def compute(self) -> None:
        """Compare beside the window."""
        window, key = self.window_of, str(self.other.currentData() or "")
        if not key:
            error = BadInput(
                "There is no other labelling of these rows.", "Draw regions, or divide into another column."
            )
            window.fail(error)
            return
        self._key = key
        window.begin(lambda: self._prepared(key), self.show_agreement, "agreement", "Agreement")

    def show_agreement(self, found: Agreement) -> None:
        """Show the figures and the heat map."""
        self.found = found
        for labels, figure in zip(self.figures, [*found.figures(), *[None] * _MOST], strict=False):
            for label in labels:
                label.setVisible(figure is not None)
            if figure is not None:
                labels[0].setText(figure.name)
                labels[1].setText(" : ".join(f"{v:.3f}" for v in figure.values))
                labels[2].setText(figure.means)
        counts = found.counts
        shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
        self.matrix.set_matrix(
            found.rows_named, shares, lambda i, j: f"{100 * shares[i, j]:.0f}" if shares[i, j] >= 0.005 else "", 1.0,
            found.columns_named,
        )  # fmt: skip
        self._tell(-1, -1)
        said = (
            f" {found.found.left_out:,} {self.window_of.word} lack one of the two and count nowhere."
            if found.found.left_out
            else ""
        )
        self.about.setText(
            f"Rows of the matrix are '{found.first.title}', columns '{found.second.title}'; each row sums to 100 %. "
            f"Of CHAOS and PAS the first number is this map's, the second the other's.{said}"
        )
        self.window_of.follow()

    def token(self) -> str:
        """Return what is another one when what is shown is old; "" while nothing is shown."""
        return "" if self.found is None else self._token

    def token_now(self) -> str:
        """Return what `token` would be if it were computed now."""
        window = self.window_of
        return window.labelling().token + labelling(window.document, window.table, self._key).token

    def frame(self) -> pd.DataFrame:
        """Return what is exported: how many rows have each pair of names."""
        if self.found is None:
            raise BadInput("Nothing has been compared yet.", "Choose another labelling.")
        return self.found.frame().reset_index()

    def picture(self, path: Path) -> bool:
        """Write the heat map as a picture; return whether it was written."""
        return bool(self.matrix.picture().save(str(path)))

    def follow_colours(self) -> None:
        """Nothing here has the colours of domains."""

    def follow_state(self, idle: bool) -> None:
        """Nothing depends on it."""
        self.colour_button.setEnabled(not self._key.startswith("regions/"))

    def _prepared(self, key: str) -> object:
        job = agreement(self.window_of.document, self.window_of.table, self.window_of.column, key)
        self._token = self.token_now()
        return job

    def _tell(self, row: int, column: int) -> None:
        found = self.found
        if found is None or row < 0:
            self.pair.setText("Point at a square to read it; a click selects its rows." if found is not None else "")
            return
        a, b, counts = found.rows_named[row], found.columns_named[column], found.counts
        n, of_a, of_b = int(counts[row, column]), int(counts[row].sum()), int(counts[:, column].sum())
        shares = f"{100 * n / max(of_a, 1):.0f} % of {a} and {100 * n / max(of_b, 1):.0f} % of {b}"
        self.pair.setText(f"{a} and {b}: {n:,} {self.window_of.word}, {shares}.")

    def _select(self, row: int, column: int) -> None:
        if self.found is not None:
            a, b = self.found.rows_named[row], self.found.columns_named[column]
            self.window_of.select(self.found.rows(a, b), f"{a} and {b}")

    def _show_other(self) -> None:
        if self._key and not self._key.startswith("regions/"):
            self.window_of.colour_by(f"obs/{self._key}")

    def _lay_out(self) -> None:
        holder = QWidget()
        grid = QGridLayout(holder)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(14)
        grid.setVerticalSpacing(2)
        grid.setColumnStretch(2, 1)
        for row, labels in enumerate(self.figures):
            for column, label in enumerate(labels):
                grid.addWidget(label, row, column)
                label.hide()
            font = labels[1].font()
            font.setBold(True)
            labels[1].setFont(font)
        layout = QVBoxLayout(self)
        layout.setSpacing(SPACING)
        layout.addWidget(in_a_line(QLabel("Compare with"), self.other, self.colour_button, None))
        for part, stretch in ((holder, 0), (self.matrix, 1), (self.pair, 0), (self.about, 0)):
            layout.addWidget(part, stretch)
