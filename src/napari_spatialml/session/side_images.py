"""An image as a registration sees it: on square pixels that lie along the axes of a coordinate system, in µm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.chaining import chained
from ..core.landmarks import fit_affine
from ..core.pyramid import factor_between
from ..core.report import Report, part, silent
from ..core.transform import Affine, Transform, warp_image
from ..errors import BadInput
from .document import Document

__all__ = ["EDGE", "SideImage", "side_image"]

EDGE = 4096
"""A registration is given at most so many pixels along each edge of an image."""
_STRAIGHT = 1e-6
"""Pixels whose edges differ by less than this share count as square, and as parallel to the axes."""
_BORDER = 33
"""Places along each edge of an image by which its extent is found where a transform bends it."""
_BAND = 64
"""Rows that are averaged at once where an image has no coarser level."""


@dataclass(frozen=True, eq=False)
class SideImage:
    """An image that is not read yet.

    Parameters
    ----------
    level
        The lazy (c, y, x) pixels of the level that fits.
    shrink
        How many of them, along each edge, make one.
    place
        From the corner coordinates of the shrunken pixels to the frame, in µm.
    shape, pixel_size_um, origin
        Of the square grid: (y, x) pixels, µm, and the (y, x) centre of its first pixel in the frame.
    as_it_is
        Whether the pixels lie on that grid already.
    """

    level: Any
    shrink: int
    place: Transform
    shape: tuple[int, int]
    pixel_size_um: float
    origin: tuple[float, float]
    as_it_is: bool

    def read(self, report: Report = silent) -> npt.NDArray[Any]:
        """Return the (c, y, x) pixels on the grid, of the image's own type.

        What lies outside the image, where it is turned, gets the median of its border: glass stays glass.
        """
        pixels = _shrunk(self.level, self.shrink, part(report, 0.0, 0.5))
        if self.as_it_is:
            return pixels
        centre, to_grid = Affine.translation(0.5, 0.5), Affine.translation(-self.origin[0], -self.origin[1])
        way = chained(centre, self.place, to_grid)
        planes = []
        for c, plane in enumerate(pixels):
            told = part(report, 0.5 + 0.5 * c / len(pixels), 0.5 + 0.5 * (c + 1) / len(pixels))
            edge = np.concatenate([plane[0], plane[-1], plane[:, 0], plane[:, -1]])
            fill = float(np.median(edge))
            planes.append(warp_image(plane[None], way, self.shape, self.pixel_size_um, 1.0, fill=fill, report=told)[0])
        return np.stack(planes)


def side_image(document: Document, image: str, system: str, present: Transform | None = None) -> SideImage:
    """Say how an image is read for a registration; nothing of it is read yet.

    Parameters
    ----------
    document
        The document.
    image
        The name of an image.
    system
        A coordinate system in which it lies.
    present
        Moves what lies in ``system`` first, or None.

    Raises
    ------
    BadInput, DocumentError
        When there is no such image, or it lies elsewhere.
    """
    if document.type_of(image) != "images":
        raise BadInput(f"'{image}' is not an image.", "Choose an image.")
    if system not in document.placed(image):
        where = ", ".join(f"'{s}'" for s in document.placed(image)) or "no coordinate system"
        raise BadInput(
            f"The image '{image}' does not lie in the coordinate system '{system}'.",
            f"It lies in {where}: choose an image of '{system}'.",
        )
    level, factors = _level(document.element(image))
    shrink = -(-max(level.shape[-2:]) // EDGE)
    height, width = (max(n // shrink, 1) for n in level.shape[-2:])
    own = document.affine(image, system) @ Affine.scale(factors[0] * shrink, factors[1] * shrink)
    if present is None and _is_straight(own):
        size = float(np.sqrt(np.prod(own.scale_factors)))
        y, x = own.apply([[0.5, 0.5]])[0]
        return SideImage(level, shrink, own, (height, width), size, (float(y), float(x)), True)
    place = own if present is None else chained(own, present)
    return _on_a_grid(level, shrink, place, (height, width))


def _on_a_grid(level: Any, shrink: int, place: Transform, size: tuple[int, int]) -> SideImage:
    """Choose the square grid that holds an image wherever it lies."""
    border = place.apply(_border(size))
    low, high = border.min(0), border.max(0)
    affine = place if isinstance(place, Affine) else fit_affine(_border(size), border)
    edges = np.linalg.norm(affine.matrix[:2, :2], axis=0)
    pixel = float(max(edges.min(), (high - low).max() / EDGE))
    shape = tuple(max(int(np.ceil(n / pixel - _STRAIGHT)), 1) for n in high - low)
    origin = low + pixel / 2
    return SideImage(level, shrink, place, (shape[0], shape[1]), pixel, (float(origin[0]), float(origin[1])), False)


def _border(size: tuple[int, int]) -> npt.NDArray[np.float64]:
    h, w = (float(n) for n in size)
    y, x = np.linspace(0, h, _BORDER), np.linspace(0, w, _BORDER)
    sides = ((y, 0.0), (y, w), (0.0, x), (h, x))
    return np.concatenate([np.stack(np.broadcast_arrays(a, b), -1) for a, b in sides])


def _is_straight(own: Affine) -> bool:
    """Return whether pixels are square, lie along the axes and are not mirrored."""
    linear = own.matrix[:2, :2]
    return bool(np.abs(linear - linear[0, 0] * np.eye(2)).max() <= _STRAIGHT * abs(linear[0, 0])) and linear[0, 0] > 0


def _level(element: Any) -> tuple[Any, tuple[float, float]]:
    """Return the finest level that fits, and how many pixels of the full resolution make one of it, (y, x).

    Where none fits, it is the coarsest one.
    """
    from xarray import DataTree

    if not isinstance(element, DataTree):
        return element.data, (1.0, 1.0)
    scales: list[Any] = [element[name] for name in element.children]
    levels = [next(iter(scale.values())).data for scale in scales]
    level = next((one for one in levels if max(one.shape[-2:]) <= EDGE), levels[-1])
    return level, _factors(levels[0].shape[-2:], level.shape[-2:])


def _factors(full: tuple[int, int], shape: tuple[int, int]) -> tuple[float, float]:
    try:
        y, x = factor_between(full, shape)
    except BadInput:  # made by another program, with no whole factor: the levels span the same place
        return full[0] / shape[0], full[1] / shape[1]
    return float(y), float(x)


def _shrunk(level: Any, factor: int, report: Report) -> npt.NDArray[Any]:
    """Read a level, the mean of ``factor`` × ``factor`` pixels for each, a band of rows at a time."""
    if factor == 1:
        report(0.0, "Reading the image")
        return np.asarray(level)
    channels, height, width = level.shape[0], level.shape[1] // factor, level.shape[2] // factor
    out = np.empty((channels, height, width), level.dtype)
    whole = np.issubdtype(level.dtype, np.integer)
    for y in range(0, height, _BAND):
        report(y / height, "Reading the image")
        rows = min(_BAND, height - y)
        band = np.asarray(level[:, y * factor : (y + rows) * factor, : width * factor])
        mean = band.reshape(channels, rows, factor, width, factor).mean((2, 4))
        out[:, y : y + rows] = np.rint(mean) if whole else mean
    return out
