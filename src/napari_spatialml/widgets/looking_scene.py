"""Which coordinate systems are in the scene, beside one another or one over the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QListWidget, QListWidgetItem, QPushButton, QVBoxLayout, QWidget

from .style import SPACING, Quiet, Tool, tool_row

if TYPE_CHECKING:
    from .desk import Desk

__all__ = ["ScenePanel"]

_ROW = 22


class ScenePanel(QWidget):
    """The coordinate systems that are drawn together with the one that is chosen under Section.

    Parameters
    ----------
    desk
        The desk.
    """

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self.list = QListWidget()
        self.list.setAccessibleName("Coordinate systems")
        self.list.setToolTip("Tick those that are drawn, from left to right.")
        self.list.itemChanged.connect(lambda _item: self._apply())
        self.tools = tool_row(
            [
                Tool("Side by side", "Beside one another, at one scale.", lambda _d: self.lay(False), stays_down=True),
                Tool("Overlaid", "One over the other, centre on centre. Register them to match the tissue.",
                     lambda _d: self.lay(True), stays_down=True),
            ]
        )  # fmt: skip
        self.first = Quiet()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        for part in (self.first, self.list, self.tools):
            layout.addWidget(part)

    def refresh(self) -> bool:
        """Show what is drawn; return whether there is more than one coordinate system."""
        session, presenter = self._desk.session, self._desk.presenter
        if session is None or presenter is None:
            return False
        state, systems = presenter.state, session.document.coordinate_systems()
        others = [s for s in systems if s != state.coordinate_system]
        self.first.setText(f"{state.coordinate_system}, and with it:")
        blocked = self.list.blockSignals(True)
        self.list.clear()
        for system in others:
            item = QListWidgetItem(system)
            item.setSizeHint(QSize(0, _ROW))
            item.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(Qt.CheckState.Checked if system in state.also else Qt.CheckState.Unchecked)
            self.list.addItem(item)
        self.list.blockSignals(blocked)
        self.list.setFixedHeight(min(len(others), 6) * _ROW + 6)
        for text, down in (("Side by side", not state.overlaid), ("Overlaid", state.overlaid)):
            button: Any = self.tools.findChild(QPushButton, text)
            button.setChecked(down)
        return bool(others)

    def lay(self, overlaid: bool) -> None:
        """Lay them over the first, or beside it."""
        if self._desk.presenter is not None:
            self._desk.presenter.show(overlaid=overlaid)

    def _apply(self) -> None:
        items = (self.list.item(i) for i in range(self.list.count()))
        ticked = [i.text() for i in items if i is not None and i.checkState() == Qt.CheckState.Checked]
        if self._desk.presenter is not None:
            kept = [s for s in self._desk.presenter.state.also if s in ticked]
            also = (*kept, *(s for s in ticked if s not in kept))
            self._desk.presenter.show(also=also, beside="", landmarks="", shown=None)
