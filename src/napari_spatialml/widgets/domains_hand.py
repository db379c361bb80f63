"""Domains by hand: strokes on the canvas, the fit that follows them, and the list of all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from qtpy.compat import isalive
from qtpy.QtWidgets import QCheckBox, QLineEdit, QPushButton, QVBoxLayout, QWidget

from ..errors import SpatialMLError
from ..io.document import neighbour_distance
from ..session.domain_refit import finish_domain_refit, refit_domains
from ..session.gather import coordinates_of
from ..session.row_words import rows_are
from .domains_strokes import LOCKED, KeptStrokes, is_divided
from .hand import HandTools, length_field
from .refitting import Refitting
from .style import SPACING, Quiet, Rows, Tool, tool_row, tooltip

if TYPE_CHECKING:
    from ..views.presenter import Presenter
    from .desk import Desk

__all__ = ["StrokesPart"]

BRUSH = "domain-brush"
_TOOLS = (
    (BRUSH, "Brush", "Brush over rows: they go into the domain marked in the list.", "Shift+B"),
    ("domain-lasso", "Lasso", "Drag around rows to put them into the domain marked.", "Alt+S"),
    ("domain-polygon", "Polygon", "Click corners around rows; a double click puts them into the domain.", "Alt+G"),
    ("domain-fill", "Fill", "Click into a region: all of it that hangs together goes into the domain.", "Alt+F"),
)
_IGNORE = (
    "Strokes say that there is no tissue to divide: folds, bubbles, debris, glass. Such rows have no domain and teach "
    "nothing. (Alt+I)"
)


class StrokesPart(QWidget):
    """The tools, their radius and reason, the fit that follows, and the list of strokes.

    Parameters
    ----------
    desk
        The desk.
    target
        Returns the domain that strokes go into.
    """

    def __init__(self, desk: Desk, target: Callable[[], str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.desk, self._target = desk, target
        self.table, self.column = "", ""
        self._heard: Presenter | None = None
        self._sized_for, self._given = "", {}
        self.tools = HandTools(desk, _TOOLS, self._options)
        self.ignore = QPushButton("Ignore tissue")
        self.ignore.setObjectName("Ignore tissue")
        self.radius, self.reason = length_field(100.0), QLineEdit()
        self.follows, self.into, self.kept = QCheckBox("Follow my strokes"), Quiet(), KeptStrokes(desk)
        self.refitting = Refitting(desk, refit_domains, finish_domain_refit, "rows")
        self.list, self.about = self.kept.list, self.kept.about
        self._set_up()
        self._lay_out()
        desk.opened.connect(self._forget)
        desk.tool_changed.connect(self._on_tool)

    # what is shown -------------------------------------------------------------------------------

    def set_place(self, table: str, column: str, colours: Mapping[str, str]) -> None:
        """Show the strokes of a column, and correct it from now on."""
        if (table, column) != (self.table, self.column):
            self.tools.put_down()
        self.table, self.column = table, column
        presenter = self.desk.presenter
        if presenter is not None and presenter is not self._heard:
            self._heard = presenter
            presenter.rows_taken.connect(self._on_taken)
        self._fit_brush()
        self._keep_up()
        self.kept.set_place(table, column, colours)
        self._follow()

    def options_changed(self) -> None:
        """Tell the tool in the hand of another domain, radius or reason."""
        self.tools.options_changed()
        self._say_target()

    def _on_tool(self, _tool: str) -> None:
        self._say_target()

    def _keep_up(self) -> None:
        """Give the tool in the hand what is chosen now: a domain may have another name, or be gone."""
        if self.tools.tool and self._given != self._said():
            self.tools.options_changed()

    def take_brush(self) -> None:
        """Take the brush, unless one of the tools is in the hand already; strokes give a domain again."""
        self.ignore.setChecked(False)
        if self.tools.tool:
            self.options_changed()
        else:
            self.tools.buttons[BRUSH].click()

    # what is done --------------------------------------------------------------------------------

    def fit_again(self) -> None:
        """Fit the map again after the strokes, beside the window; the latest wins."""
        if self._made:
            self.refitting.start(self.table, self.column)

    @property
    def _made(self) -> bool:
        document = self.desk.session.document if self.desk.session is not None else None
        return document is not None and bool(self.table) and is_divided(document, self.table, self.column)

    def follow(self) -> None:
        """Fit the map again to what the hand has said elsewhere in the window, if it is to follow strokes."""
        if self.follows.isChecked():
            self.fit_again()

    def _on_taken(self, table: str, rows: Any) -> None:
        """Let the map follow a stroke: those of other steps and of other tables are none of ours."""
        if isalive(self) and self.tools.tool and table == self.table and self.follows.isChecked():
            self.fit_again()

    # how it is made ------------------------------------------------------------------------------

    def _set_up(self) -> None:
        self.ignore.setCheckable(True)
        self.ignore.setShortcut("Alt+I")
        self.ignore.setStyleSheet("QPushButton { padding: 3px 8px; }")
        self.ignore.toggled.connect(self._on_ignore)
        self.radius.valueChanged.connect(lambda _v: self.options_changed())
        self.reason.setPlaceholderText("why (kept with the section)")
        self.reason.editingFinished.connect(self.options_changed)
        self.follows.setChecked(True)
        self.follows.setToolTip(tooltip("Fit the whole map again after each stroke, beside the window. One undo takes "
                                        "a stroke and its fit back together."))  # fmt: skip
        self.follows.toggled.connect(lambda _on: self._follow())
        self.again = tool_row([Tool("Fit again", "Fit the whole map to all strokes laid so far.", self.fit_again)])
        self.kept.changed.connect(self.follow)

    def _lay_out(self) -> None:
        self.tools.row.layout().addWidget(self.ignore)
        rows = Rows()
        rows.add("Brush radius", self.radius, "In micrometres on the tissue.")
        rows.add("Reason", self.reason, "Kept with each stroke, and shown in the list.")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        for part in (self.tools, self.into, rows, self.follows, self.again, self.refitting, self.kept):
            layout.addWidget(part)

    def _options(self, tool: str) -> dict[str, Any]:
        assert self.desk.session is not None
        element = self.desk.session.document.annotated(self.table)
        if not self.desk.visible(element):
            self.desk.show_over_histology(element)
        self._given = self._said()
        return dict(self._given)

    def _said(self) -> dict[str, Any]:
        """Return what a tool is given."""
        domain = "" if self.ignore.isChecked() else self._target()
        place = {"table": self.table, "column": self.column, "domain": domain}
        return {**place, "reason": self.reason.text().strip(), "radius_um": self.radius.value()}

    def _on_ignore(self, on: bool) -> None:
        if on and not self.tools.tool:
            self.tools.buttons[BRUSH].click()
        self.options_changed()

    def _say_target(self) -> None:
        """Say what strokes do, as long as no tool in the hand says it."""
        into = "are ignored" if self.ignore.isChecked() else f"go into {self._target()}"
        document = self.desk.session.document if self.desk.session is not None else None
        word = rows_are(document, self.table) if document is not None else "rows"
        self.into.setText(f"{word.capitalize()} under a stroke {into}.")
        self.into.setVisible(not self.tools.tool)

    def _fit_brush(self) -> None:
        """Make the brush as wide as about two spacings of the rows, once a table."""
        if not self.table or self.table == self._sized_for or self.desk.session is None:
            return
        self._sized_for = self.table
        try:
            spacing = neighbour_distance(coordinates_of(self.desk.session.document, self.table))
        except SpatialMLError:
            return  # a run says what is wrong with the table
        if spacing:
            self.radius.setValue(float(f"{1.1 * spacing:.1g}"))

    def _follow(self) -> None:
        """Show what belongs to what is chosen; what cannot be done says why."""
        locked = self.desk.session is not None and self.desk.session.read_only
        helps = {self.tools.buttons[name]: f"{does} ({key})" for name, _, does, key in _TOOLS}
        for button, does in {**helps, self.ignore: _IGNORE}.items():
            button.setEnabled(not locked)
            button.setToolTip(tooltip(f"{does} {LOCKED}" if locked else does))
        self.again.setVisible(not self.follows.isChecked() and self._made and bool(self.list.entries))
        self.follows.setVisible(self._made)
        self._say_target()

    def _forget(self) -> None:
        self._heard, self._sized_for, self.table, self._given = None, "", "", {}
        self.ignore.setChecked(False)
        self.kept.set_place("", "", {})
