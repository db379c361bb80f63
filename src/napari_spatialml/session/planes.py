"""Stacks of planes (z, y, x): every plane is an element of its own, by the address ``"nuclei[3]"``.

So whatever works on labels or an image works on a plane; nothing else knows of stacks. SpatialData and
the store keep the whole stack under its own name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import DocumentError
from .grid import LabelGrid

__all__ = [
    "PlaneGrid",
    "Stack",
    "n_planes",
    "plane_name",
    "plane_of_image",
    "said_plane",
    "split_plane",
    "stack_name",
    "z_step",
]

_ADDRESS = re.compile(r"(.+)\[(\d+)\]")


def plane_name(stack: str, plane: int) -> str:
    """Return the address of a plane; brackets are in no element's name."""
    return f"{stack}[{plane}]"


def split_plane(name: str) -> tuple[str, int | None]:
    """Return the stack and the plane of an address, or the name and None."""
    found = _ADDRESS.fullmatch(name)
    return (found[1], int(found[2])) if found else (name, None)


def said_plane(name: str) -> str:
    """Return an address as a person says it, "nuclei, plane 4" for ``"nuclei[3]"``: the window counts from 1."""
    stack, plane = split_plane(name)
    return stack if plane is None else f"{stack}, plane {plane + 1}"


def stack_name(name: str) -> str:
    """Return the name under which SpatialData keeps an element: that of the stack, for a plane."""
    return split_plane(name)[0]


def n_planes(element: Any) -> int:
    """Return the number of planes of an image or labels element; 0 where it is no stack."""
    first = _finest(element)
    return int(first.sizes["z"]) if "z" in getattr(first, "dims", ()) else 0


def z_step(element: Any) -> float:
    """Return the distance of two planes as the element's transformation to its first coordinate system says it."""
    from spatialdata.transformations import get_transformation

    found = get_transformation(element, get_all=True)
    matrix = next(iter(found.values())).to_affine_matrix(input_axes=("x", "y", "z"), output_axes=("x", "y", "z"))
    return float(abs(matrix[2, 2]))


def plane_of_image(element: Any, plane: int) -> Any:
    """Return one plane of an image (c, z, y, x), lazily, with its levels."""
    from xarray import DataTree

    if not isinstance(element, DataTree):
        return element.isel(z=plane, drop=True)
    full = n_planes(element)
    cut = {}
    for name in element.children:
        level = next(iter(element[name].data_vars.values()))
        at = min(plane * level.sizes["z"] // full, level.sizes["z"] - 1)
        cut[name] = level.isel(z=at, drop=True).to_dataset(name="image")
    return DataTree.from_dict(cut)


def _finest(element: Any) -> Any:
    from xarray import DataTree

    return next(iter(element["scale0"].data_vars.values())) if isinstance(element, DataTree) else element


class PlaneGrid(LabelGrid):
    """The labels of one plane. A new cell gets an id that is free in the whole stack."""

    def __init__(self, stack: Stack, levels: Sequence[Any]) -> None:
        super().__init__(levels, None)
        self._stack = stack

    @classmethod
    def of(cls, stack: Stack, grid: LabelGrid) -> PlaneGrid:
        """Return a plane of a stack with what a grid holds."""
        made = cls(stack, grid.below)
        made._tiles, made._unsaved, made._top = grid._tiles, grid._unsaved, grid._top
        return made

    def maximum(self) -> int:
        """Return the largest label that was ever in the stack."""
        return self._stack.maximum()

    def own_maximum(self) -> int:
        """Return the largest label that was ever in this plane."""
        return super().maximum()


class Stack:
    """Labels (z, y, x) as planes that can be edited.

    Parameters
    ----------
    levels
        Array-likes of shape (z, y, x), full resolution first; all of them hold every plane.

    Raises
    ------
    DocumentError
        When a coarser level leaves out planes: what it shows of a corrected plane is not known then.
    """

    def __init__(self, levels: Sequence[Any]) -> None:
        self._levels = tuple(levels)
        self.n = int(levels[0].shape[0])
        if any(level.shape[0] != self.n for level in levels):
            shapes = ", ".join(" × ".join(map(str, level.shape)) for level in levels)
            raise DocumentError(
                f"The levels of these labels hold different planes ({shapes}).",
                "Write them with a pyramid that keeps every plane, or with one level.",
            )
        self._grids: dict[int, PlaneGrid] = {}

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the labels."""
        return np.dtype(self._levels[0].dtype)

    @property
    def shapes(self) -> tuple[tuple[int, int, int], ...]:
        """The (z, y, x) size of every level."""
        return tuple((self.n, int(a.shape[1]), int(a.shape[2])) for a in self._levels)

    def plane(self, k: int) -> PlaneGrid:
        """Return the labels of a plane.

        Raises
        ------
        DocumentError
            When there is no such plane.
        """
        if not 0 <= k < self.n:
            raise DocumentError(f"There is no plane {k}.", f"Choose one from 0 to {self.n - 1}.")
        if k not in self._grids:
            self._grids[k] = PlaneGrid(self, [_Plane(level, k) for level in self._levels])
        return self._grids[k]

    def snapshot(self) -> Stack:
        """Return the planes as they are now, for another thread."""
        made = Stack(self._levels)
        for k, grid in self._grids.items():
            made._grids[k] = PlaneGrid.of(made, grid.snapshot())
        return made

    def opened(self) -> dict[int, PlaneGrid]:
        """Return the planes that were looked at, and so may have changed."""
        return dict(self._grids)

    def maximum(self) -> int:
        """Return the largest label that was ever in the stack."""
        return max(self.plane(k).own_maximum() for k in range(self.n))

    def holds(self, cells: Sequence[int], *, beside: int) -> set[int]:
        """Return which cells lie in another plane than one."""
        wanted, found = np.array(sorted(cells)), set[int]()
        for k in range(self.n):
            if k != beside and len(found) < len(wanted):
                grid = self.plane(k)
                step = max(1, 16_000_000 // max(grid.shape[1], 1))
                for top in range(0, grid.shape[0], step):
                    band = grid.read((top, top + step, 0, grid.shape[1]))
                    found |= {int(v) for v in wanted[np.isin(wanted, band)]}
        return found

    def level(self, number: int) -> StackView:
        """Return a level as a read-only array-like (z, y, x) that shows every change."""
        return StackView(self, number)


class StackView:
    """One level of a stack, for dask."""

    ndim = 3

    def __init__(self, stack: Stack, level: int) -> None:
        self._stack, self._level = stack, level
        self.shape, self.dtype = stack.shapes[level], stack.dtype

    def __getitem__(self, key: Any) -> npt.NDArray[Any]:
        planes, rows, columns = key
        (y0, y1, _), (x0, x1, _) = rows.indices(self.shape[1]), columns.indices(self.shape[2])
        chosen = range(*planes.indices(self.shape[0]))
        return np.stack([self._stack.plane(k).read((y0, y1, x0, x1), self._level) for k in chosen])


class _Plane:
    """One plane of an array (z, y, x), read window by window."""

    ndim = 2

    def __init__(self, array: Any, k: int) -> None:
        self._array, self._k = array, k
        self.shape, self.dtype = (int(array.shape[1]), int(array.shape[2])), np.dtype(array.dtype)

    def __getitem__(self, key: tuple[slice, slice]) -> npt.NDArray[Any]:
        return np.asarray(self._array[(self._k, *key)])
