"""The History dock: every run and correction by name and time; a click goes back to it, or forward again."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLineEdit,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from ..errors import SpatialMLError
from ..session import Entry, write_recipe
from ..session.history import readers_of
from ..session.reader import remember_reader
from .file_dialogs import ask_where_to_save
from .messages import Message, MessageLine, tell
from .step import StepDock, title_label
from .style import MARGIN, SPACING, Faint, Quiet, Rows, Tool, tool_row

__all__ = ["HistoryDock"]


class HistoryDock(StepDock):
    """Every step that was done, with undo, redo and the recipe."""

    title = "History"
    sentence = "Every run and correction. Click a step to go back to it; later ones stay until you do something new."

    def make(self) -> QWidget:
        """Make the list and its buttons."""
        self.message = MessageLine()
        self.steps = QTreeWidget()
        self.steps.setColumnCount(3)
        self.steps.setHeaderHidden(True)
        self.steps.setRootIsDecorated(False)
        self.steps.setIndentation(0)
        self.steps.setUniformRowHeights(True)
        self.steps.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.steps.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.steps.setMinimumHeight(320)
        self.steps.setStyleSheet("QTreeView::item { height: 22px; }")
        self.steps.setAccessibleName("Steps")
        for column in (1, 2):
            self.steps.setItemDelegateForColumn(column, Faint(self.steps))
        self.steps.header().setStretchLastSection(False)
        self.steps.header().setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        for column in (0, 2):
            self.steps.header().setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        self.steps.itemClicked.connect(lambda item, _column: self.jump(self.steps.indexOfTopLevelItem(item)))
        self._tools = tool_row(
            [
                Tool("Undo", "Take the last step back.", self.desk.undo),
                Tool("Redo", "Do the last undone step again.", self.desk.redo),
                Tool("Export recipe…", "Write every step with its settings, to be replayed and proved.", self.export),
            ]
        )
        self.reader = QLineEdit()
        self.reader.setMaxLength(60)
        self.reader.editingFinished.connect(self.name_reader)
        named = Rows()
        named.add("Your name", self.reader, "Stands with every step from now on. Empty: your login name.")
        body = QWidget()
        layout = QVBoxLayout(body)
        layout.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        layout.setSpacing(SPACING + 2)
        for part in (title_label(self.title), Quiet(self.sentence), named, self._tools, self.message, self.steps):
            layout.addWidget(part)
        return body

    def message_line(self) -> MessageLine:
        """Return the line under the buttons."""
        return self.message

    def refresh(self) -> None:
        """List the steps and mark where we are."""
        history, position = self.session.history, self.session.position
        if not self.reader.hasFocus():
            self.reader.setText(self.session.reader)
        several = len(readers_of(history)) > 1
        self.steps.clear()
        self.steps.addTopLevelItem(self._row("Opened", "", position == 0, True, ""))
        for number, entry in enumerate(history, 1):
            row = self._row(entry.label, _when(entry, several), number == position, number <= position, _about(entry))
            self.steps.addTopLevelItem(row)
        current = self.steps.topLevelItem(position)
        if current is not None:
            self.steps.scrollToItem(current)
        for name, possible in (("Undo", position > 0), ("Redo", position < len(history))):
            button = self._tools.findChild(QPushButton, name)
            if button is not None:
                button.setEnabled(possible)

    def name_reader(self) -> None:
        """Say who is at work, from the next step on, here and in what is opened later."""
        if self.desk.session is None or self.reader.text() == self.session.reader:
            return
        try:
            self.session.reader = remember_reader(self.reader.text())
        except SpatialMLError as error:
            self.message.show_message(tell(error))
        else:
            self.message.show_message(Message("ok", f"The next steps are {self.session.reader}'s."))
        self.reader.setText(self.session.reader)

    def jump(self, position: int) -> None:
        """Undo or redo until so many steps are done."""
        self.desk.attempt(lambda: self.session.jump(position))

    def export(self) -> None:
        """Ask where to write the recipe."""
        ask_where_to_save(self, "Export the recipe", "recipe.json", ".json", self.export_to)

    def export_to(self, path: Path) -> None:
        """Write the recipe."""
        try:
            write_recipe(self.session, path)
        except (SpatialMLError, OSError) as error:
            self.message.show_message(tell(error))
        else:
            n = self.session.position
            steps = "1 step" if n == 1 else f"{n} steps"
            self.message.show_message(Message("ok", f"{steps} written to {path.name}."))

    def _row(self, label: str, when: str, current: bool, done: bool, about: str) -> QTreeWidgetItem:
        row = QTreeWidgetItem(["▸" if current else "", label, when])
        row.setToolTip(1, about or label)
        font = row.font(1)
        font.setBold(current)
        row.setFont(1, font)
        row.setData(1, Faint.SHARE, 1.0 if done else 0.45)
        row.setTextAlignment(2, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        return row


def _when(entry: Entry, named: bool) -> str:
    """Return when a step was done, and by whom where several people worked on the section."""
    return f"{entry.who} · {_time(entry)}" if named and entry.who else _time(entry)


def _time(entry: Entry) -> str:
    """Return when a step was done, in the clock of this place; with the date if it was another day."""
    try:
        when = datetime.fromisoformat(entry.when).astimezone()
    except ValueError:
        return ""
    today = when.date() == datetime.now().astimezone().date()
    return when.strftime("%H:%M" if today else "%d %b %H:%M")


def _about(entry: Entry) -> str:
    """Return what the tooltip says: the label, what became of the cells, who did it, how long a run took."""
    seconds = entry.record.get("seconds")
    took = f", {seconds:.1f} s" if isinstance(seconds, int | float) else ""
    became = entry.record.get("summary", "")
    return "\n".join(line for line in (entry.label, became, f"{entry.who} {entry.when}{took}") if line)
