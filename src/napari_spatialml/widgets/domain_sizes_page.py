"""How large the domains are, and with which others each has its border."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QSplitter,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from ..errors import BadInput
from ..session.domain_sizes import DomainSizes, domain_sizes
from .matrix_map import MatrixMap
from .style import SPACING, Quiet, swatch

if TYPE_CHECKING:
    from .domain_compare_window import CompareDomainsWindow

__all__ = ["SizesPage"]

_ROW = 22


class SizesPage(QWidget):
    """The second page of the window that compares domains.

    Parameters
    ----------
    window
        The window.
    """

    title = "Sizes and borders"

    def __init__(self, window: CompareDomainsWindow) -> None:
        super().__init__(window)
        self.window_of = window
        self.found: DomainSizes | None = None
        self.table, self.matrix, self.pair = _table(), MatrixMap(shares=True), Quiet()
        self._token = ""
        self.table.cellClicked.connect(self._on_row)
        self.matrix.pointed.connect(self._tell)
        self.matrix.clicked.connect(self._select)
        self.matrix.setToolTip(
            "Each row: with which other domains this one has its border. A click selects its rows there."
        )
        split = QSplitter(Qt.Orientation.Horizontal)
        split.addWidget(self.table)
        split.addWidget(self.matrix)
        split.setChildrenCollapsible(False)
        layout = QVBoxLayout(self)
        layout.setSpacing(SPACING)
        about = Quiet(
            "Area is that of the tissue for which the rows stand. A border is made of pairs of neighbouring rows in "
            "different domains; each row of the matrix sums to 100 %. A click selects the rows on the canvas."
        )
        for part, stretch in ((split, 1), (self.pair, 0), (about, 0)):
            layout.addWidget(part, stretch)

    def fill(self) -> None:
        """Nothing is chosen here."""

    def compute(self) -> None:
        """Measure beside the window."""
        window = self.window_of
        self._token = window.labelling().token
        window.begin(
            lambda: domain_sizes(window.document, window.table, window.column), self.show_sizes, "sizes", "Sizes"
        )

    def show_sizes(self, found: DomainSizes) -> None:
        """Show sizes and borders."""
        self.found = found
        there = np.flatnonzero(found.domains.sizes > 0)
        names = [found.domains.names[k] for k in there]
        shares = found.shares[np.ix_(there, there)]
        self._there = there
        self._fill(found.frame().iloc[there])
        self.matrix.set_matrix(names, shares, lambda i, j: _percent(shares[i, j]), 1.0)
        self._tell(-1, -1)
        self.window_of.follow()

    def token(self) -> str:
        """Return what is another one when what is shown is old; "" while nothing is shown."""
        return "" if self.found is None else self._token

    def token_now(self) -> str:
        """Return what `token` would be if it were computed now."""
        return self.window_of.labelling().token

    def frame(self) -> pd.DataFrame:
        """Return what is exported: sizes, then the share of the border with each domain."""
        if self.found is None:
            raise BadInput("Nothing has been measured yet.", "Wait for the end.")
        borders = pd.DataFrame(self.found.shares, columns=[f"border_with_{n}" for n in self.found.domains.names])
        return pd.concat([self.found.frame(), borders], axis=1)

    def picture(self, path: Path) -> bool:
        """Write the matrix as a picture; return whether it was written."""
        return bool(self.matrix.picture().save(str(path)))

    def follow_colours(self) -> None:
        """Draw again in other colours."""
        if self.found is not None:
            self._fill(self.found.frame().iloc[self._there])

    def follow_state(self, idle: bool) -> None:
        """Nothing depends on it."""

    def _fill(self, frame: pd.DataFrame) -> None:
        assert self.found is not None
        colours = self.window_of.colours(self.found.domains.names)
        self.table.setRowCount(len(frame))
        for row, said in enumerate(frame.to_dict("records")):
            texts = (said["domain"], f"{said['rows']:,}", f"{100 * said['share']:.1f} %", _area(said["area_mm2"]),
                     f"{said['most_border_with']} {_percent(said['share_of_border'])} %"
                     if said["most_border_with"] else "none")  # fmt: skip
            for column, text in enumerate(texts):
                item = QTableWidgetItem(str(text))
                if column == 0:
                    item.setIcon(swatch(colours[said["domain"]]))
                else:
                    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                self.table.setItem(row, column, item)

    def _tell(self, row: int, column: int) -> None:
        found = self.found
        if found is None or row < 0:
            self.pair.setText("Point at a square to read it." if found is not None else "")
            return
        a, b = self.matrix.names[row], self.matrix.names[column]
        i, j = (found.domains.names.index(n) for n in (a, b))
        if i == j:
            self.pair.setText(f"{a}: {found.borders[i, i]:,} pairs of neighbours lie within it.")
            return
        share = found.shares[i, j]
        said = f", {100 * share:.0f} % of the border of {a}" if np.isfinite(share) else ""
        self.pair.setText(f"{a} and {b}: {found.borders[i, j]:,} pairs of neighbours{said}.")

    def _select(self, row: int, column: int) -> None:
        found = self.found
        if found is None:
            return
        a, b = self.matrix.names[row], self.matrix.names[column]
        if a == b:
            self.window_of.select(found.domains.rows(a), a)
        else:
            self.window_of.select(found.touching(a, b), f"{a} beside {b}")

    def _on_row(self, row: int, _column: int) -> None:
        if self.found is not None:
            name = self.matrix.names[row]
            self.window_of.select(self.found.domains.rows(name), name)


def _table() -> QTableWidget:
    table = QTableWidget(0, 5)
    table.setHorizontalHeaderLabels(["domain", "rows", "share", "area", "most border with"])
    table.verticalHeader().hide()
    table.verticalHeader().setDefaultSectionSize(_ROW)
    table.setShowGrid(False)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    table.setAccessibleName("Sizes of domains")
    header = table.horizontalHeader()
    header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    for column in range(1, 5):
        header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
    return table


def _percent(share: float) -> str:
    return f"{100 * share:.0f}" if np.isfinite(share) and share > 0 else ""


def _area(mm2: float) -> str:
    """Return an area in mm², or in µm² where it is small."""
    if not np.isfinite(mm2):
        return "–"
    return f"{mm2:.3g} mm²" if mm2 >= 0.01 else f"{mm2 * 1e6:,.0f} µm²"
