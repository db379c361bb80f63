"""Two sides feature by feature: how often the mean doubles across, how surely a row is told apart upwards."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from qtpy.QtCore import QPointF, QRectF, Qt, Signal
from qtpy.QtGui import QColor, QCursor, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QToolTip, QWidget

from ...views.columns import Colours
from ..style import mix
from .board import Board
from .cloud import Cloud

__all__ = ["Volcano"]

TELLS = 0.2
"""A feature is coloured when its AUROC is this far from 0.5: seven in ten pairs of rows are told apart."""
_NAMED = 10
_RARE = 0.05
"""Features that fewer rows of both sides have do not decide how far the axis goes: one row makes a large change."""
_NEAR_PX = 9.0
_PLAIN = (128, 128, 128, 150)
_SCALES = {"log2_fold_change": "log₂ fold change", "cohens_d": "Cohen's d"}


class Volcano(Board):
    """A point for each feature; a click chooses the nearest one."""

    chosen = Signal(str)
    """The feature of a point that was clicked."""

    def __init__(self, parent: QWidget | None = None) -> None:
        self._cloud = Cloud()
        self.beyond = 0
        self.names: npt.NDArray[Any] = np.empty(0, object)
        self.at: npt.NDArray[np.float64] = np.empty((0, 2))
        self._named: tuple[int, ...] = ()
        self._marked = -1
        super().__init__(parent=parent)
        self.getAxis("bottom").setHeight(50)
        self.addItem(self._cloud)
        self.clicked.connect(self._on_click)
        self.hovered.connect(self._on_hover)
        self.setAccessibleName("Fold change against AUROC")
        self.setMouseTracking(True)

    def set_frame(self, frame: pd.DataFrame, one: str, other: str, colours: tuple[str, str]) -> None:
        """Show the features of a comparison.

        Parameters
        ----------
        frame
            ``feature``, ``auroc``, ``share_in``, ``share_out`` and ``log2_fold_change`` (where that is nowhere
            known, ``cohens_d``).
        one, other
            What the two sides are called.
        colours
            Of what is higher on either side.
        """
        scale = "log2_fold_change" if frame["log2_fold_change"].notna().any() else "cohens_d"
        at = frame[[scale, "auroc"]].to_numpy(float)
        there = np.isfinite(at).all(1)
        self.at, self.names = at[there], frame["feature"].to_numpy(object)[there]
        auroc = self.at[:, 1]
        codes = np.where(auroc >= 0.5 + TELLS, 1, np.where(auroc <= 0.5 - TELLS, 2, 0)).astype(np.int64)
        palette = np.array([_PLAIN, *((*QColor(c).getRgb()[:3], 255) for c in colours)], np.uint8)
        self._cloud.set_points(self.at, Colours(codes, palette, False))
        common = (frame[["share_in", "share_out"]].max(axis=1) >= _RARE).to_numpy()[there]
        most = max(float(np.abs(self.at[common, 0]).max(initial=0.0)) * 1.3, 0.5)
        self.beyond = int((np.abs(self.at[:, 0]) > most).sum())
        low, high = (float(v) for v in (auroc.min(initial=0.5), auroc.max(initial=0.5)))
        reach = max(high - 0.5, 0.5 - low, 0.1) * 1.08
        self.span((-most, most), (max(0.5 - reach, -0.02), min(0.5 + reach, 1.02)))
        self.label(f"← higher in {other}  ·  {_SCALES[scale]}  ·  higher in {one} →", "AUROC")
        self._named = self._strongest()
        self.mark("")
        self.fit()

    def mark(self, feature: str) -> None:
        """Put a ring around the point of a feature."""
        found = np.flatnonzero(self.names == feature) if feature else []
        self._marked = int(found[0]) if len(found) else -1
        self.viewport().update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the points, then over them the lines of no difference, the strongest names and the ring."""
        super().paintEvent(event)
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(self.font())
        room = self.box.sceneBoundingRect()
        painter.setClipRect(room)
        middle = self.box.mapViewToScene(QPointF(0.0, 0.5))
        painter.setPen(QPen(mix(self, 0.3), 1, Qt.PenStyle.DashLine))
        painter.drawLine(QPointF(room.left(), middle.y()), QPointF(room.right(), middle.y()))
        painter.drawLine(QPointF(middle.x(), room.top()), QPointF(middle.x(), room.bottom()))
        painter.setPen(mix(self, 0.95))
        self._draw_names(painter)
        if self._marked >= 0:
            painter.setPen(QPen(mix(self, 1.0), 2))
            painter.drawEllipse(self._place(self._marked), 6.5, 6.5)
        painter.end()

    def _draw_names(self, painter: QPainter) -> None:
        """Write the names, the strongest first; one that would lie on another is left out."""
        taken: list[QRectF] = []
        metrics = painter.fontMetrics()
        for k in self._named:
            name, at = str(self.names[k]), self._place(k)
            wide, high = float(metrics.horizontalAdvance(name)), float(metrics.height())
            left = at.x() + 6 if self.at[k, 0] >= 0 else at.x() - 6 - wide
            place = QRectF(left, at.y() - high / 2, wide, high)
            if not any(place.adjusted(0, 2, 0, -2).intersects(other) for other in taken):
                taken.append(place)
                painter.drawText(place, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft), name)

    def _place(self, k: int) -> QPointF:
        """Return where a point lies, in pixels of the widget."""
        return QPointF(self.box.mapViewToScene(QPointF(*self.at[k])))

    def nearest(self, x: float, y: float) -> str:
        """Return the feature of the point at a place of the axes; "" where none is near."""
        if not len(self.at):
            return ""
        width, height = self.box.viewPixelSize()
        away = np.hypot((self.at[:, 0] - x) / max(width, 1e-12), (self.at[:, 1] - y) / max(height, 1e-12))
        best = int(away.argmin())
        return str(self.names[best]) if away[best] <= _NEAR_PX else ""

    def _strongest(self) -> tuple[int, ...]:
        """Return the points that are named: so many of either side, those farthest from 0.5 first."""
        order = np.argsort(-np.abs(self.at[:, 1] - 0.5), kind="stable")
        sides = (order[sign * (self.at[order, 1] - 0.5) > 0.1][:_NAMED] for sign in (1, -1))
        return tuple(int(k) for pair in zip_longest(*sides, fillvalue=-1) for k in pair if k >= 0)

    def _on_click(self, x: float, y: float, _how: str) -> None:
        name = self.nearest(x, y)
        if name:
            self.chosen.emit(name)

    def _on_hover(self, x: float, y: float) -> None:
        name = self.nearest(x, y)
        if not name:
            QToolTip.hideText()
            return
        change, auroc = self.at[int(np.flatnonzero(self.names == name)[0])]
        QToolTip.showText(QCursor.pos(), f"{name}: {change:+.2f}, AUROC {auroc:.2f}".replace("-", "−"), self)
