"""The table of landmarks: how far each misses, how far it would if it were left out, and which look wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QToolButton, QWidget

from ..core.landmarks import choose_model, fit_model, leave_one_out, residuals, suspects
from ..errors import BadInput
from .style import level_colour, quiet_button

__all__ = ["LandmarkRow", "LandmarkTable", "judged"]

_ROW = 24
_BY_HAND_UM = 1.0
"""No hand places a landmark better than this: a smaller miss is never wrong."""
_HEADS = ("", "residual", "left out", "", "")


@dataclass(frozen=True)
class LandmarkRow:
    """One pair of landmarks, with distances in µm, or None where they are not known."""

    number: int
    residual: float | None = None
    left_out: float | None = None
    suspect: bool = False


def judged(landmarks: dict[str, Any], model: str) -> tuple[list[LandmarkRow], str]:
    """Return a row for each pair of landmarks, and the model they are judged by.

    Parameters
    ----------
    landmarks
        ``fixed_um`` and ``moving_um``, each (k, 2) as (y, x).
    model
        "auto", "similarity", "affine" or "spline".
    """
    moving = np.asarray(landmarks.get("moving_um", []), dtype=float).reshape(-1, 2)
    fixed = np.asarray(landmarks.get("fixed_um", []), dtype=float).reshape(-1, 2)
    k = len(moving)
    miss: list[float | None] = [None] * k
    left: list[float | None] = [None] * k
    flags = [False] * k
    used: Any = model
    try:
        used = choose_model(moving, fixed) if model == "auto" else model
        miss = [float(v) for v in residuals(fit_model(used, moving, fixed), moving, fixed)]
        far = residuals(fit_model("affine", moving, fixed), moving, fixed) > _BY_HAND_UM
        flags = [bool(v) for v in suspects(moving, fixed) & far]
        left = [float(v) for v in leave_one_out(used, moving, fixed)]
    except BadInput:
        pass  # too few landmarks, or all on a line: then there is nothing to say about them yet
    rows = [LandmarkRow(i + 1, miss[i], left[i], flags[i]) for i in range(k)]
    return rows, str(used)


class LandmarkTable(QTableWidget):
    """Landmarks by number; a click goes there, × deletes."""

    visited = Signal(int)
    """The number of the landmark that was clicked."""
    deleted = Signal(int)
    """The number of the landmark to delete."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, len(_HEADS), parent)
        self.rows: tuple[LandmarkRow, ...] = ()
        self.setHorizontalHeaderLabels(_HEADS)
        self.verticalHeader().hide()
        self.setShowGrid(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setAccessibleName("Landmarks")
        self.setToolTip("Distances in µm. Left out: how far the others miss this one. A click goes there.")
        header = self.horizontalHeader()
        for column, width in ((0, 30), (1, 80), (2, 80), (4, 28)):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
            self.setColumnWidth(column, width)
        header.setSectionResizeMode(3, QHeaderView.ResizeMode.Stretch)
        header.setSectionsClickable(False)
        self.cellClicked.connect(lambda row, _column: self.visited.emit(row + 1))
        self.hide()

    def set_rows(self, rows: Sequence[LandmarkRow]) -> None:
        """Show landmarks."""
        if tuple(rows) == self.rows and self.rowCount() == len(rows):
            return
        self.rows = tuple(rows)
        self.setRowCount(len(rows))
        for at, row in enumerate(rows):
            self._set_row(at, row)
        self.setVisible(bool(rows))
        head = self.horizontalHeader().height() or _ROW
        self.setFixedHeight(min(len(rows), 8) * _ROW + max(head, _ROW) + 2 * self.frameWidth() + 2)

    def _set_row(self, at: int, row: LandmarkRow) -> None:
        self.setRowHeight(at, _ROW)
        texts = (str(row.number), _um(row.residual), _um(row.left_out), "looks wrong" if row.suspect else "")
        for column, text in enumerate(texts):
            item = QTableWidgetItem(text)
            right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            item.setTextAlignment(right if column in (1, 2) else Qt.AlignmentFlag.AlignCenter)
            if row.suspect:
                item.setForeground(level_colour(self, "warning"))
                item.setToolTip("This pair contradicts the majority: check that it has the right partner.")
            self.setItem(at, column, item)
        button = QToolButton()
        button.setText("×")
        button.setToolTip(f"Delete landmark {row.number}.")
        quiet_button(button)
        button.clicked.connect(lambda _checked=False, n=row.number: self.deleted.emit(n))
        self.setCellWidget(at, 4, button)


def _um(value: float | None) -> str:
    if value is None or not np.isfinite(value):
        return "–"
    return f"{value:.1f} µm" if value < 1000 else f"{value:.0f} µm"
