"""Shapes as an image that is drawn when it is looked at: what is in view, at the screen's resolution, from the
shapes' own corners.

Half a million outlines as triangles take gigabytes and seconds; the pixels that a screen has of them take
neither. Nothing is simplified: every level is drawn from all corners, down to a pixel of a thousandth of a
shape, and only tiles that came into view are drawn.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.polygons import Polygons
from ..core.transform import Affine

__all__ = ["TILE", "Circles", "Outlined", "ShapeTiles", "Window"]

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

    def at(self, y: float, x: float) -> int:
        """Return the number of the shape that is seen at a place in µm, -1 for none; a hole is outside."""
        b = self.boxes
        near = np.flatnonzero((b[:, 0] <= y) & (b[:, 2] >= y) & (b[:, 1] <= x) & (b[:, 3] >= x) & self.drawn)
        own = self.affine.inverse().apply(np.array([[y, x]]))[0]
        # the last is drawn on top
        return next((int(k) for k in near[::-1] if self.holds(int(k), float(own[0]), float(own[1]))), -1)

    @abstractmethod
    def holds(self, shape: int, y: float, x: float) -> bool:
        """Whether a shape holds a place in its own coordinates."""

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

    def holds(self, shape: int, y: float, x: float) -> bool:
        from ..core.shape_kernels import holds

        corners, rings, rows = self._shape
        return bool(holds(corners, rings, rows[shape], rows[shape + 1], y, x))

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
        self._own, self._radii = centres, np.ascontiguousarray(radii, dtype=float)
        self._centres = affine.apply(centres)
        # the half sides of an ellipse's box are the lengths of the rows of the matrix that makes it
        reach = self._radii[:, None] * np.linalg.norm(affine.matrix[:2, :2], axis=1)
        boxes = np.column_stack([self._centres - reach, self._centres + reach])
        boxes[~np.isfinite(boxes).all(axis=1)] = (np.inf, np.inf, -np.inf, -np.inf)
        super().__init__(affine, boxes, drawn)

    def holds(self, shape: int, y: float, x: float) -> bool:
        return bool(np.hypot(*(self._own[shape] - (y, x))) <= self._radii[shape])

    def fill(self, top: int, left: int, edge: float, owner: Ints) -> None:
        from ..core.shape_kernels import fill_ellipses

        fill_ellipses(
            self._centres, self._radii, self._matrix, self.boxes, self.drawn, top, left, edge, owner
        )  # fmt: skip

    def draw_lines(self, top: int, left: int, edge: float, owner: Ints, cover: npt.NDArray[np.uint8]) -> None:
        raise NotImplementedError("Spots have no outlines.")
