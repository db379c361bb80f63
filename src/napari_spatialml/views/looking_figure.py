"""The canvas as a picture of any size: drawn by the graphics card tile by tile, at full resolution."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from .canvas import canvas_of

__all__ = ["Frame", "frame_of_all", "frame_of_view", "nice_length", "render", "said_length"]

TILE = 2048
"""Pixels of a tile's edge at most; less where the graphics card allows less."""
MOST = 60_000
"""Pixels of a picture's edge at most."""


@dataclass(frozen=True)
class Frame:
    """What of the tissue a figure shows.

    Parameters
    ----------
    centre_um
        (y, x) of its middle.
    height_um, width_um
        Its size.
    """

    centre_um: tuple[float, float]
    height_um: float
    width_um: float

    @property
    def corner_um(self) -> tuple[float, float]:
        """(y, x) of its upper left corner."""
        return self.centre_um[0] - self.height_um / 2, self.centre_um[1] - self.width_um / 2


def frame_of_view(viewer: Any) -> Frame:
    """Return what is in view."""
    camera = viewer.scene.camera
    y, x = (float(v) for v in camera.center[-2:])
    height, width = (float(v) / float(camera.zoom) for v in viewer.canvas.size)
    return Frame((y, x), height, width)


def frame_of_all(viewer: Any, margin: float = 0.02) -> Frame:
    """Return all that is drawn, with a margin.

    Raises
    ------
    BadInput
        When nothing is drawn.
    """
    boxes = [np.asarray(layer.extent.world)[:, -2:] for layer in viewer.layers if layer.visible]
    if not boxes:
        raise BadInput("Nothing is drawn.", "Show an element.")
    low, high = np.min([b[0] for b in boxes], axis=0), np.max([b[1] for b in boxes], axis=0)
    (height, width), (y, x) = (float(v) * (1 + 2 * margin) for v in high - low), (low + high) / 2
    return Frame((float(y), float(x)), height, width)


def render(
    viewer: Any, frame: Frame, size: tuple[int, int], without: Collection[Any] = (), tile: int = TILE
) -> npt.NDArray[np.uint8]:
    """Return a picture of a frame as the canvas would draw it, without what lies over the canvas.

    Parameters
    ----------
    viewer
        A napari viewer with a window.
    frame
        What is drawn.
    size
        (h, w) in pixels; each pixel is square.
    without
        Layers that are left out.
    tile
        Pixels of a tile's edge at most. Images of several levels are read at the level that each tile needs.

    Returns
    -------
    ndarray
        (h, w, 3).

    Raises
    ------
    BadInput
        When there is no window, or the picture would be too large.

    Notes
    -----
    Nothing of the document or the layers changes, and the screen is not drawn meanwhile.
    """
    canvas = canvas_of(viewer)
    if canvas is None:
        raise BadInput("There is no canvas to draw.", "Open a window.")
    if viewer.canvas.grid.enabled:
        raise BadInput("The canvas shows the layers in a grid.", "Leave the grid (Ctrl+G) to make a figure.")
    if not 1 <= min(size) <= max(size) <= MOST:
        said = f"{size[1]:,} × {size[0]:,}"
        raise BadInput(f"The picture would have {said} pixels.", "Choose a smaller width or fewer dots per inch.")
    edge = min(tile, *(int(n) for n in canvas.max_texture_sizes[:1]))
    um = frame.height_um / size[0]
    picture = np.empty((*size, 3), np.uint8)
    canvas.screenshot()  # what has changed must be on the card, or the driver may draw from nowhere
    with _set_aside(viewer, canvas, without):
        for top in range(0, size[0], edge):
            for left in range(0, size[1], edge):
                h, w = min(edge, size[0] - top), min(edge, size[1] - left)
                picture[top : top + h, left : left + w] = _tile(viewer, canvas, frame, um, (top, left, h, w))
    return picture


def nice_length(width_um: float, share: float = 0.22) -> float:
    """Return the longest of 1, 2, 5, 10 … that is at most a share of a width, in µm."""
    most = width_um * share
    power = 10.0 ** math.floor(math.log10(most))
    return next(k * power for k in (5.0, 2.0, 1.0) if k * power <= most * (1 + 1e-9))


def said_length(um: float) -> str:
    """Return a length in words: "200 µm", "2 mm", "500 nm"."""
    if um >= 1000:
        return f"{um / 1000:g} mm"
    return f"{um:g} µm" if um >= 1 else f"{um * 1000:g} nm"


def _tile(viewer: Any, canvas: Any, frame: Frame, um: float, box: tuple[int, int, int, int]) -> npt.NDArray[np.uint8]:
    """Draw one tile (top, left, h, w), in pixels of the picture."""
    (top, left, h, w), (y, x) = box, frame.corner_um
    corners = np.array([[y + top * um, x + left * um], [y + (top + h) * um, x + (left + w) * um]])
    for layer in viewer.layers:
        if layer.visible:
            displayed = sorted(layer._slice_input.displayed)
            layer._update_draw(um, corners[:, [d - (layer.ndim - 2) for d in displayed]], (h, w))
    # vispy enlarges nothing that it draws elsewhere, and misplaces what does not begin at the lower left corner:
    # so one pixel of the canvas is one of the picture, and the tile lies in that corner
    wide, high = (float(n) * um for n in canvas._scene_canvas.physical_size)
    canvas.view.camera.rect = (corners[0, 1], corners[1, 0] - high, wide, high)
    canvas.view.scene._clipper.bounds = (-1e7, -1e7, 2e7, 2e7)  # else the edge of the canvas would cut the tile
    region = (0, 0, w, h)
    drawn = canvas._scene_canvas.render(region=region, size=(w, h), alpha=False)
    return np.asarray(drawn, np.uint8)


@contextmanager
def _set_aside(viewer: Any, canvas: Any, without: Collection[Any]) -> Iterator[None]:
    """Hide what is not part of the picture; bring it back at the end, and the view with it.

    The camera of vispy moves and napari's does not: nothing else follows it.
    """
    camera, nodes = canvas.view.camera, [canvas.layer_to_visual[layer].node for layer in without]
    before, seen = camera.rect, [node.visible for node in nodes]
    overlays = [o for o in viewer.canvas.overlays.values() if o.visible]
    with viewer._layer_slicer.force_sync(), canvas._scene_canvas.events.draw.blocker():
        try:
            canvas.view.transforms.changed.disconnect(canvas.view._update_scene_clipper)
            for overlay in overlays:
                overlay.visible = False
            for node in nodes:
                node.visible = False
            yield
        finally:
            camera.rect = before
            for node, was in zip(nodes, seen, strict=True):
                node.visible = was
            for overlay in overlays:
                overlay.visible = True
            canvas.view.transforms.changed.connect(canvas.view._update_scene_clipper)
            canvas.view._update_scene_clipper()
    canvas.on_draw(None)
    canvas._scene_canvas.update()
