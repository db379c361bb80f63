"""What a deconvolution found: how it is drawn, which spots to look at, and what they are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QPushButton, QVBoxLayout, QWidget

from ..errors import SpatialMLError
from ..session.gather import coordinates_of
from ..session.selected import Selected
from ..session.spot_proportions import SpotProportions, spot_proportions
from .composition_panel import CompositionPanel
from .deconvolve_shown import Shown
from .step import choose
from .style import SPACING, Quiet, Rows, Tool, tool_row, tooltip

if TYPE_CHECKING:
    from .desk import Desk

__all__ = ["ResultPart", "flags_in_words", "usual_in_words"]

_WIDE = 0.5
"""Half the spots have intervals wider than this: one alone says little."""
_PIXELS = 40.0
"""So wide on the screen is a spot that one is led to, about."""


_FLAGGED = (
    "Without counts: nothing is known. A type or state that is not in the reference: such spots are off in the same "
    "genes, by cells of another type or by genes that a region raises in all its cells. Less certain than usual: the "
    "uncertainty lies above the upper quartile of all spots by more than 1.5 times the distance between the quartiles, "
    "and by more than 0.1. The uncertainty is the width of the 90 % intervals, weighted by the shares."
)


def usual_in_words(held: SpotProportions) -> str:
    """Return how sure a usual spot is; "" where that is not known."""
    width = held.usual_width
    if not np.isfinite(width):
        return ""
    said = f"In a usual spot the 90 % intervals are {100 * width:.0f} percentage points wide"
    return f"{said}: trust means over many spots, not single spots." if width > _WIDE else f"{said}."


def flags_in_words(held: SpotProportions) -> str:
    """Return how many spots are to be looked at, and why; "" where the method flags none of them."""
    if held.uncertainty is None and held.empty is None and held.outside is None:
        return ""
    words = {
        "empty": "without counts",
        "outside": "with a type or state that is not in the reference",
        "unsure": "less certain than is usual here",
    }
    found = {why: len(rows) for why, rows in held.flagged().items()}
    n, every = sum(found.values()), len(held.values)
    if not n:
        return f"None of {every:,} spots is flagged."
    if len([k for k in found.values() if k]) == 1:
        return f"{n:,} of {every:,} spots to look at, {next(said for why, said in words.items() if found[why])}."
    parts = ", ".join(f"{found[why]:,} {said}" for why, said in words.items() if found[why])
    return f"{n:,} of {every:,} spots to look at: {parts}."


class ResultPart(QWidget):
    """Chooses what is drawn of a result, leads to the spots to look at, and shows what spots are made of.

    Parameters
    ----------
    desk
        The desk.
    """

    changed = Signal()
    """Another result is looked at, or the same one has changed."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.desk = desk
        self.held: SpotProportions | None = None
        self._at = -1
        self._token: tuple[Any, ...] = ()
        self._pairs: dict[str, tuple[str, str]] = {}
        self.results = QComboBox()
        self.results.activated.connect(lambda _i: self._read())
        self.shown = Shown(desk)
        self.flags, self.nothing = Quiet(), Quiet("No proportions yet: press Run.")
        self.flags.setToolTip(tooltip(_FLAGGED))
        self.composition = CompositionPanel(desk)
        self.results_rows = Rows()
        self.results_rows.add("Result", self.results, "Which of the results of this section is looked at.")
        self.leading = tool_row(
            [
                Tool("Most uncertain", "Go to the spot whose intervals are widest (Alt+U).", self.go_to_most_uncertain),
                Tool("Next flagged", "Go to the next spot to look at, the most uncertain first (Alt+N).", self.go_on),
                Tool("Select flagged", "Select all spots to look at.", self.select_flagged),
            ]
        )
        for text, key in (("Most uncertain", "Alt+U"), ("Next flagged", "Alt+N")):
            self.button(text).setShortcut(key)
        self.more = tool_row(
            [
                Tool("Co-location…", "Which cell types lie together: all pairs, against chance.", self.open_colocation),
                Tool(
                    "Keep as table",
                    "Keep the composition of all domains, or regions, of the kind chosen above as a table.",
                    self.composition.keep,
                ),
            ]
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        for part in (
            self.nothing,
            self.results_rows,
            self.shown,
            self.flags,
            self.leading,
            self.composition,
            self.more,
        ):
            layout.addWidget(part)

    def button(self, text: str) -> QPushButton:
        """Return one of the buttons that lead to spots."""
        found = self.leading.findChild(QPushButton, text)
        assert found is not None
        return found

    def refresh(self, outputs: tuple[tuple[str, str], ...], preferred: str = "") -> None:
        """Offer the results of the section; at first that of the table ``preferred``."""
        names = [f"{table} / {output}" for table, output in outputs]
        first = next((n for n, (table, _) in zip(names, outputs, strict=True) if table == preferred), "")
        self._pairs = dict(zip(names, outputs, strict=True))
        choose(self.results, names, first or (names[0] if names else ""))
        self.results_rows.setVisible(len(names) > 1)
        self._read()

    def show_output(self, table: str, output: str) -> None:
        """Look at one result, and draw it."""
        self.results.setCurrentIndex(max(self.results.findData(f"{table} / {output}"), 0))
        self._read()
        self.shown.begin()

    def chosen(self) -> tuple[str, str] | None:
        """Return (table, output) of the result that is looked at."""
        return self._pairs.get(str(self.results.currentData()))

    def go_to_most_uncertain(self) -> None:
        """Go to the spot of which least is known."""
        if self.held is not None and self.held.uncertainty is not None:
            self._go_to(int(self.held.by_uncertainty()[0]))

    def go_on(self) -> None:
        """Go to the next flagged spot; after the last comes the first."""
        rows = self._flagged()
        if len(rows):
            self._at = (self._at + 1) % len(rows)
            self._go_to(int(rows[self._at]))

    def select_flagged(self) -> None:
        """Select all spots to look at."""
        rows = self._flagged()
        if self.held is not None and self.desk.presenter is not None and len(rows):
            self.desk.presenter.selected.take(Selected(self.held.table, rows, "flagged by the deconvolution"))

    def open_colocation(self) -> None:
        """Open the matrix of all pairs of types in a window of its own."""
        from .colocation_window import open_colocation

        if self.held is not None:
            open_colocation(self.desk, self.held, self)

    def _flagged(self) -> npt.NDArray[np.int64]:
        return np.concatenate(list(self.held.flagged().values())) if self.held is not None else np.empty(0, np.int64)

    def _go_to(self, row: int) -> None:
        held, presenter = self.held, self.desk.presenter
        assert held is not None and presenter is not None and self.desk.session is not None
        document = self.desk.session.document
        try:
            where = coordinates_of(document, held.table, presenter.state.coordinate_system)
        except SpatialMLError as error:
            self.desk.told.emit("error", str(error))
            return
        from ..io.document import neighbour_distance

        spacing = neighbour_distance(where) or 50.0
        self.desk.look_at(float(where[row, 0]), float(where[row, 1]), _PIXELS / spacing)
        presenter.selected.take(Selected(held.table, np.array([row]), "spot to look at"))

    def _read(self) -> None:
        """Read the result again, as the document holds it now."""
        pair = self.chosen()
        former = self.held
        self.held = None if pair is None or self.desk.session is None else self._proportions(*pair)
        if former is None or self.held is None or len(former.values) != len(self.held.values):
            self._at = -1
        there = self.held is not None
        for part in (self.shown, self.flags, self.leading, self.composition, self.more):
            part.setVisible(there)
        self.nothing.setVisible(not there)
        if self.held is not None:
            said = flags_in_words(self.held)
            self.flags.setText(" ".join(part for part in (said, usual_in_words(self.held)) if part))
            self.flags.setVisible(bool(said))
            self.leading.setVisible(bool(said))
            for text in ("Next flagged", "Select flagged"):
                self.button(text).setEnabled(bool(len(self._flagged())))
            self.button("Most uncertain").setEnabled(self.held.uncertainty is not None)
        self.shown.set_result(self.held)
        self.composition.set_result(self.held)
        self.changed.emit()

    def _proportions(self, table: str, output: str) -> SpotProportions:
        """Return a result; the one that was read last while its table stays as it is."""
        assert self.desk.session is not None
        document = self.desk.session.document
        token = (id(document), table, output, document.revision(("tables", table)))
        if self.held is None or token != self._token:
            self._token = token
            return spot_proportions(document, table, output)
        return self.held
