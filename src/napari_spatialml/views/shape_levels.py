"""The levels of shapes in their colours, as napari reads them, and what is kept from one plan to the next."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.polygons import Polygons
from ..errors import BadInput
from .shape_tiles import TILE, ShapeTiles, Window

__all__ = ["Coloured", "Drawing", "Level", "colours_in_bytes", "levels_of"]

Coloured = tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]
"""(n, 4) colours of 0 to 255, and (n,) whether each shape is drawn."""
_MOST = 100_000_000
"""Pixels that are drawn at once, at most."""
_VEIL = np.array([1.0, 1.0, 1.0, 0.4])
"""Outlines that become fills let the tissue through."""


class Level:
    """One level in the shapes' colours, for napari: (y, x, 4) red, green, blue, alpha.

    Parameters
    ----------
    tiles
        The shapes.
    level
        0 is the finest.
    colours
        (n + 1, 4) of 0 to 255; the last is that of no shape.
    lines
        Draw outlines where they can be told apart; farther out the shapes are filled, or left to the layer
        that fills them.
    solid
        Whether outlines are replaced by filled shapes farther out.
    """

    def __init__(
        self, tiles: ShapeTiles, level: int, colours: npt.NDArray[np.uint8], *, lines: bool = False, solid: bool = True
    ) -> None:
        self.tiles, self._level, self._lines, self._solid = tiles, level, lines, solid
        height, width = (int(n) for n in tiles.shape * 2 ** (tiles.n_levels - 1 - level))
        self.shape, self.chunks = (height, width, 4), (TILE, TILE, 4)
        self.dtype, self.ndim, self.size = np.dtype(np.uint8), 3, height * width * 4
        self._colours = colours

    def __getitem__(self, key: Any) -> npt.NDArray[np.uint8]:
        parts = key if isinstance(key, tuple) else (key,)
        parts = (*parts, *([slice(None)] * (3 - len(parts))))
        spans = [_span(part, n) for part, n in zip(parts[:2], self.shape, strict=False)]
        made = self._drawn((*spans[0], *spans[1]))
        cut: npt.NDArray[np.uint8] = made[
            tuple(_within(part, span) for part, span in zip(parts[:2], spans, strict=True)) + parts[2:]
        ]
        return cut

    @property
    def colours(self) -> npt.NDArray[np.uint8]:
        """(n, 4) of 0 to 255, one row a shape."""
        return self._colours[:-1]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return np.asarray(self[:, :], dtype=dtype)

    def _drawn(self, window: Window) -> npt.NDArray[np.uint8]:
        lines = self._lines and self.tiles.outlined(self._level)
        if (window[1] - window[0]) * (window[3] - window[2]) > _MOST:
            raise BadInput(
                f"A picture of {window[1] - window[0]:,} × {window[3] - window[2]:,} pixels was asked for.",
                "Ask for a window, or for a coarser level: the finest has a thousandth of a shape in a pixel.",
            )
        if self._lines and not lines and not self._solid:
            return np.zeros((window[1] - window[0], window[3] - window[2], 4), np.uint8)
        if not lines and self._level > 0 and not self.tiles.outlined(self._level):
            return self._averaged(window)
        owner, *cover = self.tiles.read(self._level, window, lines)
        whole = self._colours.view(np.uint32).ravel()
        made: npt.NDArray[np.uint8] = np.take(whole, owner, mode="wrap").view(np.uint8)
        made = made.reshape(*owner.shape, 4)
        if cover:
            made[..., 3] = made[..., 3].astype(np.uint16) * cover[0] // 255
        return made

    def _averaged(self, window: Window) -> npt.NDArray[np.uint8]:
        """Return the mean of four finer pixels: shapes as small as a pixel would flicker."""
        from ..core.shape_kernels import mean_colours

        (owner,) = self.tiles.read(self._level - 1, (2 * window[0], 2 * window[1], 2 * window[2], 2 * window[3]))
        made = np.zeros((window[1] - window[0], window[3] - window[2], 4), np.uint8)
        mean_colours(owner, self._colours, made)
        return made


def levels_of(
    tiles: ShapeTiles, colours: npt.NDArray[np.uint8], *, lines: bool = False, solid: bool = True
) -> list[Level]:
    """Return all levels, the finest first; see `Level`.

    Parameters
    ----------
    tiles, lines, solid
        See `Level`.
    colours
        (n, 4) of 0 to 255.
    """
    near = np.ascontiguousarray(np.concatenate([colours, np.zeros((1, 4), np.uint8)]))
    far = (near * _VEIL).astype(np.uint8) if lines and solid else near
    return [
        Level(tiles, k, near if tiles.outlined(k) else far, lines=lines, solid=solid) for k in range(tiles.n_levels)
    ]


def colours_in_bytes(colours: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Return colours of 0 to 1 as 0 to 255."""
    return np.asarray(255 * np.clip(colours, 0, 1) + 0.5).astype(np.uint8)


def _span(part: Any, length: int) -> tuple[int, int]:
    if isinstance(part, slice):
        start, stop, step = part.indices(length)
        if step < 1:
            raise IndexError("shapes cannot be read backwards")
        return start, max(start, stop)
    index = int(part) + (length if int(part) < 0 else 0)
    return index, index + 1


def _within(part: Any, span: tuple[int, int]) -> Any:
    return slice(None, None, part.step) if isinstance(part, slice) else 0


class Drawing:
    """What was made to draw an element, kept while its shapes, their place and their colours stay."""

    def __init__(self) -> None:
        self._polygons: tuple[Any, Polygons] | None = None
        self._held: dict[str, OrderedDict[Any, Any]] = {"tiles": OrderedDict(), "colours": OrderedDict()}

    def polygons(self, revision: Any, make: Callable[[], Polygons]) -> Polygons:
        """Return the flat arrays of a revision of the element."""
        if self._polygons is None or self._polygons[0] != revision:
            self._polygons = (revision, make())
        return self._polygons[1]

    def colours(self, key: Hashable, make: Callable[[], Coloured]) -> Coloured:
        """Return the colours of the shapes, and which are drawn."""
        found: Coloured = self._get("colours", key, make)
        return found

    def tiles(self, key: Hashable, make: Callable[[], ShapeTiles]) -> ShapeTiles:
        """Return the tiles for a place and a choice of what is drawn."""
        found: ShapeTiles = self._get("tiles", key, make)
        return found

    def _get(self, what: str, key: Hashable, make: Callable[[], Any]) -> Any:
        held = self._held[what]
        if key not in held:
            held[key] = make()
            while len(held) > 2:  # the last two: hiding a category and showing it again is quick
                held.popitem(last=False)
        held.move_to_end(key)
        return held[key]
