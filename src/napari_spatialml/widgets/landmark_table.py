"""The table of landmarks: how far each misses, how far it would if it were left out, and which look wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QToolButton,
    QWidget,
)

from ..core.landmarks import Model, judge
from .style import level_colour, quiet_button

__all__ = ["LandmarkRow", "LandmarkTable", "judged", "length", "suggested"]

_ROW = 24
_MOST_ROWS = 7
_BY_HAND_UM = 1.0
"""No hand places a landmark better than this: a smaller miss is never wrong."""
_HEADS = ("lock", "residual", "left out", "", "")


@dataclass(frozen=True)
class LandmarkRow:
    """One pair of landmarks, with distances in µm, or None where they are not known."""

    number: int
    residual: float | None = None
    left_out: float | None = None
    suspect: bool = False
    locked: bool = False


def judged(landmarks: dict[str, Any], model: str) -> tuple[list[LandmarkRow], str]:
    """Return a row for each pair of landmarks, and the model they are judged by.

    Parameters
    ----------
    landmarks
        ``fixed_um`` and ``moving_um``, each (k, 2) as (y, x), and ``locked``.
    model
        "auto", "similarity", "affine" or "spline".
    """
    moving, fixed = _sides(landmarks)
    found = judge(moving, fixed, model)  # type: ignore[arg-type]  # the words of the form
    locked = [*landmarks.get("locked", []), *[False] * len(moving)]
    rows = []
    for i in range(len(moving)):
        miss, left = (float(v[i]) for v in (found.residuals, found.left_out))
        far = max(v if np.isfinite(v) else 0.0 for v in (miss, left)) > _BY_HAND_UM
        known = [None if np.isnan(v) else v for v in (miss, left)]
        rows.append(LandmarkRow(i + 1, known[0], known[1], bool(found.suspects[i]) and far, bool(locked[i])))
    return rows, found.model


def suggested(landmarks: dict[str, Any]) -> str:
    """Say in words which model the landmarks suggest, and by which errors; "" while there are too few."""
    moving, fixed = _sides(landmarks)
    best = judge(moving, fixed).model
    errors: dict[str, float] = {}
    for model in get_args(Model):
        left = judge(moving, fixed, model).left_out
        if len(left) and np.isfinite(left).all():
            errors[model] = float(np.sqrt(np.mean(left**2)))
    if best not in errors or len(errors) < 2:
        return ""
    others = ", ".join(f"{length(e)} ({model})" for model, e in errors.items() if model != best)
    return f"{best.capitalize()} suggested: left-out error {length(errors[best])} against {others}."


def length(value: float | None) -> str:
    """Return a distance as a person reads it."""
    if value is None or not np.isfinite(value):
        return "–"
    return f"{value:.1f} µm" if value < 1000 else f"{value:,.0f} µm"


def _sides(landmarks: dict[str, Any]) -> tuple[Any, Any]:
    moving, fixed = (np.asarray(landmarks.get(k, []), dtype=float).reshape(-1, 2) for k in ("moving_um", "fixed_um"))
    return moving, fixed


class LandmarkTable(QTableWidget):
    """Landmarks by number; a click goes there, a tick locks one, × deletes."""

    visited = Signal(int)
    """The number of the landmark that was clicked."""
    deleted = Signal(int)
    """The number of the landmark to delete."""
    locked = Signal(int, bool)
    """The number of a landmark, and whether it is to be locked."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, len(_HEADS), parent)
        self.rows: tuple[LandmarkRow, ...] = ()
        self.setHorizontalHeaderLabels(_HEADS)
        self.verticalHeader().hide()
        self.setShowGrid(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName("Landmarks")
        self.setToolTip("Distances in µm. Left out: how far the others miss this one. A click goes there.")
        header = self.horizontalHeader()
        for column, width in ((0, 50), (1, 78), (2, 78), (4, 28)):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
            self.setColumnWidth(column, width)
        header.setSectionResizeMode(3, QHeaderView.ResizeMode.Stretch)
        header.setSectionsClickable(False)
        self.cellClicked.connect(lambda row, _column: self.visited.emit(row + 1))
        self.itemChanged.connect(self._ticked)
        self.hide()

    def set_rows(self, rows: Sequence[LandmarkRow]) -> None:
        """Show landmarks."""
        if tuple(rows) == self.rows and self.rowCount() == len(rows):
            return
        self.rows = tuple(rows)
        blocked = self.blockSignals(True)
        self.setRowCount(len(rows))
        for at, row in enumerate(rows):
            self._set_row(at, row)
        self.blockSignals(blocked)
        self.setVisible(bool(rows))
        head = self.horizontalHeader().height() or _ROW
        self.setFixedHeight(min(len(rows), _MOST_ROWS) * _ROW + max(head, _ROW) + 2 * self.frameWidth() + 2)

    def _set_row(self, at: int, row: LandmarkRow) -> None:
        self.setRowHeight(at, _ROW)
        texts = (str(row.number), length(row.residual), length(row.left_out), "looks wrong" if row.suspect else "")
        for column, text in enumerate(texts):
            item = QTableWidgetItem(text)
            right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            item.setTextAlignment(right if column in (1, 2) else Qt.AlignmentFlag.AlignCenter)
            if row.suspect:
                item.setForeground(level_colour(self, "warning"))
                item.setToolTip("This pair contradicts the majority: check that it has the right partner.")
            if column == 0:
                item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
                item.setCheckState(Qt.CheckState.Checked if row.locked else Qt.CheckState.Unchecked)
                item.setToolTip(f"Tick to lock landmark {row.number}: it can be neither moved nor deleted then.")
            self.setItem(at, column, item)
        button = QToolButton()
        button.setText("×")
        button.setToolTip(f"Delete landmark {row.number}.")
        button.setEnabled(not row.locked)
        quiet_button(button)
        button.clicked.connect(lambda _checked=False, n=row.number: self.deleted.emit(n))
        self.setCellWidget(at, 4, button)

    def _ticked(self, item: QTableWidgetItem) -> None:
        if item.column() == 0 and item.row() < len(self.rows):
            on = item.checkState() == Qt.CheckState.Checked
            if on != self.rows[item.row()].locked:
                self.locked.emit(item.row() + 1, on)
