"""What is no image and yet shows the tissue: pixels that are rows of a table, and the density of cells or spots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy import ndimage

from ..core.graph import spacing
from ..core.transform import Transform
from ..errors import BadInput
from .document import Document
from .gather import rows_in

__all__ = ["PixelValues", "RowDensity", "is_pixels", "pixel_values", "row_density"]

_ROWS_A_PIXEL = 0.05
"""Labels are pixels, not cells, where the table has at least so many rows a pixel."""
_BYTES = 400_000_000
"""More than this is not laid out pixel by pixel: the components of the features are."""
_COMPONENTS = 12
_EDGE = 1024
"""Rows are counted on at most so many squares along an edge."""
_EMPTY = 0.02
"""Where the density is below this share of its usual value, there is no tissue."""


@dataclass(frozen=True, eq=False)
class PixelValues:
    """A (c, y, x) image of what a table says of each pixel, laid out when it is read; NaN where no row is.

    Parameters
    ----------
    rows
        (y, x) the row of each pixel, or -1.
    values
        (n, c) features of the rows.
    """

    rows: Any
    values: Any
    dtype = np.dtype(np.float32)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        height, width = self.rows.shape
        return self.values.shape[1], height, width

    def __getitem__(self, key: Any) -> npt.NDArray[np.float32]:
        return np.asarray(self.__array__()[key])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[np.float32]:
        dense = self.values.toarray() if sp.issparse(self.values) else np.asarray(self.values)
        out = np.full(self.shape, np.nan, np.float32)
        there = self.rows >= 0
        out[:, there] = dense[self.rows[there]].T
        return out


@dataclass(frozen=True, eq=False)
class RowDensity:
    """A (c, y, x) image of how dense the rows of a table lie and what they express, made when it is read.

    Parameters
    ----------
    where
        (n, 2) as (y, x) in µm.
    values
        (n, p) features, or None: only how dense the rows lie is shown.
    low, pixel_size_um, size
        The corner of the first square and the squares' edge in µm, and their (y, x) number.
    """

    where: npt.NDArray[np.float64]
    values: Any
    low: npt.NDArray[np.float64]
    pixel_size_um: float
    size: tuple[int, int]
    dtype = np.dtype(np.float32)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width; the channels of the features are known when they are made."""
        return 1, *self.size

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[np.float32]:
        at = np.floor((self.where - self.low) / self.pixel_size_um).astype(np.int64)
        at = np.clip(at, 0, np.array(self.size) - 1)
        flat, n = at[:, 0] * self.size[1] + at[:, 1], self.size[0] * self.size[1]

        def spread(weights: Any) -> npt.NDArray[np.float64]:
            return np.asarray(ndimage.gaussian_filter(np.bincount(flat, weights, n).reshape(self.size), 1.0))

        density = spread(np.ones(len(flat)))
        seen = density > _EMPTY * np.median(density[density > 0])
        planes = [density]
        for column in components(self.values).T if self.values is not None else ():
            planes.append(np.divide(spread(column), density, out=np.zeros_like(density), where=seen))
        return np.stack(planes).astype(np.float32)


def components(values: Any, k: int = _COMPONENTS) -> npt.NDArray[np.float64]:
    """Return (n, at most k) principal components of features; of counts, after normalising and taking logarithms."""
    from scipy.sparse.linalg import LinearOperator, svds

    table = sp.csr_matrix(values, dtype=np.float64)
    if table.shape[1] <= 2:
        return np.asarray(table.toarray())
    if not len(table.data) or table.data.min() >= 0:
        total = np.asarray(table.sum(1)).ravel()
        table = (
            sp.diags_array(np.median(total[total > 0]) / np.where(total > 0, total, 1.0)) @ table
            if total.any()
            else table
        )
        table = sp.csr_matrix(table)
        table.data = np.log1p(table.data)
    mean = np.asarray(table.mean(0)).ravel()
    ones, n = np.ones(table.shape[0]), min(k, min(table.shape) - 1)
    centred = LinearOperator(
        table.shape,
        matvec=lambda v: table @ np.ravel(v) - ones * float(mean @ np.ravel(v)),
        rmatvec=lambda u: table.T @ np.ravel(u) - mean * float(ones @ np.ravel(u)),
        dtype=np.float64,
    )
    left, strength, right = svds(centred, k=n, v0=np.ones(min(table.shape)) / np.sqrt(min(table.shape)))
    # a component has no sign of its own: the largest loading is made positive, the same on every machine
    sign = np.sign(right[np.arange(n), np.abs(right).argmax(1)])
    order = np.argsort(-strength)
    return np.asarray((left * strength * sign)[:, order])


def pixel_values(document: Document, labels: str) -> PixelValues:
    """Return labels whose every pixel is a row of a table, such as ion images, as an image of its features.

    Raises
    ------
    BadInput
        When no table annotates the labels, or they are cells.
    """
    tables = [t for t in document.tables_of(labels) if document.table(t).X is not None]
    if not tables:
        raise BadInput(f"No table says what the pixels of '{labels}' hold.", "Choose an image.")
    table = tables[0]
    grid = document.grid(labels)
    rows = document.rows(table, labels)
    if not is_pixels(document, table, labels):
        raise BadInput(f"'{labels}' are cells, not pixels.", f"Choose '{table}' to compare how dense they lie.")
    pixels = np.asarray(grid.read())
    ids = document.instances(table)[rows].astype(np.int64)
    order = np.argsort(ids)
    at = np.clip(np.searchsorted(ids[order], pixels), 0, len(ids) - 1)
    found = np.where(ids[order][at] == pixels, order[at], -1)
    held = document.table(table).X[rows]
    if pixels.size * held.shape[1] * 4 > _BYTES:
        held = components(held)
    return PixelValues(found, held)


def is_pixels(document: Document, table: str, element: str) -> bool:
    """Return whether an element is labels of which every one is about one pixel, rather than a cell."""
    if document.type_of(element) != "labels" or element in document.attribute("segmentations", {}):
        return False
    height, width = document.grid(element).shape
    return bool(document.table(table).X is not None and document.table(table).n_obs >= _ROWS_A_PIXEL * height * width)


def row_density(document: Document, table: str, system: str, present: Transform | None = None) -> RowDensity:
    """Return how dense the rows of a table lie in a coordinate system, as an image on squares in µm.

    Raises
    ------
    BadInput
        When none lies there, or all lie on one spot.
    """
    rows, where = rows_in(document, table, system)
    if present is not None:
        where = present.apply(where)
    pitch = spacing(where)
    if pitch <= 0:
        raise BadInput(f"All rows of '{table}' lie on one spot.", "Choose a table whose rows have places.")
    pixel = max(pitch, float(np.ptp(where, axis=0).max()) / (_EDGE - 8))
    low = where.min(0) - 3 * pixel
    size = np.ceil((where.max(0) + 3 * pixel - low) / pixel).astype(np.int64)
    held = document.table(table)
    values = held.X[rows] if held.X is not None and held.n_vars > 1 else None
    return RowDensity(where, values, low, pixel, (int(size[0]), int(size[1])))
