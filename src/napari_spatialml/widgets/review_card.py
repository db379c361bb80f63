"""The card of the cell under review: why it is suspected, in words with bars, and what was decided."""

from __future__ import annotations

from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QPainter, QPaintEvent
from qtpy.QtWidgets import QLabel, QSizePolicy, QVBoxLayout, QWidget

from ..session.queued import Item, Place
from .style import SPACING, Quiet, level_colour, mix

__all__ = ["Card"]

_MOST = 4
_STATES = {
    "pending": "",
    "accepted": "accepted",
    "fixed": "fixed",
    "wrong": "flagged as wrong",
    "drawn": "drawn",
    "dismissed": "nothing is missing here",
}


class _Bar(QWidget):
    """One reason: its words, and below them how strongly it speaks."""

    def __init__(self, words: str, strength: float, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.strength = min(max(strength, 0.0), 1.0)
        label = QLabel(words)
        label.setWordWrap(True)
        label.setIndent(0)
        label.setTextFormat(Qt.TextFormat.PlainText)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 7)
        layout.addWidget(label)
        self.setToolTip(f"Of cells of which only this is known, {100 * self.strength:.0f} % are wrong.")

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the bar over its ground."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        whole = QRectF(0, self.height() - 5, self.width(), 3)
        painter.setBrush(mix(self, 0.14))
        painter.drawRoundedRect(whole, 1.5, 1.5)
        painter.setBrush(level_colour(self, "warning" if self.strength >= 0.5 else "info"))
        painter.drawRoundedRect(QRectF(0, whole.y(), whole.width() * self.strength, 3), 1.5, 1.5)


class Card(QWidget):
    """What is known of the cell or the place in hand."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.head, self.state, self.what = QLabel(), Quiet(), Quiet()
        self.head.setIndent(0)
        font = self.head.font()
        font.setBold(True)
        self.head.setFont(font)
        self._reasons = QVBoxLayout()
        self._reasons.setSpacing(4)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        layout.addWidget(self.head)
        layout.addWidget(self.state)
        layout.addLayout(self._reasons)
        layout.addWidget(self.what)

    def minimumSizeHint(self) -> QSize:
        """Return room for a card of ordinary length, so that the buttons below do not jump."""
        return QSize(0, 118)

    def show_item(self, current: Item | Place | None, blind: bool = False) -> None:
        """Show a cell or a place; nothing for None.

        Parameters
        ----------
        current
            What is looked at.
        blind
            Keep the suspicion from the person, who is to judge without it.
        """
        self._clear()
        self.setVisible(current is not None)
        if current is None:
            return
        if isinstance(current, Item):
            self.head.setText(f"Cell {current.cell}" if blind else f"Cell {current.cell} · {_likely(current.score)}")
            for words, strength in () if blind else current.reasons[:_MOST]:
                self._reasons.addWidget(_Bar(f"{words[:1].upper()}{words[1:]}", strength))
        else:
            self.head.setText(f"Is a cell missing here? · {100 * current.score:.0f} %")
            self._reasons.addWidget(_Bar(f"{current.words[:1].upper()}{current.words[1:]}", current.score))
        said = _STATES[current.state]
        self.state.setText(f"{said[:1].upper()}{said[1:]}.")
        self.state.setVisible(bool(said))

    def say(self, what: str) -> None:
        """Say what the person can do now."""
        self.what.setText(what)
        self.what.setVisible(bool(what))

    def _clear(self) -> None:
        while self._reasons.count():
            former = self._reasons.takeAt(0).widget()
            if former is not None:
                former.setParent(None)
                former.deleteLater()


def _likely(score: float) -> str:
    return "not scored" if score != score else f"{100 * score:.0f} % likely wrong"
