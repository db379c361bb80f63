"""Judge two segmentations by what lies in their cells, where nobody knows the true ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QVBoxLayout, QWidget

from ..core.report import Report
from ..errors import DocumentError
from ..session.judgement import Judgement
from ..session.judging import judge
from ..session.transcript_index import points_with_genes
from ..session.transcript_source import Choice
from .curve import CapturePlot
from .figure_table import FigureTable, export_row
from .messages import Message, tell
from .run_row import RunRow
from .style import SPACING, Quiet

if TYPE_CHECKING:
    from .desk import Desk

__all__ = ["JudgeBox"]


class JudgeBox(QWidget):
    """Capture against purity, nuclei, sizes and shapes of A and B, side by side; nothing is called better.

    Parameters
    ----------
    desk
        The desk.
    labels
        Returns the two segmentations; they may be the same.
    """

    def __init__(self, desk: Desk, labels: Callable[[], tuple[str, str]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk, self._labels = desk, labels
        self.found: Judgement | None = None
        self._moment: tuple[int, ...] = ()
        self.about = Quiet("By the transcripts in the cells: how many they catch, and how pure they are.")
        self.run_row = RunRow(
            "Judge without truth",
            "Count the transcripts in the cells of A and B, also in shrunk and grown ones, and how often genes meet "
            "in one cell that exclude each other.",
            self._job,
            self._done,
        )
        self.figures = FigureTable("What speaks for and against the segmentations")
        self.plot, self.words = CapturePlot(), Quiet()
        self.results = QWidget()
        self._lay_out()
        self.results.hide()

    def refresh(self) -> None:
        """Offer it where there are transcripts and cells; forget what is of other cells."""
        session = self._desk.session
        names = [n for n in self._labels() if n]
        there = session is not None and bool(names) and bool(points_with_genes(session.document))
        self.setVisible(there)
        if self.found is not None and tuple(dict.fromkeys(names)) != self.found.names:
            self.forget()
        elif self.found is not None and self._moments(self.found.names) != self._moment:
            self.run_row.message.show_message(Message("warning", "A or B was changed since.", "Judge again."))

    def forget(self) -> None:
        """Take the figures away."""
        self.found = None
        self.results.hide()
        self.run_row.message.show_message(None)

    def export_to(self, path: Path) -> None:
        """Write everything as JSON, or the figures as CSV, by the name of the file."""
        assert self.found is not None
        try:
            path.write_text(self.found.to_csv() if path.suffix == ".csv" else self.found.to_json(), encoding="utf-8")
        except OSError as error:
            self.run_row.message.show_message(tell(error))
        else:
            self.run_row.message.show_message(Message("ok", f"Written to {path.name}."))

    def _moments(self, names: tuple[str, ...]) -> tuple[int, ...]:
        assert self._desk.session is not None
        return tuple(self._desk.session.document.revision(("labels", n)) for n in names)

    def _job(self) -> Callable[[Report], Judgement]:
        session = self._desk.session
        if session is None:
            raise DocumentError("No section is open.", "Open one first.")
        names = tuple(dict.fromkeys(n for n in self._labels() if n))
        said = session.document.attribute("segmentations", {}).get(names[0], {}) if names else {}
        choice = Choice.from_plain(said.get("choice"))  # counted as the table of A is
        job = judge(session.document, names, choice=choice)
        self._moment = self._moments(names)
        return job

    def _done(self, found: Judgement) -> str:
        self.found = found
        self.figures.set_heads(*found.names)
        self.figures.show_rows(_rows(found))
        self.plot.show_judgement(found)
        self.words.setText(" ".join(found.words))
        self.results.show()
        return ""

    def _lay_out(self) -> None:
        exports = export_row(self, "figures, curves and marker pairs", "judgement", self.export_to)
        inner, outer = QVBoxLayout(self.results), QVBoxLayout(self)
        for layout, parts in (
            (inner, (self.plot, self.words, self.figures, exports)),
            (outer, (self.about, self.run_row, self.results)),
        ):
            layout.setContentsMargins(0, 0, 0, 0)
            layout.setSpacing(SPACING)
            for part in parts:
                layout.addWidget(part)


def _rows(found: Judgement) -> list[tuple[tuple[str, ...], str]]:
    return [((f.name, *(f.shown(k) for k in range(len(found.names)))), f"{f.name}: {f.meaning}") for f in found.figures]
