"""Points as one picture: it is drawn anew for each view, at the resolution of what it is drawn on."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyqtgraph as pg
from qtpy.QtCore import QRectF, Signal
from qtpy.QtGui import QImage, QPainter

from ...core.clouds import counted, discs
from ...views.columns import Colours

__all__ = ["MANY", "Cloud"]

MANY = 50_000
"""Points in view from which on a picture counts them instead of drawing a disc for each."""
_DIAMETERS = ((2_000, 7.0), (10_000, 5.0), (MANY, 3.0))
_FIELD = 2
"""Pixels along a field of the picture that counts."""
_MOST = 4_000
"""Pixels along the picture at most."""
_FAINT = 0.16
"""What remains of the opacity of points that are not selected while others are."""
Mask = npt.NDArray[np.bool_]


class Cloud(pg.GraphicsObject):
    """All points of a scatter plot; selected ones stand out, the others fade."""

    counting = Signal(bool)
    """Whether the points in view are counted from now on, instead of each being a disc."""

    def __init__(self) -> None:
        super().__init__()
        self._at = np.empty((0, 2))
        self._colours = Colours(np.empty(0, np.int64), np.zeros((1, 4), np.uint8), False)
        self._selected: Mask | None = None
        self._drawn: Mask | None = None
        self._bounds = QRectF()
        self._kept: tuple[Any, tuple[QImage, ...]] = (None, ())
        self._version = 0
        self.counts = False

    def set_points(self, at: npt.NDArray[np.float64], colours: Colours) -> None:
        """Show points.

        Parameters
        ----------
        at
            (n, 2) finite, as (x, y) on the axes.
        colours
            Of each.
        """
        self._at, self._colours = at, colours
        self._selected = self._drawn = None
        (x0, y0), (x1, y1) = (at.min(axis=0), at.max(axis=0)) if len(at) else ((0.0, 0.0), (1.0, 1.0))
        self.prepareGeometryChange()
        self._bounds = QRectF(x0, y0, max(x1 - x0, 1e-12), max(y1 - y0, 1e-12))
        self.informViewBoundsChanged()
        self._change()

    def mark(self, selected: Mask | None, drawn: Mask | None) -> None:
        """Say which points are selected (None: no selection), and which are drawn at all (None: all)."""
        self._selected, self._drawn = selected, drawn
        self._change()

    def boundingRect(self) -> QRectF:
        """Return the rectangle around all points."""
        return self._bounds

    def viewRangeChanged(self) -> None:
        """Draw anew when the view moves."""
        self.update()

    def paint(self, painter: QPainter, *_: Any) -> None:
        """Draw the pictures of the present view."""
        box = self.getViewBox()
        view = box.viewRect()
        device = painter.deviceTransform().mapRect(view)
        size = tuple(int(np.clip(round(v), 1, _MOST)) for v in (device.height(), device.width()))
        key = (self._version, view.getRect(), size)
        if key != self._kept[0]:
            self._kept = (key, self._pictures(view, size, device.width() / max(box.width(), 1.0)))
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
        for picture in self._kept[1]:
            painter.drawImage(view, picture, QRectF(picture.rect()))

    def _change(self) -> None:
        self._version += 1
        self.update()

    def _pictures(self, view: QRectF, size: tuple[int, int], scale: float) -> tuple[QImage, ...]:
        """Return one picture, or two where some points are selected: those lie on top."""
        at = self._at
        inside = (at[:, 0] >= view.left()) & (at[:, 0] <= view.right())
        inside &= (at[:, 1] >= view.top()) & (at[:, 1] <= view.bottom())
        if self._drawn is not None:
            inside &= self._drawn
        parts = [(np.flatnonzero(inside), 1.0, 1.0)]
        if self._selected is not None:
            others, marked = np.flatnonzero(inside & ~self._selected), np.flatnonzero(inside & self._selected)
            parts = [(others, _FAINT, 1.0), (marked, 1.0, 1.3)]
        counts = any(len(chosen) > MANY for chosen, _, _ in parts)
        if counts != self.counts:
            self.counts = counts
            self.counting.emit(counts)
        n = sum(len(chosen) for chosen, _, _ in parts)
        diameter = next((d for most, d in _DIAMETERS if n <= most), _DIAMETERS[-1][1]) * scale
        return tuple(
            self._picture(chosen, view, size, faint, _FIELD * scale, diameter * larger)
            for chosen, faint, larger in parts
        )

    def _picture(
        self, chosen: npt.NDArray[np.int64], view: QRectF, size: tuple[int, int], faint: float, field: float,
        diameter: float,
    ) -> QImage:  # fmt: skip
        many = len(chosen) > MANY
        shape = tuple(max(1, round(v / field)) for v in size) if many else size
        low = np.array([view.top(), view.left()])
        span = np.array([view.height(), view.width()])
        at = (self._at[chosen][:, ::-1] - low) / span * shape
        palette = self._colours.palette
        if faint < 1:
            palette = palette.copy()
            palette[:, 3] = np.round(palette[:, 3] * faint)
        if many:
            at = np.minimum(at, np.array(shape) - 1e-6)  # what lies on the border of the view is in it
            return _image(counted(at, self._colours.codes[chosen], palette, shape, mean=self._colours.ordered))
        return _image(discs(at, palette[self._colours.codes[chosen]], shape, diameter))


def _image(rgba: npt.NDArray[np.uint8]) -> QImage:
    height, width = rgba.shape[:2]
    held = np.ascontiguousarray(rgba)
    return QImage(held.data, width, height, 4 * width, QImage.Format.Format_RGBA8888).copy()
