"""The ways in which a registration may lie, as cards: a click takes one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QIcon, QImage, QPixmap
from qtpy.QtWidgets import QHBoxLayout, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from ..views.candidate_pictures import CandidatePicture
from .style import ACCENT, SPACING, Quiet

__all__ = ["MOST", "CandidateCards"]

MOST = 4
_SCORE = "Score: how well the sides fit; higher is better, within this run."
_EDGE = 66
_SHEET = f"""
QToolButton {{ background: rgba(128, 128, 128, 38); border: 2px solid transparent; border-radius: 5px; padding: 2px; }}
QToolButton:hover {{ background: rgba(128, 128, 128, 85); }}
QToolButton:checked {{ border-color: {ACCENT}; }}
"""


class CandidateCards(QWidget):
    """Up to four cards side by side; the one that is laid now is framed."""

    chosen = Signal(int)
    """The number of a candidate, from 0."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.buttons: list[QToolButton] = []
        self.words = Quiet()
        self._shown: tuple[tuple[str, ...], int] | None = None
        self._texts: list[str] = []
        self._row = QHBoxLayout()
        self._row.setSpacing(4)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        layout.addLayout(self._row)
        layout.addWidget(self.words)
        for number in range(MOST):
            self._add(number)
        self._row.addStretch(1)
        self.setStyleSheet(_SHEET)
        self.hide()

    def offer(self, scores: Sequence[float], chosen: int) -> None:
        """Offer candidates by their scores; nothing at all where there is but one."""
        n = min(len(scores), MOST)
        self.setVisible(n > 1)
        for number, button in enumerate(self.buttons):
            button.setVisible(number < n)
            button.setChecked(number == chosen)
            if number < n:
                button.setText(f"score {scores[number]:.3g}")
                button.setToolTip(f"Candidate {number + 1}, {button.text()}. {_SCORE} Click to lay it so.")
                button.setAccessibleName(f"Candidate {number + 1}")
        self._say(chosen)

    def draw(self, pictures: Sequence[CandidatePicture]) -> None:
        """Put the pictures on the cards, and what they show into words."""
        self._texts = [p.words for p in pictures]
        for number, (button, picture) in enumerate(zip(self.buttons, pictures, strict=False)):
            button.setIcon(_icon(picture.rgb))
            button.setToolTip(f"Candidate {number + 1}: {picture.words}, {button.text()}. {_SCORE} Click to lay it so.")
        self._say(next((k for k, b in enumerate(self.buttons) if b.isChecked()), 0))

    def _add(self, number: int) -> None:
        button = QToolButton()
        button.setCheckable(True)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
        button.setIconSize(QSize(_EDGE, _EDGE * 3 // 4))
        button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        button.clicked.connect(lambda _down=False, n=number: self.chosen.emit(n))
        self.buttons.append(button)
        self._row.addWidget(button)

    def _say(self, chosen: int) -> None:
        text = self._texts[chosen] if 0 <= chosen < len(self._texts) else ""
        about = f"Candidate {chosen + 1}: {text}." if text else "Green: fixed, magenta: moving."
        self.words.setText(f"{about} {_SCORE}")


def _icon(rgb: np.ndarray) -> QIcon:  # type: ignore[type-arg]
    held = np.ascontiguousarray(rgb)
    h, w = held.shape[:2]
    picture = QPixmap.fromImage(QImage(held.data, w, h, 3 * w, QImage.Format.Format_RGB888).copy())
    icon = QIcon(picture)
    icon.addPixmap(picture, QIcon.Mode.Selected)
    return icon
