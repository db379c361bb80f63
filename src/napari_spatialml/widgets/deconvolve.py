"""The Deconvolve dock: which cell types make up each spot, how sure that is, and what the hand says of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtGui import QHideEvent
from qtpy.QtWidgets import QVBoxLayout, QWidget

from ..core.deconvolution import Deconvolver
from ..core.method import Method
from ..core.report import Report, part
from ..errors import BadInput
from ..session import DeconvolutionSelection, Selection, prepare
from ..session.references import reference_for
from ..session.spot_proportions import proportion_outputs
from .deconvolve_hand import HandPart
from .deconvolve_inputs import DeconvolveInputs
from .deconvolve_result import ResultPart
from .proportions_preview import ProportionsPreviewRow
from .reference_field import possible_columns
from .step import MethodStep
from .style import SPACING, Heading

__all__ = ["DeconvolveDock", "possible_columns"]

_READING = 0.15
"""The share of a run that reading and checking the reference is taken to be."""


class DeconvolveDock(MethodStep):
    """Estimate which cell types make up each spot, and correct it."""

    kind = "deconvolution"
    title = "Deconvolve"
    sentence = "Estimate the proportions of cell types in every spot from single cells with known types."

    def make_inputs(self) -> QWidget:
        """Make the fields for the table, the reference and its column."""
        self.inputs = DeconvolveInputs(self.desk)
        self.inputs.changed.connect(self.mark_stale)
        return self.inputs

    def make_correct(self) -> QWidget:
        """Make what shows the result and what corrects it."""
        self.result = ResultPart(self.desk)
        part = QWidget()
        layout = QVBoxLayout(part)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        self.by_hand, self._hand_heading = HandPart(self.desk), Heading("By hand")
        self.result.changed.connect(self._follow_result)
        for widget in (self.result, self._hand_heading, self.by_hand):
            layout.addWidget(widget)
        return part

    def make(self) -> QWidget:
        """Make the panel; what comes after Run shows the result first, then corrects it."""
        panel = super().make()
        self.panel._correct_heading.rename("Result")
        self.preview = ProportionsPreviewRow(self.desk, self._chosen)
        self.panel.set_before_run(self.preview)
        self.panel.method_changed.connect(self.preview.follow)
        self.panel.method_changed.connect(self._follow_method)
        self._follow_method()
        self.inputs.changed.connect(self.preview.follow)
        return panel

    def fill(self) -> None:
        """Offer the tables of spots, and the results that there are."""
        self.inputs.fill()
        self.result.refresh(proportion_outputs(self.session.document), self.inputs.table)

    def waiting_for(self) -> str:
        """Return what is missing."""
        if not self.inputs.table:
            return "This section has no table of spots. Open one under Section."
        if not self.inputs.reference.value() and not self._free:
            return "Choose a reference: single cells whose types are known, or a table of signatures."
        return ""

    def selection(self) -> Selection:
        """Return the table and the reference chosen."""
        return self.inputs.selection()

    def show_result(self, selection: Selection) -> None:
        """Draw what came out."""
        assert isinstance(selection, DeconvolutionSelection)
        self.preview.clear()
        self.desk.show_over_histology(self.session.document.annotated(selection.table))
        self.result.show_output(selection.table, selection.output)

    def hideEvent(self, event: QHideEvent) -> None:
        """Leave the canvas to the other steps."""
        super().hideEvent(event)
        if not event.spontaneous():  # the window may be put away for a moment
            self.preview.clear()

    def take_sample_reference(self) -> None:
        """Write the single cells that fit the sample section, and choose them."""
        self.inputs.take_sample_reference()

    def _job(self, chosen: Method) -> Callable[[Report], Any]:
        """Read and check the reference beside the window too: it may be of gigabytes."""
        session, self._kept = self.session, None
        selection, self._again = self._again or self.selection(), None
        assert isinstance(selection, DeconvolutionSelection)

        def work(report: Report) -> Any:
            if selection.reference:
                reference_for(session.document, selection, part(report, 0.0, _READING))
            job = prepare(session, chosen, selection)  # what changes from here on makes the result stale
            self._started = (session, job)
            return job(part(report, _READING, 1.0))

        return work

    def _chosen(self) -> tuple[Deconvolver, DeconvolutionSelection]:
        """Return the method and what it would run on, for a preview."""
        reason = self.waiting_for()
        if not reason and not self.inputs.reference.value():
            reason = "Without a reference there is no quick method: press Run, or choose a reference."
        if reason:
            raise BadInput("There is nothing to preview yet.", reason)
        chosen = self.panel.method()
        assert isinstance(chosen, Deconvolver)
        return chosen, self.inputs.selection()

    @property
    def _free(self) -> bool:
        """Whether the chosen method does without a reference."""
        return self.panel.form is not None and bool(getattr(self.panel.form.cls, "reference_free", False))

    def _follow_method(self) -> None:
        """Say what the method does without a reference, and whether it may run."""
        self.inputs.set_reference_free(self._free)
        self.mark_stale()

    def _follow_result(self) -> None:
        """Let the hand correct what is looked at."""
        self.by_hand.set_result(self.result.held)
        self._hand_heading.setVisible(self.result.held is not None)

    def _on_opened(self) -> None:
        if hasattr(self, "preview"):
            self.preview.clear()
        super()._on_opened()
