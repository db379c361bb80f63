"""The Review dock: the cells that look wrong, one after the other; what is missing; a sample for the accuracy."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from qtpy.compat import isalive
from qtpy.QtCore import QTimer
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from ..core.report import Report
from ..errors import SpatialMLError
from ..session.command import Command
from ..session.decisions import write_csv
from ..session.evidence import Sources, networks, nuclei_for, offset_of, sources_of
from ..session.planes import split_plane
from ..session.review import Review
from ..views.review import Walk
from .file_dialogs import ask_where_to_save
from .messages import Message, MessageLine, tell
from .name_box import NameBox
from .review_queue import QueuePanel
from .run_row import RunRow
from .step import StepDock, choose, title_label
from .style import MARGIN, SPACING, Quiet, Rows, Tool, accent, tool_row
from .tool_options import cells_of

__all__ = ["ReviewDock"]

_QUICK = 36_000_000
"""Pixels up to which the network is asked without being told to."""


class ReviewDock(StepDock):
    """Walks a person through the cells that most likely are wrong."""

    title = "Review"
    sentence = "Look at the cells that are most likely wrong, and at what was missed. Each decision can be undone."

    def make(self) -> QWidget:
        """Make what is reviewed, the run, and the queue."""
        self.review: Review | None = None
        self.walk: Walk | None = None
        self.labels, self.image, self.nuclei = NameBox(), NameBox(), NameBox()
        self.inputs = Rows()
        self.inputs.add("Cells", self.labels, "The labels that are reviewed.")
        self._image_label = self.inputs.add("Image", self.image, "The image by which they are judged.")
        self.network = QCheckBox("Ask the network how sure it is")
        self.network.setToolTip(
            "The network that finds nuclei looks too: errors are ranked better. About 2 s a million pixels."
        )
        self._asked_for = ""
        self._nuclei_label = self.inputs.add("Nuclei", self.nuclei, "Labels of nuclei: a cell has one.")
        self.inputs.span(self.network)
        self.labels.currentIndexChanged.connect(self.mark_stale)
        help = "Score every cell by how likely it is wrong, and look for places where one is missing."
        self.run_row = RunRow("Rank cells", help, self._prepare, self._ranked)
        accent(self.run_row.button)
        self.queue = QueuePanel(self.desk.runner)
        self.export = tool_row(
            [Tool("Export review.csv…", "Write cell, score, reason, state, who and when.", self.ask_csv)]
        )
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        column.setSpacing(SPACING + 2)
        sentence = Quiet(self.sentence)
        self._before = (sentence, self.inputs, self.run_row.button)
        self.queue.among.connect(self._make_room)
        for part in (title_label(self.title), sentence, self.inputs, self.run_row, self.queue, self.export):
            column.addWidget(part)
        column.addStretch(1)
        return body

    def message_line(self) -> MessageLine:
        """Return the line under the button."""
        return self.run_row.message

    def refresh(self) -> None:
        """Offer the labels of the section, and show the queue as it is."""
        document = self.session.document
        labels = choose(self.labels, [n for n in cells_of(document) if split_plane(n)[1] is None])
        self._take(labels)
        self._offer_sources(labels)
        writable = bool(labels) and not self.session.read_only and not self.session.recoverable
        self.run_row.set_ready(writable)
        self.queue.setEnabled(writable)
        if not labels:
            self.message_line().show_message(
                Message("info", "This section has no cells yet.", "Segment an image first.")
            )
        elif self.session.recoverable:
            why = "Say under Section whether the unsaved steps are to be restored."
            self.message_line().show_message(Message("info", why))
        elif self.message_line().message is not None and self.message_line().message.level == "info":  # type: ignore[union-attr]
            self.message_line().show_message(None)
        self.export.setVisible(self.review is not None and bool(self.review.table))
        self.queue.show_walk()
        self._score_again()

    def showEvent(self, event: QShowEvent) -> None:
        """Show again what is looked at."""
        super().showEvent(event)
        if self.walk is not None:
            self.walk.rest(False)

    def hideEvent(self, event: QHideEvent) -> None:
        """Leave the canvas to the other steps."""
        super().hideEvent(event)
        if self.walk is not None:
            self.walk.rest(True)

    def export_to(self, path: Path) -> None:
        """Write the queue as a table."""
        assert self.review is not None
        try:
            n = write_csv(self.review, path)
        except SpatialMLError as error:
            self.message_line().show_message(tell(error))
        else:
            self.message_line().show_message(Message("ok", f"{n:,} cells written to {path.name}."))

    def ask_csv(self) -> None:
        """Ask where to write the queue."""
        ask_where_to_save(self, "Export the review", "review.csv", ".csv", self.export_to)

    def _make_room(self, among: bool) -> None:
        """Leave the room of what was chosen to the sheet, as long as there is one."""
        for part in self._before:
            part.setVisible(not among)
        said = self.run_row.message.message
        if among and said is not None and said.level == "ok":
            self.run_row.message.show_message(None)

    # parts -------------------------------------------------------------------------------------

    def _take(self, labels: str) -> None:
        """Review these labels of this session; keep the walk where it is the same."""
        held = self.review
        if held is not None and held.session is self.session and held.labels == labels:
            return
        self._let_go()
        if not labels:
            return
        assert self.desk.presenter is not None
        self.review = Review(self.session, labels)
        self.walk = Walk(self.desk.presenter, self.review, partial(QTimer.singleShot, 0))
        self.review.changed.connect(self._on_scores)
        self.queue.take(self.walk)

    def _let_go(self) -> None:
        self.run_row.runner.stop()
        self.queue.take(None)
        if self.walk is not None:
            self.walk.close()
        if self.review is not None:
            self.review.close()
        self.walk = self.review = None

    def _on_opened(self) -> None:
        if hasattr(self, "review"):
            self._let_go()
        super()._on_opened()

    def _offer_sources(self, labels: str) -> None:
        document = self.session.document
        held = self.review.sources if self.review is not None else Sources("")
        images = [n for n in document.names("images") if labels and offset_of(document, labels, n) is not None]
        nuclei = nuclei_for(document, labels) if labels else ()
        for box, label, names, kept in (
            (self.image, self._image_label, images, held.image),
            (self.nuclei, self._nuclei_label, nuclei, held.nuclei),
        ):
            choose(box, names, kept)
            label.setVisible(bool(names))
            box.setVisible(bool(names))
        self.network.setVisible(bool(images) and bool(networks()))
        if labels and labels != self._asked_for:
            self._asked_for = labels
            h, w = document.grid(labels).shape
            self.network.setChecked(h * w <= _QUICK)

    def _prepare(self) -> Callable[[Report], Command]:
        assert self.review is not None
        labels = self.review.labels
        points = sources_of(self.session.document, labels).points
        image = self.image.currentData() or ""
        network = next(iter(networks()), "") if image and self.network.isChecked() else ""
        sources = Sources(labels, image, self.nuclei.currentData() or "", points, network)
        job, self._store = self.review.ranking_job(sources)
        return job

    def _ranked(self, command: Command) -> str:
        line = self._store(command)
        self.refresh_now()
        self.queue.start()
        return line

    def _on_scores(self) -> None:
        if isalive(self):  # a dock that was closed is still told, until Python lets go of it
            self.mark_stale()

    def _score_again(self) -> None:
        """Score again, beside the window, what was corrected, undone or done again since the last time."""
        made = None if self.review is None or self.session.read_only else self.review.scoring_job()
        if made is None or self.run_row.runner.state != "idle":
            return
        job, take = made

        def scored(report: Report) -> Any:
            return job(report)

        # of the desk, which outlives the dock: a short job that nobody stops must not lose its runner
        self.desk.runner.run(scored, on_result=take, on_error=self._not_scored, key="score again", replace=True)

    def _not_scored(self, error: BaseException) -> None:
        self.message_line().show_message(tell(error))
