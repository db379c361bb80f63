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
from .document import ELEMENT_TYPES, Document
from .side_rasters import PixelValues, RowDensity, is_pixels, pixel_values, row_density

__all__ = ["EDGE", "SideImage", "pictures_in", "side_image"]

EDGE = 4096
"""A registration is given at most so many pixels along each edge of an image."""
_BYTES, _FEWEST = 500_000_000, 512
"""Of an image of many channels fewer pixels are given, so that it fits into so many bytes; no fewer than 512."""
_STRAIGHT = 1e-6
"""Pixels whose edges differ by less than this share count as square, and as parallel to the axes."""
_BORDER = 33
"""Places along each edge of an image by which its extent is found where a transform bends it."""
_WINDOW = 48
"""Pixels along the windows by which a level is compared with the full resolution."""
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

        What lies outside the image, where it is turned, gets the median of its border: glass stays glass. Where
        nothing was measured, in what is no image, stands NaN.
        """
        pixels = _shrunk(self.level, self.shrink, part(report, 0.0, 0.5))
        if self.as_it_is:
            return pixels
        holes = isinstance(self.level, PixelValues)
        centre, to_grid = Affine.translation(0.5, 0.5), Affine.translation(-self.origin[0], -self.origin[1])
        way = chained(centre, self.place, to_grid)
        planes = []
        for c, plane in enumerate(pixels):
            told = part(report, 0.5 + 0.5 * c / len(pixels), 0.5 + 0.5 * (c + 1) / len(pixels))
            edge = np.concatenate([plane[0], plane[-1], plane[:, 0], plane[:, -1]])
            fill = float("nan") if holes else float(np.median(edge))
            planes.append(warp_image(plane[None], way, self.shape, self.pixel_size_um, 1.0, fill=fill, report=told)[0])
        return np.stack(planes)


def side_image(document: Document, image: str, system: str, present: Transform | None = None) -> SideImage:
    """Say how an image is read for a registration; nothing of it is read yet.

    Parameters
    ----------
    document
        The document.
    image
        The name of an image; of labels whose pixels are rows of a table, such as those of ion images; or of
        a table: how dense its cells or spots lie, and what they express.
    system
        A coordinate system in which it lies.
    present
        Moves what lies in ``system`` first, or None.

    Raises
    ------
    BadInput, DocumentError
        When there is no such image, or it lies elsewhere.
    """
    kind = document.type_of(image)
    if kind == "tables":
        return _of_rows(row_density(document, image, system, present))
    if kind not in ("images", "labels"):
        raise BadInput(f"'{image}' is not an image.", "Choose an image, labels of pixels, or a table of cells.")
    if system not in document.placed(image):
        where = ", ".join(f"'{s}'" for s in document.placed(image)) or "no coordinate system"
        raise BadInput(
            f"The image '{image}' does not lie in the coordinate system '{system}'.",
            f"It lies in {where}: choose an image of '{system}'.",
        )
    level, to_full = _level(document, image)
    edge = _edge(level)
    shrink = -(-max(level.shape[-2:]) // edge)
    height, width = (max(n // shrink, 1) for n in level.shape[-2:])
    own = document.affine(image, system) @ to_full @ Affine.scale(shrink)
    if present is None and _is_straight(own):
        size = float(np.sqrt(np.prod(own.scale_factors)))
        y, x = own.apply([[0.5, 0.5]])[0]
        return SideImage(level, shrink, own, (height, width), size, (float(y), float(x)), True)
    place = own if present is None else chained(own, present)
    return _on_a_grid(level, shrink, place, (height, width), edge)


def pictures_in(document: Document, system: str) -> tuple[str, ...]:
    """Return what shows the tissue of a coordinate system: images, labels of pixels, and tables of cells or spots."""
    copies = document.attribute("warped_from") or {}
    images = [n for n in document.names("images") if system in document.placed(n) and n not in copies]
    here = {n for kind in ELEMENT_TYPES[:4] for n in document.names(kind) if system in document.placed(n)}
    annotated = {t: [e for e in document.regions(t) if e in here] for t in document.names("tables")}
    pixels = [e for t, held in annotated.items() for e in held if is_pixels(document, t, e)]
    rest = [t for t, held in annotated.items() if held and not set(held) <= set(pixels)]
    return (*images, *dict.fromkeys(pixels), *rest)


def _on_a_grid(level: Any, shrink: int, place: Transform, size: tuple[int, int], edge: int) -> SideImage:
    """Choose the square grid that holds an image wherever it lies."""
    border = place.apply(_border(size))
    low, high = border.min(0), border.max(0)
    affine = place if isinstance(place, Affine) else fit_affine(_border(size), border)
    edges = np.linalg.norm(affine.matrix[:2, :2], axis=0)
    pixel = float(max(edges.min(), (high - low).max() / edge))
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


def _of_rows(rows: RowDensity) -> SideImage:
    centre = rows.low + rows.pixel_size_um / 2
    return SideImage(
        rows, 1, Affine.identity(), rows.size, rows.pixel_size_um, (float(centre[0]), float(centre[1])), True
    )


def _level(document: Document, image: str) -> tuple[Any, Affine]:
    """Return the finest level that fits, and the way from its pixels to those of the full resolution.

    Where none fits, it is the coarsest one.
    """
    from xarray import DataTree

    if document.type_of(image) == "labels":
        return pixel_values(document, image), Affine.identity()
    element = document.element(image)
    if not isinstance(element, DataTree):
        return element.data, Affine.identity()
    scales: list[Any] = [element[name] for name in element.children]
    levels = [next(iter(scale.values())).data for scale in scales]
    level = next((one for one in levels if max(one.shape[-2:]) <= _edge(one)), levels[-1])
    return level, _to_full(levels[0], level)


def _edge(level: Any) -> int:
    """Return how many pixels along an edge are given at most: fewer of an image of very many channels."""
    return min(EDGE, max(int(np.sqrt(_BYTES / (level.shape[0] * level.dtype.itemsize))), _FEWEST))


def _to_full(full: Any, level: Any) -> Affine:
    """Return the way from a level's corner coordinates to those of the full resolution.

    Notes
    -----
    Where the size is no multiple of the factor some rows are left out: at the end, or, by SpatialData's own
    pyramids, at the start. The pixels tell which.
    """
    try:
        factors = factor_between(full.shape, level.shape)
    except BadInput:  # made by another program, with no whole factor: the levels span the same place
        return Affine.scale(full.shape[-2] / level.shape[-2], full.shape[-1] / level.shape[-1])
    over = [max(n - f * m, 0) for n, f, m in zip(full.shape[-2:], factors, level.shape[-2:], strict=True)]
    starts = [(y, x) for y in sorted({0, over[0]}) for x in sorted({0, over[1]})]
    misses = [_miss(full, level, factors, start) for start in starts] if len(starts) > 1 else [0.0]
    return Affine.translation(*starts[int(np.argmin(misses))]) @ Affine.scale(*factors)


def _miss(full: Any, level: Any, factors: tuple[int, int], start: tuple[int, int]) -> float:
    """Return how far a level is from the means of the full resolution in three windows, if it starts there."""
    total = 0.0
    edge = [min(_WINDOW, n) for n in level.shape[-2:]]
    for share in (0.25, 0.5, 0.75):
        low = [int(share * (n - e)) for n, e in zip(level.shape[-2:], edge, strict=True)]
        rows, columns = (slice(a, a + e) for a, e in zip(low, edge, strict=True))
        (y0, y1), (x0, x1) = (
            (s + a * f, s + (a + e) * f) for s, a, e, f in zip(start, low, edge, factors, strict=True)
        )
        fine = np.asarray(full[:1, y0:y1, x0:x1], dtype=np.float64)
        if fine.shape[1:] != (y1 - y0, x1 - x0):
            return np.inf
        mean = fine.reshape(edge[0], factors[0], edge[1], factors[1]).mean((1, 3))
        total += float(np.abs(mean - np.asarray(level[0, rows, columns], dtype=np.float64)).sum())
    return total


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
