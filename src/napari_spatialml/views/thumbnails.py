"""Small pictures of cells: the image at full resolution around each, all with the same contrast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.colours import limits
from ..core.patch import Window
from ..core.report import Report, silent
from ..core.transform import Affine
from ..session import Document
from ..session.evidence import EvidenceReader, Sources
from ..session.grid import LabelGrid
from .images import FIRST_SHOWN, colour_of_channel, is_histology
from .marks import Lines, outline_of

__all__ = ["Limits", "Thumbnail", "borders", "thumbnails"]

Limits = tuple[tuple[float, float], ...]
"""The darkest and the brightest value of each channel that is drawn."""
_EMPTY = 40
"""The grey of a picture where there is no image."""


@dataclass(frozen=True, eq=False)
class Thumbnail:
    """The image around a cell.

    Parameters
    ----------
    window
        What it shows, in pixels of the labels.
    rgb
        (h, w, 3) uint8.
    """

    window: Window
    rgb: npt.NDArray[np.uint8]


def thumbnails(
    document: Document,
    sources: Sources,
    windows: Mapping[int, Window],
    contrast: Limits | None = None,
    report: Report = silent,
) -> tuple[dict[int, Thumbnail], Limits]:
    """Return a picture of each window, and the contrast of all of them. May run on any thread.

    Parameters
    ----------
    document, sources
        Where the image is; only these windows of its full resolution are read.
    windows
        By cell, or by number of place.
    contrast
        Use this one instead of that from the 1st to the 99th percentile of all windows.
    report
        Told each window.
    """
    reader, values = EvidenceReader(document, sources), dict[int, npt.NDArray[Any]]()
    for number, (key, window) in enumerate(windows.items()):
        report(number / len(windows), "reading the image")
        pixels = reader.pixels(window)
        if pixels is not None:
            values[key] = pixels
    if not values:
        return {k: Thumbnail(w, _grey(w)) for k, w in windows.items()}, ()
    if is_histology(document, sources.image):
        made = {k: np.moveaxis(v[:3], 0, -1).astype(np.uint8) for k, v in values.items()}
        return {k: Thumbnail(w, made.get(k, _grey(w))) for k, w in windows.items()}, contrast or ()
    colours = [colour_of_channel(name, i, len(reader.channels) == 1) for i, name in enumerate(reader.channels)]
    drawn = np.asarray(colours[:FIRST_SHOWN])
    if not contrast:
        together = [np.concatenate([v[i].ravel() for v in values.values()]) for i in range(len(drawn))]
        contrast = tuple(limits(v, 1.0, 99.0) for v in together)
    made = {k: _mixed(v, drawn, contrast) for k, v in values.items()}
    return {k: Thumbnail(w, made.get(k, _grey(w))) for k, w in windows.items()}, contrast


def borders(grid: LabelGrid, cell: int, window: Window) -> tuple[Lines, Lines]:
    """Return the outline of a cell and those of all others in a window, in pixels of the labels."""
    y0, _, x0, _ = window
    part = grid.read(window)
    own = outline_of(part == cell, (y0, x0), Affine.identity()) if cell else np.zeros((0, 2, 2))
    ends = []
    for axis in (0, 1):
        a, b = (part[1:], part[:-1]) if axis == 0 else (part[:, 1:], part[:, :-1])
        y, x = np.nonzero((a != b) & (a != cell) & (b != cell) if cell else a != b)
        start = np.stack([y + (axis == 0) + y0, x + (axis == 1) + x0], axis=1).astype(float)
        step = np.zeros_like(start)
        step[:, 1 - axis] = 1
        ends.append(np.stack([start, step], axis=1))
    return own, np.concatenate(ends)


def _mixed(values: npt.NDArray[Any], colours: npt.NDArray[np.float64], contrast: Limits) -> npt.NDArray[np.uint8]:
    """Return channels of light, added up in their colours."""
    light = np.zeros((*values.shape[1:], 3))
    for channel, colour, (low, high) in zip(values, colours, contrast, strict=False):
        light += np.clip((channel.astype(np.float64) - low) / max(high - low, 1e-12), 0, 1)[..., None] * colour
    return np.asarray(np.round(255 * np.clip(light, 0, 1)), dtype=np.uint8)


def _grey(window: Window) -> npt.NDArray[np.uint8]:
    y0, y1, x0, x1 = window
    return np.full((y1 - y0, x1 - x0, 3), _EMPTY, dtype=np.uint8)
