"""The pictures on the tools' buttons: one SVG file a tool, drawn in the colours of the theme."""

from __future__ import annotations

from importlib.resources import files

from qtpy.QtCore import QByteArray, QRectF, Qt
from qtpy.QtGui import QColor, QIcon, QPainter, QPixmap
from qtpy.QtSvg import QSvgRenderer

__all__ = ["icon", "names"]

_INK = "#000000"
_SCALES = (1, 2)


def names() -> tuple[str, ...]:
    """Return the tools that have a picture."""
    found = (entry.name for entry in files(__name__).iterdir())
    return tuple(sorted(name.removesuffix(".svg") for name in found if name.endswith(".svg")))


def icon(name: str, ink: QColor, *, down: QColor, faint: QColor, size: int = 22) -> QIcon:
    """Return the picture of a tool.

    Parameters
    ----------
    name
        The tool.
    ink, down, faint
        Its colour, that while the button is down, and that while it is disabled.
    size
        Its edge in pixels of the screen.
    """
    text = (files(__name__) / f"{name}.svg").read_text(encoding="utf-8")
    made = QIcon()
    for colour, mode, state in (
        (ink, QIcon.Mode.Normal, QIcon.State.Off),
        (down, QIcon.Mode.Normal, QIcon.State.On),
        (faint, QIcon.Mode.Disabled, QIcon.State.Off),
    ):
        for scale in _SCALES:
            made.addPixmap(_drawn(text.replace(_INK, colour.name()), size, scale), mode, state)
    return made


def _drawn(text: str, size: int, scale: int) -> QPixmap:
    picture = QPixmap(size * scale, size * scale)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    QSvgRenderer(QByteArray(text.encode())).render(painter, QRectF(0, 0, size * scale, size * scale))
    painter.end()
    picture.setDevicePixelRatio(scale)
    return picture
