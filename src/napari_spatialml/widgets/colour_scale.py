"""What the colours of an element are: categories to order, tick and recolour; or the map and its limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QDoubleValidator, QIcon, QImage, QPixmap
from qtpy.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QLabel, QLineEdit, QToolButton, QVBoxLayout, QWidget

from ..errors import SpatialMLError
from ..session.scales import MAPS, Scale, linked, scale_of
from .categories import CategoryList
from .messages import MessageLine, tell
from .style import SPACING, quiet_button, tooltip

if TYPE_CHECKING:
    from ..views.state import ColourBy, Legend
    from .desk import Desk

__all__ = ["ColourScale"]

_USUAL = (1.0, 99.0)
_ICON = QSize(72, 12)


class ColourScale(QWidget):
    """The categories or the scale of what colours an element; every change is a step of the session.

    Parameters
    ----------
    desk
        The desk.
    """

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.desk, self.element = desk, ""
        self.categories = CategoryList(ordering=True)
        self.categories.renamed.connect(self._rename)
        self.categories.recoloured.connect(self._recolour)
        self.categories.hidden_changed.connect(self._hide)
        self.categories.reordered.connect(self._order)
        self.message = MessageLine()
        self.range = self._range()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        for part in (self.categories, self.range, self.message):
            layout.addWidget(part)

    def set_element(self, element: str) -> None:
        """Say of which element the colours are shown."""
        self.element = element
        self.message.show_message(None)
        self.refresh()

    def refresh(self) -> None:
        """Show the categories or the scale, whichever colours the element."""
        legend = self._legend()
        kind = "" if legend is None or self._colour() is None else legend.kind
        self.setVisible(bool(kind))
        self.range.setVisible(kind == "continuous")
        if legend is not None and kind == "categories":
            self.categories.set_rows(legend.categories, legend.hidden)
        else:
            self.categories.set_rows([])
            if legend is not None and kind:
                self._show_scale(legend)

    def change(self, **fields: Any) -> None:
        """Change the scale; tell what is wrong with it, if anything is."""
        colour, session = self._colour(), self.desk.session
        if colour is None or session is None:
            return
        from ..session import correct

        now = scale_of(session.document, colour.table, colour.key)
        wanted = {f: getattr(now, f) for f in Scale.__dataclass_fields__} | fields
        if wanted == {f: getattr(now, f) for f in Scale.__dataclass_fields__}:
            return
        try:
            session.execute(correct(session.document, "set-scale", table=colour.table, key=colour.key, **wanted))
            self.message.show_message(None)
        except SpatialMLError as error:
            self.message.show_message(tell(error))

    def _legend(self) -> Legend | None:
        presenter = self.desk.presenter
        if presenter is None or self.desk.session is None or not self.element:
            return None
        return next((g for g in presenter.legends() if g.element == self.element), None)

    def _colour(self) -> ColourBy | None:
        """Return what colours the element, if it has rows of a table."""
        presenter, session = self.desk.presenter, self.desk.session
        if presenter is None or session is None or presenter.state.compared is not None:
            return None
        document = session.document
        known = {*document.names("labels"), *document.names("shapes")}
        return presenter.colour_of(self.element) if self.element in known else None

    # the map and its limits ----------------------------------------------------------------------

    def _range(self) -> QWidget:
        self.map, self.by, self.log = QComboBox(), QComboBox(), QCheckBox("log")
        self.map.setIconSize(_ICON)
        self.map.setAccessibleName("Colour map")
        self.map.setToolTip(tooltip("Maps of even lightness; the colour-blind can read them."))
        for name in MAPS:
            self.map.addItem(_picture(name), name, name)
        self.map.setPlaceholderText("of this column")
        self.map.activated.connect(lambda _i: self.change(colormap=self.map.currentData()))
        self.low, self.high = QLineEdit(), QLineEdit()
        for line, words in ((self.low, "Lower end"), (self.high, "Upper end")):
            line.setValidator(QDoubleValidator(line))
            line.setMaximumWidth(62)
            line.setAlignment(Qt.AlignmentFlag.AlignRight)
            line.setAccessibleName(words)
            line.setToolTip(tooltip(f"{words} of the map: what lies beyond has its colour."))
            line.editingFinished.connect(self._typed)
        for name in ("percentile", "value"):
            self.by.addItem(name, name)
        self.by.setToolTip(tooltip("What the two ends are: percentiles of all rows, or values."))
        self.by.activated.connect(lambda _i: self._by_changed())
        self.log.setToolTip(tooltip("The map runs over the logarithm of 1 + value."))
        self.log.clicked.connect(lambda on: self.change(log=bool(on)))
        self.usual = QToolButton()
        self.usual.setText("↺")
        self.usual.setToolTip("Back to the usual map and limits.")
        self.usual.setAccessibleName("Usual scale")
        quiet_button(self.usual)
        self.usual.clicked.connect(lambda _c=False: self.change(**{f: getattr(Scale, f) for f in _FIELDS}))
        box = QWidget()
        rows = QVBoxLayout(box)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(SPACING)
        for parts in ((self.map, self.log, self.usual), (self.low, QLabel("to"), self.high, self.by)):
            line_of = QHBoxLayout()
            line_of.setSpacing(6)
            for part in parts:
                line_of.addWidget(part, int(part in (self.map, self.by)))
            rows.addLayout(line_of)
        return box

    def _show_scale(self, legend: Legend) -> None:
        colour, session = self._colour(), self.desk.session
        assert colour is not None and session is not None
        scale = scale_of(session.document, colour.table, colour.key)
        self.map.setCurrentIndex(self.map.findData(legend.colormap))
        self.log.setChecked(scale.log)
        self.usual.setEnabled(scale != Scale())
        fixed = bool(linked(session.document, colour.table, colour.key)) or legend.ends != ("", "")
        by = "value" if fixed and scale.low is None else scale.by  # all types have one range, of values
        self.by.setCurrentIndex(self.by.findData(by))
        low, high = (scale.low, scale.high) if scale.low is not None else _USUAL
        if by == "value" and scale.low is None:
            low, high = legend.low, legend.high
        for line, value in ((self.low, low), (self.high, high)):
            if not line.hasFocus() or not line.isModified():
                line.setText(f"{value:.4g}")

    def _typed(self) -> None:
        if not (self.low.isModified() or self.high.isModified()):
            return
        for line in (self.low, self.high):
            line.setModified(False)
        try:
            low, high = (float(line.text().replace(",", ".")) for line in (self.low, self.high))
        except ValueError:
            self.refresh()
            return
        self.change(by=self.by.currentData(), low=low, high=high)

    def _by_changed(self) -> None:
        """Go from percentiles to the values that they are, and back to the usual percentiles."""
        legend = self._legend()
        if legend is None:
            return
        by = self.by.currentData()
        low, high = (float(f"{v:.4g}") for v in (legend.low, legend.high)) if by == "value" else _USUAL
        self.change(by=by, low=low, high=high)

    # categories ----------------------------------------------------------------------------------

    def _rename(self, old: str, new: str) -> None:
        self._correct("rename-category", old=old, new=new)

    def _order(self, names: list[str]) -> None:
        self._correct("order-categories", names=names)

    def _correct(self, name: str, **arguments: Any) -> None:
        colour = self._colour()
        if colour is None or colour.part != "obs":
            return
        if not self.desk.correct(name, table=colour.table, column=colour.name, **arguments):
            self.refresh()

    def _recolour(self, name: str, code: str) -> None:
        colour = self._colour()
        if colour is not None:
            self.desk.correct("set-colour", column=colour.name, category=name, colour=code)

    def _hide(self, hidden: frozenset[str]) -> None:
        if self.desk.presenter is not None:
            self.desk.presenter.hide_categories(self.element, hidden)


_FIELDS = tuple(Scale.__dataclass_fields__)


def _picture(name: str) -> QIcon:
    from napari.utils.colormaps import ensure_colormap

    rgba = np.ascontiguousarray(ensure_colormap(name).map(np.linspace(0, 1, _ICON.width())) * 255, dtype=np.uint8)
    line = QImage(rgba.data, _ICON.width(), 1, QImage.Format.Format_RGBA8888).copy()
    return QIcon(QPixmap.fromImage(line.scaled(_ICON)))
