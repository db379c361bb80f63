"""The strokes that were laid on a map: listed, shown on the canvas, moved to another domain, taken away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QPushButton, QVBoxLayout, QWidget

from ..errors import SpatialMLError
from ..session.domain_maps import about_map
from ..session.domain_strokes import held_strokes, stroke_rows
from ..session.gather import coordinates_of
from ..session.row_words import rows_are
from ..session.selection import by_hand
from .stroke_list import StrokeList
from .style import SPACING, Quiet, Tool, tool_row, tooltip

if TYPE_CHECKING:
    from ..session import Document
    from .desk import Desk

__all__ = ["LOCKED", "KeptStrokes", "is_divided"]

LOCKED = "The section is open for reading only: save a copy to correct it."


def is_divided(document: Document, table: str, column: str) -> bool:
    """Return whether a method has made a map: only then there is something to fit again."""
    return bool(about_map(document, table, column).get("method"))


class KeptStrokes(QWidget):
    """The list of strokes and what can be done with each.

    Parameters
    ----------
    desk
        The desk.
    """

    changed = Signal()
    """The hand has said something else: the map is to follow."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.desk = desk
        self.table, self.column = "", ""
        self.list, self.about = StrokeList(), Quiet()
        self.buttons = tool_row(
            [
                Tool("Edit…", "Put the marked stroke into another domain, or type why it was laid.", self.edit),
                Tool("Remove", "Take the marked stroke away: its rows are free again.", self.remove),
                Tool("Remove all", "Take all away that was given by hand; one undo brings it back.", self.release),
            ]
        )
        self.shown = QCheckBox("Show strokes on the map")
        self.shown.setToolTip(
            tooltip("Outline what was set by hand, and hatch what is ignored. Hidden strokes count all the same.")
        )
        self.shown.clicked.connect(self.show_strokes)
        self.list.chosen.connect(self.go_to)
        self.list.moved.connect(self.move)
        self.list.reason_given.connect(self.give_reason)
        self.list.removal_wanted.connect(self.remove)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        for part in (self.shown, self.list, self.buttons, self.about):
            layout.addWidget(part)

    def set_place(self, table: str, column: str, colours: Mapping[str, str]) -> None:
        """List the strokes of a column, with the colours of its domains."""
        self.table, self.column = table, column
        self.list.set_strokes(self.entries(), colours)
        presenter = self.desk.presenter
        self.shown.setVisible(bool(self.list.entries))
        self.shown.setChecked(presenter is None or presenter.state.strokes)
        said = self._in_words()
        self.about.setText(said)
        self.about.setVisible(bool(said))
        self.buttons.setVisible(bool(said) and self.desk.session is not None and not self.desk.session.read_only)

    def entries(self) -> list[dict[str, Any]]:
        """Return the strokes in the order in which they were laid."""
        if not self.table or self.desk.session is None:
            return []
        return held_strokes(self.desk.session.document, self.table, self.column)

    def show_strokes(self, on: bool) -> None:
        """Outline the strokes on the canvas, or leave only the colours of the map."""
        if self.desk.presenter is not None:
            self.desk.presenter.show(strokes=on)

    def go_to(self, number: int) -> None:
        """Show a stroke on the canvas: its outline is another than that of the others, and comes into view."""
        presenter, entries = self.desk.presenter, self.list.entries
        if presenter is None or not 0 <= number < len(entries):
            return
        self.list.mark(number)
        if not presenter.state.strokes:
            self.show_strokes(True)
        presenter.show_stroke(self.table, self.column, number)
        rows = stroke_rows(presenter.document, self.table, entries[number])
        if len(rows) and not self._in_view(rows):
            from ..views.uncertain import show_region

            self.desk.attempt(lambda: show_region(presenter, self.table, rows))

    def edit(self) -> None:
        """Offer what can be done with the marked stroke."""
        if self._is_there(self.list.current()):
            button = self.buttons.findChild(QPushButton, "Edit…")
            self.list.menu().popup(button.mapToGlobal(button.rect().bottomLeft()))

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

    def _correct(self, name: str, *, fits: bool = True, **arguments: Any) -> None:
        if not self.desk.correct(name, table=self.table, column=self.column, **arguments):
            self.list.set_entries(self.entries())  # what was typed in place goes back
        elif fits:
            self.changed.emit()

    def _is_there(self, number: int) -> bool:
        if 0 <= number < len(self.list.entries):
            return True
        self.desk.told.emit("info", "Click a line of the list of strokes first.")
        return False

    def _in_view(self, rows: Any) -> bool:
        """Return whether the middle of rows lies on the canvas."""
        presenter = self.desk.presenter
        assert presenter is not None
        try:
            where = coordinates_of(presenter.document, self.table, presenter.state.coordinate_system)[rows]
        except SpatialMLError:
            return True  # they cannot be gone to
        camera = presenter.viewer.scene.camera
        half = np.array(presenter.viewer.canvas.size) / max(float(camera.zoom), 1e-9) / 2
        return bool((np.abs(where.mean(0) - np.array(camera.center[-2:])) <= half).all())

    def _in_words(self) -> str:
        """Return how many rows the hand has spoken of, and what becomes of them; "" for none."""
        if not self.table or self.desk.session is None:
            return ""
        document, mark = self.desk.session.document, by_hand(self.column)
        obs = document.table(self.table).obs
        n = int(obs[mark].sum()) if mark in obs else 0
        if not n:
            return ""
        divided = is_divided(document, self.table, self.column)
        kept = "stay as they are, whatever is fitted" if divided else "are kept by the next run"
        return f"{n:,} {rows_are(document, self.table, n)} corrected by hand {kept}."
