"""How the docks look: spacing, headings, aligned rows, tool buttons and swatches, on any theme.

Colours come from the palette of the widget at the time of painting, so that a change of napari's
theme needs no work here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from qtpy.QtCore import QEvent, QObject, QSize, Qt
from qtpy.QtGui import QColor, QIcon, QPainter, QPaintEvent, QPalette, QPixmap
from qtpy.QtWidgets import (
    QFrame,
    QGridLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QStyledItemDelegate,
    QVBoxLayout,
    QWidget,
)
from superqt import QFlowLayout

from .docstrings import rich, tooltip

__all__ = [
    "ACCENT",
    "LABEL_WIDTH",
    "MARGIN",
    "PANEL_WIDTH",
    "SPACING",
    "Faint",
    "Heading",
    "Quiet",
    "Rows",
    "Tool",
    "accent",
    "is_dark",
    "level_colour",
    "mix",
    "quiet_button",
    "rich",
    "scrollable",
    "swatch",
    "tool_row",
    "tooltip",
]

SPACING = 6
"""Pixels between two rows."""
MARGIN = 10
"""Pixels between a panel's content and its edge."""
LABEL_WIDTH = 136
"""Pixels of the column of labels, the same in every form, so that the fields of all forms align."""
PANEL_WIDTH = 400
"""Pixels that the dock takes at most."""

ACCENT = "#2f6fb3"
"""The blue of what starts the work or is in the hand; it carries white text on both themes."""

_ON_DARK = {"info": "#79b0f2", "ok": "#66c79a", "warning": "#e8b84a", "error": "#ff8a80"}
_ON_LIGHT = {"info": "#1f5fa8", "ok": "#156c40", "warning": "#8a5a00", "error": "#b3202c"}


def is_dark(widget: QWidget) -> bool:
    """Return whether the widget stands on a dark ground."""
    widget.ensurePolished()
    return widget.palette().color(QPalette.ColorRole.Window).lightness() < 128


def level_colour(widget: QWidget, level: str) -> QColor:
    """Return the colour of "info", "ok", "warning" or "error", with contrast on the widget's ground."""
    return QColor((_ON_DARK if is_dark(widget) else _ON_LIGHT)[level])


def mix(widget: QWidget, share: float) -> QColor:
    """Return a colour between the ground (``share`` = 0) and the text (``share`` = 1) of the widget."""
    palette = widget.palette()
    ground, text = palette.color(QPalette.ColorRole.Window), palette.color(QPalette.ColorRole.WindowText)
    parts = (round(g + (t - g) * share) for g, t in zip(ground.getRgb()[:3], text.getRgb()[:3], strict=True))
    return QColor(*parts)


class Faint(QStyledItemDelegate):
    """Draw the text of a list's column in a fainter ink; the theme that is on when it is drawn says which.

    Parameters
    ----------
    view
        The list.
    share
        Between the ground, 0, and the ink of the theme, 1; a row may say its own in the role ``SHARE``.
    """

    SHARE: ClassVar[int] = int(Qt.ItemDataRole.UserRole) + 7

    def __init__(self, view: QWidget, share: float = 0.6) -> None:
        super().__init__(view)
        self._view, self._share = view, share

    def initStyleOption(self, option: Any, index: Any) -> None:
        """Set the ink."""
        super().initStyleOption(option, index)
        palette, own = option.palette, index.data(self.SHARE)
        palette.setColor(QPalette.ColorRole.Text, mix(self._view, self._share if own is None else own))
        option.palette = palette


def accent(button: QPushButton) -> None:
    """Mark the one button of a panel that starts the work; the blue carries white text on both themes."""
    button.setStyleSheet(
        f"QPushButton:enabled {{ background-color: {ACCENT}; color: white; font-weight: 600; }}"
        "QPushButton:enabled:hover { background-color: #3a7fc7; }"
        "QPushButton:enabled:pressed { background-color: #265c96; }"
    )


def quiet_button(button: QWidget) -> None:
    """Make a button plain text until the pointer is over it."""
    button.setStyleSheet(
        "QPushButton, QToolButton { background: transparent; border: none; padding: 3px 6px; }"
        "QPushButton:hover, QToolButton:hover { background: rgba(128, 128, 128, 70);"
        " border-radius: 3px; }"
    )


class Quiet(QLabel):
    """Wrapped, selectable text in a softer tone than its surroundings."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self.setWordWrap(True)
        self.setIndent(0)
        self._docstring = ""
        self._tone()

    def set_docstring(self, text: str) -> None:
        """Show a docstring as rich text, its DOIs as links (whose colour the theme has no say in)."""
        self._docstring = text
        self.setText(rich(text, level_colour(self.parentWidget() or self, "info").name()))

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.StyleChange, QEvent.Type.PaletteChange, QEvent.Type.ParentChange):
            self._tone()

    def _tone(self) -> None:
        # The palette of this label already holds our own tone, so the tone is mixed from the parent's.
        ground = self.parentWidget()
        if ground is None:
            return
        ground.ensurePolished()
        sheet = f"QLabel {{ color: {mix(ground, 0.72).name()}; }}"
        if sheet != self.styleSheet():
            self.setStyleSheet(sheet)
            if self._docstring:
                self.setText(rich(self._docstring, level_colour(ground, "info").name()))


class Heading(QWidget):
    """The heading of a section: its name, then a thin line to the right edge."""

    def __init__(self, text: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text = text
        self.setAccessibleName(text)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def rename(self, text: str) -> None:
        """Show another name."""
        self._text = text
        self.setAccessibleName(text)
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """Return room for one line of text and some air above it."""
        metrics = self.fontMetrics()
        return QSize(metrics.horizontalAdvance(self._text) + 60, metrics.height() + SPACING)

    minimumSizeHint = sizeHint

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the name and the line in tones of the palette."""
        painter = QPainter(self)
        font = self.font()
        font.setBold(True)
        painter.setFont(font)
        painter.setPen(mix(self, 0.8))
        area = self.rect().adjusted(0, SPACING, 0, 0)
        painter.drawText(area, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), self._text)
        start = painter.fontMetrics().horizontalAdvance(self._text) + 8
        painter.setPen(mix(self, 0.22))
        painter.drawLine(start, area.center().y(), self.width(), area.center().y())


class RowLabel(QLabel):
    """The label of a row: as wide as all the others, wrapped between words, never within one."""

    def __init__(self, text: str, parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self.setWordWrap(True)
        self.setIndent(0)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)

    def sizeHint(self) -> QSize:
        """Return the common width, or that of the longest word where it is longer."""
        words = self.text().split() or [""]
        width = max(LABEL_WIDTH, *(self.fontMetrics().horizontalAdvance(word) + 4 for word in words))
        return QSize(width, max(self.heightForWidth(width), self.fontMetrics().height()))

    minimumSizeHint = sizeHint


class Rows(QWidget):
    """Rows of a label and a field, aligned with the rows of every other form."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(8)
        self._grid.setVerticalSpacing(SPACING)
        self._grid.setColumnStretch(1, 1)

    def add(self, label: str, field: QWidget, help: str = "") -> QLabel:
        """Append a row and return its label; ``help`` is the tooltip of both."""
        row = self._grid.rowCount()
        name = RowLabel(label)
        for part in (name, field):
            part.setToolTip(help)
        field.setAccessibleName(label)
        self._grid.addWidget(name, row, 0, Qt.AlignmentFlag.AlignVCenter)
        self._grid.addWidget(field, row, 1)
        return name

    def span(self, widget: QWidget) -> None:
        """Append a widget over both columns."""
        self._grid.addWidget(widget, self._grid.rowCount(), 0, 1, 2)


@dataclass(frozen=True)
class Tool:
    """One of the hand's tools: a verb, what it does, and what it calls (with its state if it stays down)."""

    text: str
    help: str
    call: Callable[..., object]
    stays_down: bool = False


def tool_row(tools: Iterable[Tool], parent: QWidget | None = None) -> QWidget:
    """Return small buttons side by side that wrap where the dock is narrow; each is named by its text."""
    row = QWidget(parent)
    flow = QFlowLayout(row)
    flow.setContentsMargins(0, 0, 0, 0)
    flow.setHorizontalSpacing(4)
    flow.setVerticalSpacing(4)
    for tool in tools:
        button = QPushButton(tool.text)
        button.setObjectName(tool.text)
        button.setToolTip(tooltip(tool.help))
        button.setCheckable(tool.stays_down)
        button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        button.setStyleSheet("QPushButton { padding: 3px 8px; }")
        button.clicked.connect(tool.call if tool.stays_down else _without_state(tool.call))
        flow.addWidget(button)
    return row


def _without_state(call: Callable[..., object]) -> Callable[[bool], None]:
    def clicked(checked: bool = False) -> None:
        call()

    return clicked


def swatch(colour: QColor | str | tuple[int, ...], size: int = 12) -> QIcon:
    """Return a small rounded square of a category's colour, outlined so that it shows on any ground."""
    fill = QColor(*colour) if isinstance(colour, tuple) else QColor(colour)
    scale = 2  # twice the pixels, for sharp edges on dense screens
    picture = QPixmap(size * scale, size * scale)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(fill)
    painter.setPen(QColor(128, 128, 128, 160))
    painter.drawRoundedRect(picture.rect().adjusted(1, 1, -2, -2), 5, 5)
    painter.end()
    picture.setDevicePixelRatio(scale)
    icon = QIcon(picture)
    icon.addPixmap(picture, QIcon.Mode.Selected)  # else Qt tints it in a selected row
    return icon


class _UprightArea(QScrollArea):
    """Scrolls up and down only: it is never narrower than its content, and no wider than the dock."""

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMaximumWidth(PANEL_WIDTH)
        holder = QWidget()
        layout = QVBoxLayout(holder)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(content)
        layout.addStretch(1)
        holder.installEventFilter(self)
        self.setWidget(holder)

    def minimumSizeHint(self) -> QSize:
        """Return the least width of the content beside the scroll bar, and a few rows of height."""
        content = self.widget()
        if content is None:
            return super().minimumSizeHint()
        bar = self.verticalScrollBar().sizeHint().width()
        return QSize(min(content.minimumSizeHint().width() + bar, PANEL_WIDTH), 120)

    def sizeHint(self) -> QSize:
        """Return the width of the dock."""
        return QSize(PANEL_WIDTH, max(super().sizeHint().height(), 480))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Tell the dock when the content needs another width."""
        if event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return bool(super().eventFilter(watched, event))


def scrollable(content: QWidget) -> QScrollArea:
    """Return the content in an area that scrolls up and down only, without a frame."""
    return _UprightArea(content)
