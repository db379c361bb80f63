"""The thumbnails of a sheet: painted, pointed at, and walked over with the arrow keys."""

from __future__ import annotations

import html
from collections.abc import Mapping

import numpy as np
from qtpy.QtCore import QEvent, QLineF, QPointF, QRect, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QHelpEvent, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from ..session.queued import Item, Place
from ..views.cell_tools import CHOSEN, CUT
from ..views.marks import Lines
from ..views.sheet import Sheet
from ..views.stamps import Stamp, state_of
from .style import level_colour, mix

__all__ = ["COLUMNS", "SheetGrid", "described"]

COLUMNS = 5
_GAP = 4
_BAR = 3
_SHORT = {
    "area": "size",
    "shape": "shape",
    "merged": "several?",
    "halves": "half a cell?",
    "contrast": "faint",
    "nuclei": "nuclei",
    "membrane": "membrane",
    "confidence": "network?",
    "markers": "markers",
    "rim": "rim",
    "edge": "at the edge",
}
"""The first reason in a word or two: there is no room for more."""
_DONE = {
    "wrong": "flagged",
    "accepted": "accepted",
    "fixed": "fixed",
    "drawn": "added",
    "dismissed": "none here",
    "gone": "gone",
}


class SheetGrid(QWidget):
    """Shows one sheet. The thumbnail that the pointer is over, or the arrow keys are at, is the one in hand."""

    clicked = Signal(int)
    """A thumbnail was clicked, or Enter pressed: do what is proposed."""
    opened = Signal(int)
    """A thumbnail was clicked with the right button: open it on the canvas."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.sheet: Sheet | None = None
        self.at = 0
        self._stamps: dict[int, tuple[tuple[object, ...], QPixmap]] = {}
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Sheet of cells")

    def take(self, sheet: Sheet | None) -> None:
        """Show another sheet."""
        self.sheet = sheet
        self._stamps.clear()
        self.renew()

    def renew(self) -> None:
        """Show the sheet as it is now."""
        self.at = min(self.at, max(len(self.keys) - 1, 0))
        self._stamps = {k: v for k, v in self._stamps.items() if k in self.keys}
        self.updateGeometry()
        self.update()

    @property
    def keys(self) -> tuple[int, ...]:
        """Cells, or numbers of places, row by row."""
        return () if self.sheet is None else self.sheet.keys

    @property
    def key(self) -> int | None:
        """The thumbnail in hand."""
        return self.keys[self.at] if self.at < len(self.keys) else None

    # where -------------------------------------------------------------------------------------

    @property
    def side(self) -> int:
        """Pixels along a thumbnail."""
        return max((self.width() - (COLUMNS - 1) * _GAP) // COLUMNS, 24)

    @property
    def _height(self) -> int:
        return self.side + _BAR + self.fontMetrics().height() + _GAP

    def box(self, index: int) -> QRect:
        """Return where the picture of a thumbnail lies."""
        row, column = divmod(index, COLUMNS)
        return QRect(column * (self.side + _GAP), row * self._height, self.side, self.side)

    def index_at(self, x: float, y: float) -> int:
        """Return the thumbnail at a position; -1 for none."""
        column, row = int(x) // (self.side + _GAP), int(y) // self._height
        index = row * COLUMNS + column
        return index if 0 <= column < COLUMNS and row >= 0 and index < len(self.keys) else -1

    def sizeHint(self) -> QSize:
        """Return room for the rows that there are."""
        rows = -(-len(self.keys) // COLUMNS)
        return QSize(COLUMNS * 72, max(rows * self._height, 1))

    def minimumSizeHint(self) -> QSize:
        """Return the height that the width asks for."""
        return QSize(COLUMNS * 40, self.sizeHint().height())

    def resizeEvent(self, event: object) -> None:
        """Ask for the height that goes with the width."""
        self._stamps.clear()
        self.updateGeometry()

    # what is seen ------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the thumbnails that are in sight."""
        if self.sheet is None:
            return
        painter = QPainter(self)
        seen = {k: i for i, k in enumerate(self.keys) if self._room(i).intersects(event.rect())}
        for key, now in self.sheet.found(seen).items():
            self._draw(painter, seen[key], now, self.sheet.stamp(key))
        painter.end()

    def _room(self, index: int) -> QRect:
        """Return the picture of a thumbnail and what is written below it."""
        box = self.box(index)
        return QRect(box.left() - 1, box.top() - 1, self.side + _GAP, self._height)

    def _draw(self, painter: QPainter, index: int, now: Item | Place | None, stamp: Stamp) -> None:
        box, key, state = self.box(index), self.keys[index], state_of(now)
        done = state not in ("open", "wrong")
        painter.setOpacity(0.35 if done else 1.0)
        painter.drawPixmap(box.topLeft(), self._pixmap(key, stamp, done))
        painter.setOpacity(1.0)
        score = 0.0 if now is None or now.score != now.score else now.score
        bar = QRectF(box.left(), box.bottom() + 2, box.width(), _BAR - 1)
        painter.fillRect(bar, mix(self, 0.14))
        if not done:
            bar.setWidth(bar.width() * score)
            painter.fillRect(bar, level_colour(self, "warning" if score >= 0.5 else "info"))
        text = QRect(box.left(), box.bottom() + _BAR + 1, box.width(), self.fontMetrics().height())
        said = _DONE.get(state, "") if state != "open" else _short(now)
        levels = {"fixed": "ok", "drawn": "ok", "accepted": "ok", "wrong": "warning"}
        painter.setPen(level_colour(self, levels[state]) if state in levels else mix(self, 0.75))
        said = self.fontMetrics().elidedText(said, Qt.TextElideMode.ElideRight, text.width())
        painter.drawText(text, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), said)
        if index == self.at and (self.underMouse() or self.hasFocus()):
            painter.setPen(QPen(QColor("#6db3ff"), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(box.adjusted(1, 1, -1, -1))

    def _pixmap(self, key: int, stamp: Stamp, done: bool) -> QPixmap:
        """Return a thumbnail, drawn anew where something in it has changed."""
        made_of = (stamp.picture, stamp.own, stamp.others, stamp.proposed, done)
        held = self._stamps.get(key)
        if held is not None and all(a is b for a, b in zip(held[0], made_of, strict=True)):
            return held[1]
        ratio = self.devicePixelRatioF()
        pixmap = QPixmap(round(self.side * ratio), round(self.side * ratio))
        pixmap.setDevicePixelRatio(ratio)
        pixmap.fill(QColor(0, 0, 0) if stamp.picture is not None else mix(self, 0.08))
        if stamp.picture is not None:
            painter = QPainter(pixmap)
            self._compose(painter, stamp, done)
            painter.end()
        self._stamps[key] = (made_of, pixmap)
        return pixmap

    def _compose(self, painter: QPainter, stamp: Stamp, done: bool) -> None:
        assert stamp.picture is not None and stamp.own is not None and stamp.others is not None
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        y0, y1, x0, x1 = stamp.picture.window
        scale = self.side / max(y1 - y0, x1 - x0, 1)
        rgb = np.ascontiguousarray(stamp.picture.rgb)
        image = QImage(rgb.data, rgb.shape[1], rgb.shape[0], rgb.strides[0], QImage.Format.Format_RGB888)
        painter.drawImage(QRectF(0, 0, scale * (x1 - x0), scale * (y1 - y0)), image)
        for lines, colour, width, opacity in (
            (stamp.others, "#ffffff", 1.0, 0.35),
            (stamp.own, CHOSEN, 1.4, 1.0),
            (None if stamp.proposed is None or done else stamp.proposed.lines, CUT, 1.8, 1.0),
        ):
            if lines is not None and len(lines):
                painter.setOpacity(opacity)
                painter.setPen(QPen(QColor(colour), width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
                painter.drawLines(_lines(lines, (y0, x0), scale))

    # the hand ----------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Do what is proposed with the left button; open on the canvas with the right one."""
        where = event.position()
        index = self.index_at(where.x(), where.y())
        if index < 0:
            return
        self._go(index)
        if event.button() == Qt.MouseButton.LeftButton:
            self.clicked.emit(self.keys[index])
        elif event.button() == Qt.MouseButton.RightButton:
            self.opened.emit(self.keys[index])

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Take the thumbnail under the pointer in the hand."""
        index = self.index_at(event.position().x(), event.position().y())
        if index >= 0:
            self._go(index)

    def leaveEvent(self, event: QEvent) -> None:
        """Take the frame away."""
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Walk over the thumbnails with the arrows; Enter does what is proposed."""
        steps = {
            Qt.Key.Key_Left: -1,
            Qt.Key.Key_Right: 1,
            Qt.Key.Key_Up: -COLUMNS,
            Qt.Key.Key_Down: COLUMNS,
            Qt.Key.Key_Home: -self.at,
            Qt.Key.Key_End: len(self.keys) - 1 - self.at,
        }
        key = Qt.Key(event.key())
        if key in steps:
            self._go(self.at + steps[key])
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.key is not None:
            self.clicked.emit(self.key)
        else:
            super().keyPressEvent(event)

    def _go(self, index: int) -> None:
        if 0 <= index < len(self.keys) and index != self.at:
            self.update(self._room(self.at))
            self.at = index
            self.update(self._room(index))

    def event(self, event: QEvent) -> bool:
        """Tell all that is known of the thumbnail under the pointer."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip and self.sheet is not None:
            index = self.index_at(event.pos().x(), event.pos().y())
            said = "" if index < 0 else described(self.sheet, self.keys[index])
            if said:
                QToolTip.showText(event.globalPos(), said, self, self.box(index))
            else:
                QToolTip.hideText()
            return True
        return bool(super().event(event))


def described(sheet: Sheet, key: int) -> str:
    """Return all reasons, the size in µm and what a click does, as rich text."""
    now, proposal = sheet.walk.found(key), sheet.proposal(key)
    if now is None:
        return "It was deleted, or merged with another cell."
    size = now.diameter * sheet.pixel_size_um
    if isinstance(now, Item):
        likely = "" if now.score != now.score else f" · {100 * now.score:.0f} % likely wrong"
        head, reasons = f"Cell {now.cell}{likely}", [f"{w} ({100 * s:.0f} %)" for w, s in now.reasons]
    else:
        head, reasons = f"Is a cell missing here? · {100 * now.score:.0f} %", [now.words]
    does = _does(sheet, key, proposal is not None)
    lines = [*reasons, f"{size:.3g} µm across", does]
    told = "".join(f'<p style="margin: 0 0 3px 0">{html.escape(t)}</p>' for t in lines if t)
    return f'<qt><p style="margin: 0 0 3px 0"><b>{html.escape(head)}</b></p>{told}</qt>'


def _does(sheet: Sheet, key: int, proposed: bool) -> str:
    if sheet.state(key) not in ("open", "wrong"):
        return ""
    if sheet.offer(key) is None:
        return "It is still being looked at."
    tools: Mapping[str, str] = {
        "delete": "deletes it",
        "split": "cuts it along the red line",
        "merge": "merges it with the cell in red",
        "redraw": "gives it the red outline",
        "draw": "adds a cell with the red outline",
    }
    proposal = sheet.proposal(key)
    return f"A click {tools[proposal.tool]}." if proposed and proposal else "A click opens it on the canvas."


def _short(now: Item | Place | None) -> str:
    if isinstance(now, Item):
        return _SHORT.get(now.kind, "")
    return "" if now is None else f"{100 * now.score:.0f} %"


def _lines(lines: Lines, corner: tuple[int, int], scale: float) -> list[QLineF]:
    starts = (lines[:, 0] - corner) * scale
    ends = starts + lines[:, 1] * scale
    return [
        QLineF(QPointF(a[1], a[0]), QPointF(b[1], b[0])) for a, b in zip(starts.tolist(), ends.tolist(), strict=True)
    ]
