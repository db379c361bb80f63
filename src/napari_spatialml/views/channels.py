"""The channels of an image as a person sees them: colours by preset, limits by percentile, and their histogram."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.colours import limits
from ..session import Document
from .canvas import Canvas
from .colormaps import brightest, code_of
from .images import NUCLEAR, channels_of, is_histology, levels_of, sampled
from .memory import Memory

__all__ = ["COLOURS", "Histogram", "as_shown", "auto_limits", "colours_by", "histogram", "light_images", "of_channel"]

COLOURS: dict[str, tuple[str, tuple[str, ...]]] = {
    "Nuclei blue": ("#4466ff", ("#00ff00", "#ff2020", "#ffffff", "#00ffff", "#ff00ff", "#ffff00")),
    "For colour-blind readers": (
        "#56b4e9",
        ("#e69f00", "#cc79a7", "#f0e442", "#009e73", "#d55e00", "#0072b2"),  # Okabe and Ito
    ),
    "Cyan, magenta, yellow": ("#00ffff", ("#ff00ff", "#ffff00", "#00ff00", "#ff8000", "#8080ff", "#ffffff")),
    "Grey": ("#ffffff", ("#ffffff",)),
}
"""Presets: the colour of a nuclear stain, and those of the other channels in turn."""
_BINS = 128


@dataclass(frozen=True, eq=False)
class Histogram:
    """How often each value occurs in a channel.

    Parameters
    ----------
    counts
        (n,) pixels in each bin.
    low, high
        The ends of the first and the last bin.
    every
        One of so many pixels of the finest level was looked at, along each edge.
    """

    counts: npt.NDArray[np.int64]
    low: float
    high: float
    every: float


def light_images(document: Document) -> tuple[str, ...]:
    """Return the images whose channels are light, not the red, green and blue of a photograph."""
    return tuple(name for name in document.names("images") if not is_histology(document, name))


def of_channel(canvas: Canvas, image: str, channel: str) -> Any:
    """Return the layer of a channel, or None."""
    parts = {spec.key.part: layer for spec, layer in canvas.layers() if spec.key.element == image}
    return parts.get(channel, parts.get("") if len(parts) == 1 else None)


def colours_by(preset: str, channels: list[str]) -> dict[str, dict[str, Any]]:
    """Return the colour of each channel by a preset."""
    nuclear, others = COLOURS[preset]
    made: dict[str, dict[str, Any]] = {}
    for channel in channels:
        word = channel.lower()
        if any(stain in word for stain in NUCLEAR) and not any(one["colour"] == nuclear for one in made.values()):
            made[channel] = {"colour": nuclear}
        else:
            taken = sum(one["colour"] != nuclear or preset == "Grey" for one in made.values())
            made[channel] = {"colour": others[taken % len(others)]}
    return made


def histogram(document: Document, image: str, channel: str, memory: Memory) -> Histogram:
    """Return the histogram of a channel, from the pixels that its first limits come from."""
    values, every = _values(document, image, channel, memory)
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
    counts, _ = np.histogram(values, _BINS, (low, high if high > low else low + 1.0))
    return Histogram(counts.astype(np.int64), low, high if high > low else low + 1.0, every)


def auto_limits(document: Document, image: str, channel: str, share: float, memory: Memory) -> tuple[float, float]:
    """Return limits that leave a share of the pixels, in percent, below and as many above."""
    values, _ = _values(document, image, channel, memory)
    return limits(values, share, 100.0 - share)


def as_shown(canvas: Canvas, document: Document, image: str) -> dict[str, dict[str, Any]]:
    """Return how the channels are drawn now, also where napari's own controls were used."""
    made = {}
    for channel in channels_of(document, image):
        layer = of_channel(canvas, image, channel)
        if layer is not None:
            low, high = (float(v) for v in layer.contrast_limits)
            made[channel] = {"low": low, "high": high, "gamma": float(layer.gamma), "visible": bool(layer.visible)}
            if not layer.colormap.name.startswith("ink "):
                made[channel]["colour"] = code_of(brightest_of(layer))
    return made


def brightest_of(layer: Any) -> tuple[float, float, float]:
    """Return the colour, 0 to 1, in which a layer draws its highest value."""
    if layer.colormap.name.startswith("#"):
        return brightest(layer.colormap.name)
    red, green, blue = (float(v) for v in layer.colormap.map([1.0])[0][:3])
    return red, green, blue


def _values(document: Document, image: str, channel: str, memory: Memory) -> tuple[npt.NDArray[Any], float]:
    levels, number = levels_of(document, image), channels_of(document, image).index(channel)
    key = ("values", image, document.revision(("images", image)), number)
    values = memory.get(key, partial(sampled, levels, number))
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values.ravel()
    return finite, float(np.sqrt(np.prod(levels[0].isel(c=number).shape) / max(values.size, 1)))
