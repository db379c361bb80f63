"""What is further done with a map: what defines its domains, how two of them differ, the same ones elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from .style import SPACING, Tool, tool_row, tooltip

if TYPE_CHECKING:
    from .desk import Desk

__all__ = ["FurtherPart"]

_NONE = "There are no domains yet: press Run first."
_HELP = {
    "Markers…": "Which features define each domain, with effect sizes, in a window of its own.",
    "Compare…": "How two domains differ, and how well the map agrees with any other labelling.",
}


class FurtherPart(QWidget):
    """The buttons that open windows about a map.

    Parameters
    ----------
    desk
        The desk.
    """

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.desk = desk
        self.table, self.column = "", ""
        self.windows = tool_row(
            [
                Tool("Markers…", "", self.open_markers),
                Tool("Compare…", "", self.open_compare),
            ]
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        layout.addWidget(self.windows)

    def set_place(self, table: str, column: str) -> None:
        """Be about another map."""
        self.table, self.column = table, column
        document = self.desk.session.document if self.desk.session is not None else None
        there = bool(table) and document is not None and column in document.table(table).obs
        for text, does in _HELP.items():
            button = self.windows.findChild(QPushButton, text)
            button.setEnabled(there)
            button.setToolTip(tooltip(does if there else f"{does} {_NONE}"))

    def open_markers(self) -> QWidget:
        """Open the features that define each domain."""
        from .domain_markers_window import MarkersWindow

        return _shown(MarkersWindow(self.desk, self.table, self.column, self))

    def open_compare(self) -> QWidget:
        """Open the comparison of two domains, and of the map with other labellings."""
        from .domain_compare_window import CompareDomainsWindow

        return _shown(CompareDomainsWindow(self.desk, self.table, self.column, self))


def _shown(window: QWidget) -> QWidget:
    window.show()
    return window
