"""The steps of the workbench as two rows of small tabs, all of which are in sight."""

from __future__ import annotations

from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import QButtonGroup, QHBoxLayout, QPushButton, QSizePolicy, QTabWidget, QVBoxLayout, QWidget

from .style import MARGIN, PANEL_WIDTH, mix

__all__ = ["StepBar"]

_ONE_ROW = 5


class StepBar(QWidget):
    """Tabs for the pages of a tab widget, in as many rows as they need, instead of its own bar.

    Parameters
    ----------
    pages
        The tab widget, with its pages; its own bar is hidden.
    """

    def __init__(self, pages: QTabWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pages = pages
        pages.tabBar().hide()
        self._group = QButtonGroup(self)
        self.buttons: list[QPushButton] = []
        rows = QVBoxLayout(self)
        rows.setContentsMargins(MARGIN - 4, 0, MARGIN - 4, 0)
        rows.setSpacing(2)
        words = [self.fontMetrics().horizontalAdvance(pages.tabText(k)) + 7 for k in range(pages.count())]
        columns = _columns(words, PANEL_WIDTH - 2 * (MARGIN - 4))
        for k in range(pages.count()):
            button = QPushButton(pages.tabText(k))
            button.setCheckable(True)
            button.setToolTip(pages.tabToolTip(k))
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            button.setMinimumWidth(words[k] - 2)
            button.clicked.connect(lambda _down=True, at=k: pages.setCurrentIndex(at))
            self._group.addButton(button)
            self.buttons.append(button)
            if k % columns == 0:
                row = QHBoxLayout()  # of its own: long words of one row take no room from the other
                row.setSpacing(2)
                rows.addLayout(row)
            row.addWidget(button, button.minimumWidth())
        pages.currentChanged.connect(self._follow)
        self._follow(pages.currentIndex())
        self._colour()

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.ParentChange) and hasattr(self, "buttons"):
            self._colour()

    def _follow(self, index: int) -> None:
        if 0 <= index < len(self.buttons):
            self.buttons[index].setChecked(True)

    def _colour(self) -> None:
        soft = mix(self, 0.72).name()
        sheet = (
            f"QPushButton {{ background: transparent; border: none; border-bottom: 2px solid rgba(128, 128, 128, 60);"
            f" color: {soft}; padding: 3px 1px; }}"
            "QPushButton:hover { background: rgba(128, 128, 128, 60); }"
            f"QPushButton:checked {{ border-bottom: 2px solid #4a8fd6; color: {mix(self, 1.0).name()};"
            " background: rgba(74, 143, 214, 45); }"
        )
        if sheet != self.styleSheet():
            self.setStyleSheet(sheet)


def _columns(widths: list[int], room: int) -> int:
    """Return how many words of these widths stand in a row, so that there are as few rows as fit the room."""
    n = len(widths)
    for rows in range(1 if n <= _ONE_ROW else 2, n + 1):
        columns = -(-n // rows)
        if all(sum(widths[k : k + columns]) <= room for k in range(0, n, columns)):
            return columns
    return 1
