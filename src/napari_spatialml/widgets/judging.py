"""Judge two segmentations by what lies in their cells, where nobody knows the true ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QVBoxLayout, QWidget

from ..core.report import Report
from ..errors import DocumentError
from ..session.judgement import Judgement
from ..session.judging import judge
from ..session.transcript_source import Choice
from ..session.transcripts import points_with_genes
from .curve import CapturePlot
from .file_dialogs import ask_where_to_save
from .messages import Message, tell
from .run_row import RunRow
from .style import SPACING, Quiet, Tool, tool_row

if TYPE_CHECKING:
    from .desk import Desk

__all__ = ["JudgeBox"]

_ROW = 22


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
        self.figures, self.plot, self.words = _table(), CapturePlot(), Quiet()
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
        _fill(self.figures, found)
        self.plot.show_judgement(found)
        self.words.setText(" ".join(found.words))
        self.results.show()
        return ""

    def _lay_out(self) -> None:
        exports = tool_row(
            [
                Tool("Export report…", "Write figures, curves and marker pairs as JSON.",
                     lambda: ask_where_to_save(self, "Export the report", "judgement.json", ".json", self.export_to)),
                Tool("Export table…", "Write the figures as comma-separated values.",
                     lambda: ask_where_to_save(self, "Export the table", "judgement.csv", ".csv", self.export_to)),
            ]
        )  # fmt: skip
        inner, outer = QVBoxLayout(self.results), QVBoxLayout(self)
        for layout, parts in (
            (inner, (self.plot, self.words, self.figures, exports)),
            (outer, (self.about, self.run_row, self.results)),
        ):
            layout.setContentsMargins(0, 0, 0, 0)
            layout.setSpacing(SPACING)
            for part in parts:
                layout.addWidget(part)


def _table() -> QTableWidget:
    table = QTableWidget(0, 1)
    table.verticalHeader().hide()
    table.verticalHeader().setDefaultSectionSize(_ROW)
    table.setShowGrid(False)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
    table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    table.setAccessibleName("What speaks for and against the segmentations")
    return table


def _fill(table: QTableWidget, found: Judgement) -> None:
    table.setColumnCount(1 + len(found.names))
    table.setHorizontalHeaderLabels(["", *found.names])
    header = table.horizontalHeader()
    header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    for column in range(1, table.columnCount()):
        header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
    table.setRowCount(len(found.figures))
    for i, figure in enumerate(found.figures):
        shown = [figure.shown(k) for k in range(len(found.names))]
        for column, text in enumerate((figure.name, *shown)):
            item = QTableWidgetItem(text)
            item.setToolTip(f"{figure.name}: {figure.meaning}")
            if column:
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            table.setItem(i, column, item)
    table.setFixedHeight(_ROW * len(found.figures) + header.sizeHint().height() + 4)
