"""The sheet of the Review dock: many cells at once, a click for each that is wrong, one key for the rest."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from qtpy.compat import isalive
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from ..core.report import Report
from ..views.sheet import Sheet
from .review_grid import SheetGrid
from .runner import Runner
from .style import SPACING, Quiet, Tool, accent, tool_row

__all__ = ["SheetPanel"]

_ONE = ("delete", "split", "merge", "redraw", "wrong", "open", "draw", "fix")
_KEYS = {"D": "delete", "C": "split", "G": "merge", "R": "redraw", "W": "wrong", "O": "open", "M": "draw", "F": "fix"}
_HINTS = {
    "cells": "Click: do what is drawn in red. Right click, or O: open on the canvas. With the pointer over a cell, "
    "D deletes, C cuts, G glues, R redraws, W flags it as wrong, M adds a cell that has no outline.",
    "missing": "Click: add a cell with the red outline. Right click, or O: open on the canvas and drag around it.",
}


class SheetPanel(QWidget):
    """Shows the sheets of one walk.

    Parameters
    ----------
    runner
        Makes the pictures beside the window.
    """

    def __init__(self, runner: Runner, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.sheet: Sheet | None = None
        self._runner, self._busy = runner, False
        self.grid, self.hint, self.empty = SheetGrid(), Quiet(), Quiet("No cell is left on this sheet.")
        self.accept = QPushButton()
        self.accept.setToolTip("Accept all of this sheet on which you did not decide, in one step, and turn it.")
        accent(self.accept)
        self.turning = tool_row(
            [
                Tool("Back", "Show the sheet before. (Shift+N)", partial(self._do, "back")),
                Tool("Next sheet  N", "Leave the rest of this sheet for the end.", partial(self._do, "next")),
            ]
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACING)
        for part in (self.grid, self.accept, self.turning, self.hint):
            column.addWidget(part)
        self.accept.clicked.connect(lambda _checked=False: self._do("accept_rest"))
        self.grid.clicked.connect(lambda key: self._one("fix", key))
        self.grid.opened.connect(lambda key: self._one("open", key))
        for key, name in _KEYS.items():
            self._on_key(key, partial(self._one, name))
        for key, name in (("A", "accept_rest"), ("N", "next"), ("Shift+N", "back")):
            self._on_key(key, partial(self._do, name))

    def take(self, sheet: Sheet | None) -> None:
        """Show another sheet."""
        if self.sheet is not None:
            self.sheet.changed.disconnect(self.renew)
            self.sheet.close()
        self.sheet = sheet
        self.grid.take(sheet)
        if sheet is not None:
            sheet.changed.connect(self.renew)

    def renew(self) -> None:
        """Show the sheet as it is now, and go on finding out what is not known yet."""
        if not isalive(self) or self.sheet is None:
            return
        mode, n = self.sheet.walk.mode, len(self.sheet.open)
        words = {"cells": f"All {n} others are right  A", "missing": f"Nothing missing in the other {n}  A"}
        words |= {} if n else {"cells": "Next sheet  A", "missing": "Next sheet  A"}
        self.accept.setText(words.get(mode, ""))
        self.accept.setVisible(bool(self.grid.keys))
        self.turning.setVisible(bool(self.grid.keys))
        unknown = sum(self.sheet.offer(k) is None for k in self.sheet.open)
        looking = f"{unknown} of {len(self.grid.keys)} are still being looked at: red lines may yet come. "
        self.hint.setText((looking if unknown else "") + _HINTS.get(mode, ""))
        self.hint.setVisible(bool(self.grid.keys))
        self.grid.renew()
        self._find_out()

    # parts -------------------------------------------------------------------------------------

    def _on_key(self, key: str, call: Callable[[], object]) -> None:
        def pressed() -> None:
            if self.isVisible() and self.isEnabled():
                call()

        QShortcut(QKeySequence(key), self).activated.connect(pressed)

    def _do(self, name: str) -> None:
        if self.sheet is not None:
            getattr(self.sheet, name)()

    def _one(self, name: str, key: int | None = None) -> None:
        """Do something with the thumbnail in hand."""
        key = self.grid.key if key is None else key
        if self.sheet is None or key is None:
            return
        sheet = self.sheet
        if sheet.walk.mode == "missing" and name not in ("fix", "open"):
            return
        calls: dict[str, Callable[[int], Any]] = {
            "fix": sheet.fix, "open": sheet.visit, "delete": sheet.delete, "wrong": sheet.flag,
            "draw": partial(sheet.visit, tool="draw"),
        }  # fmt: skip
        calls.get(name, partial(sheet.fix, tool=name))(key)

    def _find_out(self) -> None:
        made = None if self._busy or self.sheet is None or not self.isVisible() else self.sheet.job()
        if made is None:
            return
        job, take = made
        self._busy = True

        def looked(report: Report) -> Any:
            return job(report)

        def found(value: Any) -> None:
            self._ended()
            take(value)

        self._runner.run(
            looked, on_result=found, on_error=self._failed, on_stopped=self._ended, key="sheet", replace=True
        )

    def _ended(self) -> None:
        self._busy = False

    def _failed(self, error: BaseException) -> None:
        self._ended()
        if self.sheet is not None:
            self.sheet.walk.presenter.tell("error", str(error))
