"""The Deconvolve dock: which cell types make up each spot, how sure that is, and what the hand says of it."""

from __future__ import annotations

from qtpy.QtWidgets import QVBoxLayout, QWidget

from ..session import DeconvolutionSelection, Selection
from ..session.spot_proportions import proportion_outputs
from .deconvolve_inputs import DeconvolveInputs
from .deconvolve_result import ResultPart
from .reference_field import possible_columns
from .step import MethodStep
from .style import SPACING

__all__ = ["DeconvolveDock", "possible_columns"]


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
        layout.addWidget(self.result)
        return part

    def make(self) -> QWidget:
        """Make the panel; what comes after Run shows the result first, then corrects it."""
        panel = super().make()
        self.panel._correct_heading.rename("Result")
        return panel

    def fill(self) -> None:
        """Offer the tables of spots, and the results that there are."""
        self.inputs.fill()
        self.result.refresh(proportion_outputs(self.session.document), self.inputs.table)

    def waiting_for(self) -> str:
        """Return what is missing."""
        if not self.inputs.table:
            return "This section has no table of spots. Open one under Section."
        if not self.inputs.reference.value():
            return "Choose a reference: single cells whose types are known, or a table of signatures."
        return ""

    def selection(self) -> Selection:
        """Return the table and the reference chosen."""
        return self.inputs.selection()

    def show_result(self, selection: Selection) -> None:
        """Draw what came out."""
        assert isinstance(selection, DeconvolutionSelection)
        self.desk.show_over_histology(self.session.document.annotated(selection.table))
        self.result.show_output(selection.table, selection.output)

    def take_sample_reference(self) -> None:
        """Write the single cells that fit the sample section, and choose them."""
        self.inputs.take_sample_reference()
