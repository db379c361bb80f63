"""Which genes, m/z or other features define each domain: a table of effect sizes, and dots of the strongest."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QSpinBox,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from ..errors import BadInput, SpatialMLError
from ..session.domain_tables import DomainMarkers, domain_markers, feature_word, kept_markers, marker_token
from .domain_window import DomainWindow, in_a_line
from .feature_table import FeatureTable
from .plots.dots import DotPlot, Dots
from .style import MARGIN, SPACING, Quiet, accent, tooltip

if TYPE_CHECKING:
    from .desk import Desk

__all__ = ["MarkersWindow"]

CIRCULAR = (
    "These are effect sizes: they describe the domains. No p-values are given: the domains were found from the same "
    "features, so a test would be circular. To test one, take features or a section that the map has not seen."
)


class MarkersWindow(DomainWindow):
    """The features of each domain against all other rows.

    Parameters
    ----------
    desk
        The desk.
    table, column
        A table of the section, and its column of domains.
    """

    about = "What defines the domains"

    def __init__(self, desk: Desk, table: str, column: str = "domain", parent: QWidget | None = None) -> None:
        self.found: DomainMarkers | None = None
        self.part, self.names, self.search = QComboBox(), QComboBox(), QLineEdit()
        self.features, self.plot, self.each, self.count = FeatureTable(), DotPlot(), QSpinBox(), QLabel()
        self.run_button, self.copy_button = QPushButton("Find markers"), QPushButton("Copy")
        self.export_button, self.back_button = QPushButton("Export"), QPushButton("Show domains")
        super().__init__(desk, table, column, parent)
        self._set_up()
        self._set_up_buttons()
        self._lay_out()
        self._follow_state()

    # what is done --------------------------------------------------------------------------------

    def compute(self) -> None:
        """Find the markers beside the window, or stop."""
        if self.runner.state != "idle":
            self.runner.stop()
            return
        part = str(self.part.currentData() or "X")
        self.begin(lambda: domain_markers(self.document, self.table, self.column, part), self.show_markers,
                   "markers", "Markers of domains")  # fmt: skip

    def start(self) -> None:
        """Show the markers found last, else find them."""
        try:
            self.fill_parts(self.part)
            kept = self.show_kept()
        except SpatialMLError as error:  # there is no such table or column any more
            self.fail(error)
            return
        if not kept:
            self.compute()

    def show_kept(self) -> bool:
        """Show the markers found last, if they are those of the map as it is; return whether they are."""
        kept = kept_markers(self.document, self.table, self.column, str(self.part.currentData() or "X"))
        if kept is not None:
            self.show_markers(kept)
        return kept is not None

    def show_markers(self, found: DomainMarkers) -> None:
        """Show markers."""
        self.found = found
        self.fill_names(self.names)
        self.show_old(self.is_old())
        self._show_domain()
        self._show_dots()
        self._follow_state()

    def is_old(self) -> bool:
        """Return whether the markers are older than the map or the table."""
        if self.found is None:
            return False
        return self.found.token != marker_token(self.document, self.table, self.column, self.found.part)

    def choose(self, feature: str, domain: str = "") -> None:
        """Mark a feature, in the list of a domain, and colour the section by it."""
        if self.found is None:
            return
        at = self.names.findData(domain)
        if domain and at >= 0 and at != self.names.currentIndex():
            self.names.setCurrentIndex(at)
        self.features.mark(feature)
        self.plot.mark(feature)
        self.colour_by_feature(feature, self.found.part)

    def copy(self) -> None:
        """Copy the list that is shown."""
        n = self.features.copy()
        self.attempt(lambda: f"{n:,} rows are on the clipboard.")

    def export(self, path: Path) -> None:
        """Write the markers of all domains as CSV, or the dots as PNG."""
        self.attempt(lambda: self._write(path))

    # how it looks --------------------------------------------------------------------------------

    def follow_state(self, idle: bool) -> None:
        """Enable what can be done now."""
        self.run_button.setText("Find markers" if idle else "Stop")
        for part in (self.copy_button, self.export_button, self.names, self.search, self.each):
            part.setEnabled(self.found is not None)
        self.part.setEnabled(idle)

    def follow_colours(self) -> None:
        """Draw the dots and the list again."""
        if self.found is not None:
            self.fill_names(self.names)
            self._show_dots()

    def _show_domain(self) -> None:
        name = str(self.names.currentData() or "")
        if self.found is None or name not in self.found.domains.names:
            return
        frame = self.found.frame(name)
        self.features.set_frame(frame, feature_word(self.found.found.features, self.found.part))
        self._count()

    def _show_dots(self) -> None:
        found = self.found
        if found is None:
            return
        best = found.top(self.each.value())
        rows = np.array([j for columns in best.values() for j in columns], np.int64)
        groups = [name for name, columns in best.items() for _ in columns]
        there = np.flatnonzero(found.found.sizes > 0)
        names = [found.domains.names[k] for k in there]
        pick = np.ix_(there, rows)
        dots = Dots(
            [found.found.features[j] for j in rows], names, groups, found.found.share_in[pick].T,
            found.scaled()[pick].T, found.found.mean_in[pick].T, self.colours(found.domains.names),
        )  # fmt: skip
        self.plot.set_dots(dots)
        self.plot.mark(self.features.current())

    def _count(self) -> None:
        shown, every = len(self.features.names()), 0 if self.found is None else len(self.found.found.features)
        self.count.setText(f"{shown:,} of {every:,}" if shown != every else f"{every:,}")

    def _write(self, path: Path) -> str:
        if self.found is None:
            raise BadInput("There are no markers yet.", "Press Find markers first.")
        if path.suffix == ".csv":
            frame = self.found.frame()
            frame.to_csv(path, index=False)
            return f"{len(frame):,} rows are in '{path.name}'."
        if not self.plot.picture().save(str(path)):
            raise BadInput(f"'{path}' could not be written.", "Choose another place.")
        return f"The dot plot is in '{path.name}'."

    def _ask_where(self, suffix: str, _checked: bool = False) -> None:
        from .file_dialogs import ask_where_to_save

        name = f"{self.desk.name} markers of {self.column}{suffix}".replace("/", "-")
        ask_where_to_save(self, "Export the markers", name, suffix, self.export)

    def _on_search(self, text: str) -> None:
        self.features.search(text)
        self._count()

    def _set_up(self) -> None:
        accent(self.run_button)
        self.run_button.clicked.connect(lambda _checked=False: self.compute())
        self.part.activated.connect(lambda _i: self.start())
        self.part.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.part.setToolTip(tooltip("What is compared: genes, m/z, another layer, proportions or an embedding."))
        self.names.currentIndexChanged.connect(lambda _i: self._show_domain())
        self.names.setToolTip(tooltip("The domain whose features are listed, against all other rows."))
        self.names.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.names.setMinimumContentsLength(12)
        self.names.setMaximumWidth(260)
        self.search.setPlaceholderText("type a part of a name")
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._on_search)
        self.features.chosen.connect(self.choose)
        self.plot.chosen.connect(self.choose)
        self.each.setRange(1, 20)
        self.each.setValue(4)
        self.each.setToolTip(
            tooltip("So many features of each domain are drawn, at most; each stands at the domain that it tells best.")
        )
        self.each.valueChanged.connect(lambda _n: self._show_dots())

    def _set_up_buttons(self) -> None:
        self.copy_button.setToolTip(tooltip("Copy the list as it is shown, or the rows that are marked (Ctrl+C)."))
        self.copy_button.clicked.connect(lambda _checked=False: self.copy())
        self.back_button.setToolTip(tooltip("Colour the section by its domains again."))
        self.back_button.clicked.connect(lambda _checked=False: self.colour_by(f"obs/{self.column}"))
        self.export_button.setToolTip(tooltip("Write all features of all domains as CSV, or the dots as a picture."))
        menu = QMenu(self.export_button)
        for suffix, text in ((".csv", "CSV, all domains…"), (".png", "PNG, the dot plot…")):
            menu.addAction(text).triggered.connect(partial(self._ask_where, suffix))
        self.export_button.setMenu(menu)
        for button in (self.run_button, self.copy_button, self.export_button, self.back_button):
            button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def _lay_out(self) -> None:
        split = QSplitter(Qt.Orientation.Horizontal)
        for part, stretch in ((self._list_side(), 3), (self._dots_side(), 2)):
            split.addWidget(part)
            split.setStretchFactor(split.count() - 1, stretch)
        split.setChildrenCollapsible(False)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        whole.setSpacing(SPACING)
        whole.addWidget(in_a_line(QLabel("Features"), self.part, None))
        after = (self.back_button, self.copy_button, self.export_button)
        whole.addWidget(self.bar_row(self.run_button, after=after))
        whole.addWidget(self.message)
        whole.addWidget(split, 1)
        whole.addWidget(Quiet(CIRCULAR))

    def _list_side(self) -> QWidget:
        side = QWidget()
        column = QVBoxLayout(side)
        column.setContentsMargins(0, 0, SPACING, 0)
        column.addWidget(in_a_line(QLabel("Domain"), self.names, self.search, self.count))
        column.addWidget(self.features, 1)
        return side

    def _dots_side(self) -> QWidget:
        side, area = QWidget(), QScrollArea()
        area.setWidget(self.plot)
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setAlignment(Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout(side)
        column.setContentsMargins(SPACING, 0, 0, 0)
        column.addWidget(in_a_line(QLabel("Strongest of each"), self.each, None))
        column.addWidget(area, 1)
        return side
