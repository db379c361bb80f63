"""Two sides feature by feature: how often the mean doubles across, how surely a row is told apart upwards."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyqtgraph as pg
from qtpy.QtCore import QPointF, Qt, Signal
from qtpy.QtGui import QColor, QCursor
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
        self._cloud, self._texts = Cloud(), list[Any]()
        self.beyond = 0
        self.names: npt.NDArray[Any] = np.empty(0, object)
        self.at: npt.NDArray[np.float64] = np.empty((0, 2))
        self._marked = ""
        super().__init__(parent=parent)
        self.getAxis("bottom").setHeight(50)
        self._lines = [pg.InfiniteLine(0.5, angle=0), pg.InfiniteLine(0.0, angle=90)]
        for line in self._lines:
            self.addItem(line)
        self.addItem(self._cloud)
        self.ring = pg.ScatterPlotItem(size=13, brush=None)
        self.addItem(self.ring)
        self.clicked.connect(self._on_click)
        self.hovered.connect(self._on_hover)
        self.box.sigRangeChanged.connect(self._make_room)
        self.box.sigResized.connect(self._make_room)
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
        self.mark("")
        self._name_strongest()
        self.fit()
        self._make_room()

    def mark(self, feature: str) -> None:
        """Put a ring around the point of a feature."""
        self._marked = feature
        found = np.flatnonzero(self.names == feature) if feature else []
        self.ring.setData(self.at[found, 0], self.at[found, 1]) if len(found) else self.ring.clear()
        self.ring.setPen(pg.mkPen(mix(self, 1.0), width=2))

    def follow_theme(self) -> None:
        """Draw lines and names in the tones of the theme."""
        super().follow_theme()
        for line in self.__dict__.get("_lines", ()):
            line.setPen(pg.mkPen(mix(self, 0.3), style=Qt.PenStyle.DashLine))
        for text, _at in self.__dict__.get("_texts", ()):
            text.setColor(mix(self, 0.95))

    def nearest(self, x: float, y: float) -> str:
        """Return the feature of the point at a place of the axes; "" where none is near."""
        if not len(self.at):
            return ""
        width, height = self.box.viewPixelSize()
        away = np.hypot((self.at[:, 0] - x) / max(width, 1e-12), (self.at[:, 1] - y) / max(height, 1e-12))
        best = int(away.argmin())
        return str(self.names[best]) if away[best] <= _NEAR_PX else ""

    def _name_strongest(self) -> None:
        for text, _at in self._texts:
            self.removeItem(text)
        self._texts.clear()
        order = np.argsort(-np.abs(self.at[:, 1] - 0.5), kind="stable")
        for sign in (1, -1):
            for k in [k for k in order if sign * (self.at[k, 1] - 0.5) > 0.1][:_NAMED]:
                text = pg.TextItem(str(self.names[k]), anchor=(0.0 if self.at[k, 0] >= 0 else 1.0, 0.5))
                text.setPos(QPointF(*self.at[k]))
                self.addItem(text)
                self._texts.append((text, self.at[k]))
        self.follow_theme()

    def _make_room(self, *_: Any) -> None:
        """Hide the names that would lie on a stronger one's."""
        width, height = (max(v, 1e-12) for v in self.box.viewPixelSize())
        taken: list[tuple[float, float, float, float]] = []
        for text, (x, y) in self._texts:
            size = text.boundingRect()
            left = x / width - (0.0 if x >= 0 else size.width())
            place = (left, y / height - size.height() / 2, left + size.width(), y / height + size.height() / 2)
            free = all(place[2] < o[0] or o[2] < place[0] or place[3] - 6 < o[1] or o[3] < place[1] + 6 for o in taken)
            text.setVisible(free)
            if free:
                taken.append(place)

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
