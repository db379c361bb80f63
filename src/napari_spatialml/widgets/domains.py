"""The Domains dock: divide the section, correct the map by strokes that it follows, and see how far to trust it."""

from __future__ import annotations

from functools import partial
from typing import Any

from qtpy.QtGui import QHideEvent
from qtpy.QtWidgets import QVBoxLayout, QWidget

from ..core.domains import DomainDetector
from ..errors import BadInput
from ..session import DomainsSelection, Selection
from .domains_further import FurtherPart
from .domains_hand import StrokesPart
from .domains_inputs import DomainsInputs
from .domains_map import MapPart
from .domains_number import NumberPart
from .domains_preview import DomainsPreviewRow
from .domains_strokes import is_divided
from .domains_trust import TrustPart
from .domains_warming import map_in, warm_map
from .folded import Folded
from .step import MethodStep
from .style import SPACING, Heading
from .warming import Warming

__all__ = ["DomainsDock"]


class DomainsDock(MethodStep):
    """Divide the section into spatial domains, correct them, and judge them."""

    kind = "domains"
    title = "Domains"
    sentence = "Divide the section into domains of alike neighbours. Strokes made by hand are kept, and teach the rest."

    def make_inputs(self) -> QWidget:
        """Make the fields for the table, the features and the column."""
        self.inputs = DomainsInputs(self.desk)
        return self.inputs

    def make_correct(self) -> QWidget:
        """Make the list of domains, the hand's tools, and what says how sure the map is."""
        self.map = MapPart(self.desk)
        self.by_hand = StrokesPart(self.desk, self.map.target)
        self.trust, self.further = TrustPart(self.desk, self.map.target), FurtherPart(self.desk)
        self.map_warming = Warming(self)
        self._hand_heading = Heading("By hand")
        self.trust_fold = Folded(
            "How sure is it", "Where the map is unsure, and what the strokes and other seeds say.", self.trust
        )
        self.further_fold = Folded(
            "Markers and other sections", "What defines a domain, and the same domains elsewhere.", self.further
        )
        self.correct = QWidget()
        layout = QVBoxLayout(self.correct)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        for part in (self.map, self._hand_heading, self.by_hand, self.trust_fold, self.further_fold):
            layout.addWidget(part)
        return self.correct

    def make(self) -> QWidget:
        """Make the panel; between the form and Run come the number of domains and the preview."""
        panel = super().make()
        self.panel._correct_heading.rename("Map")
        self.number, self.preview = NumberPart(self.desk, self._chosen), DomainsPreviewRow(self.desk, self._chosen)
        before = QWidget()
        layout = QVBoxLayout(before)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        for part in (self.number, self.preview):
            layout.addWidget(part)
        self.panel.set_before_run(before)
        self.panel.method_changed.connect(self._on_method)
        self.number.chosen.connect(self._take_number)
        self.inputs.changed.connect(self._on_inputs)
        self.map.chosen.connect(lambda _name: self.by_hand.options_changed())
        self.map.begun.connect(self.by_hand.take_brush)
        self.further.applied.connect(self._go_to)
        self.trust.leading.laid.connect(self.by_hand.follow)
        self._on_method()
        return panel

    def fill(self) -> None:
        """Offer the tables and features, and show the map, its strokes and how sure it is."""
        self.desk.attempt(self._fill)  # what a file says of its strokes may be anything

    def _fill(self) -> None:
        self.inputs.fill()
        table, column = self.inputs.table, self.inputs.name
        there = bool(table)
        for part in (self.map, self._hand_heading, self.by_hand, self.preview, self.further_fold):
            part.setVisible(there)
        self.number.suggest.set_ready(there)
        divided = there and is_divided(self.session.document, table, column)
        self.map.set_place(table, column, divided)
        self.trust_fold.setVisible(there and bool(self.map.categories.rows()))
        self.by_hand.set_place(table, column, self.map.colours())
        self.trust.set_place(table, column)
        self.further.set_place(table, column)
        corrected = divided and self.isVisible() and not self.session.read_only
        what = map_in(self.desk, table, column) if corrected else None
        self.map_warming.follow(what, partial(warm_map, self.desk, table, column))

    def waiting_for(self) -> str:
        """Return what is missing."""
        if not self.inputs.table:
            return "This section has no table of spots, cells or pixels. Segment cells first, or open a table."
        return ""

    def selection(self) -> Selection:
        """Return the table, its features and the column."""
        return self.inputs.selection()

    def show_result(self, selection: Selection) -> None:
        """Colour the element by its domains."""
        assert isinstance(selection, DomainsSelection)
        self.preview.clear()
        self.trust.show_domains(selection.table, selection.column)

    def hideEvent(self, event: QHideEvent) -> None:
        """Leave the canvas to the other steps."""
        super().hideEvent(event)
        if not event.spontaneous():  # the window may be put away for a moment
            self.preview.clear()

    def _chosen(self) -> tuple[DomainDetector, DomainsSelection]:
        """Return the method and what it would run on, for a preview or a suggestion."""
        reason = self.waiting_for()
        if reason:
            raise BadInput("There is nothing to divide yet.", reason)
        chosen: Any = self.panel.method()
        type(chosen).check_installed()
        return chosen, self.inputs.selection()

    def _on_method(self) -> None:
        """Follow the form: the preview, and the line in the plot of stability."""
        try:
            chosen: Any = self.panel.method()
        except BadInput:
            return  # Run says what is wrong with a value
        self.number.follow(chosen)
        self.preview.follow()

    def _take_number(self, number: int) -> None:
        """Put a number of domains into the form, which previews it."""
        form = self.panel.form
        if form is not None and "n_domains" in form.fields:
            form.fields["n_domains"].set_value(number)

    def _go_to(self, table: str) -> None:
        """Show the map that a table has got from another one."""
        self.inputs.tables.setCurrentIndex(self.inputs.tables.findData(table))
        self.refresh_now()
        self.trust.show_domains(table, self.inputs.name)

    def _on_inputs(self) -> None:
        self.number.clear()
        self.refresh_now()
        self.preview.follow()

    def _on_opened(self) -> None:
        if hasattr(self, "preview"):
            self.preview.clear()
            self.number.clear()
            self.trust.clear()
            self.map_warming.stop()
        super()._on_opened()
