"""What cells hold: spots or pixels averaged over them, and counts made again where something was moved."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QComboBox, QVBoxLayout, QWidget

from ..core.report import Report
from ..errors import DocumentError, Stale
from ..session import Command, Outdated, Session, correct, outdated
from .messages import Message, MessageLine
from .run_row import RunRow
from .step import choose
from .style import SPACING, Rows

if TYPE_CHECKING:
    from .desk import Desk

__all__ = ["ByCell"]

_AGAIN = {"counts": "Count again", "averages": "Average again"}


class ByCell(QWidget):
    """Give the cells of a segmentation the values of spots or pixels, and say when they are out of date.

    Parameters
    ----------
    desk
        The desk.
    labels
        Returns the name of the segmentation.
    """

    def __init__(self, desk: Desk, labels: Callable[[], str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk, self._labels = desk, labels
        self._wanted: tuple[str, dict[str, Any]] = ("", {})
        self._begun: tuple[Session, int] | None = None
        self.tables, self.old = QComboBox(), MessageLine()
        self.average = RunRow(
            "Average by cell",
            "Give every cell the mean of the spots or pixels that it lies on. The values follow each correction.",
            self._average,
            self._done,
        )
        self.again = RunRow("Make again", "Make what is out of date again.", self._job, self._done)
        self.again.button.hide()
        self.again.runner.changed.connect(lambda: self.again.button.setVisible(self.again.state != "idle"))
        self.rows = Rows()
        self.rows.add("Values of", self.tables, "A table of spots or pixels in the frame of the cells.")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        for part in (self.old, self.again, self.rows, self.average):
            layout.addWidget(part)

    def refresh(self) -> None:
        """Offer the tables that fit, and say what is out of date."""
        session = self._desk.session
        assert session is not None
        choose(self.tables, _sources(session, self._labels()))
        offered = self.tables.count() > 0 and not session.read_only
        self.rows.setVisible(offered)
        self.average.setVisible(offered)
        mine = (o for o in outdated(session) if o.kind in _AGAIN and _labels_of(o) == self._labels())
        first = next(mine, None)
        if first is None or self.again.state != "idle":
            self.old.show_message(None)
            return
        self.old.show_message(Message("warning", first.sentence), {_AGAIN[first.kind]: lambda: self._make_again(first)})

    def _make_again(self, old: Outdated) -> None:
        labels = self._labels()
        if old.kind == "counts":
            counted = old.record.get("name") == "count-transcripts"  # by the same quality, with the same nuclei
            self._wanted = ("count-transcripts", {**(old.record["arguments"] if counted else {}), "labels": labels})
        else:
            self._wanted = ("average-by-cell", dict(old.record["arguments"]))
        self.old.show_message(None)
        self.again.run()

    def _average(self) -> Callable[[Report], Command]:
        self._wanted = ("average-by-cell", {"labels": self._labels(), "table": str(self.tables.currentData())})
        return self._job()

    def _job(self) -> Callable[[Report], Command]:
        session, (name, arguments) = self._desk.session, self._wanted
        if session is None:
            raise DocumentError("No section is open.", "Open one first.")
        self._begun = (session, session.position)
        return lambda report: correct(session.document, name, report=report, **arguments)

    def _done(self, command: Command) -> str:
        assert self._begun is not None
        session, position = self._begun
        if session is not self._desk.session or session.position != position:
            raise Stale("The section was changed while this ran.", "Run it again.")
        session.execute(command)
        return f"{command.label[0].upper()}{command.label[1:]}."


def _labels_of(old: Outdated) -> str:
    found = old.record.get("arguments", {}).get("labels") or old.record.get("selection", {}).get("output", "")
    return str(found)


def _sources(session: Session, labels: str) -> list[str]:
    """Return the tables of spots and pixels that lie in a frame with the labels."""
    document = session.document
    if not labels or labels not in document.names("labels"):
        return []
    averaged = document.attribute("averages", {})
    found = []
    for table in document.names("tables"):
        element = document.annotated(table)
        if table in averaged or not element or element == labels or document.table(table).n_vars == 0:
            continue
        kind = document.type_of(element)
        spots = kind == "shapes" and "radius" in document.element(element)
        pixels = kind == "labels" and element not in document.attribute("segmentations", {})
        if (spots or pixels) and set(document.placed(element)) & set(document.placed(labels)):
            found.append(table)
    return found
