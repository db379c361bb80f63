"""A plot as a file: PNG or SVG with its key, or its rows as CSV."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import QRectF, QSize
from qtpy.QtGui import QImage, QPainter, QPalette
from qtpy.QtWidgets import QMenu, QPushButton, QWidget

from ...errors import BadInput
from ..style import mix
from .key import draw_key, key_width
from .pane import Pane

__all__ = ["SUFFIXES", "ExportButton", "write_plot"]

SUFFIXES = {".png": "PNG, 300 dpi…", ".svg": "SVG…", ".csv": "CSV, the rows…"}
_SCALE = 3.0
"""Pixels of the file for one of the screen."""
_DPI = 300


class ExportButton(QPushButton):
    """A button that asks in which form a plot is written.

    Parameters
    ----------
    call
        Takes the ending of the file.
    """

    def __init__(self, call: Callable[[str], object], parent: QWidget | None = None) -> None:
        super().__init__("Export", parent)
        self.setToolTip("Write the plot with its key as PNG or SVG, or its rows as CSV.")
        menu = QMenu(self)
        for suffix, text in SUFFIXES.items():
            menu.addAction(text).triggered.connect(lambda _checked=False, s=suffix: call(s))
        self.setMenu(menu)


def write_plot(pane: Pane, path: Path) -> str:
    """Write a plot; return what was written, in one line.

    Parameters
    ----------
    pane
        The kind of plot that is shown.
    path
        Ends in .png (at 300 dpi), .svg or .csv.

    Raises
    ------
    BadInput
        When it ends in something else, nothing is plotted, or it cannot be written.
    """
    if path.suffix not in SUFFIXES:
        raise BadInput(f"'{path.name}' is no PNG, SVG or CSV.", f"End its name in {', '.join(SUFFIXES)}.")
    if not pane.drawn:
        raise BadInput("Nothing is plotted yet.", "Choose what is plotted first.")
    if path.suffix == ".csv":
        frame = pane.frame()
        frame.to_csv(path, index=False)
        return f"{len(frame):,} rows are in '{path.name}'."
    size = pane.board.viewport().size()
    whole = QSize(size.width() + key_width(pane.keyed()[0], size.height()), size.height())
    (_png if path.suffix == ".png" else _svg)(pane, whole, path)
    return f"The plot is in '{path.name}'."


def _png(pane: Pane, whole: QSize, path: Path) -> None:
    form = QImage.Format.Format_ARGB32_Premultiplied
    picture = QImage(round(whole.width() * _SCALE), round(whole.height() * _SCALE), form)
    _painted(pane, picture, whole, _SCALE)
    # only now: texts are laid out for the screen, and would grow beyond their room
    picture.setDotsPerMeterX(round(_DPI / 0.0254))
    picture.setDotsPerMeterY(round(_DPI / 0.0254))
    if not picture.save(str(path)):
        raise BadInput(f"'{path}' could not be written.", "Choose another place.")


def _svg(pane: Pane, whole: QSize, path: Path) -> None:
    from qtpy.QtSvg import QSvgGenerator

    drawing = QSvgGenerator()
    drawing.setFileName(str(path))
    drawing.setResolution(pane.board.logicalDpiX())
    drawing.setSize(whole)
    drawing.setViewBox(QRectF(0, 0, whole.width(), whole.height()))
    drawing.setTitle("SpatialML")
    _painted(pane, drawing, whole, 1.0)
    if not path.exists():
        raise BadInput(f"'{path}' could not be written.", "Choose another place.")


def _painted(pane: Pane, device: Any, whole: QSize, scale: float) -> None:
    painter = QPainter(device)
    if not painter.isActive():
        return  # the place cannot be written: said by whoever looks for the file
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.scale(scale, scale)
    board, size = pane.board, pane.board.viewport().size()
    painter.fillRect(QRectF(0, 0, whole.width(), whole.height()), board.palette().color(QPalette.ColorRole.Window))
    board.render(painter, QRectF(0, 0, size.width(), size.height()), board.viewport().rect())
    # relative to the painter: the board is rendered to fill what it is given
    painter.setFont(board.font())
    draw_key(painter, size.width(), size.height(), *pane.keyed(), mix(board, 0.85))
    painter.end()
