"""Label pyramids that begin empty: what is written is kept as compressed tiles, so that a slide takes no memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .grid import TILE, LabelGrid

if TYPE_CHECKING:
    from .values import Encoder

__all__ = ["blank_grid", "decode_tiles", "encode_tiles", "is_tiled"]


class Blank:
    """An array (y, x) of background."""

    ndim = 2

    def __init__(self, shape: tuple[int, int], dtype: np.dtype[Any]) -> None:
        self.shape, self.dtype = (int(shape[0]), int(shape[1])), np.dtype(dtype)

    def __getitem__(self, key: tuple[slice, slice]) -> npt.NDArray[Any]:
        rows, columns = (len(range(*part.indices(n))) for part, n in zip(key, self.shape, strict=True))
        return np.zeros((rows, columns), self.dtype)


def blank_grid(shapes: Sequence[tuple[int, int]], dtype: np.dtype[Any]) -> LabelGrid:
    """Return an empty pyramid with levels of these sizes."""
    return LabelGrid([Blank(shape, dtype) for shape in shapes], largest=0)


def is_tiled(grid: LabelGrid) -> bool:
    """Whether a pyramid began empty, so that its tiles are all that it holds."""
    return all(isinstance(level, Blank) for level in grid.below)


def encode_tiles(encoder: Encoder, grid: LabelGrid) -> dict[str, Any]:
    """Pack a pyramid tile by tile, so that no level is in memory as a whole; empty tiles take nothing."""
    tiles = [[level, list(offset), encoder.array(values)] for level, offset, values in _held(grid)]
    return {"dtype": grid.dtype.str, "shapes": [list(level.shape) for level in grid.levels], "tiles": tiles}


def _held(grid: LabelGrid) -> Iterator[tuple[int, tuple[int, int], npt.NDArray[Any]]]:
    """Yield (level, offset, values) of the tiles that hold something."""
    if is_tiled(grid):
        yield from grid.changed()
        return
    for level, view in enumerate(grid.levels):
        for y in range(0, view.shape[0], TILE):
            band = grid.read((y, y + TILE, 0, view.shape[1]), level)
            tiles = ((x, band[:, x : x + TILE]) for x in range(0, view.shape[1], TILE))
            yield from ((level, (y, x), values) for x, values in tiles if values.any())


def decode_tiles(meta: dict[str, Any], buffers: list[bytes]) -> LabelGrid:
    """Unpack what `encode_tiles` packed."""
    from .values import decode

    grid = blank_grid([(h, w) for h, w in meta["shapes"]], np.dtype(meta["dtype"]))
    for level, (y, x), values in meta["tiles"]:
        grid.put(level, (y, x), decode(values, buffers))
    grid.mark_saved()  # it is new as a whole: saving writes all of it
    return grid
