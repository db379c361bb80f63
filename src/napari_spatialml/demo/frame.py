"""A rectangle of a coordinate system in µm, and what of the document shows in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..session import GLOBAL

__all__ = ["Frame", "extent", "pixels", "sampled_image", "sampled_labels"]

Box = tuple[float, float, float, float]
"""(y0, x0, y1, x1) in µm."""


@dataclass(frozen=True)
class Frame:
    """A window on a coordinate system.

    Parameters
    ----------
    box
        (y0, x0, y1, x1) in µm.
    um_per_pixel
        Edge of a pixel of the picture, > 0.
    system
        The coordinate system.
    """

    box: Box
    um_per_pixel: float
    system: str = GLOBAL

    @classmethod
    def around(cls, box: Box, *, pixels: int = 700, margin: float = 0.0, system: str = GLOBAL) -> Frame:
        """Return a frame around a box, with a margin in parts of its longer side."""
        y0, x0, y1, x1 = box
        wider = margin * max(y1 - y0, x1 - x0)
        grown = (y0 - wider, x0 - wider, y1 + wider, x1 + wider)
        longest = max(grown[2] - grown[0], grown[3] - grown[1])
        return cls(grown, longest / pixels, system)

    @property
    def height_um(self) -> float:
        """Height in µm."""
        return self.box[2] - self.box[0]

    @property
    def width_um(self) -> float:
        """Width in µm."""
        return self.box[3] - self.box[1]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the picture."""
        return max(1, round(self.height_um / self.um_per_pixel)), max(1, round(self.width_um / self.um_per_pixel))

    def points(self) -> npt.NDArray[np.float64]:
        """Return the (n, 2) centres of the picture's pixels, (y, x) in µm, row by row."""
        h, w = self.shape
        y = self.box[0] + (np.arange(h) + 0.5) * self.height_um / h
        x = self.box[1] + (np.arange(w) + 0.5) * self.width_um / w
        return np.asarray(np.stack(np.meshgrid(y, x, indexing="ij"), -1).reshape(-1, 2))


def extent(document: Any, system: str) -> Box:
    """Return the box around the images that are at home in a coordinate system, else around everything in it."""
    placed = [
        (kind, name)
        for kind in ("images", "labels", "shapes")
        for name in document.names(kind)
        if system in document.placed(name)
    ]
    at_home = [(kind, name) for kind, name in placed if kind == "images" and document.placed(name) == (system,)]
    corners = [
        document.affine(name, system).apply(_own_corners(document, kind, name)) for kind, name in at_home or placed
    ]
    found = np.concatenate(corners) if corners else np.array([[0.0, 0.0], [1.0, 1.0]])
    (y0, x0), (y1, x1) = found.min(0), found.max(0)
    return float(y0), float(x0), float(y1), float(x1)


def _own_corners(document: Any, kind: str, name: str) -> npt.NDArray[np.float64]:
    if kind == "shapes":
        x0, y0, x1, y1 = document.element(name).total_bounds
        radius = float(document.element(name).get("radius", np.zeros(1)).max())
        return np.array([[y0 - radius, x0 - radius], [y1 + radius, x1 + radius]])
    h, w = document.grid(name).shape if kind == "labels" else levels(document, name)[0].shape[-2:]
    return np.array([[0.0, 0.0], [0.0, w], [h, 0.0], [h, w]])


def levels(document: Any, image: str) -> list[Any]:
    """Return the levels of an image as lazy (c, y, x) arrays, full resolution first."""
    from xarray import DataTree

    element = document.element(image)
    if not isinstance(element, DataTree):
        return [element.data]
    return [next(iter(dict(element[key].data_vars).values())).data for key in element]


def pixels(document: Any, image: str) -> tuple[int, int]:
    """Return the size of an image's full resolution, (y, x)."""
    h, w = levels(document, image)[0].shape[-2:]
    return int(h), int(w)


def _where(document: Any, name: str, frame: Frame, shape: tuple[int, int]) -> tuple[Any, Any, Any]:
    """Return (row, column, inside) of an element's pixels under the picture's pixels."""
    own = document.affine(name, frame.system).inverse().apply(frame.points())
    at = np.floor(own).astype(np.int64)
    inside = ((at >= 0) & (at < shape)).all(1)
    at = np.where(inside[:, None], at, 0)
    return at[:, 0], at[:, 1], inside


def sampled_image(document: Any, image: str, frame: Frame) -> npt.NDArray[np.float64]:
    """Return (y, x, c) values of an image under the picture's pixels; NaN outside it."""
    stack = levels(document, image)
    full = stack[0].shape[-2:]
    wanted = frame.um_per_pixel / document.affine(image, frame.system).scale_factors[0]
    fitting = [a for a in stack if full[0] / a.shape[-2] <= max(wanted, 1.0)]
    level = fitting[-1]
    factor = np.array(full) / np.array(level.shape[-2:])
    rows, columns, inside = _where(document, image, frame, (int(full[0]), int(full[1])))
    rows, columns = (rows / factor[0]).astype(np.int64), (columns / factor[1]).astype(np.int64)
    if not inside.any():
        return np.full((*frame.shape, level.shape[0]), np.nan)
    y0, y1 = int(rows[inside].min()), int(rows[inside].max()) + 1
    x0, x1 = int(columns[inside].min()), int(columns[inside].max()) + 1
    block = np.asarray(level[:, y0:y1, x0:x1], dtype=np.float64)
    out = np.full((rows.size, block.shape[0]), np.nan)
    out[inside] = block[:, rows[inside] - y0, columns[inside] - x0].T
    return out.reshape(*frame.shape, -1)


def sampled_labels(document: Any, name: str, frame: Frame) -> npt.NDArray[np.int64]:
    """Return (y, x) ids of labels under the picture's pixels; 0 outside them."""
    grid = document.grid(name)
    rows, columns, inside = _where(document, name, frame, grid.shape)
    if not inside.any():
        return np.zeros(frame.shape, np.int64)
    y0, y1 = int(rows[inside].min()), int(rows[inside].max()) + 1
    x0, x1 = int(columns[inside].min()), int(columns[inside].max()) + 1
    block = grid.read((y0, y1, x0, x1))
    out = np.zeros(rows.size, np.int64)
    out[inside] = block[rows[inside] - y0, columns[inside] - x0]
    return out.reshape(frame.shape)
