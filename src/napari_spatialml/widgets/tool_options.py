"""What the tool in the hand needs to know: how large, by how much, in which way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QComboBox, QVBoxLayout, QWidget

from ..session.gather import full_resolution
from ..views.rasters import is_pixel_grid
from ..views.splitting import WAYS, ways_of
from .hand import length_field
from .number import DecimalField
from .step import choose
from .style import SPACING, Rows
from .tool_grid import Choices

if TYPE_CHECKING:
    from .desk import Desk

__all__ = ["ToolOptions", "cells_of"]

_MEMBRANE = ("membrane", "boundary", "bound", "wga", "cadherin", "atp1a1", "cd45", "pan")


class ToolOptions(QWidget):
    """The fields of the tool in the hand; of the others, none is shown.

    Parameters
    ----------
    desk
        The desk whose presenter holds the tool.
    """

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self.brush, self.by, self.smooth = length_field(4.0), _length(0.5, 50.0), _length(1.0, 50.0)
        self.way, self.image, self.channel, self.points = Choices(WAYS), QComboBox(), QComboBox(), QComboBox()
        self._rows: list[tuple[QWidget, tuple[str, ...], str]] = []
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        for tools, label, field, help, way in (
            (("paint", "erase"), "Brush", self.brush, "The diameter of the brush, in µm on the tissue.", ""),
            (("grow", "shrink"), "By", self.by, "How far the outline moves; also for the keys + and −.", ""),
            (("smooth",), "Within", self.smooth, "Notches and spikes narrower than twice this go.", ""),
            (("split",), "Membrane image", self.image, "The image whose bright ridges part the cells.", "membrane"),
            (("split",), "Channel", self.channel, "The channel that shows membranes.", "membrane"),
            (("split",), "Transcripts", self.points, "The transcripts whose genes tell the parts.", "transcripts"),
        ):
            row = Rows()
            row.add(label, field, help)
            self._rows.append((row, tools, way))
            layout.addWidget(row)
        layout.insertWidget(0, self.way)
        self.way.setToolTip("How the cell is cut. The key of Split, pressed again, takes the next way.")
        self.brush.valueChanged.connect(lambda v: self._hold(size_um=v))
        self.by.valueChanged.connect(lambda v: self._hold(by_um=v))
        self.smooth.valueChanged.connect(lambda v: self._hold(smooth_um=v))
        self.way.changed.connect(lambda name: self._hold(how=name))
        self.image.currentIndexChanged.connect(lambda _i: self._follow_image())
        self.channel.currentIndexChanged.connect(lambda _i: self._hold(channel=str(self.channel.currentData() or "")))
        self.points.currentIndexChanged.connect(lambda _i: self._hold(points=str(self.points.currentData() or "")))

    def fill(self) -> None:
        """Offer what the section has."""
        assert self._desk.session is not None
        document = self._desk.session.document
        choose(self.image, sorted(document.names("images"), key=lambda n: (not _is_membrane(n), n)))
        choose(self.points, document.names("points"))
        self._follow_image()
        self._hold(points=str(self.points.currentData() or ""))
        offered = ways_of(document)
        for name, button in self.way.buttons.items():
            button.setEnabled(name in offered)

    def follow(self) -> None:
        """Show the fields of the tool in the hand, with what it holds."""
        presenter = self._desk.presenter
        if presenter is None:
            return
        tool, hand = presenter.tool, presenter.hand
        for field, value in ((self.brush, hand.size_um), (self.by, hand.by_um), (self.smooth, hand.smooth_um)):
            _set(field, value)
        self.way.choose(hand.how)
        self.way.setVisible(tool == "split")
        for row, tools, way in self._rows:
            row.setVisible(tool in tools and way in ("", hand.how))
        self.setVisible(tool == "split" or any(tool in tools for _, tools, _ in self._rows))

    def _follow_image(self) -> None:
        session, image = self._desk.session, str(self.image.currentData() or "")
        if session is not None and image in session.document.names("images"):
            channels = [str(c) for c in full_resolution(session.document, image).coords["c"].to_numpy()]
            choose(self.channel, channels, next((c for c in channels if _is_membrane(c)), channels[0]))
        self._hold(image=image, channel=str(self.channel.currentData() or ""))

    def _hold(self, **changes: Any) -> None:
        if self._desk.presenter is not None:
            self._desk.presenter.hold(**changes)


def cells_of(document: Any) -> list[str]:
    """Return the labels that have cells, segmentations first."""
    found = document.attribute("segmentations", {})
    cells = [n for n in document.names("labels") if not is_pixel_grid(document, n)]
    return sorted(cells, key=lambda n: (n not in found, n))


def _length(value: float, high: float) -> DecimalField:
    field = length_field(value, 0.05, high)
    field.setDecimals(2)
    field.setSingleStep(0.25)
    return field


def _set(field: DecimalField, value: float) -> None:
    blocked = field.blockSignals(True)
    field.setValue(value)
    field.blockSignals(blocked)


def _is_membrane(name: str) -> bool:
    return any(word in name.lower() for word in _MEMBRANE)
