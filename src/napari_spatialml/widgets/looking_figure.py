"""Figures for print: PNG at a stated number of dots per inch, or SVG whose outlines and words stay editable."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QByteArray, QRectF, Qt
from qtpy.QtGui import QGuiApplication, QImage, QPainter
from qtpy.QtSvg import QSvgRenderer
from qtpy.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QSpinBox, QVBoxLayout, QWidget

from ..errors import BadInput, SpatialMLError
from ..views.looking_figure import Frame, frame_of_all, frame_of_view, render
from ..views.looking_legend import figure_legends
from ..views.looking_page import Page, page_svg
from ..views.looking_vectors import vectors
from .file_dialogs import ask_where_to_save
from .messages import Message, MessageLine, tell
from .number import DecimalField
from .style import SPACING, Quiet, Rows, Tool, tool_row

if TYPE_CHECKING:
    from .desk import Desk

__all__ = ["FigurePanel"]

_INCH = 25.4
_DPI = (150, 300, 600, 1200)


class FigurePanel(QWidget):
    """What the figure shows, how large it is printed, and the two buttons that write it.

    Parameters
    ----------
    desk
        The desk.
    """

    def __init__(self, desk: Desk, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self.what, self.width_mm, self.dpi = QComboBox(), DecimalField(), QSpinBox()
        self.legend, self.bar = QCheckBox("Legend"), QCheckBox("Scale bar")
        for name, value in (("What is in view", "view"), ("All that is drawn", "all")):
            self.what.addItem(name, value)
        self.width_mm.setRange(20.0, 2000.0)
        self.width_mm.setDecimals(0)
        self.width_mm.setValue(180.0)
        self.width_mm.setSuffix(" mm")
        self.dpi.setRange(30, 2400)
        self.dpi.setValue(300)
        self.dpi.setSuffix(" dpi")
        for field in (self.width_mm, self.dpi):
            field.setButtonSymbols(QSpinBox.ButtonSymbols.NoButtons)
            field.setMinimumWidth(60)
        for box in (self.legend, self.bar):
            box.setChecked(True)
        self.size = Quiet()
        self.message = MessageLine()
        self._lay_out()
        for field in (self.width_mm, self.dpi):
            field.valueChanged.connect(lambda _v: self._say_size())
        self._say_size()

    def write(self, path: Path) -> None:
        """Write the figure as the ending of the path says; tell how that went."""
        QGuiApplication.setOverrideCursor(Qt.CursorShape.WaitCursor)
        try:
            said = self._svg(path) if path.suffix.lower() == ".svg" else self._png(path)
        except (SpatialMLError, OSError, MemoryError) as error:
            self.message.show_message(tell(error))
        else:
            self.message.show_message(Message("ok", said))
        finally:
            QGuiApplication.restoreOverrideCursor()

    def page(self) -> Page:
        """Return the page as it would be written now.

        Raises
        ------
        BadInput
            When no section is open, or the page is too narrow for its legend.
        """
        presenter = self._desk.presenter
        if presenter is None:
            raise BadInput("No section is open.", "Open one.")
        legends = figure_legends(presenter, self._desk.visible) if self.legend.isChecked() else ()
        made = Page(self._frame(), self.width_mm.value(), legends, self.bar.isChecked(), self._desk.name)
        if made.picture[1] < 10:
            raise BadInput(f"{self.width_mm.value():.0f} mm hold no picture beside the legend.",
                           "Choose a greater width, or leave the legend out.")  # fmt: skip
        return made

    def _frame(self) -> Frame:
        viewer = self._desk.viewer
        return frame_of_view(viewer) if self.what.currentData() == "view" else frame_of_all(viewer)

    def _pixels(self, page: Page, dpi: int) -> tuple[int, int]:
        h, w = page.picture
        return max(round(h / _INCH * dpi), 1), max(round(w / _INCH * dpi), 1)

    def _png(self, path: Path) -> str:
        page, dpi = self.page(), self.dpi.value()
        picture = render(self._desk.viewer, page.frame, self._pixels(page, dpi))
        image = painted(page, picture, dpi)
        if not image.save(str(path), "PNG"):
            raise BadInput(f"'{path.name}' could not be written.", "Choose another folder.")
        return f"{path.name}: {image.width():,} × {image.height():,} pixels at {dpi} dpi, {page.width:.0f} mm wide."

    def _svg(self, path: Path) -> str:
        page, presenter = self.page(), self._desk.presenter
        assert presenter is not None
        comparison = self._desk.looking.comparison
        divided = comparison is not None and comparison.on  # outlines could not be cut along the line
        drawn, many = ({}, ()) if divided else vectors(presenter.canvas, presenter.document, page.frame)
        picture = render(self._desk.viewer, page.frame, self._pixels(page, self.dpi.value()), tuple(drawn))
        path.write_bytes(page_svg(page, picture, drawn.values()))
        left = f" {', '.join(many)}: too many outlines, drawn as pixels." if many else ""
        layers = "1 layer" if len(drawn) == 1 else f"{len(drawn)} layers"
        return f"{path.name}: {page.width:.0f} × {page.height:.0f} mm, {layers} as outlines.{left}"

    def _lay_out(self) -> None:
        rows = Rows()
        rows.add("Shows", self.what)
        size = QWidget()
        row = QHBoxLayout(size)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.width_mm, 1)
        row.addWidget(self.dpi, 1)
        rows.add("Width", size, "How wide the figure is printed, and with how many dots per inch.")
        parts = QWidget()
        ticks = QHBoxLayout(parts)
        ticks.setContentsMargins(0, 0, 0, 0)
        ticks.addWidget(self.legend)
        ticks.addWidget(self.bar)
        ticks.addStretch(1)
        rows.add("With", parts)
        tools = tool_row(
            [
                Tool("PNG…", "Write the figure as pixels, at the stated dots per inch.", lambda: self._ask(".png")),
                Tool("SVG…", "Write it with outlines, spots and words that can be edited.", lambda: self._ask(".svg")),
            ]
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        for part in (rows, self.size, tools, self.message):
            layout.addWidget(part)

    def _ask(self, suffix: str) -> None:
        ask_where_to_save(self, "Write the figure", f"{self._desk.name or 'figure'}{suffix}", suffix, self.write)

    def _say_size(self) -> None:
        wide = round(self.width_mm.value() / _INCH * self.dpi.value())
        self.size.setText(f"{wide:,} pixels wide, read at the resolution that this needs.")


def painted(page: Page, picture: Any, dpi: int) -> QImage:
    """Return a page in pixels: the picture pixel by pixel, and over it the scale bar and the legends."""
    h, w = picture.shape[:2]
    width, height = round(page.width / _INCH * dpi), round(page.height / _INCH * dpi)
    image = QImage(max(width, w), max(height, h), QImage.Format.Format_RGB888)
    if image.isNull():
        raise MemoryError
    image.setDotsPerMeterX(round(dpi / _INCH * 1000))
    image.setDotsPerMeterY(round(dpi / _INCH * 1000))
    image.fill(Qt.GlobalColor.white)
    rgb = np.ascontiguousarray(picture)
    drawn = QImage(rgb.data, w, h, 3 * w, QImage.Format.Format_RGB888)
    painter = QPainter(image)
    painter.drawImage(QRectF(0, 0, w, h), drawn, QRectF(0, 0, w, h))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    QSvgRenderer(QByteArray(page_svg(page, None))).render(painter, QRectF(0, 0, width, height))
    painter.end()
    return image
