"""A held-out window four times: the image, what was corrected, and what is found before and after learning."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from ..core.flow_input import limits_of
from ..core.learning import Judged
from ..core.overlap import intersection_over_union, matches
from .style import SPACING, Quiet, quiet_button

__all__ = ["SideBySide", "pictures"]

_EDGE = 176  # pixels on the screen
_TRUE, _RIGHT, _WRONG = (255, 255, 255), (90, 220, 120), (255, 120, 80)
Colours = npt.NDArray[np.uint8]


class SideBySide(QWidget):
    """The pictures of one window at a time, with a way to the next one."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._judged: tuple[Judged, ...] = ()
        self.index = 0
        self.parts = [QLabel() for _ in range(4)]
        self.words = [Quiet() for _ in range(4)]
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(SPACING)
        for i, (part, word) in enumerate(zip(self.parts, self.words, strict=True)):
            part.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
            grid.addWidget(word, 2 * (i // 2), i % 2)
            grid.addWidget(part, 2 * (i // 2) + 1, i % 2)
        self.before, self.after, self.which = QToolButton(), QToolButton(), Quiet()
        self.which.setWordWrap(False)
        foot = QHBoxLayout()
        for button, text, step, help in (
            (self.before, "‹", -1, "The held-out window before this one."),
            (self.after, "›", 1, "The next held-out window."),
        ):
            button.setText(text)
            button.setToolTip(help)
            quiet_button(button)
            button.clicked.connect(lambda _checked=False, by=step: self.go(by))
        for piece in (self.before, self.which, self.after):
            foot.addWidget(piece)
        foot.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACING)
        column.addLayout(grid)
        column.addLayout(foot)

    def take(self, judged: tuple[Judged, ...]) -> None:
        """Show other windows."""
        self._judged, self.index = judged, 0
        self.go(0)

    def go(self, by: int) -> None:
        """Show the window that many further."""
        if not self._judged:
            return
        self.index = (self.index + by) % len(self._judged)
        one = self._judged[self.index]
        n = [len(np.unique(m[m > 0])) for m in (one.lesson.labels, one.before, one.after)]
        found = [_hits(one.lesson.labels, m) for m in (one.before, one.after)]
        texts = (
            "image",
            f"corrected: {n[0]}",
            f"before: {found[0]} of {n[1]} right",
            f"after: {found[1]} of {n[2]} right",
        )
        for part, word, picture, text in zip(self.parts, self.words, pictures(one), texts, strict=True):
            part.setPixmap(_pixmap(picture))
            word.setText(text)
        self.which.setText(f"held-out window {self.index + 1} of {len(self._judged)}")
        for button in (self.before, self.after):
            button.setVisible(len(self._judged) > 1)


def pictures(judged: Judged) -> list[Colours]:
    """Return the image, and the outlines over it of what was corrected, found before, and found after.

    Right ones, with an intersection over union of at least one half, are green; others are orange.
    """
    rows, columns = _grid(judged.lesson.labels.shape)
    ground, true = _image(judged)[rows, columns], np.asarray(judged.lesson.labels)
    made = [ground, _outlined(ground, true[rows, columns], np.zeros(0, np.int64), _TRUE, _TRUE)]
    sides = ((m[rows, columns], _right(true, m)) for m in (judged.before, judged.after))
    return [*made, *(_outlined(ground, labels, right, _RIGHT, _WRONG) for labels, right in sides)]


def _grid(shape: tuple[int, ...]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the pixels that are shown, at twice what the screen has: outlines are then as thin at any size."""
    scale = 2 * _EDGE / max(shape)
    rows, columns = ((np.arange(max(1, round(n * scale))) / scale).astype(np.int64).clip(0, n - 1) for n in shape)
    return rows[:, None], columns[None, :]


def _image(judged: Judged) -> Colours:
    pixels = judged.lesson.pixels
    if pixels.is_histology:
        return np.ascontiguousarray(np.moveaxis(pixels.values, 0, -1))
    shown = np.zeros((*pixels.values.shape[1:], 3), np.float32)
    # the first three channels as cyan, magenta and yellow would mix too much: white, then magenta, then cyan
    tones = np.array([(1, 1, 1), (1, 0, 1), (0, 1, 1)], np.float32)
    for channel, (low, high), tone in zip(pixels.values[:3], limits_of(pixels.values[:3]), tones, strict=False):
        if high > low:
            shown = np.maximum(shown, ((channel - low) / (high - low)).clip(0, 1)[..., None] ** 0.7 * tone)
    return np.ascontiguousarray((255 * shown).astype(np.uint8))


def _right(true: npt.NDArray[np.int32], found: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    ids = np.unique(found[found > 0])
    return np.asarray(ids[matches(intersection_over_union(true, found), 0.5)[1]], dtype=np.int64)


def _hits(true: npt.NDArray[np.int32], found: npt.NDArray[np.int32]) -> int:
    return len(_right(true, found))


def _outlined(
    ground: Colours,
    labels: npt.NDArray[np.int32],
    right: npt.NDArray[np.int64],
    yes: tuple[int, ...],
    no: tuple[int, ...],
) -> Colours:
    inner = np.zeros(labels.shape, bool)
    for axis in (0, 1):
        for by in (-2, -1, 1, 2):
            inner |= np.roll(labels, by, axis) != labels
    edge = inner & (labels > 0)
    picture = ground.copy()
    picture[edge] = np.where(np.isin(labels[edge], right)[:, None], yes, no)
    return picture


def _pixmap(picture: Colours) -> QPixmap:
    h, w = picture.shape[:2]
    image = QImage(picture.tobytes(), w, h, 3 * w, QImage.Format.Format_RGB888)
    scaled = Qt.TransformationMode.SmoothTransformation
    return QPixmap.fromImage(image).scaled(_EDGE, _EDGE, Qt.AspectRatioMode.KeepAspectRatio, scaled)
