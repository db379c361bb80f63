"""The whole scene as one small picture, from the coarsest pixels that there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .canvas import Canvas
from .memory import Memory
from .specs import ImageSpec, LabelsSpec, LayerSpec, PointsSpec, RasterSpec

__all__ = ["Overview", "overview"]

_MOST_READ = 3e7
"""Pixels of an image without coarser levels that are still read for a small picture."""
_SMALL = 256
_CELLS = np.array([150.0, 158.0, 170.0]) / 255


@dataclass(frozen=True, eq=False)
class Overview:
    """A small picture of the scene.

    Parameters
    ----------
    rgb
        (h, w, 3) uint8.
    origin_um
        (y, x) of its upper left corner.
    um
        Edge of a pixel.
    """

    rgb: npt.NDArray[np.uint8]
    origin_um: tuple[float, float]
    um: float


def overview(canvas: Canvas, longest: int, memory: Memory) -> Overview | None:
    """Return the scene as its visible layers draw it, or None where nothing is shown.

    Parameters
    ----------
    canvas
        The layers.
    longest
        Pixels of the longer edge.
    memory
        Keeps the pixels that were read.
    """
    drawn = [(spec, layer) for spec, layer in canvas.layers() if layer.visible]
    if not drawn:
        return None
    low, high = _box([layer for _, layer in drawn])
    um = float(max(high - low)) / longest or 1.0
    h, w = (max(1, round(float(v) / um)) for v in high - low)
    y, x = (low[0] + um * (np.arange(h) + 0.5))[:, None], (low[1] + um * (np.arange(w) + 0.5))[None, :]
    picture = np.zeros((h, w, 3))
    pictured = False
    for spec, layer in drawn:
        if isinstance(spec, ImageSpec) or (not pictured and isinstance(spec, LabelsSpec | RasterSpec)):
            pictured = _lay(picture, spec, layer, y, x, memory) or pictured
    for spec, layer in drawn:
        if isinstance(spec, PointsSpec) and not pictured:
            _dot(picture, layer, low, um)
    return Overview(np.asarray(np.round(255 * picture.clip(0, 1)), np.uint8), (float(low[0]), float(low[1])), um)


def _box(layers: list[Any]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    boxes = np.stack([np.asarray(layer.extent.world)[:, -2:] for layer in layers])
    return boxes[:, 0].min(0), boxes[:, 1].max(0)


def _lay(picture: npt.NDArray[np.float64], spec: LayerSpec, layer: Any, y: Any, x: Any, memory: Memory) -> bool:
    """Draw a layer of pixels into the picture; return whether there was anything to draw."""
    read = memory.get(("overview", spec.key, spec.token), lambda: _coarse(layer, isinstance(spec, ImageSpec)))
    if read is None:
        return False
    values, steps = read
    back = np.linalg.inv(np.asarray(spec.affine))
    rows = (back[0, 0] * y + back[0, 1] * x + back[0, 2] + 0.5) / steps[0]
    columns = (back[1, 0] * y + back[1, 1] * x + back[1, 2] + 0.5) / steps[1]
    inside = (rows >= 0) & (columns >= 0) & (rows < values.shape[0]) & (columns < values.shape[1])
    at = values[rows[inside].astype(int), columns[inside].astype(int)]
    ground = picture[inside]
    if not isinstance(spec, ImageSpec):
        picture[inside] = np.where((at > 0)[:, None], _CELLS, ground)
        return True
    colour = _coloured(layer, at, spec.rgb)
    cover = layer.opacity * _alpha(at, spec.rgb)
    if layer.blending == "additive":
        picture[inside] = ground + cover * colour
    elif layer.blending == "minimum":
        picture[inside] = np.where(ground.any(1, keepdims=True), np.minimum(ground, colour), colour)
    else:
        picture[inside] = (1 - cover) * ground + cover * colour
    return True


def _alpha(values: npt.NDArray[Any], rgb: bool) -> Any:
    """Return how far pixels cover what lies below; where there is no value, not at all."""
    if rgb:
        return values[:, 3:4] / 255 if values.shape[1] == 4 else 1.0
    return 1.0 if values.dtype.kind != "f" else ~np.isnan(values)[:, None]


def _coloured(layer: Any, values: npt.NDArray[Any], rgb: bool) -> npt.NDArray[np.float64]:
    if rgb:
        whole = 255.0 if values.dtype == np.uint8 else 65535.0 if values.dtype == np.uint16 else 1.0
        return np.asarray(values[:, :3] / whole, float)
    low, high = layer.contrast_limits
    shares = np.clip((np.nan_to_num(values.astype(float), nan=low) - low) / max(high - low, 1e-12), 0, 1)
    return np.asarray(layer.colormap.map(shares**layer.gamma)[:, :3], float)


def _coarse(layer: Any, averaged: bool) -> tuple[npt.NDArray[Any], tuple[float, float]] | None:
    """Return the coarsest pixels, and how many of the finest one of them spans; None where it would be slow."""
    levels = list(layer.data) if layer.multiscale else [layer.data]
    size, last = levels[0].shape[:2], levels[-1]
    if float(np.prod(last.shape[:2])) > _MOST_READ and not isinstance(last, np.ndarray):
        return None
    every = max(1, max(last.shape[:2]) // 1024)
    values = np.asarray(last[::every, ::every])
    fewer = (size[0] / last.shape[0], size[1] / last.shape[1])
    edge = max(values.shape[:2]) // _SMALL if averaged else 1
    if edge > 1:  # else fine structures would flicker between the pixels that are looked at
        h, w = (n // edge for n in values.shape[:2])
        blocks = values[: h * edge, : w * edge].reshape(h, edge, w, edge, *values.shape[2:])
        values, every = _mean(blocks).astype(values.dtype), every * edge
    return values, (every * fewer[0], every * fewer[1])


def _mean(blocks: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return the means of blocks (h, n, w, n, …) over what has a value; NaN where nothing has."""
    if blocks.dtype.kind != "f":
        return np.asarray(blocks.mean((1, 3)))
    there = ~np.isnan(blocks)
    n = there.sum((1, 3))
    total = np.where(there, blocks, 0).sum((1, 3), dtype=np.float64)
    return np.divide(total, n, out=np.full(n.shape, np.nan), where=n > 0)


def _dot(picture: npt.NDArray[np.float64], layer: Any, low: npt.NDArray[np.float64], um: float) -> None:
    where = np.asarray(layer.data)[:, -2:][np.asarray(layer.shown)]
    shift = np.asarray(layer.affine.translate)[-2:]
    at = ((where + shift - low) / um).astype(int)
    inside = (at >= 0).all(1) & (at < picture.shape[:2]).all(1)
    colours = np.asarray(layer.face_color)[np.asarray(layer.shown)]
    picture[at[inside, 0], at[inside, 1]] = colours[inside, :3]
