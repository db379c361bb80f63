"""The moving side as a picture: what is drawn of an element, in its colours, for a texture that can be bent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.transform import Affine
from ..session import Document
from .colormaps import colormap_of
from .memory import Memory
from .specs import ImageSpec, LayerSpec, RasterSpec
from .state import ViewState

__all__ = ["LONGEST", "Picture", "drawn_specs", "edges_of", "picture_of", "transparent_glass"]

LONGEST = 2048
"""Pixels along the longer side of a picture, at most: what a screen has."""
_FINE, _FINEST = 1024, 16
"""Contours are drawn on about so many pixels along the longer side, if need be on as many for one of the picture."""
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture of a part of an element.

    Parameters
    ----------
    rgba
        (h, w, 4) uint8; nothing is drawn where alpha is 0.
    affine
        From the picture's pixel corners (y, x) to µm of the moving side.
    """

    rgba: Bytes
    affine: Affine

    @property
    def pixel_um(self) -> float:
        """The edge of a pixel in µm."""
        return float(np.sqrt(np.prod(self.affine.scale_factors)))


def drawn_specs(document: Document, state: ViewState, memory: Memory, element: str, system: str) -> list[LayerSpec]:
    """Return what is drawn of an element in its own coordinate system, the lowest first."""
    from .plan import plan  # which itself asks here what the tissue looks like

    own = replace(
        state, coordinate_system=system, shown=(element,), beside="", landmarks="", also=(), compared=None, loose=None,
        correcting=None, aligned=None,
    )  # fmt: skip
    found = [s for s in plan(document, own, memory) if isinstance(s, ImageSpec | RasterSpec)]
    return [s for s in found if s.visible and s.key.element == element]


def picture_of(specs: Sequence[LayerSpec], box: npt.ArrayLike | None = None, longest: int = LONGEST) -> Picture | None:
    """Return what specs draw within a box, from the coarsest level that fills the screen.

    Parameters
    ----------
    specs
        Images and rasters of one element, the lowest first.
    box
        (2, 2) lowest and highest (y, x) in µm of the moving side; None: all of it.
    longest
        Pixels along the longer side, at most.

    Returns
    -------
    Picture or None
        None where nothing of the element lies in the box.
    """
    rgba: Bytes | None = None
    affine = Affine.identity()
    for spec in specs:
        levels = _levels(spec.make())
        window = _window(spec, levels[0].shape, box)
        if window is None:
            continue
        level, factor = _level(levels, window, longest)
        pixels, corner, step = _read(level, window, factor, longest)
        if rgba is not None and rgba.shape[:2] != pixels.shape[:2]:
            continue  # of another size than the first: it cannot share its pixels
        if rgba is None:
            # napari's affine counts from the centre of a pixel, ours from its corner
            to_um = Affine(np.array(spec.affine)) @ Affine.translation(-0.5, -0.5)
            affine = to_um @ Affine.translation(*corner) @ _stretched(step)
        made = _coloured(spec, pixels)
        rgba = made if rgba is None else _laid_over(rgba, made, spec.blending)
    return None if rgba is None else Picture(rgba, affine)


def edges_of(picture: Picture, colour: tuple[int, int, int] = (255, 214, 0)) -> Picture:
    """Return the contours of a picture alone: where its grey changes most, thin lines of one colour.

    The lines of a picture with few pixels, such as that of ions, are drawn on finer ones: a line as wide as
    a pixel of 10 µm would hide what it is compared with.
    """
    from scipy import ndimage

    grey = picture.rgba[..., :3].astype(np.float32).mean(-1)
    grey[picture.rgba[..., 3] == 0] = np.median(grey)
    finer = int(np.clip(_FINE // max(grey.shape), 1, _FINEST))
    if finer > 1:
        grey = ndimage.zoom(grey, finer, order=1, mode="nearest", grid_mode=True)
    smooth = ndimage.gaussian_filter(grey, max(grey.shape) / 350 + 0.7)
    dy, dx = np.gradient(smooth)
    slope = np.hypot(dy, dx)
    strong = np.quantile(slope, 0.93)
    # the crest of the slope: not lower than its neighbours along the gradient
    across = np.abs(dx) > np.abs(dy)
    left, right = np.roll(slope, 1, 1), np.roll(slope, -1, 1)
    up, down = np.roll(slope, 1, 0), np.roll(slope, -1, 0)
    crest = np.where(across, (slope >= left) & (slope >= right), (slope >= up) & (slope >= down))
    line = crest & (slope > max(strong, 1e-6))
    if max(grey.shape) > _FINE:  # the screen has fewer pixels, and would skip some of a line of one
        line = ndimage.binary_dilation(line)
    rgba = np.zeros((*grey.shape, 4), np.uint8)
    rgba[line] = (*colour, 255)
    return Picture(rgba, picture.affine @ _stretched((1 / finer, 1 / finer)))


def transparent_glass(picture: Picture) -> Picture:
    """Return a photograph whose bright, grey glass is clear, so that a white border does not hide the fixed side."""
    light = picture.rgba[..., :3]
    spread = light.max(-1).astype(np.int16) - light.min(-1)
    rgba = picture.rgba.copy()
    rgba[..., 3] = np.where((light.min(-1) > 225) & (spread < 14), 0, rgba[..., 3])
    return Picture(rgba, picture.affine)


def _levels(data: Any) -> list[Any]:
    return list(data) if isinstance(data, list | tuple) else [data]


def _window(spec: LayerSpec, shape: Sequence[int], box: npt.ArrayLike | None) -> tuple[int, int, int, int] | None:
    """Return (y0, y1, x0, x1) of the full resolution that a box in µm covers; None where they do not meet."""
    h, w = int(shape[0]), int(shape[1])
    if box is None:
        return 0, h, 0, w
    (y0, x0), (y1, x1) = np.asarray(box, dtype=float)
    corners = np.array([[y0, x0], [y0, x1], [y1, x0], [y1, x1]])
    at = Affine(np.array(spec.affine)).inverse().apply(corners) + 0.5
    low = np.clip(np.floor(at.min(0)).astype(int), 0, (h, w))
    high = np.clip(np.ceil(at.max(0)).astype(int), 0, (h, w))
    if (high <= low).any():
        return None
    return int(low[0]), int(high[0]), int(low[1]), int(high[1])


def _level(levels: list[Any], window: tuple[int, int, int, int], longest: int) -> tuple[Any, tuple[float, float]]:
    """Return the finest level of which a window is at most so long, and how much coarser it is along y and x."""
    y0, y1, x0, x1 = window
    full = levels[0].shape
    for level in levels:
        factor = full[0] / level.shape[0], full[1] / level.shape[1]
        if max((y1 - y0) / factor[0], (x1 - x0) / factor[1]) <= longest:
            break
    return level, factor


def _read(
    level: Any, window: tuple[int, int, int, int], factor: tuple[float, float], longest: int
) -> tuple[npt.NDArray[Any], tuple[float, float], tuple[float, float]]:
    """Return pixels, the corner (y, x) of the first in the full resolution, and the edges of one in it."""
    y0, y1, x0, x1 = window
    a, b = int(y0 // factor[0]), int(np.ceil(y1 / factor[0]))
    c, d = int(x0 // factor[1]), int(np.ceil(x1 / factor[1]))
    every = max(1, int(np.ceil(max(b - a, d - c) / longest)))
    pixels = np.asarray(level[a : min(b, level.shape[0]) : every, c : min(d, level.shape[1]) : every])
    return pixels, (a * factor[0], c * factor[1]), (every * factor[0], every * factor[1])


def _stretched(step: tuple[float, float]) -> Affine:
    return Affine(np.diag([step[0], step[1], 1.0]))


def _coloured(spec: LayerSpec, pixels: npt.NDArray[Any]) -> Bytes:
    if isinstance(spec, RasterSpec):
        return _categories(spec.colours, pixels)
    assert isinstance(spec, ImageSpec)
    if spec.rgb:
        return _photograph(pixels)
    low, high = spec.limits or (float(np.nanmin(pixels)), float(np.nanmax(pixels)))
    share = np.clip((pixels.astype(np.float64) - low) / max(high - low, 1e-12), 0, 1)
    known = np.isfinite(share)
    steps = np.round(255 * np.where(known, share, 0) ** spec.gamma).astype(np.uint8)
    table = np.round(255 * colormap_of(spec.colormap).map(np.linspace(0, 1, 256))).astype(np.uint8)
    rgba: Bytes = table[steps]
    rgba[~known] = 0
    return rgba


def _photograph(pixels: npt.NDArray[Any]) -> Bytes:
    if pixels.dtype != np.uint8:
        top = 1.0 if pixels.dtype.kind == "f" else float(np.iinfo(pixels.dtype).max)
        pixels = np.round(255 * np.clip(pixels / top, 0, 1)).astype(np.uint8)
    if pixels.shape[-1] == 4:
        return np.ascontiguousarray(pixels)
    return np.dstack([pixels[..., :3], np.full(pixels.shape[:2], 255, np.uint8)])


def _categories(colours: tuple[str, ...], codes: npt.NDArray[Any]) -> Bytes:
    from napari.utils.colormaps.standardize_color import transform_color

    rows = [np.zeros(4), *(transform_color(c)[0] for c in colours)]
    table: Bytes = np.round(255 * np.array(rows)).astype(np.uint8)
    return np.asarray(table[np.minimum(codes.astype(np.int64), len(rows) - 1)])


def _laid_over(below: Bytes, above: Bytes, blending: str) -> Bytes:
    """Return two pictures as one, as napari blends them."""
    if blending == "additive":
        light = below[..., :3].astype(np.uint16) + above[..., :3]
        return np.dstack([np.minimum(light, 255).astype(np.uint8), np.maximum(below[..., 3], above[..., 3])])
    if blending == "minimum":
        return np.minimum(below, above)
    share = above[..., 3:].astype(np.float32) / 255
    light = share * above[..., :3] + (1 - share) * below[..., :3]
    return np.dstack([np.round(light).astype(np.uint8), np.maximum(below[..., 3], above[..., 3])])
