"""Two domains, or sets of domains, against each other: the features that differ, and what either is made of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QIcon
from qtpy.QtWidgets import (
    QComboBox,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QSizePolicy,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from ..errors import BadInput, SpatialMLError
from ..session.domain_sizes import composed, composition_choices
from ..session.domain_tables import ComparedDomains, compared_domains, feature_word, marker_token
from .domain_window import in_a_line
from .feature_table import FeatureTable
from .plots.paired_bars import PairedBars
from .plots.volcano import Volcano
from .runner import Runner
from .style import SPACING, Quiet, accent, swatch, tooltip

if TYPE_CHECKING:
    from .domain_compare_window import CompareDomainsWindow

__all__ = ["DomainsPicker", "PairPage"]

_OTHER = "#9aa0a6"
"""The colour of a side of several domains."""


class DomainsPicker(QPushButton):
    """A button with a list of domains to tick; none ticked means the text that it was given for that."""

    changed = Signal()

    def __init__(self, nothing: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._nothing = nothing
        self.setMenu(QMenu(self))
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setMaximumWidth(260)
        self._say()

    def offer(self, names: Sequence[str], colours: dict[str, str], ticked: Sequence[str]) -> None:
        """Offer domains, some of them ticked."""
        self.menu().clear()
        for name in names:
            action = self.menu().addAction(swatch(colours[name]), name)
            action.setCheckable(True)
            action.setChecked(name in ticked)
            action.toggled.connect(self._on_toggled)
        self._say()

    def names(self) -> tuple[str, ...]:
        """Return the domains that are ticked."""
        return tuple(a.text() for a in self.menu().actions() if a.isChecked())

    def _on_toggled(self, _on: bool) -> None:
        self._say()
        self.changed.emit()

    def _say(self) -> None:
        ticked = [a for a in self.menu().actions() if a.isChecked()]
        self.setText(" + ".join(a.text() for a in ticked) if ticked else self._nothing)
        self.setIcon(ticked[0].icon() if len(ticked) == 1 else QIcon())


class PairPage(QWidget):
    """The first page of the window that compares domains.

    Parameters
    ----------
    window
        The window.
    """

    title = "Two domains"

    def __init__(self, window: CompareDomainsWindow) -> None:
        super().__init__(window)
        self.window_of = window
        self.found: ComparedDomains | None = None
        self.intervals = Runner(self)
        self.one, self.other = DomainsPicker("choose"), DomainsPicker("all others")
        self.part, self.by, self.search = QComboBox(), QComboBox(), QLineEdit()
        self.volcano, self.features, self.bars = Volcano(), FeatureTable(), PairedBars()
        self.run_button, self.select_button = QPushButton("Compare"), QPushButton("Select rows")
        self.made_of, self.said = QLabel("Made of"), Quiet()
        self._set_up()
        self._lay_out()

    # what is done --------------------------------------------------------------------------------

    def fill(self) -> None:
        """Offer the domains, the features and what the rows are made of, as they are now."""
        window, domains = self.window_of, self.window_of.labelling().used()
        colours = window.colours(window.labelling().names)
        one = [n for n in self.one.names() if n in domains.names] or list(domains.names[:1])
        other = [n for n in self.other.names() if n in domains.names and n not in one]
        if self.found is None and not other:
            other = list(domains.names[1:2])
        self.one.offer(domains.names, colours, one)
        self.other.offer(domains.names, colours, other)
        window.fill_parts(self.part)
        kept = self.by.currentData()
        blocked = self.by.blockSignals(True)
        self.by.clear()
        for said, by in composition_choices(window.document, window.table, window.column).items():
            self.by.addItem(said, by)
        self.by.setCurrentIndex(max(self.by.findData(kept), 0) if self.by.count() else -1)
        self.by.blockSignals(blocked)
        for part in (self.made_of, self.by):
            part.setVisible(self.by.count() > 0)

    def compute(self) -> None:
        """Compare the two sides beside the window."""
        window, part = self.window_of, str(self.part.currentData() or "X")
        one, other = self.one.names(), self.other.names()
        window.begin(
            lambda: compared_domains(window.document, window.table, window.column, one, other, part),
            self.show_compared, "pair", "Two domains",
        )  # fmt: skip

    def show_compared(self, found: ComparedDomains) -> None:
        """Show a comparison."""
        self.found = found
        frame, (one, other) = found.frame(), self.sides()
        self.volcano.set_frame(frame, one, other, self.side_colours())
        self.features.set_frame(frame, feature_word(found.found.features, found.part))
        beyond, word = self.volcano.beyond, self.window_of.word
        sizes = [len(found.domains.rows(side)) for side in (found.one, found.other)]
        self.said.setText(
            f"{one}: {sizes[0]:,} {word}; {other}: {sizes[1]:,}. Coloured are features by which seven in ten pairs of "
            f"{word} are told apart. In the table, “in” is the left side."
            + (f" {beyond:,} features that few {word} have lie beyond the axis: zoom out." if beyond else "")
            + " These are effect sizes; p-values would be circular, the domains were found from the same features."
        )
        self.compose()
        self.window_of.follow()

    def compose(self) -> None:
        """Find what the two sides are made of, where the table knows."""
        found, by, window = self.found, self.by.currentData(), self.window_of
        self.bars.set_frame(None, ("", ""), ("", ""))
        if found is None or by is None:
            return
        rows = [found.domains.rows(side) for side in (found.one, found.other)]
        try:
            job = composed(window.document, window.table, str(by), rows[0], rows[1])
        except SpatialMLError as error:
            window.fail(error)
            return
        self._show_composed(found, job.shares())
        # in a runner of its own: many rows take a while, and the next comparison need not wait for their intervals
        self.intervals.run(
            job,
            on_result=lambda frame: self._show_composed(found, frame),
            on_error=window.fail,
            title="Intervals of the composition",
            key="composed",
            replace=True,
        )

    def token(self) -> str:
        """Return what is another one when what is shown is old; "" while nothing is shown."""
        return "" if self.found is None else self.found.token

    def token_now(self) -> str:
        """Return what `token` would be if it were computed now."""
        assert self.found is not None
        return marker_token(self.window_of.document, self.window_of.table, self.window_of.column, self.found.part)

    def sides(self) -> tuple[str, str]:
        """Return what the two sides are called."""
        assert self.found is not None
        every = len(self.found.one) + len(self.found.other) == int((self.found.domains.sizes > 0).sum())
        other = "all others" if every and len(self.found.other) > 1 else " + ".join(self.found.other)
        return " + ".join(self.found.one), other

    def side_colours(self) -> tuple[str, str]:
        """Return the colours of the two sides: those of the domains, grey for several on the right."""
        assert self.found is not None
        colours = self.window_of.colours(self.found.domains.names)
        other = self.found.other
        return colours[self.found.one[0]], colours[other[0]] if len(other) == 1 else _OTHER

    def choose(self, feature: str) -> None:
        """Mark a feature in the plot and the list, and colour the section by it."""
        if self.found is not None:
            self.volcano.mark(feature)
            self.features.mark(feature)
            self.window_of.colour_by_feature(feature, self.found.part)

    def frame(self) -> pd.DataFrame:
        """Return what is exported."""
        if self.found is None:
            raise BadInput("Nothing has been compared yet.", "Press Compare first.")
        one, other = self.sides()
        return self.found.frame().assign(one=one, other=other)

    def picture(self, path: Path) -> bool:
        """Write the plot as a picture; return whether it was written."""
        return bool(self.volcano.grab().save(str(path)))

    def follow_colours(self) -> None:
        """Draw again in other colours."""
        self.fill()
        if self.found is not None:
            self.volcano.set_frame(self.found.frame(), *self.sides(), self.side_colours())

    def follow_state(self, idle: bool) -> None:
        """Let Compare become Stop."""
        self.run_button.setText("Compare" if idle else "Stop")
        self.select_button.setEnabled(self.found is not None)

    # how it looks --------------------------------------------------------------------------------

    def _show_composed(self, found: ComparedDomains, frame: pd.DataFrame) -> None:
        if self.found is found:
            self.bars.set_frame(frame, self.sides(), self.side_colours())

    def _select(self) -> None:
        if self.found is not None:
            rows = self.found.domains.rows((*self.found.one, *self.found.other))
            self.window_of.select(rows, " and ".join(self.sides()))

    def _set_up(self) -> None:
        accent(self.run_button)
        self.run_button.clicked.connect(lambda _checked=False: self.window_of.press())
        self.one.setToolTip(tooltip("One domain, or several taken as one: tick them."))
        self.other.setToolTip(tooltip("What it is compared with: one domain, several, or none ticked for all others."))
        self.part.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.part.setToolTip(tooltip("What is compared: genes, m/z, another layer, proportions or an embedding."))
        self.by.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.by.setToolTip(tooltip("What the two sides are made of: proportions of cell types, or a column of names."))
        self.by.activated.connect(lambda _i: self.compose())
        self.search.setPlaceholderText("type a part of a name")
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self.features.search)
        self.features.chosen.connect(self.choose)
        self.volcano.chosen.connect(self.choose)
        self.select_button.setToolTip(tooltip("Select the rows of both sides on the canvas."))
        self.select_button.clicked.connect(lambda _checked=False: self._select())
        for button in (self.run_button, self.select_button):
            button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def _lay_out(self) -> None:
        right = QWidget()
        beside = QVBoxLayout(right)
        beside.setContentsMargins(SPACING, 0, 0, 0)
        for part, stretch in ((self.search, 0), (self.features, 1)):
            beside.addWidget(part, stretch)
        split = QSplitter(Qt.Orientation.Horizontal)
        for part, stretch in ((self.volcano, 1), (right, 1)):
            split.addWidget(part)
            split.setStretchFactor(split.count() - 1, stretch)
        split.setSizes([460, 640])
        split.setChildrenCollapsible(False)
        chosen = (self.one, QLabel("against"), self.other, QLabel("by"), self.part, self.run_button, None)
        layout = QVBoxLayout(self)
        layout.setSpacing(SPACING)
        layout.addWidget(in_a_line(*chosen, self.select_button))
        layout.addWidget(split, 1)
        layout.addWidget(self.said)
        layout.addWidget(in_a_line(self.made_of, self.by, None))
        layout.addWidget(self.bars)
