"""Labels to specs: cells that can be painted, and what colours cells and pixels, through a look-up table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.colours import LookupTable, lookup_table
from ..core.patch import Window
from ..core.transform import Affine
from ..errors import BadInput
from ..session import Document
from ..session.grid import LabelGrid
from ..session.row_words import is_pixel_grid
from .memory import Memory
from .places import as_matrix, pixel_affine
from .specs import ImageSpec, Key, LabelsSpec, LayerSpec, RasterSpec
from .values import Categories, Values

__all__ = ["CORRECTING", "EDITABLE", "Pixels", "is_pixel_grid", "is_small", "labels_specs", "spread_over"]

EDITABLE = 4096 * 4096
"""Up to so many pixels the labels are one array in memory, which can be painted."""
CORRECTING = "correcting"
"""The part of an element's key that is the window of large labels that can be painted."""
_TABLES = 4
"""So many look-up tables are kept: each of half a million cells takes 10 MB."""


def is_small(grid: LabelGrid) -> bool:
    """Whether labels are one array in memory, which can be painted."""
    return grid.shape[0] * grid.shape[1] <= EDITABLE


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
    window: Window | None = None,
) -> list[LayerSpec]:
    """Return the layers of labels: the raster of their values, and above it, for cells, the cells themselves."""
    grid, affine = document.grid(labels), pixel_affine(document, labels, system, offset)
    pixels = is_pixel_grid(document, labels)
    opacity = 0.75 if any(system in document.placed(n) for n in document.names("images")) else 1.0
    specs: list[LayerSpec] = []
    if values is not None:
        key = Key(labels, "" if pixels else "colour", beside)
        name = labels if pixels else f"{labels}: colour"
        small = is_small(grid)
        data = ("raster", grid, document.revision(("labels", labels)) if small else -1, token, hidden)
        tables = memory.get("look-up tables", partial(Memory, _TABLES))
        lut = tables.get((token, hidden), partial(_table, values, hidden))
        pixels_now = Pixels.of(memory, labels, grid, data[2]) if small else None
        specs.append(_raster(grid, key, name, data, affine, values, spread_over(grid, pixels_now, lut), opacity))
    if values is None or not pixels:
        small = is_small(grid)
        window = None if small or pixels or beside else window
        cells = LabelsSpec(
            Key(labels, "", beside),
            labels,
            ("cells", grid, small, window),
            partial(_cells, grid, small, window),
            affine,
            order=50,
            opacity=0.55 if values is not None else 0.6,
            contour=1 if values is not None else 0,
            colour="#ffffff" if values is not None else "",
            multiscale=not small and len(grid.levels) > 1,
            editable=small and not pixels,
            live=not small,
        )
        specs.append(cells)
        if window is not None:
            specs.append(_window(cells, grid, window))
    return specs


def _window(cells: LabelsSpec, grid: LabelGrid, window: Window) -> LabelsSpec:
    """Return the part of large labels that can be painted: an array in memory, drawn as the rest is."""
    y0, _, x0, _ = window
    affine = as_matrix(Affine(np.array(cells.affine)) @ Affine.translation(y0, x0))
    return replace(
        cells,
        key=Key(cells.key.element, CORRECTING, False),
        name=f"{cells.name} (correcting)",
        token=("window", grid, window),
        make=partial(grid.read, window),
        affine=affine,
        order=51,
        multiscale=False,
        editable=True,
        live=False,
        offset=(y0, x0),
    )


def _raster(
    grid: Any,
    key: Key,
    name: str,
    token: Any,
    affine: Any,
    values: Values,
    make: Callable[[], Any],
    opacity: float,
) -> LayerSpec:
    order = 40 if key.part else 30
    small = is_small(grid)
    many = not small and len(grid.levels) > 1
    if isinstance(values, Categories):
        return RasterSpec(
            key,
            name,
            token,
            make,
            affine,
            order,
            opacity=opacity,
            multiscale=many,
            colours=values.colours,
            live=not small,
        )
    return ImageSpec(
        key, name, token, make, affine, order, opacity=opacity, multiscale=many, colormap=values.colormap,
        limits=values.limits, live=not small,
    )  # fmt: skip


def _cells(grid: Any, small: bool, window: Window | None) -> Any:
    if small:
        return grid.read()
    live = [_Live(level, hole=_coarser(window, f)) for level, f in zip(grid.levels, grid.factors, strict=True)]
    return live if len(live) > 1 else live[0]


def _coarser(window: Window | None, factor: tuple[int, int]) -> Window | None:
    """Return the pixels of a coarser level that show a window of the full resolution."""
    if window is None:
        return None
    (y0, y1, x0, x1), (fy, fx) = window, factor
    return y0 // fy, -(-y1 // fy), x0 // fx, -(-x1 // fx)


class _Live:
    """A level that napari reads anew whenever it draws.

    Not a dask array: napari keeps the chunks of those, and would show cells as they were.

    Parameters
    ----------
    level
        The level.
    lut
        What is shown of each label, where it is not the label itself.
    hole
        A window that another layer shows: background here.
    """

    def __init__(self, level: Any, lut: LookupTable | None = None, hole: Window | None = None) -> None:
        self._level, self._lut, self._hole = level, lut, hole
        self.shape: tuple[int, int] = level.shape
        self.dtype, self.ndim = level.dtype if lut is None else lut.values.dtype, 2
        self.size = self.shape[0] * self.shape[1]

    def __getitem__(self, key: Any) -> npt.NDArray[Any]:
        found: npt.NDArray[Any] = self._level[key]
        if self._hole is not None:
            found = _without(found, key, self._hole, self.shape)
        return found if self._lut is None else self._lut[found]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return np.asarray(self[:, :], dtype=dtype)


def _without(found: npt.NDArray[Any], key: Any, hole: Window, shape: tuple[int, int]) -> npt.NDArray[Any]:
    """Return what was read of a level, with background where the hole is."""
    parts = key if isinstance(key, tuple) else (key,)
    if not all(isinstance(part, slice) and part.step in (None, 1) for part in parts):
        return found  # single rows and pixels: nobody draws these
    (top, _, _), (left, _, _) = ((*parts, slice(None))[k].indices(shape[k]) for k in (0, 1))
    y0, y1, x0, x1 = (max(v, 0) for v in (hole[0] - top, hole[1] - top, hole[2] - left, hole[3] - left))
    found[y0:y1, x0:x1] = 0
    return found


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


class Pixels:
    """The pixels of small labels, read once for all the colours that they take."""

    def __init__(self) -> None:
        self._token: Any = None
        self._held: npt.NDArray[Any] | None = None

    @classmethod
    def of(cls, memory: Memory, labels: str, grid: LabelGrid, revision: int) -> Callable[[], npt.NDArray[Any]]:
        """Return what gives the pixels as they are at a revision."""
        held = memory.get(("pixels", labels), cls)
        return partial(held._read, grid, (grid, revision))

    def _read(self, grid: LabelGrid, token: Any) -> npt.NDArray[Any]:
        if self._held is None or self._token != token:
            self._held, self._token = grid.read(), token
        return self._held


def spread_over(grid: LabelGrid, pixels: Callable[[], Any] | None, lut: LookupTable) -> Callable[[], Any]:
    """Return what makes the raster: at once of labels that are small, else block by block."""

    def make() -> Any:
        if pixels is not None:
            return lut[pixels()]
        made = [_Live(level, lut) for level in grid.levels]
        return made if len(made) > 1 else made[0]

    return make
