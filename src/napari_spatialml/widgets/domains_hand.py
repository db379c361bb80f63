"""Domains by hand: strokes on the canvas, the fit that follows them, and the list of all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.compat import isalive
from qtpy.QtWidgets import QCheckBox, QLineEdit, QPushButton, QVBoxLayout, QWidget

from ..errors import SpatialMLError
from ..io.document import neighbour_distance
from ..session.domain_maps import about_map
from ..session.domain_refit import finish_domain_refit, refit_domains
from ..session.domain_strokes import held_strokes, stroke_rows
from ..session.gather import coordinates_of
from ..session.selection import by_hand
from .hand import HandTools, length_field
from .refitting import Refitting
from .stroke_list import StrokeList
from .style import SPACING, Quiet, Rows, Tool, tool_row, tooltip

if TYPE_CHECKING:
    from ..session import Document
    from ..views.presenter import Presenter
    from .desk import Desk

__all__ = ["StrokesPart", "is_divided"]

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
_LOCKED = "The section is open for reading only: save a copy to correct it."


def is_divided(document: Document, table: str, column: str) -> bool:
    """Return whether a method has made a map: only then there is something to fit again."""
    return bool(about_map(document, table, column).get("method"))


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
        self.follows, self.into, self.about = QCheckBox("Follow my strokes"), Quiet(), Quiet()
        self.refitting = Refitting(desk, refit_domains, finish_domain_refit, "rows")
        self.list = StrokeList()
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
        self.list.set_strokes(self.entries(), colours)
        self.about.setText(self._by_hand_in_words())
        self.about.setVisible(bool(self.about.text()))
        self._follow()

    def entries(self) -> list[dict[str, Any]]:
        """Return the strokes in the order in which they were laid."""
        if not self.table or self.desk.session is None:
            return []
        return held_strokes(self.desk.session.document, self.table, self.column)

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

    def go_to(self, number: int) -> None:
        """Show a stroke on the canvas: its outline is another than that of the others, and comes into view."""
        presenter, entries = self.desk.presenter, self.list.entries
        if presenter is None or not 0 <= number < len(entries):
            return
        self.list.mark(number)
        presenter.show_stroke(self.table, self.column, number)
        rows = stroke_rows(presenter.document, self.table, entries[number])
        if len(rows) and not self._in_view(rows):
            from ..views.uncertain import show_region

            self.desk.attempt(lambda: show_region(presenter, self.table, rows))

    def _in_view(self, rows: Any) -> bool:
        """Return whether the middle of rows lies on the canvas."""
        presenter = self.desk.presenter
        assert presenter is not None
        try:
            where = coordinates_of(presenter.document, self.table, presenter.state.coordinate_system)[rows]
        except SpatialMLError:
            return True  # they cannot be gone to
        scene = presenter.viewer.scene.camera
        half = np.array(presenter.viewer.canvas.size) / max(float(scene.zoom), 1e-9) / 2
        return bool((np.abs(where.mean(0) - np.array(scene.center[-2:])) <= half).all())

    def remove(self, number: int = -1) -> None:
        """Take a stroke away, the marked one if none is named; the map is fitted again without it."""
        number = number if number >= 0 else self.list.current()
        if self._is_there(number):
            self._correct("remove-domain-stroke", number=number)

    def release(self) -> None:
        """Take all away that the hand has given; the map is fitted again without it."""
        self._correct("release")

    def move(self, number: int, domain: str) -> None:
        """Put a stroke into another domain."""
        if self._is_there(number):
            self._correct("edit-domain-stroke", number=number, domain=domain)

    def give_reason(self, number: int, reason: str) -> None:
        """Keep why a stroke was laid; it changes no fit."""
        if self._is_there(number):
            self._correct("edit-domain-stroke", number=number, reason=reason, fits=False)

    @property
    def _made(self) -> bool:
        document = self.desk.session.document if self.desk.session is not None else None
        return document is not None and bool(self.table) and is_divided(document, self.table, self.column)

    def _correct(self, name: str, *, fits: bool = True, **arguments: Any) -> None:
        done = self.desk.correct(name, table=self.table, column=self.column, **arguments)
        if not done:
            self.list.set_entries(self.entries())  # what was typed in place goes back
        elif fits and self.follows.isChecked():
            self.fit_again()

    def _is_there(self, number: int) -> bool:
        if 0 <= number < len(self.list.entries):
            return True
        self.desk.told.emit("info", "Click a line of the list of strokes first.")
        return False

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
        self.list.chosen.connect(self.go_to)
        self.list.moved.connect(self.move)
        self.list.reason_given.connect(self.give_reason)
        self.list.removal_wanted.connect(self.remove)

    def _lay_out(self) -> None:
        self.tools.row.layout().addWidget(self.ignore)
        rows = Rows()
        rows.add("Brush radius", self.radius, "In micrometres on the tissue.")
        rows.add("Reason", self.reason, "Kept with each stroke, and shown in the list.")
        self.listed = tool_row(
            [
                Tool("Edit reason", "Type why the marked stroke was laid (double click).", self.list.edit_reason),
                Tool("Remove", "Take the marked stroke away: its rows are free again.", self.remove),
                Tool("Remove all", "Take all away that was given by hand; one undo brings it back.", self.release),
            ]
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        for part in (self.tools, self.into, rows, self.follows, self.again, self.refitting, self.list, self.listed):
            layout.addWidget(part)
        layout.addWidget(self.about)

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
        self.into.setText(f"{self._word(2).capitalize()} under a stroke {into}.")
        self.into.setVisible(not self.tools.tool)

    def _word(self, n: int) -> str:
        """Return what rows of the table are called: spots, cells or pixels."""
        from ..views.selecting import word_for

        document = self.desk.session.document if self.desk.session is not None else None
        element = document.annotated(self.table) if document is not None and self.table else ""
        return word_for(document, element, n) if document is not None and element else "row" if n == 1 else "rows"

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
            button.setToolTip(tooltip(f"{does} {_LOCKED}" if locked else does))
        self.again.setVisible(not self.follows.isChecked() and self._made and bool(self.list.entries))
        self.listed.setVisible(bool(self.about.text()) and not locked)
        self.follows.setVisible(self._made)
        self._say_target()

    def _by_hand_in_words(self) -> str:
        mark = by_hand(self.column)
        obs = self.desk.session.document.table(self.table).obs if self.table and self.desk.session else {}
        n = int(obs[mark].sum()) if mark in obs else 0
        if not n:
            return ""
        kept = "stay as they are, whatever is fitted" if self._made else "are kept by the next run"
        return f"{n:,} {self._word(n)} corrected by hand {kept}."

    def _forget(self) -> None:
        self._heard, self._sized_for, self.table, self._given = None, "", "", {}
        self.ignore.setChecked(False)
        self.list.set_entries(())
