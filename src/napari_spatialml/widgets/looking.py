"""The View dock: compare two layers, keep views, choose channels, lay out sections, and make figures."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from .channels import ChannelPanel
from .looking_compare import ComparePanel
from .looking_figure import FigurePanel
from .looking_scene import ScenePanel
from .messages import MessageLine
from .step import StepDock, title_label
from .style import MARGIN, SPACING, Faint, Heading, Quiet, Tool, tool_row

__all__ = ["LookDock"]

_ROW = 22


class LookDock(StepDock):
    """Everything that changes how a section is looked at, and nothing of the section itself."""

    title = "View"
    sentence = "Compare layers, keep views to come back to, choose channels, and make figures."

    def make(self) -> QWidget:
        """Make the parts, one below the other."""
        self.message = MessageLine()
        self.compare = ComparePanel(self.desk)
        self.scene, self.scene_heading = ScenePanel(self.desk), Heading("Sections in the scene")
        self.channels, self.channel_heading = ChannelPanel(self.desk), Heading("Channels")
        self.figure = FigurePanel(self.desk)
        self.list = self._make_list()
        self.none = Quiet("Keep a view and come back to it with a click, or with Alt and its number.")
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        column.setSpacing(SPACING + 2)
        head = (title_label(self.title), Quiet(self.sentence), self._view_tools(), self.message)
        compare = (Heading("Compare two layers"), self.compare)
        kept = (Heading("Bookmarks"), self.none, self.list, self._bookmark_tools())
        channels = (self.channel_heading, self.channels)
        rest = (self.scene_heading, self.scene, Heading("Figure"), self.figure)
        for part in (*head, *compare, *kept, *channels, *rest):
            column.addWidget(part)
        column.addStretch(1)
        self.desk.looking.changed.connect(self._on_looking)
        return body

    def message_line(self) -> MessageLine:
        """Return the line under the buttons."""
        return self.message

    def refresh(self) -> None:
        """Show what can be compared, the bookmarks, and the channels."""
        self.compare.refresh()
        self._list_bookmarks()
        lit = self.channels.refresh()
        for part in (self.channel_heading, self.channels):
            part.setVisible(lit)
        several = self.scene.refresh()
        for part in (self.scene_heading, self.scene):
            part.setVisible(several)

    def _on_looking(self) -> None:
        self.compare.follow()
        minimap = self.desk.looking.minimap
        self.map_button.setChecked(minimap is not None and minimap.wanted)
        self.second_button.setChecked(self.desk.looking.second is not None)

    def _view_tools(self) -> QWidget:
        made = tool_row(
            [
                Tool("Whole section", "Show all of it.", self._fit),
                Tool("Minimap", "The whole section in a corner of the canvas; click in it to go there.",
                     self.desk.looking.show_map, stays_down=True),
                Tool("Second view", "A second canvas with elements of its own; both move together.",
                     self.desk.looking.show_second, stays_down=True),
            ]
        )  # fmt: skip
        found: Any = made.findChild(QPushButton, "Minimap")
        self.map_button: QPushButton = found
        found = made.findChild(QPushButton, "Second view")
        self.second_button: QPushButton = found
        return made

    def _fit(self) -> None:
        if self.desk.presenter is not None:
            self.desk.presenter.fit()

    # bookmarks ---------------------------------------------------------------------------------

    def _make_list(self) -> QTreeWidget:
        made = QTreeWidget()
        made.setItemDelegateForColumn(1, Faint(made))
        made.setColumnCount(2)
        made.setHeaderHidden(True)
        made.setRootIsDecorated(False)
        made.setIndentation(0)
        made.setUniformRowHeights(True)
        made.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        made.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed)
        made.setAccessibleName("Bookmarks")
        made.setStyleSheet(f"QTreeView::item {{ height: {_ROW}px; }}")
        made.setToolTip("Click to go there. F2 renames.")
        made.itemClicked.connect(lambda item, _column: self._go(item))
        made.itemChanged.connect(self._renamed)
        return made

    def _bookmark_tools(self) -> QWidget:
        return tool_row(
            [
                Tool("Keep this view", "Keep what is in view, with its colours (Alt+B).", self.desk.looking.keep),
                Tool("Keep again", "Put what is in view in the place of the marked bookmark.", self._keep_again),
                Tool("Rename", "Give the marked bookmark another name (F2).", self._rename),
                Tool("Remove", "Take the marked bookmark away.", self._remove),
            ]
        )

    def _list_bookmarks(self) -> None:
        held, current = self.desk.looking.bookmarks, self._current()
        blocked = self.list.blockSignals(True)
        self.list.clear()
        for number, bookmark in enumerate(held, 1):
            row = QTreeWidgetItem([bookmark.name, f"Alt+{number}" if number <= 9 else ""])
            row.setFlags(row.flags() | Qt.ItemFlag.ItemIsEditable)
            row.setData(0, Qt.ItemDataRole.UserRole, bookmark.name)
            row.setToolTip(0, f"{bookmark.height_um:,.0f} µm from top to bottom, in {bookmark.system}")
            self.list.addTopLevelItem(row)
            if bookmark.name == current:
                self.list.setCurrentItem(row)
        self.list.blockSignals(blocked)
        self.list.setColumnWidth(0, 250)
        self.list.setFixedHeight(min(max(len(held), 1), 9) * _ROW + 6)
        self.list.setVisible(bool(held))
        self.none.setVisible(not held)

    def _current(self) -> str:
        item = self.list.currentItem()
        return str(item.data(0, Qt.ItemDataRole.UserRole)) if item is not None else ""

    def _go(self, item: QTreeWidgetItem) -> None:
        name = item.data(0, Qt.ItemDataRole.UserRole)
        for bookmark in self.desk.looking.bookmarks:
            if bookmark.name == name:
                self.desk.looking.go_to(bookmark)

    def _renamed(self, item: QTreeWidgetItem, column: int) -> None:
        old, new = str(item.data(0, Qt.ItemDataRole.UserRole)), item.text(0).strip()
        if column == 0 and new != old:
            self.desk.correct("rename-view", name=old, new=new)
            self.mark_stale()

    def _rename(self) -> None:
        item = self.list.currentItem()
        if item is not None:
            self.list.editItem(item, 0)

    def _keep_again(self) -> None:
        if self._current():
            self.desk.looking.keep(self._current())

    def _remove(self) -> None:
        if self._current():
            self.desk.correct("drop-view", name=self._current())
