"""The Section dock: open, see what is there, choose what is shown and by what it is coloured, save."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QAbstractButton, QVBoxLayout, QWidget

from ..session import GLOBAL
from ..session.saving import HOME
from .colour_by import ColourField
from .colour_scale import ColourScale
from .elements import ElementList
from .file_dialogs import ask_for_files, ask_for_folder, ask_where_to_save
from .messages import Message, MessageLine
from .name_box import NameBox
from .opening_panel import OpeningPanel
from .saving import SavingPanel
from .selections import SelectionPart
from .step import StepDock, choose, title_label
from .style import MARGIN, SPACING, Heading, Quiet, Rows, Tool, tool_row

__all__ = ["SectionDock"]

_FOR_GOOD = "Discard for good"
_SAVED = "Saved in"


class SectionDock(StepDock):
    """Open a section, choose what is shown, and save it."""

    title = "Section"
    sentence = "Open images, spots, cells and metabolite pixels of one section, all in micrometres."

    def make(self) -> QWidget:
        """Make the part that is shown while a section is open."""
        self.message = MessageLine()
        self.recovery = MessageLine()
        self.elements = ElementList(self.desk)
        self.colour = ColourField(self.desk)
        self.systems = NameBox()
        self.systems.setToolTip("What lies in this coordinate system is drawn, in micrometres.")
        self.systems.currentIndexChanged.connect(lambda _i: self._choose_system())
        self.elements.chosen.connect(self.colour.set_element)
        self.scale, self.selection = ColourScale(self.desk), SelectionPart(self.desk)
        for part in (self.scale, self.selection):
            self.elements.chosen.connect(part.set_element)
        self._rows = Rows()
        self._system_label = self._rows.add("Coordinate system", self.systems)
        self._rows.add("Colour by", self.colour, "A column, a gene or an m/z: type a part of its name.")
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        column.setSpacing(SPACING + 2)
        self.summary = Quiet()
        self.notes = Quiet()
        head = (title_label(self.title), self.summary, self._tools(), OpeningPanel(self.desk), self.recovery)
        view = (Heading("Elements"), self.elements, self._rows, self.scale, self.selection, self._savers())
        self.saving = SavingPanel(self.desk.saving)
        self.desk.saving.changed.connect(self._follow_saving)
        self.desk.saving.ended.connect(self._on_saved)
        for part in (*head, *view, self.saving, self.message, self.notes):
            column.addWidget(part)
        column.addStretch(1)
        return body

    def message_line(self) -> MessageLine:
        """Return the line under the buttons."""
        return self.message

    def refresh(self) -> None:
        """Show the elements, the coordinate systems and the offer to restore."""
        document, presenter = self.session.document, self.desk.presenter
        assert presenter is not None
        systems = document.coordinate_systems()
        choose(self.systems, systems, presenter.state.coordinate_system)
        self._show_system(presenter.state.coordinate_system)
        for part in (self.systems, self._system_label):
            part.setVisible(len(systems) > 1)
        self.elements.refresh()
        self.colour.refresh()
        self.summary.setText(_summary(document))
        self.summary.setVisible(bool(self.summary.text()))
        self.notes.setText(_notes(document))
        self.notes.setVisible(bool(self.notes.text()))
        self._offer_recovery()
        told = self.message.message
        if self.session.unsaved and told is not None and told.text.startswith(_SAVED):
            self.message.show_message(None)

    def save(self) -> None:
        """Save what changed; ask where, if the section has no place yet or is another program's."""
        session = self.session
        if session.store is None:
            self.save_as()
        elif session.home != session.store / HOME:
            self.message.show_message(
                Message("warning", f"'{session.store.name}' was written by another program.", "Save into it?"),
                {"Save into it": lambda: self.save_to(None), "Save a copy…": self.save_as},
            )
        else:
            self.save_to(None)

    def save_as(self) -> None:
        """Ask where to save, then save everything there."""
        ask_where_to_save(self, "Save the section", f"{self.desk.name or 'section'}.zarr", ".zarr", self.save_to)

    def save_to(self, path: Path | None) -> None:
        """Save beside the window to a new store, or into the one that the section has."""
        self.message.show_message(None)
        self.desk.saving.save(path)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Take files."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Open the files together."""
        self.desk.opening.open([url.toLocalFile() for url in event.mimeData().urls()])

    def _tools(self) -> QWidget:
        return tool_row(self._openers())

    def _openers(self) -> list[Tool]:
        return [
            Tool("Open files…", "Open one or several files as one section.", self._open_files),
            Tool("Open folder…", "Open a SpatialData store or a Visium outs folder.", self._open_folder),
            Tool("Open sample", "Open a simulated section of bowel wall.", lambda: self.desk.opening.open_sample()),
        ]

    def _savers(self) -> QWidget:
        row = tool_row(
            [
                Tool("Fit view", "Show the whole section.", self._fit),
                Tool("Save", "Save what changed since the last save, and the history.", self.save),
                Tool("Save as…", "Save everything to a new store.", self.save_as),
            ]
        )
        self._save_buttons = [b for b in row.findChildren(QAbstractButton) if b.text() in ("Save", "Save as…")]
        return row

    def _follow_saving(self) -> None:
        for button in self._save_buttons:
            button.setEnabled(not self.desk.saving.running)

    def _on_saved(self, message: Message) -> None:
        self.message.show_message(message)
        if message.level != "ok" and not self.isVisible():
            self.desk.told.emit(message.level, f"{message.text} {message.hint}".strip())

    def _open_files(self) -> None:
        ask_for_files(self, self.desk.opening.open)

    def _open_folder(self) -> None:
        ask_for_folder(self, self.desk.opening.open)

    def _fit(self) -> None:
        if self.desk.presenter is not None:
            self.desk.presenter.fit()

    def _empty(self) -> QWidget:
        self.setAcceptDrops(True)
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        layout.setSpacing(SPACING + 2)
        layout.addWidget(title_label(self.title))
        layout.addWidget(Quiet(self.sentence))
        layout.addWidget(Quiet("Drop a file here, or press Open files… Files chosen together become one section."))
        layout.addWidget(self._tools())
        layout.addWidget(OpeningPanel(self.desk))
        layout.addStretch(1)
        return page

    def _choose_system(self) -> None:
        if self.desk.presenter is not None:
            self.desk.presenter.show(coordinate_system=self.systems.currentData(), beside="", shown=None)
            self.desk.presenter.fit()

    def _show_system(self, name: str) -> None:
        blocked = self.systems.blockSignals(True)
        self.systems.setCurrentIndex(self.systems.findData(name))
        self.systems.blockSignals(blocked)

    def _offer_recovery(self) -> None:
        n = self.session.recoverable
        steps = "1 step was" if n == 1 else f"{n} steps were"
        if self.session.read_only:  # what was not saved may be the work in progress of another window
            unsaved = " Its unsaved steps can be shown." if n else ""
            message = Message("info", "This section is open in another window: here it can be looked at.", unsaved)
            ways: dict[str, Callable[[], object]] = {"Show unsaved steps": self.desk.restore} if n else {}
        elif n:
            message = Message("warning", f"{steps} not saved the last time.")
            ways = {"Restore": self.desk.restore, "Discard…": self._ask_discard}
        elif self.session.trouble:  # a step that is lost must not be lost in silence
            message, ways = Message("error", self.session.trouble), {}
        else:
            self.recovery.show_message(None)
            return
        if n and self.session.trouble:
            message = replace(message, hint=f"{message.hint} {self.session.trouble}".strip())
        if self.recovery.message != message and not self._asks_discard():
            self.recovery.show_message(message, ways)

    def _asks_discard(self) -> bool:
        return _FOR_GOOD in self.recovery.buttons() and self.session.recoverable > 0

    def _ask_discard(self) -> None:
        """Ask once more: what is discarded cannot be had back, and the button lies beside that which restores."""
        n = self.session.recoverable
        steps = "The step that was" if n == 1 else f"The {n} steps that were"
        message = Message("warning", f"{steps} not saved will be lost.", "This cannot be undone.")
        ways = {"Restore": self.desk.restore, _FOR_GOOD: self._discard}
        self.recovery.show_message(message, ways)

    def _discard(self) -> None:
        self.desk.attempt(self.session.discard)
        self.desk.history_changed.emit()


def _summary(document: Any) -> str:
    parts = []
    for table in document.names("tables"):
        frame = document.table(table)
        parts.append(f"{document.annotated(table) or table} {frame.n_obs:,} × {frame.n_vars:,} features")
    systems = document.coordinate_systems()
    apart = [s for s in systems if s != GLOBAL and s not in document.attribute("alignments", {})]
    if apart:
        parts.append(f"not registered yet: {', '.join(apart)}")
    return " · ".join(parts)


def _notes(document: Any) -> str:
    return " ".join(str(note) for note in document.attribute("notes", []))
