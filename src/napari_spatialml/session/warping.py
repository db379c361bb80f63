"""Elements moved by a transform that SpatialData cannot store: resampled copies beside the originals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import numpy as np
import numpy.typing as npt

from ..core.transform import Affine, Chain, Transform
from ..core.warp import Resampler
from ..errors import BadInput
from .changes import Change, Put
from .document import Document
from .elements import CHUNK, LabelsElement, image_of, with_matrices
from .fields import restored, stored
from .grid import LabelGrid
from .warped import RECIPES, WARPED_FROM, Warped
from .warped_vectors import moved_points, moved_shapes

__all__ = ["made", "warped_elements"]

_EDGE = 64
"""Points along each edge of an element, and in a grid over it, by which its warped extent is found."""
_LARGEST = 64.0
"""A resampled element has at most so many times the pixels of its original."""


def warped_elements(
    document: Document,
    names: list[str],
    moving: str,
    fixed: str,
    transform: Transform,
    values: Mapping[str, Any] | None = None,
) -> list[Change]:
    """Return the changes that add ``<name>_warped`` for images, labels, outlines and points.

    Nothing is resampled yet: images, labels and points are when they are looked at or saved.

    Parameters
    ----------
    document
        The document.
    names
        Elements that lie in ``moving``. Stacks of planes, and elements that hold nothing, have no copy.
    moving, fixed
        Coordinate systems.
    transform
        Maps moving coordinates to fixed ones, in µm. An affine transform needs no copies: those of an
        earlier one are taken away.
    values
        What `fields.stored` returned for the transform, where that was asked for already.
    """
    origins, recipes = (dict(document.attribute(key) or {}) for key in (WARPED_FROM, RECIPES))
    changes: list[Change] = []
    if values is None and not isinstance(transform, Affine):
        values, changes = stored(document, transform)
    for name in [n for n in names if n not in origins]:
        kind, copy = document.type_of(name), f"{name}_warped"
        own = document.affine(name, moving)
        if isinstance(transform, Affine) or document.planes(name) or _is_empty(document, kind, name):
            if origins.pop(copy, None) is not None and document.get((kind, copy)) is not None:
                changes.append(Put((kind, copy), document.get((kind, copy)), None))
            recipes.pop(copy, None)
            continue
        recipe = Warped(kind, name, fixed, own.to_xy().tolist(), dict(values or {}))
        _check_size(document, recipe, transform)
        changes.append(Put((kind, copy), document.get((kind, copy)), recipe))
        origins[copy], recipes[copy] = name, recipe.plain()
    for key, new in ((WARPED_FROM, origins), (RECIPES, recipes)):
        changes.append(Put(("attrs", key), document.attribute(key), new or None))
    return changes


def made(document: Document, recipe: Warped) -> Any:
    """Return the element that a recipe makes from what the document holds now."""
    transform, own = restored(document, recipe.transform), Affine.from_xy(recipe.own)
    if recipe.kind == "shapes":
        return _placed(moved_shapes(document.element(recipe.source), own, transform), recipe)
    if recipe.kind == "points":
        return _placed(moved_points(document.element(recipe.source), own, transform), recipe)
    frame = _Frame.of(_shapes(document, recipe)[0], own, transform)
    return _image(document, recipe, frame) if recipe.kind == "images" else _labels(document, recipe, frame)


def _placed(element: Any, recipe: Warped) -> Any:
    return with_matrices(element, {recipe.fixed: np.eye(3).tolist()})


class _Frame:
    """Where the pixels of a resampled element lie.

    Parameters
    ----------
    transform
        From pixel corners of the source's full resolution to µm of the fixed side.
    source
        (y, x) pixels of the source's full resolution.
    low, size_um, shape
        The corner of the first pixel of the copy in µm, the edge of its pixels, and how many there are.
    """

    def __init__(self, transform: Chain, source: tuple[int, int], low: Any, size_um: float, shape: Any) -> None:
        self.transform, self.source, self.low, self.size_um = transform, source, low, size_um
        self.shape = int(shape[0]), int(shape[1])

    @classmethod
    def of(cls, source: tuple[int, int], own: Affine, transform: Transform) -> _Frame:
        """Lay a frame around all that an element covers, with pixels about as large as the element's."""
        whole = Chain((own, transform))
        sides = [np.linspace(0, n, _EDGE) for n in source]
        grid = np.stack(np.meshgrid(*sides, indexing="ij"), -1).reshape(-1, 2)
        moved = whole.apply(grid)
        size = float(np.sqrt(np.median(np.abs(np.linalg.det(whole.jacobian(grid))))))
        low, high = moved.min(0), moved.max(0)
        return cls(whole, source, low, size, np.maximum(np.ceil((high - low) / size), 1))

    @property
    def matrix(self) -> list[list[float]]:
        """The copy's transformation on (x, y, 1)."""
        return [[self.size_um, 0.0, float(self.low[1])], [0.0, self.size_um, float(self.low[0])], [0.0, 0.0, 1.0]]

    def level(self, factor: tuple[int, int]) -> tuple[int, int]:
        """Return the (y, x) pixels of a coarser level."""
        return max(self.shape[0] // factor[0], 1), max(self.shape[1] // factor[1], 1)

    def between(self, source: tuple[int, int], shape: tuple[int, int]) -> Chain:
        """Return the way from the pixels of a level of the source to those of a level of the copy, by their centres."""
        centre = Affine.translation(0.5, 0.5)
        into = Affine.scale(self.source[0] / source[0], self.source[1] / source[1]) @ centre
        pixels = Affine.scale(self.shape[0] / shape[0], self.shape[1] / shape[1]) @ centre
        out = Affine.translation(float(self.low[0]), float(self.low[1])) @ Affine.scale(self.size_um) @ pixels
        own, transform = self.transform.transforms
        return Chain((own @ into if isinstance(own, Affine) else into, transform, out.inverse()))


class _Level:
    """One level of a resampled element as a read-only array-like: what is asked for is resampled then."""

    def __init__(self, image: Any, transform: Transform, shape: tuple[int, int], order: int) -> None:
        self._resampler = Resampler(transform, image, order=order)
        self.dtype, self.ndim = np.dtype(image.dtype), 3
        self.shape = (int(image.shape[0]), *shape)

    def __getitem__(self, key: tuple[Any, ...]) -> npt.NDArray[Any]:
        channels, rows, columns = key
        (y0, y1, _), (x0, x1, _) = (k.indices(n) for k, n in zip((rows, columns), self.shape[1:], strict=True))
        made = self._resampler.block((y0, x0), (max(y1 - y0, 0), max(x1 - x0, 0)))
        return np.asarray(made[channels])


class _LabelLevel:
    """The same for labels (y, x)."""

    ndim = 2

    def __init__(self, level: _Level) -> None:
        self._level, self.shape, self.dtype = level, level.shape[1:], level.dtype

    def __getitem__(self, key: tuple[slice, slice]) -> npt.NDArray[Any]:
        return self._level[(0, *key)]


class _Channels:
    """Labels (y, x), or an image of a store behind dask, as something (c, y, x) that is read by window at once."""

    ndim = 3

    def __init__(self, array: Any) -> None:
        from .chunks import zarr_of

        self._array = array if (found := zarr_of(array)) is None else found
        self._flat = len(array.shape) == 2
        self.shape = (1, *array.shape) if self._flat else tuple(array.shape)
        self.dtype = np.dtype(array.dtype)

    def __getitem__(self, key: tuple[slice, slice, slice]) -> npt.NDArray[Any]:
        found = self._array[key[1:]] if self._flat else self._array[key]
        if hasattr(found, "dask"):  # in the thread of who asks: it is one of dask's own already
            found = found.compute(scheduler="synchronous")
        return np.asarray(found)[None] if self._flat else np.asarray(found)


def _levels(document: Document, recipe: Warped) -> list[Any]:
    """Return the arrays of the source, full resolution first: (c, y, x), or (y, x) of labels."""
    from xarray import DataTree

    if recipe.kind == "labels":
        return list(document.grid(recipe.source).levels)
    element = document.element(recipe.source)
    scales: list[Any] = [element[s] for s in element.children] if isinstance(element, DataTree) else []
    return [next(iter(scale.values())).data for scale in scales] or [element.data]


def _shapes(document: Document, recipe: Warped) -> list[tuple[int, int]]:
    return [(int(a.shape[-2]), int(a.shape[-1])) for a in _levels(document, recipe)]


def _resampled(document: Document, recipe: Warped, frame: _Frame, order: int) -> list[_Level]:
    """Return the levels of the copy, each from the level of the source that is as fine."""
    found = []
    for array in _levels(document, recipe):
        source = int(array.shape[-2]), int(array.shape[-1])
        shape = frame.level((max(round(frame.source[0] / source[0]), 1), max(round(frame.source[1] / source[1]), 1)))
        found.append(_Level(_Channels(array), frame.between(source, shape), shape, order))
    return found


def _labels(document: Document, recipe: Warped, frame: _Frame) -> LabelsElement:
    levels = [_LabelLevel(level) for level in _resampled(document, recipe, frame, order=0)]
    grid = LabelGrid(levels, document.grid(recipe.source).largest)
    grid.recipe = recipe
    return LabelsElement(grid, {recipe.fixed: frame.matrix})


def _image(document: Document, recipe: Warped, frame: _Frame) -> Any:
    import dask.array as da
    from spatialdata.models import get_channel_names

    channels = [str(name) for name in get_channel_names(document.element(recipe.source))]
    lazily: Any = da.from_array  # untyped
    arrays = [
        lazily(level, chunks=(-1, CHUNK, CHUNK), name=f"warped-{uuid4().hex}", meta=np.empty((0, 0, 0), level.dtype))
        for level in _resampled(document, recipe, frame, order=1)
    ]
    return image_of(arrays, channels, {recipe.fixed: frame.matrix})


def _is_empty(document: Document, kind: str, name: str) -> bool:
    return kind == "shapes" and len(document.element(name)) == 0


def _check_size(document: Document, recipe: Warped, transform: Transform) -> None:
    """Refuse to spread an element over an area that no section has."""
    if recipe.kind not in ("images", "labels"):
        return
    source = _shapes(document, recipe)[0]
    frame = _Frame.of(source, Affine.from_xy(recipe.own), transform)
    if frame.shape[0] * frame.shape[1] > _LARGEST * max(source[0] * source[1], CHUNK**2):
        raise BadInput(
            f"Moved so, '{recipe.source}' of {source[1]:,} × {source[0]:,} pixels would become "
            f"{frame.shape[1]:,} × {frame.shape[0]:,}: the transform tears it apart.",
            "Look for a landmark or a pin that is far off, or choose a stiffer model.",
        )
