"""The way to where a stroke would teach a map most: one place after another, with the line to paint there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from ..core.uncertain_region import Region, uncertain_regions
from ..session.corrections import packed
from ..session.domain_maps import held_map
from ..session.domain_strokes import domain_hand_of
from ..session.domain_writing import neighbours
from ..session.row_words import rows_are
from .domains_strokes import LOCKED
from .messages import tell
from .runner import Runner
from .style import SPACING, Quiet, Tool, tool_row, tooltip

if TYPE_CHECKING:
    from ..session import Document
    from .desk import Desk

__all__ = ["NextPart"]

_MOST = 30
"""So many regions are led to, one after the other."""
_PAINTS = "Put the outlined rows into the domain marked in the list, as one stroke of the brush would (Alt+Y)."


class NextPart(QWidget):
    """The button to the next region, what is asked there, and the button that paints its line.

    Who goes on from a region has seen it: it is not shown again as long as its rows stay what they were.

    Parameters
    ----------
    desk
        The desk.
    target
        Returns the domain that strokes go into.
    """

    laid = Signal()
    """A stroke was laid: the map is to follow."""

    def __init__(self, desk: Desk, target: Callable[[], str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.desk, self._target = desk, target
        self.table, self.column = "", ""
        self.runner = Runner(self)
        self.regions: list[Region] = []
        self._at, self._known, self._shown = -1, None, -1
        self._left: dict[int, Any] = {}
        buttons = tool_row([Tool("Most uncertain", "", self.go_on), Tool("Paint here", "", self.paint)])
        self.next, self.painting = (buttons.findChild(QPushButton, n) for n in ("Most uncertain", "Paint here"))
        self.next.setShortcut("Alt+U")
        self.painting.setShortcut("Alt+Y")
        self.about = Quiet()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        for part in (buttons, self.about):
            layout.addWidget(part)

    def set_place(self, table: str, column: str) -> None:
        """Lead over another map, or over the same one after a change."""
        if (table, column) != (self.table, self.column):
            self.clear()
        self.table, self.column = table, column
        if self.desk.session is None or not table:
            return
        there = f"{column}_probabilities" in self.desk.session.document.table(table).obsm
        self.next.setEnabled(there)
        self.next.setToolTip(
            tooltip("Go to the region where a stroke would teach the map most; again: the next (Alt+U).")
            if there
            else tooltip("Run a method first: a map by hand alone says nothing of where it is unsure.")
        )
        self._follow()

    def clear(self) -> None:
        """Forget what was found of another map."""
        self._unshow()
        self.regions, self._at, self._known, self._left = [], -1, None, {}
        self.runner.stop()
        self.about.clear()
        self.about.hide()

    def go_on(self) -> None:
        """Go to the region where a stroke would teach most; again: to the next."""
        session = self.desk.session
        if session is None or not self.next.isEnabled():
            return
        moment = self._moment()
        if moment == self._known:
            self._go_to_next()
            return
        document, table, column, left = session.document, self.table, self.column, dict(self._left)
        self.runner.run(
            lambda report: (moment, _regions(document, table, column, left)),
            on_result=lambda found: self._take(*found),
            on_error=lambda error: self.desk.told.emit("error", tell(error).text),
            title="Look for the most uncertain region",
            key="uncertain",
            replace=True,
        )

    def paint(self) -> None:
        """Put the outlined rows into the domain marked in the list, as one stroke of the brush would."""
        presenter = self.desk.presenter
        if presenter is None or not self.painting.isEnabled():
            return
        region = self.regions[self._at]
        if presenter.flash.shown != self._shown:
            self._show(region)
            self.desk.told.emit("info", "Something else was shown meanwhile: look at the outline, then press again.")
            return
        said = {"table": self.table, "column": self.column, "domain": self._target(), "reason": ""}
        if self.desk.correct("stroke-domain", rows=packed(np.sort(region.line)), **said):
            self.laid.emit()

    def _take(self, moment: Any, regions: list[Region]) -> None:
        if self.desk.session is not None and self.table and moment == self._moment():
            self.regions, self._at, self._known = regions, -1, moment
            self._go_to_next()

    def _go_to_next(self) -> None:
        if self._at >= 0:
            self._leave(self.regions[self._at])
        if self.desk.presenter is None or not self.regions:
            self._say("The map is sure everywhere, or is given by hand: there is no place where a stroke would teach.")
            return
        self._at = (self._at + 1) % len(self.regions)
        region = self.regions[self._at]
        self._show(region)
        self._say(f"{self._at + 1} of {len(self.regions)}: {region.sentence}. Yellow: a line to paint along.")
        self._follow()

    def _show(self, region: Region) -> None:
        from ..views.uncertain import show_region

        presenter = self.desk.presenter
        assert presenter is not None
        self.desk.attempt(lambda: show_region(presenter, self.table, region.rows, region.line))
        self._shown = presenter.flash.shown

    def _unshow(self) -> None:
        """Take the outline from the canvas, unless something else is shown there by now."""
        presenter = self.desk.presenter
        if self._at >= 0 and presenter is not None and presenter.flash.shown == self._shown:
            presenter.flash.stop()

    def _leave(self, region: Region) -> None:
        """Keep what the rows of a region were when somebody went on from it."""
        assert self.desk.session is not None
        held = self.desk.session.document.table(self.table).obs[self.column]
        self._left.update((row, held.iat[row]) for row in region.rows.tolist())

    def _follow(self) -> None:
        """Offer to paint what is outlined as long as it is about this map; the outline goes with it."""
        there = self._at >= 0 and self._moment() == self._known
        if not there:
            self._unshow()
        locked = self.desk.session is not None and self.desk.session.read_only
        self.painting.setEnabled(there and not locked)
        why_not = LOCKED if locked else "" if there else "Press Most uncertain first."
        self.painting.setToolTip(tooltip(f"{_PAINTS} {why_not}".strip()))

    def _moment(self) -> Any:
        """Return what tells this map from what it was before."""
        assert self.desk.session is not None
        document, part = self.desk.session.document, ("tables", self.table)
        slots = (("obsm", f"{self.column}_probabilities"), ("obs", self.column))
        return (id(document), *(document.revision((*part, *slot)) for slot in slots))

    def _say(self, sentence: str) -> None:
        self.about.setText(sentence)
        self.about.show()


def _regions(document: Document, table: str, column: str, left: dict[int, Any]) -> list[Region]:
    """Return where strokes would teach a map, best first; those that somebody left only if there are no others."""
    found, hand = held_map(document, table, column), domain_hand_of(document, table, column)
    known = np.isfinite(found.probabilities).all(1)
    p = np.where(known[:, None], found.probabilities, 1 / max(len(found.names), 1))
    graph, word, laid = neighbours(document, table), rows_are(document, table), hand.codes >= 0
    closed, seen, held = hand.ignored | ~known, laid.copy(), document.table(table).obs[column]
    seen[[row for row, was in left.items() if held.iat[row] == was]] = True
    for done in (seen, laid):
        if regions := uncertain_regions(p, graph, done, closed, names=found.names, rows_are=word, number=_MOST):
            return regions
    return []
