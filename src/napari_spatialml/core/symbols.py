"""Points as pictures: a symbol's shape as a stamp, and many stamps drawn over each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import require

__all__ = ["GLYPHS", "SYMBOLS", "drawn_points", "stamp"]

_FINE = 8
"""Each pixel of a stamp is looked at in so many places along each edge."""
Floats = npt.NDArray[np.float64]


def _star(v: Floats, u: Floats) -> npt.NDArray[np.bool_]:
    angle = np.mod(np.arctan2(u, -v) + np.pi / 5, 2 * np.pi / 5) - np.pi / 5
    inner = 0.45
    # the edge from a tip (radius 1) to the next notch (radius `inner`, 36° further), as a line
    notch = inner * np.array([np.cos(np.pi / 5), np.sin(np.pi / 5)])
    r = np.hypot(v, u)
    y, x = r * np.cos(angle), np.abs(r * np.sin(angle))
    inside: npt.NDArray[np.bool_] = (y - 1) * notch[1] - x * (notch[0] - 1) <= 0
    return inside


_SHAPES: dict[str, Callable[[Floats, Floats], Any]] = {
    "disc": lambda v, u: np.hypot(v, u) <= 1,
    "triangle": lambda v, u: (v <= 0.75) & (np.abs(u) * 1.7 <= v + 1),
    "square": lambda v, u: (np.abs(v) <= 0.85) & (np.abs(u) <= 0.85),
    "plus": lambda v, u: (np.minimum(np.abs(v), np.abs(u)) <= 0.32) & (np.maximum(np.abs(v), np.abs(u)) <= 1),
    "diamond": lambda v, u: np.abs(v) + np.abs(u) <= 1,
    "cross": lambda v, u: (np.abs(np.abs(v) - np.abs(u)) <= 0.42) & (np.maximum(np.abs(v), np.abs(u)) <= 0.9),
    "star": _star,
    "ring": lambda v, u: np.abs(np.hypot(v, u) - 0.75) <= 0.25,
}
SYMBOLS = tuple(_SHAPES)
"""The symbols, those that are told apart best first."""
GLYPHS = dict(zip(SYMBOLS, "●▲■✚◆✖★○", strict=True))
"""How each is written in a line of text."""


def stamp(symbol: str, diameter: float) -> npt.NDArray[np.float32]:
    """Return how far a symbol covers each pixel, 0 to 1: (k, k) with k odd, the point in the middle.

    Parameters
    ----------
    symbol
        One of `SYMBOLS`.
    diameter
        In pixels, > 0.

    Raises
    ------
    BadInput
        When the symbol is none of them, or the diameter is not above 0.
    """
    require(symbol in _SHAPES, f"There is no symbol '{symbol}'.", f"Choose one of {', '.join(SYMBOLS)}.")
    require(diameter > 0, f"The diameter is {diameter:g} pixels.", "Give more than 0.")
    k = 2 * int(np.ceil(diameter / 2 - 0.5)) + 1
    at = ((np.arange(k * _FINE) + 0.5) / _FINE - k / 2) / (diameter / 2)
    inside = np.asarray(_SHAPES[symbol](*np.meshgrid(at, at, indexing="ij")), np.float32)
    cover: npt.NDArray[np.float32] = inside.reshape(k, _FINE, k, _FINE).mean((1, 3), dtype=np.float32)
    return cover


def drawn_points(
    places: npt.NDArray[Any],
    kinds: npt.NDArray[Any],
    symbols: Sequence[str],
    colours: npt.NDArray[Any],
    diameter: float,
    shape: tuple[int, int],
) -> npt.NDArray[np.uint8]:
    """Draw points, each with the symbol and the colour of its kind, the later over the earlier.

    Parameters
    ----------
    places
        (n, 2) as (y, x) in pixels, whose first has its centre at 0.
    kinds
        (n,) which symbol and colour each has.
    symbols
        Of each kind.
    colours
        (kinds, 3) red, green, blue, 0 to 1.
    diameter
        In pixels.
    shape
        (h, w) of the picture.

    Returns
    -------
    array
        (h, w, 4) red, green, blue, alpha, 0 to 255; transparent where no point is.
    """
    from .point_kernels import opaque, stamped

    stamps = np.stack([stamp(symbol, diameter) for symbol in symbols])
    light = np.zeros((*shape, 4), np.float32)
    stamped(np.asarray(places, np.float64), np.asarray(kinds, np.int16), stamps, np.asarray(colours, np.float32), light)
    out = np.zeros((*shape, 4), np.uint8)
    opaque(light, out)
    return out
