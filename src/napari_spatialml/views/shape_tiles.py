"""Shapes as an image that is drawn when it is looked at: what is in view, at the screen's resolution, from the
shapes' own corners.

Half a million outlines as triangles take gigabytes and seconds; the pixels that a screen has of them take
neither. Nothing is simplified: every level is drawn from all corners, down to a pixel of a thousandth of a
shape, and only tiles that came into view are drawn.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.polygons import Polygons
from ..core.transform import Affine

__all__ = ["TILE", "Circles", "Coloured", "Drawing", "Level", "Outlined", "ShapeTiles", "colours_in_bytes", "levels_of"]

TILE = 256
_CACHE = 96_000_000
"""Bytes of tiles that are kept."""
_FINEST = 2048
"""Pixels across a shape of middling size in the finest level."""
_COARSEST = 512
"""Pixels along the longer side of the coarsest level, at most."""
_OUTLINED_PX = 6.0
"""Shapes of middling size that are smaller on the screen are filled: their outlines would hide them."""
_HALF_WIDTH = 0.9
Ints = npt.NDArray[np.int32]
Window = tuple[int, int, int, int]
Tile = tuple[npt.NDArray[Any], ...]
"""(y, x) the number of the shape at each pixel, and of outlines how much of the pixel they cover."""
Coloured = tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]
"""(n, 4) colours of 0 to 255, and (n,) whether each shape is drawn."""


class ShapeTiles(ABC):
    """Which shape is at each pixel, level by level.

    Parameters
    ----------
    affine
        From the shapes' own coordinates to µm.
    boxes
        (n, 4) y0, x0, y1, x1 in µm; y0 is infinite where there is nothing to draw.
    drawn
        (n,) whether each shape is to be seen.
    """

    def __init__(self, affine: Affine, boxes: npt.NDArray[np.float64], drawn: npt.NDArray[np.bool_]) -> None:
        self.affine, self.boxes, self.drawn = affine, boxes, drawn
        self._matrix = np.ascontiguousarray(affine.matrix[:2])
        real = boxes[np.isfinite(boxes[:, 0])]
        self.absent = len(boxes) - len(real)
        """How many have no finite corners."""
        sides = np.maximum(real[:, 2] - real[:, 0], real[:, 3] - real[:, 1])
        self.size_um = max(float(np.median(sides)) if len(real) else 1.0, 1e-9)
        low, high = (real[:, :2].min(0), real[:, 2:].max(0)) if len(real) else (np.zeros(2), np.ones(2))
        self.edge_um = 2.0 ** np.floor(np.log2(self.size_um / _FINEST))
        """Edge of the finest level's pixels."""
        long = float((high - low).max()) / self.edge_um
        self.n_levels = max(int(np.ceil(np.log2(max(long / _COARSEST, 1.0)))), 0) + 1
        coarse = self.edge_um * 2 ** (self.n_levels - 1)
        self.first = np.floor(low / coarse).astype(np.int64)
        """(y, x) of the coarsest level's first pixel, counted from 0 µm."""
        self.shape = np.maximum(np.floor(high / coarse).astype(np.int64) + 1 - self.first, 2)
        """(y, x) size of the coarsest level."""
        self._tiles: OrderedDict[tuple[Any, ...], Tile] = OrderedDict()
        self._bytes = 0

    def placed(self) -> Affine:
        """Return the way from the finest level's pixel indices, whose centres are whole numbers, to µm."""
        scale = 2 ** (self.n_levels - 1)
        low = self.first * scale * self.edge_um
        return Affine.translation(*low) @ Affine.scale(self.edge_um) @ Affine.translation(0.5, 0.5)

    def outlined(self, level: int) -> bool:
        """Whether a level's pixels are fine enough for outlines."""
        return bool(self.edge_um * 2**level * _OUTLINED_PX <= self.size_um)

    @property
    def outlined_um(self) -> float:
        """µm a pixel up to which outlines are drawn."""
        return self.size_um / _OUTLINED_PX

    def read(self, level: int, window: Window, lines: bool = False) -> Tile:
        """Return the number of the shape at each pixel of a window, -1 for none; of lines, also their cover.

        Parameters
        ----------
        level
            0 is the finest.
        window
            (y0, y1, x0, x1) in the level's pixels.
        lines
            Draw the outlines instead of what they hold.
        """
        y0, y1, x0, x1 = window
        tiles = [(i, j) for i in range(y0 // TILE, -(-y1 // TILE)) for j in range(x0 // TILE, -(-x1 // TILE))]
        missing = np.array([t for t in tiles if (lines, level, *t) not in self._tiles])
        fresh = self._draw_tiles(level, missing, lines) if len(missing) else {}
        shape = (y1 - y0, x1 - x0)
        out: Tile = (np.full(shape, -1, np.int32), np.zeros(shape, np.uint8))[: 1 + lines]
        for i, j in tiles:
            a0, a1 = max(i * TILE, y0), min((i + 1) * TILE, y1)
            b0, b1 = max(j * TILE, x0), min((j + 1) * TILE, x1)
            tile = fresh[i, j] if (i, j) in fresh else self._tiles[lines, level, i, j]
            for whole, part in zip(out, tile, strict=True):
                piece = part[a0 - i * TILE : a1 - i * TILE, b0 - j * TILE : b1 - j * TILE]
                whole[a0 - y0 : a1 - y0, b0 - x0 : b1 - x0] = piece
        for t in fresh:
            self._keep((lines, level, *t), fresh[t])
        return out

    def _draw_tiles(self, level: int, missing: npt.NDArray[np.int64], lines: bool) -> dict[tuple[int, int], Tile]:
        """Draw what is missing in one go, and cut it into tiles."""
        (i0, j0), (i1, j1) = missing.min(0), missing.max(0) + 1
        owner = np.full(((i1 - i0) * TILE, (j1 - j0) * TILE), -1, np.int32)
        top, left = self.first * 2 ** (self.n_levels - 1 - level) + (i0 * TILE, j0 * TILE)
        edge = self.edge_um * 2**level
        drawn: Tile = (owner,)
        if lines:
            drawn = (owner, np.zeros(owner.shape, np.uint8))
            self.draw_lines(int(top), int(left), edge, *drawn)
        else:
            self.fill(int(top), int(left), edge, owner)
        found = {}
        for i, j in missing:
            y, x = (i - i0) * TILE, (j - j0) * TILE
            found[int(i), int(j)] = tuple(d[y : y + TILE, x : x + TILE].copy() for d in drawn)
        return found

    def _keep(self, key: tuple[Any, ...], tile: Tile) -> None:
        self._tiles[key] = tile
        self._bytes += sum(t.nbytes for t in tile)
        while self._bytes > _CACHE and len(self._tiles) > 1:
            _, gone = self._tiles.popitem(last=False)
            self._bytes -= sum(t.nbytes for t in gone)

    @abstractmethod
    def fill(self, top: int, left: int, edge: float, owner: Ints) -> None:
        """Write the shape that holds each pixel's centre; see `core.shape_kernels`."""

    @abstractmethod
    def draw_lines(self, top: int, left: int, edge: float, owner: Ints, cover: npt.NDArray[np.uint8]) -> None:
        """Write the shape whose outline covers each pixel, and how much of it."""


class Outlined(ShapeTiles):
    """Polygons.

    Parameters
    ----------
    polygons
        In their own coordinates, as they are stored.
    affine, drawn
        See `ShapeTiles`.
    """

    def __init__(self, polygons: Polygons, affine: Affine, drawn: npt.NDArray[np.bool_]) -> None:
        from ..core.shape_kernels import polygon_boxes

        self.polygons = polygons
        boxes = np.empty((len(polygons), 4))
        matrix = np.ascontiguousarray(affine.matrix[:2])
        self._shape = (polygons.corners, polygons.rings, np.ascontiguousarray(polygons.rings_of_rows))
        polygon_boxes(*self._shape, matrix, boxes)
        super().__init__(affine, boxes, drawn)

    def fill(self, top: int, left: int, edge: float, owner: Ints) -> None:
        from ..core.shape_kernels import fill_polygons

        fill_polygons(*self._shape, self._matrix, self.boxes, self.drawn, top, left, edge, owner)

    def draw_lines(self, top: int, left: int, edge: float, owner: Ints, cover: npt.NDArray[np.uint8]) -> None:
        from ..core.shape_kernels import draw_outlines

        draw_outlines(
            *self._shape, self._matrix, self.boxes, self.drawn, top, left, edge, _HALF_WIDTH, owner, cover
        )  # fmt: skip


class Circles(ShapeTiles):
    """Circles, which an uneven transformation makes ellipses.

    Parameters
    ----------
    centres
        (n, 2) as (y, x), in their own coordinates.
    radii
        (n,) in their own coordinates.
    affine, drawn
        See `ShapeTiles`.
    """

    def __init__(
        self,
        centres: npt.NDArray[np.float64],
        radii: npt.NDArray[np.float64],
        affine: Affine,
        drawn: npt.NDArray[np.bool_],
    ) -> None:
        self._centres, self._radii = affine.apply(centres), np.ascontiguousarray(radii, dtype=float)
        # the half sides of an ellipse's box are the lengths of the rows of the matrix that makes it
        reach = self._radii[:, None] * np.linalg.norm(affine.matrix[:2, :2], axis=1)
        boxes = np.column_stack([self._centres - reach, self._centres + reach])
        boxes[~np.isfinite(boxes).all(axis=1)] = (np.inf, np.inf, -np.inf, -np.inf)
        super().__init__(affine, boxes, drawn)

    def fill(self, top: int, left: int, edge: float, owner: Ints) -> None:
        from ..core.shape_kernels import fill_ellipses

        fill_ellipses(
            self._centres, self._radii, self._matrix, self.boxes, self.drawn, top, left, edge, owner
        )  # fmt: skip

    def draw_lines(self, top: int, left: int, edge: float, owner: Ints, cover: npt.NDArray[np.uint8]) -> None:
        raise NotImplementedError("Spots have no outlines.")


class Level:
    """One level in the shapes' colours, for napari: (y, x, 4) red, green, blue, alpha.

    Parameters
    ----------
    tiles
        The shapes.
    level
        0 is the finest.
    colours
        (n, 4) of 0 to 255.
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
        nothing = np.zeros((1, 4), np.uint8)  # of shape -1, the last row
        self._colours = np.ascontiguousarray(np.concatenate([colours, nothing])).view(np.uint32).ravel()

    def __getitem__(self, key: Any) -> npt.NDArray[np.uint8]:
        parts = key if isinstance(key, tuple) else (key,)
        parts = (*parts, *([slice(None)] * (3 - len(parts))))
        spans = [_span(part, n) for part, n in zip(parts[:2], self.shape, strict=False)]
        made = self._drawn((*spans[0], *spans[1]))
        cut: npt.NDArray[np.uint8] = made[
            tuple(_within(part, span) for part, span in zip(parts[:2], spans, strict=True)) + parts[2:]
        ]
        return cut

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return np.asarray(self[:, :], dtype=dtype)

    def _drawn(self, window: Window) -> npt.NDArray[np.uint8]:
        lines = self._lines and self.tiles.outlined(self._level)
        if self._lines and not lines and not self._solid:
            return np.zeros((window[1] - window[0], window[3] - window[2], 4), np.uint8)
        owner, *cover = self.tiles.read(self._level, window, lines)
        made: npt.NDArray[np.uint8] = np.take(self._colours, owner, mode="wrap").view(np.uint8)
        made = made.reshape(*owner.shape, 4)
        if cover:
            made[..., 3] = made[..., 3].astype(np.uint16) * cover[0] // 255
        return made


def levels_of(
    tiles: ShapeTiles, colours: npt.NDArray[np.uint8], *, lines: bool = False, solid: bool = True
) -> list[Level]:
    """Return all levels, the finest first; see `Level`."""
    return [Level(tiles, k, colours, lines=lines, solid=solid) for k in range(tiles.n_levels)]


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
