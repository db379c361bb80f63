"""Labels to specs: cells that can be painted, and what colours cells and pixels, through a look-up table."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.colours import LookupTable, lookup_table
from ..errors import BadInput
from ..session import Document
from .memory import Memory
from .places import pixel_affine
from .specs import ImageSpec, Key, LabelsSpec, LayerSpec, RasterSpec
from .values import Categories, Values

__all__ = ["EDITABLE", "is_pixel_grid", "labels_specs"]

EDITABLE = 4096 * 4096
"""Up to so many pixels the labels are one array in memory, which can be painted."""
_PIXELS_A_CELL = 20


def is_pixel_grid(document: Document, labels: str) -> bool:
    """Whether every label is about one pixel, as in mass spectrometry imaging, rather than a cell."""
    if labels in document.attribute("segmentations", {}):
        return False
    rows = max((document.table(t).n_obs for t in document.tables_of(labels)), default=0)
    h, w = document.grid(labels).shape
    return rows * _PIXELS_A_CELL >= h * w


def labels_specs(
    document: Document,
    labels: str,
    system: str,
    values: Values | None,
    token: Any,
    hidden: frozenset[str],
    memory: Memory,
    *,
    beside: bool,
    offset: tuple[float, float],
) -> list[LayerSpec]:
    """Return the layers of labels: the raster of their values, and above it, for cells, the cells themselves."""
    grid, affine = document.grid(labels), pixel_affine(document, labels, system, offset)
    pixels = is_pixel_grid(document, labels)
    opacity = 0.75 if any(system in document.placed(n) for n in document.names("images")) else 1.0
    specs: list[LayerSpec] = []
    if values is not None:
        key = Key(labels, "" if pixels else "colour", beside)
        name = labels if pixels else f"{labels}: colour"
        data = ("raster", grid, document.revision(("labels", labels)), token, hidden)
        lut = memory.get(("look-up", token, hidden), partial(_table, values, hidden))
        specs.append(_raster(grid, key, name, data, affine, values, lut, opacity))
    if values is None or not pixels:
        small = grid.shape[0] * grid.shape[1] <= EDITABLE
        specs.append(
            LabelsSpec(
                Key(labels, "", beside),
                labels,
                ("cells", grid, small),
                partial(_cells, grid, small),
                affine,
                order=50,
                opacity=0.55 if values is not None else 0.6,
                contour=1 if values is not None else 0,
                colour="#ffffff" if values is not None else "",
                multiscale=not small and len(grid.levels) > 1,
                editable=small and not pixels,
            )
        )
    return specs


def _raster(
    grid: Any,
    key: Key,
    name: str,
    token: Any,
    affine: Any,
    values: Values,
    lut: LookupTable,
    opacity: float,
) -> LayerSpec:
    order = 40 if key.part else 30
    small = grid.shape[0] * grid.shape[1] <= EDITABLE
    many = not small and len(grid.levels) > 1
    make = _spread(grid, small, lut)
    if isinstance(values, Categories):
        return RasterSpec(
            key, name, token, make, affine, order, opacity=opacity, multiscale=many, colours=values.colours
        )
    return ImageSpec(
        key, name, token, make, affine, order, opacity=opacity, multiscale=many, colormap=values.colormap,
        limits=values.limits,
    )  # fmt: skip


def _cells(grid: Any, small: bool) -> Any:
    if small:
        return grid.read()
    live = [_Live(level) for level in grid.levels]
    return live if len(live) > 1 else live[0]


class _Live:
    """A level that napari reads anew whenever it draws.

    Not a dask array: napari keeps the chunks of those, and would show cells as they were.
    """

    def __init__(self, level: Any) -> None:
        self._level = level
        self.shape: tuple[int, int] = level.shape
        self.dtype, self.ndim = level.dtype, 2
        self.size = self.shape[0] * self.shape[1]

    def __getitem__(self, key: Any) -> npt.NDArray[Any]:
        found: npt.NDArray[Any] = self._level[key]
        return found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return np.asarray(self._level, dtype=dtype)


def _table(values: Values, hidden: frozenset[str]) -> LookupTable:
    """Return label → number of the category, or label → measurement."""
    if np.asarray(values.ids).dtype.kind not in "iuf":
        raise BadInput("The table names its cells by words, but the labels are numbers.", "Give the numbers instead.")
    ids = np.asarray(values.ids).astype(np.int64)
    top = int(ids.max(initial=0))
    if not isinstance(values, Categories):
        return lookup_table(top, ids, values.numbers, np.float32(np.nan))
    dtype = np.uint8 if len(values.names) < 255 else np.uint16
    drawn = np.append([name not in hidden for name in values.names], False)
    codes = np.where(drawn[values.codes], values.codes + 1, 0)
    return lookup_table(top, ids, codes.astype(dtype), 0)


def _spread(grid: Any, small: bool, lut: LookupTable) -> Callable[[], Any]:
    """Return what makes the raster: at once where it is small, block by block where it is not."""

    def make() -> Any:
        if small:
            return lut[grid.read()]
        made = [_lazy(level, lut) for level in grid.levels]
        return made if len(made) > 1 else made[0]

    return make


def _lazy(level: Any, lut: LookupTable) -> Any:
    import dask.array as da

    from_array: Any = da.from_array  # untyped
    blocks = from_array(level, chunks=1024, name=False, meta=np.empty((0, 0), level.dtype))
    return blocks.map_blocks(_looked_up, lut=lut, dtype=lut.values.dtype, meta=np.empty((0, 0), lut.values.dtype))


def _looked_up(block: npt.NDArray[Any], lut: LookupTable) -> npt.NDArray[Any]:
    return lut[block]
