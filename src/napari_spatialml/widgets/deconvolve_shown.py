"""How proportions are drawn on the canvas: as pies or bars, by one type, by the uncertainty, or by what is flagged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QCheckBox, QComboBox, QLineEdit, QVBoxLayout, QWidget

from ..session.spot_proportions import SpotProportions, of_reference
from .step import choose
from .style import SPACING, Rows, tooltip

if TYPE_CHECKING:
    from ..views.state import ColourBy
    from .desk import Desk

__all__ = ["Shown"]

PIES, BARS, DOMINANT, ONE = "pies", "bars", "dominant type", "one type"
_MODES = {PIES: "pies", BARS: "bars", DOMINANT: "dominant"}
_COLUMNS = {
    "uncertainty": "uncertainty",
    "deviance": "deviance",
    "types not in the reference": "outside",
    "what was set by hand": "by_hand",
}


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
        self.how, self.type, self.name = QComboBox(), QComboBox(), QLineEdit()
        self.ring = QCheckBox("Ring of uncertainty")
        self.ring.setToolTip(tooltip("Around each spot: how wide its 90 % intervals are. A full ring is least sure."))
        self.ring.setChecked(True)
        self.layers = QCheckBox("One layer a type")
        self.layers.setToolTip(
            tooltip("Give each type a layer in napari's list, hidden at first. All have one range of colours, 0 to 1.")
        )
        self.layers.clicked.connect(self._split)
        self.how.activated.connect(lambda _i: self.draw())
        self.ring.clicked.connect(lambda _on: self.draw())
        self.type.activated.connect(lambda _i: self.draw())
        self.name.editingFinished.connect(self._rename)
        self.rows = Rows()
        self.rows.add("Show", self.how, "How the proportions are drawn on the canvas.")
        self._ring_label = self.rows.add("", self.ring)
        self._type_label = self.rows.add("Cell type", self.type, "Whose share is drawn, from 0 to 1 for every type.")
        self._name_label = self.rows.add(
            "Its name", self.name, "What this learnt type is: it has that name everywhere."
        )
        self._layers_label = self.rows.add("", self.layers)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        layout.addWidget(self.rows)

    def set_result(self, held: SpotProportions | None) -> None:
        """Offer what can be drawn of a result, and show what is drawn now."""
        self.held = held
        if held is None or self.desk.session is None:
            return
        document = self.desk.session.document
        obs, ways = document.table(held.table).obs, list(self._drawn(held))
        ways += [DOMINANT, ONE, *(way for way, c in _COLUMNS.items() if f"{held.output}_{c}" in obs)]
        choose(self.how, ways, ways[0])
        choose(self.type, held.types, held.types[0])
        self._follow()

    def draw(self) -> None:
        """Draw the result as chosen."""
        held, presenter = self.held, self.desk.presenter
        if held is None or presenter is None or self.desk.session is None:
            return
        self._offer()
        element, way = self.desk.session.document.annotated(held.table), str(self.how.currentData())
        if way in _MODES and self._drawn(held):
            presenter.show_pies(element, held.table, held.output, _MODES[way], self.ring.isChecked())
        else:
            presenter.colour_by(element, _colour_by(held.table, self._key(held)))

    def begin(self) -> None:
        """Draw a new result: as the one before was drawn, else in the first way that there is."""
        presenter = self.desk.presenter
        if self.held is None or presenter is None or self.desk.session is None:
            return
        chosen = presenter.state.colours.get(self.desk.session.document.annotated(self.held.table))
        if chosen is None or chosen.table != self.held.table or self.held.output not in chosen.key:
            self.how.setCurrentIndex(0)
        self.draw()

    def show_type(self, name: str) -> None:
        """Draw the share of one type."""
        self.how.setCurrentIndex(self.how.findData(ONE))
        self.type.setCurrentIndex(self.type.findData(name))
        self.draw()

    def _split(self, on: bool) -> None:
        """Give each type a layer, or take these layers away."""
        held, presenter = self.held, self.desk.presenter
        if held is not None and presenter is not None and self.desk.session is not None:
            element = self.desk.session.document.annotated(held.table)
            self.desk.attempt(lambda: presenter.show_types(element, held.table if on else "", held.output))
            self._follow()

    def _rename(self) -> None:
        """Give the type that is drawn the name that was typed."""
        held, old, new = self.held, str(self.type.currentData()), self.name.text().strip()
        if held is None or not new or new == old or not self.name.isVisible():
            self._offer()
            return
        given = {"table": held.table, "column": f"{held.output}_dominant", "old": old, "new": new}
        session, presenter = self.desk.session, self.desk.presenter
        if self.desk.correct("rename-category", **given) and session is not None and presenter is not None:
            element = session.document.annotated(held.table)
            presenter.colour_by(element, _colour_by(held.table, f"obsm/{held.output}/{new}"))
        else:
            self._offer()

    def _key(self, held: SpotProportions) -> str:
        way = str(self.how.currentData())
        if way == ONE:
            return f"obsm/{held.output}/{self.type.currentData()}"
        return f"obs/{held.output}_{_COLUMNS.get(way, 'dominant')}"

    def _drawn(self, held: SpotProportions) -> tuple[str, ...]:
        """Return how a spot's parts can be drawn: circles as pies or bars, bins and pixels as bars, cells not."""
        from ..views.rasters import is_pixel_grid
        from ..views.spots import is_circles

        assert self.desk.session is not None
        document = self.desk.session.document
        element = document.annotated(held.table)
        if document.type_of(element) == "shapes":
            return (PIES, BARS) if is_circles(document, element) else ()
        return (BARS,) if document.type_of(element) == "labels" and is_pixel_grid(document, element) else ()

    def _follow(self) -> None:
        """Show in the fields what the canvas shows, where it shows this result."""
        held, presenter = self.held, self.desk.presenter
        if held is None or presenter is None or self.desk.session is None:
            return
        element = self.desk.session.document.annotated(held.table)
        colour = presenter.colour_of(element)
        self.layers.setChecked(presenter.state.by_type.get(element) == (held.table, held.output))
        if colour is not None and colour.table == held.table:
            ends = {f"obs/{held.output}_{c}": way for way, c in _COLUMNS.items()}
            ends[f"obs/{held.output}_dominant"] = self._mode(element)
            way = ONE if colour.key.startswith(f"obsm/{held.output}/") else ends.get(colour.key, "")
            if way and self.how.findData(way) >= 0:
                self.how.setCurrentIndex(self.how.findData(way))
            if way == ONE:
                self.type.setCurrentIndex(max(self.type.findData(colour.key.split("/", 2)[2]), 0))
        self._offer()

    def _mode(self, element: str) -> str:
        """Return how the canvas draws an element's proportions now, in the words of the field."""
        assert self.desk.presenter is not None
        pies = self.desk.presenter.state.pies.get(element)
        if pies is None:
            return DOMINANT
        self.ring.setChecked(pies.ring)
        return next(way for way, mode in _MODES.items() if mode == pies.mode)

    def _offer(self) -> None:
        """Show the fields that the way of drawing needs."""
        one, held, session = self.how.currentData() == ONE, self.held, self.desk.session
        learnt = (
            held is not None and session is not None and not of_reference(session.document, held.table, held.output)
        )
        self.name.setText(str(self.type.currentData() or ""))
        known = self.held is not None and self.held.uncertainty is not None
        ring = known and self.how.currentData() in _MODES and self.how.findData(BARS) >= 0
        split = self.how.findData(BARS) >= 0
        for part in (self.layers, self._layers_label):
            part.setVisible(split)
        named = one and learnt
        parts = ((self.name, named), (self._name_label, named))
        parts += ((self.type, one), (self._type_label, one), (self.ring, ring), (self._ring_label, ring))
        for part, shown in parts:
            part.setVisible(shown)


def _colour_by(table: str, key: str) -> ColourBy:
    from ..views.state import ColourBy

    return ColourBy(table, key)
