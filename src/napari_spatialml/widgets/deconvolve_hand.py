"""Proportions by hand: select spots, say what holds there and why; the rest is fitted again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from qtpy.compat import isalive
from qtpy.QtWidgets import (
    QHBoxLayout,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from ..errors import SpatialMLError
from ..io.document import neighbour_distance
from ..session.constraints import held_constraints, rows_of
from ..session.gather import coordinates_of
from ..session.selected import Selected
from ..session.spot_proportions import SpotProportions
from .constraint_list import ConstraintList, constraint_in_words
from .deconvolve_say import Saying
from .hand import HandTools, length_field
from .refitting import Refitting
from .style import SPACING, Quiet, Rows, Tool, accent, tool_row, tooltip

if TYPE_CHECKING:
    from ..views.presenter import Presenter
    from .desk import Desk

__all__ = ["HandPart"]

_TOOLS = (
    ("select", "Click or lasso", "Click a spot, or drag around some. Shift adds, Alt takes away.", "Alt+S"),
    ("proportions", "Brush", "Brush over spots: each stroke adds to what is selected.", "Shift+B"),
    ("select-polygon", "Polygon", "Click corners around spots; a double click selects what is within.", "Alt+G"),
)


class HandPart(QWidget):
    """The tools that select spots, what is said of them, and the list of all that was said.

    Parameters
    ----------
    desk
        The desk.
    """

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.desk = desk
        self.held: SpotProportions | None = None
        self._heard: Presenter | None = None
        self._editing = -1
        clear = Tool("Clear", "Select nothing.", self._clear)
        self.tools = HandTools(desk, _TOOLS, self._options, [clear])
        self.radius, self._sized_for = length_field(100.0), ""
        self.radius.valueChanged.connect(lambda _v: self.tools.options_changed())
        self.refitting = Refitting(desk)
        self.count, self.about, self.say = Quiet(), Quiet(), Saying()
        self.list = ConstraintList()
        self._set_up()
        self._lay_out()
        self.list.chosen.connect(self.go_to)
        desk.opened.connect(self._forget)
        desk.tool_changed.connect(self._say_how)

    # what is shown -------------------------------------------------------------------------------

    def set_result(self, held: SpotProportions | None) -> None:
        """Correct another result, or show the same one after a change of the document."""
        self.held = held
        self.setVisible(held is not None)
        if held is None or self.desk.session is None:
            return
        presenter = self.desk.presenter
        if presenter is not None and presenter is not self._heard:
            self._heard = presenter
            presenter.selected.changed.connect(self._show_count)
            presenter.rows_taken.connect(self._on_taken)
        self.say.set_types(held.types)
        self._fit_brush(held.table)
        self.list.set_entries(self.entries())
        if self._editing >= len(self.list.entries):
            self.stop_editing()
        for part in (self.edit_button, self.remove_button):
            part.setVisible(bool(self.list.entries))
        self.about.setText(self._spots_by_hand(held))
        self.about.setVisible(bool(self.about.text()))
        self._follow()

    def entries(self) -> list[dict[str, Any]]:
        """Return what the hand has laid down about this result, in the order given."""
        if self.held is None or self.desk.session is None:
            return []
        return held_constraints(self.desk.session.document, self.held.table, self.held.output)

    def rows(self) -> npt.NDArray[np.int64]:
        """Return the rows that are selected."""
        now = self.desk.presenter.selected.now if self.desk.presenter is not None else None
        mine = self.held is not None and now is not None and now.table == self.held.table
        return now.rows if mine and now is not None else np.empty(0, np.int64)

    # what is done --------------------------------------------------------------------------------

    def apply(self) -> None:
        """Lay down what the fields say about the spots selected, or change the constraint that is edited."""
        held = self.held
        if held is None or not self.apply_button.isEnabled():
            return
        place, told = {"table": held.table, "output": held.output, "reason": self.say.why}, True
        if self._editing >= 0:
            value = self.say.value
            told = value != self.list.entries[self._editing].get("value") and value is not None
            done = self.desk.correct("edit-proportion-constraint", number=self._editing, value=value, **place)
        else:
            name, arguments = self.say.said()
            done = self.desk.correct(name, rows=[int(r) for r in self.rows()], **arguments, **place)
        if done:
            self.stop_editing()
            self.say.reason.clear()
            self._clear()  # what is not selected is dimmed, and the result is to be seen
            if told:  # another reason alone changes no share
                self.refitting.start(held.table, held.output)

    def edit(self) -> None:
        """Put the marked constraint into the fields; Apply then changes it."""
        number = self.list.current()
        if not 0 <= number < len(self.list.entries):
            self.desk.told.emit("info", "Click a line of the list first.")
            return
        self._editing = number
        self.say.show_entry(self.list.entries[number])
        self.go_to(number)
        self._follow()

    def stop_editing(self) -> None:
        """Leave the constraint as it is."""
        if self._editing >= 0:
            self._editing = -1
            self.say.reason.clear()
            self._follow()

    def remove(self) -> None:
        """Take the marked constraint away."""
        number, held = self.list.current(), self.held
        if held is None or not 0 <= number < len(self.list.entries):
            self.desk.told.emit("info", "Click a line of the list first.")
            return
        self.stop_editing()
        place = {"table": held.table, "output": held.output}
        if self.desk.correct("remove-proportion-constraint", number=number, **place):
            self.refitting.start(held.table, held.output)

    def go_to(self, number: int) -> None:
        """Select the spots of a constraint on the canvas."""
        held, presenter = self.held, self.desk.presenter
        if held is None or presenter is None or not 0 <= number < len(self.list.entries):
            return
        entry = self.list.entries[number]
        self.list.mark(number)
        rows = rows_of(presenter.document, held.table, entry)
        presenter.selected.take(Selected(held.table, rows, f"{constraint_in_words(entry)}, by hand"))

    # how it is made ------------------------------------------------------------------------------

    def _set_up(self) -> None:
        self.apply_button, self.cancel_button = QPushButton("Apply"), QPushButton("Leave as it is")
        self.apply_button.setShortcut("Alt+Return")
        self.apply_button.setToolTip(
            tooltip("Lay it down for the spots selected; all others are fitted again, and one undo takes it back "
                    "(Alt+Return).")
        )  # fmt: skip
        accent(self.apply_button)
        self.apply_button.clicked.connect(lambda _checked=False: self.apply())
        self.cancel_button.clicked.connect(lambda _checked=False: self.stop_editing())
        for button in (self.apply_button, self.cancel_button):
            button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def _lay_out(self) -> None:
        rows = Rows()
        rows.add("Brush radius", self.radius, "In micrometres on the tissue.")
        below = QHBoxLayout()
        for button in (self.apply_button, self.cancel_button):
            below.addWidget(button)
        below.addStretch(1)
        listed = tool_row(
            [
                Tool("Edit", "Change the share or the reason of the marked line.", self.edit),
                Tool("Remove", "Take the marked line away: its spots are free again.", self.remove),
            ]
        )
        self.edit_button, self.remove_button = (_button(listed, text) for text in ("Edit", "Remove"))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        for part in (self.tools, rows, self.count, self.say):
            layout.addWidget(part)
        layout.addLayout(below)
        for part in (self.refitting, self.list, listed, self.about):
            layout.addWidget(part)

    def _options(self, tool: str) -> dict[str, Any]:
        assert self.held is not None and self.desk.session is not None
        element = self.desk.session.document.annotated(self.held.table)
        if not self.desk.visible(element):
            self.desk.show_over_histology(element)
        if tool == "proportions":
            return {"table": self.held.table, "radius_um": self.radius.value()}
        return {"element": element, "table": self.held.table}

    def _say_how(self, tool: str) -> None:
        """Say what the brush does here: it selects, and Apply makes the step."""
        if tool == "proportions" and self.desk.presenter is not None and self.held is not None:
            self.desk.presenter.say("Click a spot, or drag over spots: each stroke adds to what is selected.")

    def _on_taken(self, table: str, rows: Any) -> None:
        """Add the spots of a stroke to those selected."""
        mine = isalive(self) and bool(self.tools.tool)  # a stroke on a map of domains is none of ours
        if mine and self.held is not None and table == self.held.table and self.desk.presenter is not None:
            self.desk.presenter.selected.take(Selected(table, rows, "brush on the canvas"), "add")

    def _clear(self) -> None:
        if self.desk.presenter is not None:
            self.desk.presenter.selected.clear()

    def _fit_brush(self, table: str) -> None:
        """Make the brush about as wide as two spots, once a table."""
        assert self.desk.session is not None
        if table == self._sized_for:
            return
        self._sized_for = table
        try:
            spacing = neighbour_distance(coordinates_of(self.desk.session.document, table))
        except SpatialMLError:
            return  # a run says what is wrong with the table
        if spacing:
            self.radius.setValue(float(f"{1.1 * spacing:.1g}"))

    def _follow(self) -> None:
        """Show whether something new is said, or something old is changed."""
        self.say.lock(self._editing >= 0)
        self.cancel_button.setVisible(self._editing >= 0)
        self._show_count()

    def _show_count(self) -> None:
        if not isalive(self) or self.held is None or self.desk.session is None:
            return
        n, locked = len(self.rows()), self.desk.session.read_only
        if self._editing >= 0:
            entry = self.list.entries[self._editing]
            self.count.setText(f"Changing line {self._editing + 1}: {constraint_in_words(entry)}.")
            self.apply_button.setText("Change")
        else:
            spots = "1 spot" if n == 1 else f"{n:,} spots"
            self.count.setText(f"{spots} selected." if n else "Select spots: click one, or drag around some.")
            self.apply_button.setText(f"Apply to {spots}" if n else "Apply")
        self.apply_button.setEnabled(not locked and (n > 0 or self._editing >= 0))

    def _spots_by_hand(self, held: SpotProportions) -> str:
        n = 0 if held.by_hand is None else int((held.by_hand != "").sum())
        spots = "1 spot is" if n == 1 else f"{n:,} spots are"
        return f"{spots} held by hand; what the method had said is kept beside them." if n else ""

    def _forget(self) -> None:
        self._heard, self._editing, self._sized_for = None, -1, ""
        self.set_result(None)


def _button(row: QWidget, text: str) -> QPushButton:
    found = row.findChild(QPushButton, text)
    assert found is not None
    return found
