"""A plot as a file: PNG, SVG, or its rows as CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QImage, QPainter, QPalette

from ...errors import BadInput
from .board import Board
from .pane import Pane

__all__ = ["SUFFIXES", "write_plot"]

SUFFIXES = (".png", ".svg", ".csv")
_SCALE = 3.0
"""Pixels of the file for one of the screen."""
_DPI = 300


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
        When it ends in something else, or cannot be written.
    """
    if not pane.drawn:
        raise BadInput("Nothing is plotted yet.", "Choose what is plotted first.")
    if path.suffix == ".csv":
        frame = pane.frame()
        frame.to_csv(path, index=False)
        return f"{len(frame):,} rows are in '{path.name}'."
    if path.suffix == ".png":
        _png(pane.board, path)
    elif path.suffix == ".svg":
        _svg(pane.board, path)
    else:
        raise BadInput(f"'{path.name}' is no PNG, SVG or CSV.", f"End its name in {', '.join(SUFFIXES)}.")
    return f"The plot is in '{path.name}'."


def _png(board: Board, path: Path) -> None:
    size = board.viewport().size()
    picture = QImage(
        round(size.width() * _SCALE), round(size.height() * _SCALE), QImage.Format.Format_ARGB32_Premultiplied
    )
    picture.setDotsPerMeterX(round(_DPI / 0.0254))
    picture.setDotsPerMeterY(round(_DPI / 0.0254))
    picture.fill(board.palette().color(QPalette.ColorRole.Window))
    _painted(board, picture, picture.size())
    if not picture.save(str(path)):
        raise BadInput(f"'{path}' could not be written.", "Choose another place.")


def _svg(board: Board, path: Path) -> None:
    from qtpy.QtSvg import QSvgGenerator

    size = board.viewport().size()
    drawing = QSvgGenerator()
    drawing.setFileName(str(path))
    drawing.setSize(size)
    drawing.setViewBox(QRectF(0, 0, size.width(), size.height()))
    drawing.setTitle("SpatialML")
    _painted(board, drawing, size, ground=True)


def _painted(board: Board, device: Any, size: QSize, *, ground: bool = False) -> None:
    painter = QPainter(device)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    whole = QRectF(0, 0, size.width(), size.height())
    if ground:
        painter.fillRect(whole, board.palette().color(QPalette.ColorRole.Window))
    board.scene().render(painter, whole, QRectF(board.viewRect()), Qt.AspectRatioMode.KeepAspectRatio)
    painter.end()
