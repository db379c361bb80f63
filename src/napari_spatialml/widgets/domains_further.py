"""What is further done with a map: what defines its domains, how two of them differ, the same ones elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from ..io.reference import INSIDE
from ..session.domain_maps import about_map
from .correction_row import CorrectionRow
from .domains_inputs import goes_with
from .file_dialogs import ask_for_folder
from .name_box import NameBox
from .step import choose
from .style import SPACING, Rows, Tool, tool_row, tooltip

if TYPE_CHECKING:
    from .desk import Desk

__all__ = ["FurtherPart"]

_NONE = "There are no domains yet: press Run first."
_HELP = {
    "Markers…": "Which features define each domain, with effect sizes, in a window of its own.",
    "Compare…": "How two domains differ, and how well the map agrees with any other labelling.",
}


class FurtherPart(QWidget):
    """The windows about a map, and its way to other sections.

    Parameters
    ----------
    desk
        The desk.
    """

    applied = Signal(str)
    """The table that has got a map from another one."""

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.desk = desk
        self.table, self.column = "", ""
        self._wanted: dict[str, Any] = {}
        self.windows = tool_row([Tool("Markers…", "", self.open_markers), Tool("Compare…", "", self.open_compare)])
        self.targets, self.rows = NameBox(), Rows()
        self.rows.add("Other section", self.targets, "A table with the same features, to be divided as this one is.")
        self.use = CorrectionRow(
            desk,
            "Use on another section…",
            "Divide that section into the domains of this one: where its rows are alike, they get the same. Its own "
            "strokes are kept.",
            "transfer-domains",
            self._onto,
            self._done,
        )
        self.take = CorrectionRow(desk, "Take", "", "transfer-domains", self._from_store, self._done)
        self.take.only_while_running()
        self.ask = tool_row(
            [
                Tool(
                    "Take from a saved section…",
                    "Divide this section into the domains of another one that was saved, as a .zarr folder.",
                    lambda: ask_for_folder(self, lambda paths: self.take_from(Path(paths[0]))),
                )
            ]
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        for part in (self.windows, self.rows, self.use, self.ask, self.take):
            layout.addWidget(part)

    def set_place(self, table: str, column: str) -> None:
        """Be about another map."""
        self.table, self.column = table, column
        session = self.desk.session
        if session is None or not table:
            return
        document = session.document
        there = column in document.table(table).obs
        for text, does in _HELP.items():
            button = self.windows.findChild(QPushButton, text)
            button.setEnabled(there)
            button.setToolTip(tooltip(does if there else f"{does} {_NONE}"))
        about = about_map(document, table, column)
        key = str(about.get("features", "")) if about.get("method") else ""
        others = [t for t in document.names("tables") if t != table and document.annotated(t)]
        choose(self.targets, [t for t in others if key and goes_with(document, t, table, key)])
        for part in (self.use, self.rows):
            part.setVisible(self.targets.count() > 0 and not session.read_only)
        self.ask.setVisible(not session.read_only)

    def open_markers(self) -> QWidget:
        """Open the features that define each domain."""
        from .domain_markers_window import MarkersWindow

        return _shown(MarkersWindow(self.desk, self.table, self.column, self))

    def open_compare(self) -> QWidget:
        """Open the comparison of two domains, and of the map with other labellings."""
        from .domain_compare_window import CompareDomainsWindow

        return _shown(CompareDomainsWindow(self.desk, self.table, self.column, self))

    def take_from(self, store: Path) -> None:
        """Divide this section as one that was saved: by its table of the same name, else by its only one."""
        same = (store / "tables" / self.table).is_dir()
        source = f"{store}{INSIDE}{self.table}" if same else str(store)
        self._wanted = {"table": self.table, "source": source, "column": self.column}
        self.take.run()

    def _onto(self) -> dict[str, Any]:
        self._wanted = {"table": str(self.targets.currentData()), "source": self.table, "column": self.column}
        return self._wanted

    def _from_store(self) -> dict[str, Any]:
        return self._wanted

    def _done(self, line: str) -> str:
        self.applied.emit(self._wanted["table"])
        return line


def _shown(window: QWidget) -> QWidget:
    window.show()
    return window
