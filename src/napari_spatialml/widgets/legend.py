"""The legend on the canvas: what the colours mean, drawn in a corner and never in the way of the mouse."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QEvent, QObject, QRectF, QSize, Qt, QTimer
from qtpy.QtGui import QColor, QFont, QFontMetrics, QImage, QPainter, QPaintEvent
from qtpy.QtWidgets import QWidget

from .desk import canvas_widget
from .legend_signs import draw_sign

if TYPE_CHECKING:
    from ..views.state import Legend
    from .desk import Desk

__all__ = ["Legends"]

MOST = 14
"""Categories listed of one element; the rest is counted."""
_MARGIN, _PAD, _ROW, _SWATCH, _WIDEST = 12, 9, 18, 11, 260
_SIGN = 13
_BAR = (150, 11)
_GROUND, _TEXT, _SOFT = QColor(20, 22, 26, 205), QColor(240, 240, 240), QColor(178, 182, 190)


class Legends(QWidget):
    """All legends of what is drawn, one below the other, in the upper right corner of the canvas.

    Parameters
    ----------
    desk
        The desk whose presenter knows the legends.
    canvas
        The widget of the canvas.
    """

    def __init__(self, desk: Desk, canvas: QWidget) -> None:
        super().__init__(canvas)
        self._desk, self._canvas = desk, canvas
        self.shown: tuple[Legend, ...] = ()
        self.preview: Legend | None = None
        """Of what is drawn over an element and not stored; the element's own gives way to it."""
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(30)
        self._timer.timeout.connect(self.refresh)
        desk.opened.connect(self.later)
        desk.state_changed.connect(self.later)
        desk.document_changed.connect(self.later)
        desk.layers_changed.connect(self.later)
        canvas.installEventFilter(self)
        self.hide()

    @classmethod
    def over_canvas(cls, desk: Desk) -> Legends | None:
        """Return legends over the canvas of the desk's viewer, or None where it has no window."""
        canvas = canvas_widget(desk.viewer)
        return cls(desk, canvas) if canvas is not None else None

    def later(self, *_: object) -> None:
        """Refresh soon; several changes at once cost one refresh."""
        self._timer.start()

    def refresh(self) -> None:
        """Ask the presenter what is to be explained, and draw it."""
        presenter = self._desk.presenter
        found = presenter.legends() if presenter is not None else ()
        self.shown = tuple(legend for legend in found if self._desk.visible(legend.element))
        if self.preview is not None:
            self.shown = (self.preview, *(g for g in self.shown if g.element != self.preview.element))
        self.setVisible(bool(self.shown))
        if self.shown:
            self.resize(self.sizeHint())
            self._place()
            self.update()

    def sizeHint(self) -> QSize:
        """Return the room for all legends, within the canvas."""
        width = max((self._width(legend) for legend in self.shown), default=0)
        height = sum(self._height(legend) for legend in self.shown) + _PAD * max(len(self.shown) - 1, 0)
        return QSize(min(width, _WIDEST), min(height, max(self._canvas.height() - 2 * _MARGIN, 0)))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Stay in the corner when the canvas changes its size."""
        if event.type() == QEvent.Type.Resize and self.shown:
            self.resize(self.sizeHint())
            self._place()
        return False

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw each legend on a ground of its own."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        top = 0.0
        for legend in self.shown:
            height = self._height(legend)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(_GROUND)
            painter.drawRoundedRect(QRectF(0, top, self.width(), height), 5, 5)
            self._draw(painter, legend, top + _PAD)
            top += height + _PAD
        painter.end()

    def _draw(self, painter: QPainter, legend: Legend, top: float) -> None:
        bold = QFont(self.font())
        bold.setBold(True)
        painter.setFont(bold)
        painter.setPen(_TEXT)
        self._text(painter, self._title(legend), _PAD, top, self.width() - 2 * _PAD)
        painter.setFont(self.font())
        top += _ROW
        if legend.kind == "categories":
            top = self._draw_categories(painter, legend, top)
        else:
            top = self._draw_bar(painter, legend, top)
        if legend.note:
            painter.setPen(_SOFT)
            self._text(painter, legend.note, _PAD, top, self.width() - 2 * _PAD)

    def _draw_categories(self, painter: QPainter, legend: Legend, top: float) -> float:
        count_width = max((self._advance(said) for said in legend.beside), default=0)
        for (name, colour, _), said in zip(_listed(legend), legend.beside, strict=False):
            fill = QColor(colour)
            fill.setAlpha(70 if name in legend.hidden else 255)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(fill)
            painter.drawRoundedRect(QRectF(_PAD, top + (_ROW - _SWATCH) / 2, _SWATCH, _SWATCH), 2, 2)
            painter.setPen(_SOFT if name in legend.hidden else _TEXT)
            left = _PAD + _SWATCH + 7
            self._text(painter, name, left, top, self.width() - left - _PAD - count_width - 8)
            painter.setPen(_SOFT)
            area = QRectF(self.width() - _PAD - count_width, top, count_width, _ROW)
            painter.drawText(area, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter), said)
            top += _ROW
        rest = len(legend.categories) - len(_listed(legend))
        if rest > 0:
            painter.setPen(_SOFT)
            self._text(painter, f"… and {rest} more", _PAD, top, self.width() - 2 * _PAD)
            top += _ROW
        for sign, says in legend.signs:
            draw_sign(painter, sign, QRectF(_PAD - 1, top + (_ROW - _SIGN) / 2, _SIGN, _SIGN))
            painter.setPen(_SOFT)
            self._text(painter, says, _PAD + _SWATCH + 7, top, self.width() - 2 * _PAD - _SWATCH - 7)
            top += _ROW
        return top

    def _draw_bar(self, painter: QPainter, legend: Legend, top: float) -> float:
        width, height = self.width() - 2 * _PAD, _BAR[1]
        painter.drawImage(QRectF(_PAD, top + 3, width, height), _gradient(legend.colormap))
        painter.setPen(_TEXT)
        area = QRectF(_PAD, top + height + 4, width, _ROW)
        low, high = _ends(legend)
        painter.drawText(area, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), low)
        painter.drawText(area, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter), high)
        painter.setPen(_SOFT)
        painter.drawText(area, int(Qt.AlignmentFlag.AlignCenter), _between(legend))
        painter.setPen(_TEXT)
        return top + height + 6 + _ROW

    def _text(self, painter: QPainter, text: str, left: float, top: float, width: float) -> None:
        shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideMiddle, int(width))
        area = QRectF(left, top, width, _ROW)
        painter.drawText(area, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), shown)

    def _title(self, legend: Legend) -> str:
        title = legend.title.replace("_", " ")
        title = f"m/z {title}" if legend.kind == "continuous" and re.fullmatch(r"\d{2,5}\.\d+", title) else title
        title = f"{title} (log)" if legend.log else title
        return f"{legend.element}: {title}" if len(self.shown) > 1 and title != legend.element else title

    def _advance(self, text: str, *, bold: bool = False) -> int:
        font = QFont(self.font())
        font.setBold(bold)
        return QFontMetrics(font).horizontalAdvance(text)

    def _width(self, legend: Legend) -> int:
        wide = [self._advance(self._title(legend), bold=True), self._advance(legend.note)]
        if legend.kind == "categories":
            named = zip(_listed(legend), legend.beside, strict=False)
            wide += [_SWATCH + 7 + self._advance(c[0]) + 14 + self._advance(said) for c, said in named]
            wide += [_SWATCH + 7 + self._advance(says) for _, says in legend.signs]
        else:
            ends = sum(map(self._advance, _ends(legend)))
            wide += [_BAR[0], ends + self._advance(_between(legend)) + 32]
        return max(wide) + 2 * _PAD + 4  # the painter's metrics may be a little wider than the widget's

    def _height(self, legend: Legend) -> int:
        rows = 1 + bool(legend.note)
        if legend.kind == "categories":
            listed = _listed(legend)
            rows += len(listed) + (len(listed) < len(legend.categories)) + len(legend.signs)
            return rows * _ROW + 2 * _PAD
        return rows * _ROW + _BAR[1] + 6 + _ROW + 2 * _PAD - 2

    def _place(self) -> None:
        self.move(max(self._canvas.width() - self.width() - _MARGIN, 0), _MARGIN)
        self.raise_()


def _listed(legend: Legend) -> tuple[tuple[str, str, int], ...]:
    # one more row would say "… and 1 more": then the category itself is shown
    return legend.categories if len(legend.categories) <= MOST + 1 else legend.categories[:MOST]


def _ends(legend: Legend) -> tuple[str, str]:
    """Return what stands below the two ends of the bar: numbers, the unit, and what they mean."""
    unit = f" {legend.unit}" if legend.unit else ""
    low, high = legend.ends
    return f"{_number(legend.low)} {low}".strip(), f"{_number(legend.high)}{unit} {high}".strip()


def _between(legend: Legend) -> str:
    """Return what stands below the middle of the bar; nothing where words stand below its ends."""
    return "" if any(legend.ends) else _number(_middle(legend))


def _middle(legend: Legend) -> float:
    """Return the value in the middle of the bar."""
    if legend.log:
        return float(np.expm1((np.log1p(legend.low) + np.log1p(legend.high)) / 2))
    return (legend.low + legend.high) / 2


def _gradient(name: str) -> QImage:
    from ..views.colormaps import colormap_of

    rgba = np.ascontiguousarray(colormap_of(name or "viridis").map(np.linspace(0, 1, 256)) * 255, dtype=np.uint8)
    return QImage(rgba.data, 256, 1, QImage.Format.Format_RGBA8888).copy()


def _number(value: float) -> str:
    if value != 0 and (abs(value) >= 1e5 or abs(value) < 1e-2):
        return f"{value:.1e}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
