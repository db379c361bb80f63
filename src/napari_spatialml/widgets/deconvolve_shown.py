"""How proportions are drawn on the canvas: by the dominant type, one type, the uncertainty, or what is flagged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QComboBox, QVBoxLayout, QWidget

from ..session.spot_proportions import SpotProportions
from .step import choose
from .style import SPACING, Rows

if TYPE_CHECKING:
    from ..views.state import ColourBy
    from .desk import Desk

__all__ = ["ONE", "Shown"]

DOMINANT, ONE, UNCERTAINTY, DEVIANCE, OUTSIDE, BY_HAND = (
    "dominant type",
    "one type",
    "uncertainty",
    "deviance",
    "types not in the reference",
    "what the hand gave",
)
_COLUMNS = {DOMINANT: "dominant", UNCERTAINTY: "uncertainty", DEVIANCE: "deviance", OUTSIDE: "outside",
            BY_HAND: "by_hand"}  # fmt: skip


class Shown(QWidget):
    """The chooser of what is drawn of a result.

    Parameters
    ----------
    desk
        The desk.
    """

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.desk = desk
        self.held: SpotProportions | None = None
        self.how, self.type = QComboBox(), QComboBox()
        self.how.activated.connect(lambda _i: self.draw())
        self.type.activated.connect(lambda _i: self.draw())
        self.rows = Rows()
        self.rows.add("Show", self.how, "How the proportions are drawn on the canvas.")
        self._type_label = self.rows.add("Cell type", self.type, "Whose share is drawn, from 0 to 1 for every type.")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        layout.addWidget(self.rows)

    def set_result(self, held: SpotProportions | None) -> None:
        """Offer what can be drawn of a result, and show what is drawn now."""
        self.held = held
        if held is None or self.desk.session is None:
            return
        obs = self.desk.session.document.table(held.table).obs
        ways = [DOMINANT, ONE, *(w for w, c in _COLUMNS.items() if w != DOMINANT and f"{held.output}_{c}" in obs)]
        choose(self.how, ways, DOMINANT)
        choose(self.type, held.types, held.types[0])
        self._follow()

    def draw(self) -> None:
        """Draw the result as chosen."""
        held, presenter = self.held, self.desk.presenter
        if held is None or presenter is None or self.desk.session is None:
            return
        self._offer_type()
        element = self.desk.session.document.annotated(held.table)
        presenter.colour_by(element, _colour_by(held.table, self._key(held)))

    def show_type(self, name: str) -> None:
        """Draw the share of one type."""
        self.how.setCurrentIndex(self.how.findData(ONE))
        self.type.setCurrentIndex(self.type.findData(name))
        self.draw()

    def _key(self, held: SpotProportions) -> str:
        way = str(self.how.currentData())
        if way == ONE:
            return f"obsm/{held.output}/{self.type.currentData()}"
        return f"obs/{held.output}_{_COLUMNS[way]}"

    def _follow(self) -> None:
        """Show in the fields what the canvas shows, where it shows this result."""
        held, presenter = self.held, self.desk.presenter
        if held is None or presenter is None or self.desk.session is None:
            return
        colour = presenter.colour_of(self.desk.session.document.annotated(held.table))
        if colour is not None and colour.table == held.table:
            ends = {f"obs/{held.output}_{c}": way for way, c in _COLUMNS.items()}
            way = ONE if colour.key.startswith(f"obsm/{held.output}/") else ends.get(colour.key, "")
            if way and self.how.findData(way) >= 0:
                self.how.setCurrentIndex(self.how.findData(way))
            if way == ONE:
                self.type.setCurrentIndex(max(self.type.findData(colour.key.split("/", 2)[2]), 0))
        self._offer_type()

    def _offer_type(self) -> None:
        one = self.how.currentData() == ONE
        for part in (self.type, self._type_label):
            part.setVisible(one)


def _colour_by(table: str, key: str) -> ColourBy:
    from ..views.state import ColourBy

    return ColourBy(table, key)
