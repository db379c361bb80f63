"""The Transcripts dock: which genes are drawn and how, and how much of what is in view that is."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from qtpy.QtCore import QEvent, QObject, QStringListModel, Qt, QTimer
from qtpy.QtWidgets import QCompleter, QLineEdit, QPushButton, QVBoxLayout, QWidget

from ..session.transcript_index import TranscriptIndex
from ..session.transcript_source import UNNAMED
from ..views.transcript_looks import TranscriptLook
from ..views.transcripts import look_of, picture_now, said_of
from .gene_list import GeneList
from .messages import Message, MessageLine
from .name_box import NameBox
from .progress_row import ProgressBar
from .step import StepDock, choose, title_label
from .style import MARGIN, SPACING, Heading, Quiet, Rows, Tool, tool_row
from .transcript_filters import TranscriptFilters

__all__ = ["TranscriptsDock"]


class TranscriptsDock(StepDock):
    """Look at millions of transcripts: density from afar, points from near, gene by gene."""

    title = "Transcripts"
    sentence = "Look at single transcripts: all of them as a density, or the genes you choose as points."

    def make(self) -> QWidget:
        """Make the part that is shown while a section is open."""
        self.points = NameBox()
        self.points.setToolTip("The points of the section that name their genes.")
        self.points.currentIndexChanged.connect(lambda _i: self.refresh_now())
        self.search, self.genes, self.filters = QLineEdit(), GeneList(), TranscriptFilters()
        self.status, self.message, self.bar = Quiet(), MessageLine(), ProgressBar()
        self.bar.setRange(0, 1000)
        self._rows = Rows()
        self._points_label = self._rows.add("On", self.points)
        self._rows.add("Add a gene", self.search, "Type a part of a gene's name; several names at once are taken, too.")
        self._offer()
        self.genes.ticked.connect(lambda gene, on: self._change(lambda look: look.changed(gene, shown=on)))
        self.genes.recoloured.connect(lambda gene, c: self._change(lambda look: look.changed(gene, colour=c)))
        self.genes.reshaped.connect(lambda gene, s: self._change(lambda look: look.changed(gene, symbol=s)))
        self.genes.removed.connect(lambda gene: self._change(lambda look: look.without_gene(gene)))
        self.filters.changed.connect(self._change)
        self.desk.following.pictured.connect(self._on_pictured)
        self.desk.following.progressed.connect(self._on_progress)
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        column.setSpacing(SPACING + 2)
        self.tools = self._tools()
        chosen = (self._rows, self.genes, self.tools)
        for part in (
            title_label(self.title),
            self.status,
            self.bar,
            self.message,
            *chosen,
            Heading("Which"),
            self.filters,
        ):
            column.addWidget(part)
        column.addStretch(1)
        return body

    def message_line(self) -> MessageLine:
        """Return the line under the title."""
        return self.message

    @property
    def element(self) -> str:
        """The points that are looked at, or ""."""
        return str(self.points.currentData() or "")

    def refresh(self) -> None:
        """Show the genes that were chosen, and how many of each are in view."""
        elements = self.desk.following.elements()
        choose(self.points, elements)
        for part in (self.points, self._points_label):
            part.setVisible(len(elements) > 1)
        index, look = self._index(), self._look()
        names = [gene for gene in index.genes if gene != UNNAMED] if index is not None else []
        if names != self._names.stringList():
            self._names.setStringList(names)
        self.search.setEnabled(bool(names))
        waiting = "known when they are indexed" if index is None else "these points name no genes"
        self.search.setPlaceholderText(f"type one of {len(names):,} genes" if names else waiting)
        for name in ("All genes", "Colour…"):
            self.tools.findChild(QPushButton, name).setEnabled(bool(look.genes))
        self.filters.refresh(look, index)
        self._show_genes(look, index)
        self._show_status()

    def add(self, typed: str) -> None:
        """Draw the genes of these names, the first whose name begins so, or that has it anywhere."""
        index = self._index()
        if index is None or not typed.strip():
            return
        found = [_match(part, index.genes) for part in re.split(r"[,;\s]+", typed.strip()) if part]
        missing = [part for part, gene in found if not gene]
        wanted = [gene for _, gene in found if gene]
        if missing:
            self.message.show_message(
                Message("warning", f"There is no gene '{missing[0]}' among {len(index.genes):,}.")
            )
        else:
            self.message.show_message(None)
        if wanted:
            self.search.clear()
            self._change(partial(_with, wanted))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Offer all genes on a click into the field, before a letter is typed."""
        if event.type() == QEvent.Type.MouseButtonPress and self._names.stringList() and not self.search.text():
            QTimer.singleShot(0, self._offer_all)
        return False

    def _offer(self) -> None:
        self._names = QStringListModel(self)
        self.completer = QCompleter(self._names, self)
        self.completer.setFilterMode(Qt.MatchFlag.MatchContains)
        self.completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.completer.setMaxVisibleItems(14)
        # a turn later: the completer writes the name into the field after it has told of it
        self.completer.activated.connect(lambda name: QTimer.singleShot(0, partial(self.add, name)))
        self.search.setCompleter(self.completer)
        self.search.returnPressed.connect(self._enter)
        self.search.installEventFilter(self)

    def _offer_all(self) -> None:
        self.completer.setCompletionPrefix("")
        self.completer.complete()

    def _enter(self) -> None:
        popup = self.completer.popup()
        if popup is None or not popup.isVisible() or not popup.currentIndex().isValid():
            self.add(self.search.text())

    def _tools(self) -> QWidget:
        return tool_row(
            [
                Tool("All genes", "Draw all transcripts alike; the chosen genes are forgotten.", self._all_genes),
                Tool("Colour…", "Choose another colour for the marked gene.", self._ask_colour),
                Tool("Fit view", "Show the whole section.", self._fit),
            ]
        )

    def _all_genes(self) -> None:
        self._change(lambda look: replace(look, genes=()))

    def _ask_colour(self) -> None:
        gene = self.genes.current() or self.genes.name_at(0)
        if gene:
            self.genes.ask_colour(gene)

    def _fit(self) -> None:
        if self.desk.presenter is not None:
            self.desk.presenter.fit()

    def _change(self, change: Callable[[TranscriptLook], TranscriptLook]) -> None:
        if self.element:
            self.desk.following.change(self.element, change)

    def _look(self) -> TranscriptLook:
        presenter = self.desk.presenter
        return look_of(presenter.state, self.element) if presenter is not None else TranscriptLook()

    def _index(self) -> TranscriptIndex | None:
        found: TranscriptIndex | None = self.desk.following.index(self.element) if self.element else None
        return found

    def _show_genes(self, look: TranscriptLook, index: TranscriptIndex | None) -> None:
        presenter = self.desk.presenter
        picture = picture_now(self.session.document, presenter.state, self.element) if presenter is not None else None
        about = "" if picture is None or picture.exact else "≈ "
        counts = {} if picture is None or picture.look is not look else picture.counts
        place = {name: k for k, name in enumerate(index.genes)} if index is not None and look.genes else {}
        totals = index.of_each if index is not None and look.genes else ()
        in_all = {g.gene: f"{int(totals[place[g.gene]]):,}" for g in look.genes if g.gene in place}
        self.genes.set_rows(look.genes, {gene: f"{about}{n:,}" for gene, n in counts.items()}, in_all)

    def _show_status(self) -> None:
        presenter, index = self.desk.presenter, self._index()
        if not self.element or presenter is None:
            self.status.setText("No points lie in this coordinate system.")
            return
        picture = picture_now(self.session.document, presenter.state, self.element)
        parts = [] if picture is None else [said_of(picture)]
        if index is not None:
            left = index.total - index.placed
            named = self._names.stringList()
            what = f"{index.placed:,} transcripts of {len(named):,} genes" if named else f"{index.placed:,} points"
            lost = " without a place or gene" if named else " without a place"
            parts.append(what + (f", {left:,}{lost}" if left else ""))
        problem = self.desk.following.problems.get(self.element, "")
        self.status.setText(problem or " · ".join(parts) or "Looking for the index of the transcripts.")
        if index is not None:
            self.bar.hide()

    def _on_pictured(self, points: str) -> None:
        if points == self.element:
            self.mark_stale()

    def _on_progress(self, points: str, fraction: float, said: str) -> None:
        if points != self.element:
            return
        self.bar.setVisible(fraction < 1 and self._index() is None)
        self.bar.setValue(round(1000 * fraction))
        self.bar.setToolTip(said)
        if fraction >= 1:
            self.mark_stale()


def _match(typed: str, genes: tuple[str, ...]) -> tuple[str, str]:
    """Return what was typed, and the gene that is meant, or ""."""
    low = typed.lower()
    ways = (lambda g: g == low, lambda g: g.startswith(low), lambda g: low in g)
    return typed, next((gene for way in ways for gene in genes if way(gene.lower())), "")


def _with(wanted: list[str], look: TranscriptLook) -> TranscriptLook:
    for gene in wanted:
        look = look.with_gene(gene)
    return look
