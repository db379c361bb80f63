"""A dot for each feature in each domain: its size is the share of rows that have any, its colour the scaled mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QHelpEvent, QImage, QMouseEvent, QPainter, QPaintEvent
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from ..style import ACCENT, mix

__all__ = ["DotPlot", "Dots"]

_ROW, _COLUMN, _PAD, _GAP, _KEY = 18.0, 26.0, 8.0, 7.0, 44.0
_LONGEST = 130.0
_MAP = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))
"""Five colours of viridis, which all kinds of colour vision see in order (van der Walt and Smith, 2015)."""


@dataclass(frozen=True, eq=False)
class Dots:
    """What is drawn.

    Parameters
    ----------
    features, domains
        (r,) names of the rows from the top, (c,) of the columns.
    groups
        (r,) the domain that a feature is listed for; a gap stands between two.
    shares, scaled
        (r, c) share of rows with any of it, and mean from 0 to 1 within the feature's row.
    means
        (r, c) the means, for the tip.
    colours
        "#rrggbb" of each domain.
    """

    features: Sequence[str] = ()
    domains: Sequence[str] = ()
    groups: Sequence[str] = ()
    shares: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))
    scaled: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))
    means: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))
    colours: Mapping[str, str] = field(default_factory=dict)


class DotPlot(QWidget):
    """Features below each other, domains side by side; a click chooses a feature."""

    chosen = Signal(str, str)
    """The feature, and the domain of the dot that was clicked ("" beside the dots)."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.dots = Dots()
        self._marked = ""
        self._tops: list[float] = []
        self._left = self._head = 0.0
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        self.setAccessibleName("Dot plot of the strongest features of each domain")

    def set_dots(self, dots: Dots) -> None:
        """Show other dots."""
        self.dots, self._tops = dots, []
        self._left = _PAD + self._width(dots.features) + 12
        self._head = top = _KEY + self._width(dots.domains) + 16
        for k, group in enumerate(dots.groups):
            top += _GAP if k and group != dots.groups[k - 1] else 0.0
            self._tops.append(top)
            top += _ROW
        self.updateGeometry()
        self.setFixedHeight(self.sizeHint().height())
        self.update()

    def mark(self, feature: str) -> None:
        """Let the name of a feature stand out."""
        self._marked = feature
        self.update()

    def sizeHint(self) -> QSize:
        """Return room for every row and column."""
        high = (self._tops[-1] if self._tops else self._head) + _ROW + _PAD
        return QSize(int(max(self._left + _COLUMN * len(self.dots.domains) + 2 * _PAD, 290)), int(high))

    minimumSizeHint = sizeHint

    def picture(self, scale: float = 3.0) -> QImage:
        """Return what is drawn, with so many pixels for one of the screen."""
        size = self.sizeHint()
        image = QImage(round(size.width() * scale), round(size.height() * scale), QImage.Format.Format_RGB32)
        image.fill(self.palette().window().color())
        painter = QPainter(image)
        painter.scale(scale, scale)
        self._draw(painter)
        painter.end()
        return image

    def place_of(self, feature: str, domain: str) -> QPointF:
        """Return the middle of a dot, in the widget's pixels."""
        row, column = list(self.dots.features).index(feature), list(self.dots.domains).index(domain)
        return QPointF(self._left + (column + 0.5) * _COLUMN, self._tops[row] + _ROW / 2)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Tell the feature that was clicked."""
        row, column = self._at(event.position())
        if row >= 0 and event.button() == Qt.MouseButton.LeftButton:
            self.chosen.emit(self.dots.features[row], self.dots.domains[column] if column >= 0 else "")

    def event(self, event: QEvent) -> bool:
        """Tell the numbers of the dot under the mouse."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            QToolTip.showText(event.globalPos(), self.tip(QPointF(event.pos())), self)
            return True
        return bool(super().event(event))

    def tip(self, at: QPointF) -> str:
        """Return what is said of the dot at a place."""
        row, column = self._at(at)
        if row < 0 or column < 0:
            return self.dots.features[row] if row >= 0 else ""
        d = self.dots
        return (
            f"{d.features[row]} in {d.domains[column]}: mean {d.means[row, column]:.3g}, "
            f"{100 * d.shares[row, column]:.0f} % of its rows have any"
        )

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the key, the names and the dots."""
        painter = QPainter(self)
        self._draw(painter)
        painter.end()

    def _at(self, place: QPointF) -> tuple[int, int]:
        row = next((k for k, top in enumerate(self._tops) if top <= place.y() < top + _ROW), -1)
        column = int((place.x() - self._left) // _COLUMN)
        return row, column if 0 <= column < len(self.dots.domains) else -1

    def _width(self, names: Sequence[str]) -> float:
        metrics = self.fontMetrics()
        return min(max((float(metrics.horizontalAdvance(n)) for n in names), default=30.0) + 6, _LONGEST)

    def _draw(self, painter: QPainter) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(self.font())
        for column, name in enumerate(self.dots.domains):
            self._head_of(painter, column, name)
        for row, name in enumerate(self.dots.features):
            self._row(painter, row, name)
        if self.dots.features:
            self._key(painter, 2.0)

    def _head_of(self, painter: QPainter, column: int, name: str) -> None:
        x, bottom = self._left + (column + 0.5) * _COLUMN, self._head
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(self.dots.colours.get(name, "#888888")))
        painter.drawRoundedRect(QRectF(x - 6, bottom - 14, 12, 9), 2, 2)
        painter.save()
        painter.translate(x, bottom - 18)
        painter.rotate(-90)
        room = QRectF(0, -_COLUMN / 2, bottom - 18 - _KEY, _COLUMN)
        text = painter.fontMetrics().elidedText(name, Qt.TextElideMode.ElideMiddle, int(room.width()))
        painter.setPen(mix(self, 0.85))
        painter.drawText(room, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), text)
        painter.restore()

    def _row(self, painter: QPainter, row: int, name: str) -> None:
        top, left = self._tops[row], self._left
        if name == self._marked:
            wash = QColor(ACCENT)
            wash.setAlpha(70)
            painter.fillRect(QRectF(0, top, left + _COLUMN * len(self.dots.domains) + _PAD, _ROW), wash)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(self.dots.colours.get(self.dots.groups[row], "#888888")))
        painter.drawRect(QRectF(left - 6, top, 3, _ROW))
        painter.setPen(mix(self, 1.0 if name == self._marked else 0.85))
        room = QRectF(_PAD, top, left - _PAD - 11, _ROW)
        text = painter.fontMetrics().elidedText(name, Qt.TextElideMode.ElideMiddle, int(room.width()))
        painter.drawText(room, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter), text)
        for column in range(len(self.dots.domains)):
            middle = QPointF(left + (column + 0.5) * _COLUMN, top + _ROW / 2)
            self._dot(painter, middle, self.dots.shares[row, column], self.dots.scaled[row, column])

    def _dot(self, painter: QPainter, middle: QPointF, share: float, scaled: float) -> None:
        if not np.isfinite(share) or not np.isfinite(scaled):
            return
        painter.setPen(mix(self, 0.35))
        painter.setBrush(_colour(scaled))
        radius = max(0.9, (_ROW / 2 - 1) * float(np.sqrt(np.clip(share, 0, 1))))
        painter.drawEllipse(middle, radius, radius)

    def _key(self, painter: QPainter, top: float) -> None:
        left = _PAD
        for share in (0.25, 0.5, 1.0):
            self._dot(painter, QPointF(left + 9, top + 9), share, 0.5)
            painter.setPen(mix(self, 0.7))
            room = QRectF(left - 10, top + 19, 40, 16)
            painter.drawText(room, int(Qt.AlignmentFlag.AlignHCenter), f"{100 * share:.0f}")
            left += 32
        painter.drawText(QRectF(left, top, 80, 18), int(Qt.AlignmentFlag.AlignVCenter), "% of rows")
        left += 78
        for k in range(64):
            painter.fillRect(QRectF(left + k * 1.4, top + 4, 1.9, 10), _colour((k + 0.5) / 64))
        painter.setPen(mix(self, 0.7))
        painter.drawText(QRectF(left, top + 19, 44, 16), int(Qt.AlignmentFlag.AlignLeft), "low")
        painter.drawText(QRectF(left + 46, top + 19, 44, 16), int(Qt.AlignmentFlag.AlignRight), "high")
        painter.drawText(QRectF(left + 98, top, 60, 18), int(Qt.AlignmentFlag.AlignVCenter), "mean")


def _colour(share: float) -> QColor:
    at = float(np.clip(share, 0, 1)) * (len(_MAP) - 1)
    k = min(int(at), len(_MAP) - 2)
    low, high = np.asarray(_MAP[k], float), np.asarray(_MAP[k + 1], float)
    return QColor(*(int(c) for c in np.rint(low + (at - k) * (high - low))))
