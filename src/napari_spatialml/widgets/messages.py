"""One sentence under the button: what came out, or what is wrong and what to do."""

from __future__ import annotations

import errno
import html
import platform
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from typing import Literal

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QGuiApplication, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from ..errors import Cancelled, SpatialMLError, Stale, WouldReplace
from .style import SPACING, level_colour

__all__ = ["Level", "Message", "MessageLine", "tell"]

Level = Literal["info", "ok", "warning", "error"]


@dataclass(frozen=True)
class Message:
    """What a panel tells.

    Parameters
    ----------
    level
        "info", "ok", "warning" or "error".
    text
        One sentence.
    hint
        What to do, or an empty string.
    details
        What "Copy details" puts on the clipboard; empty where there is nothing to copy.
    """

    level: Level
    text: str
    hint: str = ""
    details: str = ""


def tell(error: BaseException) -> Message:
    """Return any exception as a message: ours in their own words, others with details to copy."""
    if isinstance(error, Cancelled):
        return Message("info", "Stopped.")
    if isinstance(error, SpatialMLError):
        details = _details(error) if error.__cause__ is not None else ""
        level: Level = "warning" if isinstance(error, Stale | WouldReplace) else "error"
        return Message(level, error.message, error.hint, details)
    if _out_of_memory(error):
        return Message(
            "error",
            "There is not enough memory for this.",
            "Choose a smaller region, smaller tiles or smaller batches, or close other programs.",
            _details(error),
        )
    if isinstance(error, OSError):
        return _about_file(error)
    first = next(iter(str(error).strip().splitlines()), "")
    name = type(error).__name__
    return _unexpected(f"{name}: {first}" if first else name, error)


def _unexpected(said: str, error: BaseException) -> Message:
    sentence = f"Something unexpected happened: {_short(said).rstrip('.')}."
    return Message("error", sentence, "Copy the details to report it.", _details(error))


def _about_file(error: OSError) -> Message:
    what = f"'{error.filename}'" if error.filename else "A file"
    known: dict[int | None, tuple[str, str]] = {
        errno.ENOENT: (f"{what} does not exist.", "Check the path, or choose another."),
        errno.EACCES: (f"{what} may not be read or written.", "Check its permissions, or choose another place."),
        errno.ENOSPC: ("The disk is full.", "Free some space, or save to another disk."),
    }
    if error.errno not in known:
        return _unexpected(str(error) or type(error).__name__, error)
    return Message("error", *known[error.errno], _details(error))


def _out_of_memory(error: BaseException) -> bool:
    # torch is not imported for this: its error is a RuntimeError whose text says so on every device.
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and "out of memory" in str(error).lower())


def _short(text: str, most: int = 200) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _details(error: BaseException) -> str:
    try:
        ours = version("napari-spatialml")
    except PackageNotFoundError:
        ours = "not installed as a package"
    head = f"napari-spatialml {ours}, Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    return head + "\n\n" + "".join(traceback.format_exception(error))


class _Sign(QWidget):
    """A disc with a tick, an exclamation mark, a cross or an i: the level is told by shape as well as colour."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.level: Level = "info"
        self.setFixedSize(16, 18)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colour = level_colour(self, self.level)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        painter.drawEllipse(QRectF(1, 2, 14, 14))
        ink = QColor("black") if colour.lightness() > 140 else QColor("white")
        painter.setPen(QPen(ink, 1.8, cap=Qt.PenCapStyle.RoundCap))
        for line in _STROKES[self.level]:
            for start, stop in pairwise(line):
                painter.drawLine(QPointF(*start), QPointF(*stop))


_STROKES: dict[str, tuple[tuple[tuple[float, float], ...], ...]] = {
    "info": (((8, 5.6), (8, 5.7)), ((8, 8.6), (8, 12.4))),
    "ok": (((5, 9.2), (7.2, 11.6), (11, 6.8)),),
    "warning": (((8, 5.4), (8, 9.4)), ((8, 12.4), (8, 12.5))),
    "error": (((5.6, 6.6), (10.4, 11.4)), ((10.4, 6.6), (5.6, 11.4))),
}


class MessageLine(QWidget):
    """Show one message, and the ways out of it as buttons; nothing at all while there is none."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.message: Message | None = None
        self._sign = _Sign()
        self._text = QLabel()
        self._text.setWordWrap(True)
        self._text.setTextFormat(Qt.TextFormat.RichText)  # else an escaped apostrophe shows as its code
        self._text.setIndent(0)
        self._text.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self._text.setSizePolicy(policy)
        self._buttons = QHBoxLayout()
        self._buttons.setSpacing(SPACING)
        right = QVBoxLayout()
        right.setSpacing(4)
        right.addWidget(self._text)
        right.addLayout(self._buttons)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 2, 0, 2)
        layout.setSpacing(8)
        layout.addWidget(self._sign, 0, Qt.AlignmentFlag.AlignTop)
        layout.addLayout(right, 1)
        self.hide()

    def show_message(self, message: Message | None, ways_out: dict[str, Callable[[], object]] | None = None) -> None:
        """Show a message with one button for each way out; ``None`` clears the line."""
        self.message = message
        self._clear_buttons()
        self.setVisible(message is not None)
        if message is None:
            self._text.clear()
            return
        self._sign.level = message.level
        self._sign.update()
        hint = f" {html.escape(message.hint)}" if message.hint else ""
        self._text.setText(f"<b>{html.escape(message.text)}</b>{hint}" if hint else html.escape(message.text))
        self.setAccessibleName(f"{message.level}: {message.text} {message.hint}".strip())
        for text, call in (ways_out or {}).items():
            self._add_button(text, call)
        if message.details:
            self._add_button("Copy details", self.copy_details)
        self._buttons.addStretch(1)

    def text(self) -> str:
        """Return the sentence shown and its hint, or an empty string."""
        return f"{self.message.text} {self.message.hint}".strip() if self.message else ""

    def buttons(self) -> dict[str, QPushButton]:
        """Return the ways out by their text."""
        found = (self._buttons.itemAt(i).widget() for i in range(self._buttons.count()))
        return {button.text(): button for button in found if isinstance(button, QPushButton)}

    def copy_details(self) -> None:
        """Put the details on the clipboard."""
        if self.message is not None:
            QGuiApplication.clipboard().setText(self.message.details)

    def _add_button(self, text: str, call: Callable[[], object]) -> None:
        button = QPushButton(text)
        button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        button.clicked.connect(lambda _checked=False: call())
        self._buttons.addWidget(button)

    def _clear_buttons(self) -> None:
        while self._buttons.count():
            widget = self._buttons.takeAt(0).widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
