"""Count the transcripts of every cell: which ones, with what besides, and what lies in no cell."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from ..core.report import Report
from ..errors import DocumentError, Stale
from ..session import Command, Session, correct
from ..session.cells import table_name
from ..session.counted_cells import unassigned_by_gene
from ..session.evidence import nuclei_for, offset_of
from ..session.loose import Loose
from ..session.transcript_index import points_with_genes
from ..session.transcript_source import Choice, quality_column
from ..views.loose import find_loose, is_of_now
from .name_box import NameBox
from .number import DecimalField
from .run_row import RunRow
from .step import choose
from .style import SPACING, Quiet, Rows, Tool, tool_row

if TYPE_CHECKING:
    from .desk import Desk

__all__ = ["CountBox"]

_USUAL_QUALITY = 20.0
_SHOWN = 3


class CountBox(QWidget):
    """Counts transcripts by cell; the table follows every correction from then on.

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
        self._begun: tuple[Session, int] | None = None
        self._of = ""
        self.points, self.nuclei, self.image = NameBox(), NameBox(), NameBox()
        self.quality, self.controls = DecimalField(), QCheckBox("count controls and blanks")
        self.quality.setRange(0, 1000)
        self.quality.setDecimals(0)
        self.controls.setToolTip("Negative controls, blanks and unassigned codewords become columns like genes.")
        self.run_row = RunRow(
            "Count transcripts",
            "Count the transcripts of every cell again, and measure the cells. The table follows each correction.",
            self._job,
            self._done,
        )
        self.loose = Quiet()
        self.see = RunRow(
            "Show those in no cell",
            "Draw a density of the transcripts that lie in no cell over the section: every one is counted.",
            self._find,
            self._show,
        )
        self.hide_them = tool_row([Tool("Hide them", "Take the density away.", lambda: self._draw(None))])
        self.more = tool_row([Tool("Which…", "Choose which transcripts count, and what is measured besides.",
                                   self._toggle, stays_down=True)])  # fmt: skip
        self.rows = Rows()
        self._quality_label = self._lay_out()

    def refresh(self) -> None:
        """Offer what fits the cells, and say what of the counted transcripts lies in no cell."""
        session, labels = self._desk.session, self._labels()
        assert session is not None
        document = session.document
        points = points_with_genes(document) if labels and "global" in document.placed(labels) else ()
        self.setVisible(bool(points) and not session.read_only and "[" not in labels)
        if self.isHidden():
            return
        about = document.attribute("segmentations", {}).get(labels, {})
        choose(self.points, list(points), str(about.get("transcripts", "")))
        others = [n for n in document.names("labels") if n != labels and offset_of(document, labels, n) == (0, 0)]
        images = [n for n in document.names("images") if offset_of(document, labels, n) is not None]
        choose(self.nuclei, ["", *others], str(about.get("nuclei") or next(iter(nuclei_for(document, labels)), "")))
        choose(self.image, ["", *images], str(about.get("image", "")))
        for box in (self.nuclei, self.image):
            box.setItemText(0, "none")
        if self._of != labels:
            self._of = labels
            choice = Choice.from_plain(about.get("choice"))
            self.quality.setValue(_USUAL_QUALITY if choice.quality is None else choice.quality)
            self.controls.setChecked(choice.controls and "transcripts" in about)
        known = bool(quality_column(document.element(str(self.points.currentData()))))
        for part in (self._quality_label, self.quality):
            part.setVisible(known)
        self._say_loose(session)

    def _say_loose(self, session: Session) -> None:
        name, about = (
            table_name(self._labels()),
            session.document.attribute("segmentations", {}).get(self._labels(), {}),
        )
        self.loose.setVisible("unassigned" in about and name in session.document.names("tables"))
        self.see.setVisible(not self.loose.isHidden())
        shown = None if self._desk.presenter is None else self._desk.presenter.state.loose
        self.hide_them.setVisible(shown is not None and is_of_now(session.document, shown))
        if self.loose.isHidden():
            return
        table = session.document.table(name)
        outside = int(about["unassigned"])
        total = outside + int(table.obs["total_counts"].sum())
        said = f"{outside:,} of {total:,} transcripts lie in no cell"
        if "transcripts" in table.var and outside:
            most = unassigned_by_gene(table).head(_SHOWN)
            said += ", most of " + ", ".join(f"{gene} ({n:,})" for gene, n in most.items() if n)
        self.loose.setText(f"{said}.")

    def _find(self) -> Callable[[Report], Loose]:
        if self._desk.session is None:
            raise DocumentError("No section is open.", "Open one first.")
        return find_loose(self._desk.session.document, self._labels())

    def _show(self, found: Loose) -> str:
        self._draw(found)
        within = int(found.counts.sum())
        return f"{within:,} transcripts within the frame of '{found.labels}' lie in no cell."

    def _draw(self, loose: Loose | None) -> None:
        assert self._desk.presenter is not None
        self._desk.presenter.show(loose=loose)
        self.see.message.show_message(None)
        self.refresh()

    def _toggle(self, down: bool = False) -> None:
        self.rows.setVisible(down)

    def _job(self) -> Callable[[Report], Command]:
        session = self._desk.session
        if session is None:
            raise DocumentError("No section is open.", "Open one first.")
        self._begun = (session, session.position)
        given: dict[str, Any] = {
            "labels": self._labels(),
            "points": str(self.points.currentData()),
            "controls": self.controls.isChecked(),
            "nuclei": str(self.nuclei.currentData() or ""),
            "image": str(self.image.currentData() or ""),
        }
        if not self.quality.isHidden() and self.quality.value() > 0:
            given["quality"] = self.quality.value()
        return lambda report: correct(session.document, "count-transcripts", report=report, **given)

    def _done(self, command: Command) -> str:
        assert self._begun is not None
        session, position = self._begun
        if session is not self._desk.session or session.position != position:
            raise Stale("The section was changed while this ran.", "Run it again.")
        session.execute(command)
        return ""  # the dock says what the last step did

    def _lay_out(self) -> QWidget:
        self.rows.add("Transcripts", self.points, "The points that are counted.")
        label = self.rows.add("Quality from", self.quality, "The lowest quality value (Phred) of one that counts: "
                              "20 is one wrong in a hundred. 0 counts all.")  # fmt: skip
        self.rows.add("Nuclei", self.nuclei, "Says which share of a cell's transcripts lies in a nucleus.")
        self.rows.add("Sum channels of", self.image, "Sums and means of the channels over each cell.")
        self.rows.add("", self.controls)
        self.rows.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        for part in (self.run_row, self.loose, self.see, self.hide_them, self.more, self.rows):
            layout.addWidget(part)
        return label
