"""Landmarks by hand: place them, see how far each misses, be told where the next one helps, and exchange them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from .hand import HandTools
from .landmark_table import LandmarkRow, LandmarkTable, judged, length, suggested
from .style import SPACING, Quiet, Tool

if TYPE_CHECKING:
    from .desk import Desk

__all__ = ["LandmarkPanel"]

_TOOLS = (
    ("landmark", "Place landmarks", "Click a place on one side, then the same place on the other; over each other, "
     "drag what lies wrong to where it belongs.", "Shift+L"),
)  # fmt: skip
_ENOUGH = 4
"""From so many pairs on the next one can be advised."""


class LandmarkPanel(QWidget):
    """The tool, the table, what the landmarks suggest, and their files.

    Parameters
    ----------
    desk
        The desk.
    options
        Returns what the presenter has to know for the tool.
    """

    visited = Signal(int)
    """The number of a landmark that was clicked."""
    act = Signal(str)
    """ "next", "import" or "export"."""
    looked = Signal()
    """The map of the error was asked for, or no longer."""

    def __init__(self, desk: Desk, options: Callable[[str], dict[str, Any]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk, self._set = desk, ""
        self._judged: tuple[Any, tuple[list[LandmarkRow], str, str]] | None = None
        others = [
            Tool("Next one", "Go to where the next landmark helps most, marked on both sides.", self._send("next")),
            Tool("Import…", "Read landmarks of BigWarp, Xenium Explorer, Loupe Browser, or a table.",
                 self._send("import")),
            Tool("Export…", "Write the landmarks for BigWarp, Xenium Explorer, Loupe Browser, or as a table.",
                 self._send("export")),
        ]  # fmt: skip
        self.tools = HandTools(desk, _TOOLS, options, others)
        self.table = LandmarkTable()
        self.table.visited.connect(self.visited)
        self.table.deleted.connect(lambda n: self._correct("delete-landmark", number=n))
        self.table.locked.connect(lambda n, on: self._correct("lock-landmark", number=n, locked=on))
        self.summary, self.advice = Quiet(), Quiet()
        self.advice.setToolTip("Root mean square of how far the other landmarks miss each one.")
        self.error = QCheckBox("Expected error")
        self.error.setToolTip("Draw where the landmarks leave the fit uncertain, in µm.")
        self.error.clicked.connect(lambda _on=False: self.looked.emit())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        for part in (self.tools, self.table, self.summary, self.advice, self.error):
            layout.addWidget(part)

    @property
    def model(self) -> str:
        """The model by which the landmarks were judged last."""
        return "auto" if self._judged is None else self._judged[1][1]

    def fill(self, name: str, landmarks: dict[str, Any], model: str, *, needed: bool) -> None:
        """Show a set of landmarks, judged by a model, "auto" for the one that they suggest.

        Parameters
        ----------
        name, landmarks
            The set.
        model
            The model.
        needed
            Whether the chosen method runs on them.
        """
        self._set = name
        token = (name, repr(landmarks), model)
        if self._judged is None or self._judged[0] != token:
            rows, used = judged(landmarks, model)
            self._judged = (token, (rows, used, suggested(landmarks)))
        rows, used, advice = self._judged[1]
        self.table.set_rows(rows)
        self.summary.setText(summary(rows, used))
        self.summary.setVisible(bool(rows) or needed)
        self.advice.setText(advice)
        self.advice.setVisible(bool(advice))
        enough = len(rows) >= _ENOUGH
        self.error.setVisible(enough)
        for text, there in (("Next one", enough), ("Export…", bool(rows))):
            button: Any = self.tools.findChild(QWidget, text)
            button.setEnabled(there)

    def _correct(self, name: str, **arguments: Any) -> None:
        self._desk.correct(name, landmarks=self._set, **arguments)

    def _send(self, what: str) -> Callable[[], None]:
        return lambda: self.act.emit(what)


def summary(rows: list[LandmarkRow], model: str) -> str:
    """Say in one line how well the landmarks agree."""
    if not rows:
        return "No landmarks yet: 2 pairs turn, scale and shift; 3 or more also shear or bend."
    known = [row.residual for row in rows if row.residual is not None]
    n = f"{len(rows)} landmark{'s' if len(rows) != 1 else ''}"
    if not known:
        return f"{n}."
    left = [row.left_out for row in rows if row.left_out is not None and np.isfinite(row.left_out)]
    line = f"{n} ({model}): median residual {length(float(np.median(known)))}"
    return line + (f", left out in turn {length(float(np.median(left)))}." if left else ".")
