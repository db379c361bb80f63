"""How far the map can be trusted: as colours, the way to where it is unsure, and what strokes and other seeds say."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QComboBox, QVBoxLayout, QWidget

from ..errors import BadInput
from ..session.domain_maps import about_map
from ..session.domain_strokes import held_strokes
from .correction_row import CorrectionRow
from .domains_next import NextPart
from .domains_strokes import is_divided
from .step import choose
from .style import SPACING, Quiet, Rows, tooltip

if TYPE_CHECKING:
    from .desk import Desk

__all__ = ["TrustPart"]

DOMAIN = "domain"
_WAYS = {
    DOMAIN: "",
    "margin": "_margin",
    "boundary": "_boundary",
    "stability": "_stability",
}
_CHECK = "Leave out one stroke at a time, and see whether the others predict it. Nothing of the map changes."
_TRY = "Divide the section again from other random starts, and see where the maps agree."
_NONE = "Run a method first."
_NO_STROKES = "Brush over some rows first."
_LOCKED = "The section is open for reading only: what is found is kept with it."
_FADE = "Draw the colours of the domains the paler the less sure the map is: by its margin."


class TrustPart(QWidget):
    """Colours of trust, the way to the most uncertain region, and two checks.

    Parameters
    ----------
    desk
        The desk.
    target
        Returns the domain that strokes go into.
    """

    def __init__(self, desk: Desk, target: Callable[[], str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.desk = desk
        self.table, self.column = "", ""
        self.how, self.leading = QComboBox(), NextPart(desk, target)
        self.how.activated.connect(lambda _i: self.draw())
        self.fades = QCheckBox("Fade what is unsure")
        self.fades.clicked.connect(self.fade)
        self.rows = Rows()
        self.rows.add(
            "Colour by",
            self.how,
            "Margin: how much likelier the first domain is than the second. Boundary: the share of neighbours in "
            "other domains. Stability: the share of seeds that agree; press Try other seeds for it.",
        )
        self.rows.add("", self.fades)
        self.strokes = CorrectionRow(
            desk,
            "Check the strokes",
            _CHECK,
            "measure-stroke-accuracy",
            self._place,
            lambda _line: "",  # the sentence stays below, as long as it is about these strokes
        )
        self.seeds = CorrectionRow(
            desk,
            "Try other seeds",
            _TRY,
            "measure-domain-stability",
            self._place,
            self._tried,
        )
        self.accuracy = Quiet()
        self.accuracy.setTextFormat(Qt.TextFormat.PlainText)  # it may come from a file
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        for part in (self.rows, self.leading, self.strokes, self.accuracy, self.seeds):
            layout.addWidget(part)

    def set_place(self, table: str, column: str) -> None:
        """Judge another map, or the same one after a change."""
        if (table, column) != (self.table, self.column):
            self.clear()
        self.table, self.column = table, column
        self.leading.set_place(table, column)
        if self.desk.session is None or not table:
            return
        obs = self.desk.session.document.table(table).obs
        choose(self.how, [way for way, end in _WAYS.items() if column + end in obs] or [DOMAIN], DOMAIN)
        self._follow_canvas()
        self._follow()

    def clear(self) -> None:
        """Forget what was found of another map."""
        self.leading.clear()
        for row in (self.strokes, self.seeds):
            row.runner.stop()
            row.message.show_message(None)

    def show_domains(self, table: str, column: str) -> None:
        """Colour the rows of a map by its domains."""
        self.set_place(table, column)
        self.how.setCurrentIndex(self.how.findData(DOMAIN))
        self.draw()

    def draw(self) -> None:
        """Colour the rows as chosen."""
        presenter, session = self.desk.presenter, self.desk.session
        if presenter is not None and session is not None and self.table:
            from ..views.state import ColourBy

            element = session.document.annotated(self.table)
            self.desk.show_over_histology(element)
            key = f"obs/{self.column}{_WAYS[str(self.how.currentData())]}"
            presenter.colour_by(element, ColourBy(self.table, key))

    def fade(self, on: bool) -> None:
        """Draw the domains the paler the less sure the map is, or all in full colours."""
        presenter, session = self.desk.presenter, self.desk.session
        if presenter is None or session is None or not self.table:
            return
        if on:
            self.draw()
        presenter.fade_unsure(session.document.annotated(self.table), on)

    def _place(self) -> dict[str, Any]:
        if not self.table:
            raise BadInput("There is no map yet.", "Press Run first.")
        return {"table": self.table, "column": self.column}

    def _tried(self, line: str) -> str:
        assert self.desk.session is not None
        self.set_place(self.table, self.column)
        self.how.setCurrentIndex(self.how.findData("stability"))
        self.draw()
        held = self.desk.session.document.table(self.table).obs[f"{self.column}_stability"]
        return f"{line} On average {100 * float(np.nanmean(held)):.0f} % of these maps agree; colours show where."

    def _follow_canvas(self) -> None:
        """Show in the field what the canvas shows, where it shows this map."""
        presenter = self.desk.presenter
        assert presenter is not None and self.desk.session is not None
        element = self.desk.session.document.annotated(self.table)
        self.fades.setChecked(element in presenter.state.faded)
        colour = presenter.colour_of(element)
        if colour is None or colour.table != self.table:
            return
        way = next((w for w, end in _WAYS.items() if colour.key == f"obs/{self.column}{end}"), "")
        if way and self.how.findData(way) >= 0:
            self.how.setCurrentIndex(self.how.findData(way))

    def _follow(self) -> None:
        assert self.desk.session is not None
        document = self.desk.session.document
        there = f"{self.column}_probabilities" in document.table(self.table).obsm
        divided = is_divided(document, self.table, self.column)
        fading = "" if there else _NONE
        if there and self.how.currentData() != DOMAIN:
            fading = "Colour by domain for it."
        self.fades.setEnabled(not fading)
        self.fades.setToolTip(tooltip(f"{_FADE} {fading}".strip()))
        known = about_map(document, self.table, self.column).get("accuracy")
        said = known.get("sentence") if isinstance(known, dict) else None
        self.accuracy.setText(said if isinstance(said, str) else "")
        self.accuracy.setVisible(bool(self.accuracy.text()))
        locked = _LOCKED if self.desk.session.read_only else "" if divided else _NONE
        strokes = bool(held_strokes(document, self.table, self.column))
        for row, does, why_not in ((self.strokes, _CHECK, "" if strokes else _NO_STROKES), (self.seeds, _TRY, "")):
            reason = locked or why_not
            row.set_ready(not reason)
            row.button.setToolTip(tooltip(f"{does} {reason}".strip()))
