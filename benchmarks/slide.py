"""A slide's labels that are computed where they are looked at: round cells on a lattice, in a piece of tissue.

Any window of any level is made on its own, so that a pyramid of 50,000 × 50,000 pixels is written in
little memory.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Level", "Slide", "write_slide"]

CHUNK = 256
"""As this program saves labels."""
PITCH = 44
"""Pixels from one place of the lattice to the next; a cell and its offset stay within its place."""


class Slide:
    """Cells of 16 to 40 pixels across in the middle of a square slide; the rest is empty.

    Parameters
    ----------
    edge
        Pixels along the slide.
    cells
        How many cells; the places nearest to the middle are taken, along a ragged border.
    seed
        Of their sizes and offsets.
    """

    def __init__(self, edge: int, cells: int, seed: int = 0) -> None:
        rng, n = np.random.default_rng(seed), edge // PITCH
        if cells > n * n:
            raise ValueError(f"{cells} cells do not fit into {n} × {n} places.")
        self.edge, self.cells = edge, cells
        at = (np.indices((n, n)) - n / 2 + 0.5).reshape(2, -1)
        angle = np.arctan2(*at)
        ragged = np.hypot(*at) / (1 + 0.15 * np.sin(3 * angle) + 0.08 * np.cos(7 * angle))
        chosen = np.sort(np.argsort(ragged, kind="stable")[:cells])
        self.ids = np.zeros((n + 1, n + 1), np.int32)  # beyond the last place there is none
        self.ids[np.divmod(chosen, n)] = np.arange(1, cells + 1, dtype=np.int32)
        self.radius = rng.uniform(8, 20, self.ids.shape).astype(np.float32)
        slack = PITCH / 2 - 1 - self.radius
        self.offset = (PITCH / 2 + rng.uniform(-1, 1, (2, *self.ids.shape)) * slack).astype(np.float32)

    def labels(self, y: npt.NDArray[np.int64], x: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
        """Return the labels where rows and columns of the full resolution cross."""
        i, j = y // PITCH, x // PITCH
        if not (i.size and j.size and self.ids[i[0] : i[-1] + 1, j[0] : j[-1] + 1].any()):
            return np.zeros((i.size, j.size), np.int32)
        places = np.ix_(i, j)
        dy = (y - i * PITCH).astype(np.float32)[:, None] - self.offset[0][places]
        dx = (x - j * PITCH).astype(np.float32)[None, :] - self.offset[1][places]
        return np.where(dy * dy + dx * dx <= self.radius[places] ** 2, self.ids[places], np.int32(0))

    def box_of(self, cell: int) -> tuple[int, int, int, int]:
        """Return the place of a cell, (y0, y1, x0, x1)."""
        i, j = (int(v[0]) for v in np.nonzero(self.ids == cell))
        return i * PITCH, (i + 1) * PITCH, j * PITCH, (j + 1) * PITCH

    def centre_of(self, cell: int) -> tuple[float, float]:
        """Return the middle of a cell in pixels."""
        y0, _, x0, _ = self.box_of(cell)
        dy, dx = self.offset[:, y0 // PITCH, x0 // PITCH]
        return y0 + float(dy), x0 + float(dx)


class Level:
    """One level of the pyramid as an array-like: every ``factor``-th pixel, as SpatialData samples labels."""

    ndim, dtype = 2, np.dtype(np.int32)

    def __init__(self, slide: Slide, factor: int) -> None:
        self._slide, self._factor = slide, factor
        self.shape = (slide.edge // factor, slide.edge // factor)

    def __getitem__(self, key: tuple[slice, slice]) -> npt.NDArray[np.int32]:
        f, top = self._factor, self._slide.edge - 1
        rows, columns = (np.minimum(np.arange(*part.indices(self.shape[0])) * f + f // 2, top) for part in key)
        return self._slide.labels(rows, columns)


def write_slide(slide: Slide, store: Path, um_per_pixel: float = 0.25, smallest: int = 2048) -> None:
    """Write the labels "cells" as a SpatialData store. Chunks without a cell are not stored."""
    import dask
    from spatialdata import SpatialData

    from napari_spatialml.session.elements import LabelsElement
    from napari_spatialml.session.grid import LabelGrid

    factors = [1]
    while slide.edge // factors[-1] > smallest:
        factors.append(2 * factors[-1])
    place: Any = [[um_per_pixel, 0.0, 0.0], [0.0, um_per_pixel, 0.0], [0.0, 0.0, 1.0]]
    element = LabelsElement(LabelGrid([Level(slide, f) for f in factors]), {"global": place})
    section = SpatialData(labels={"cells": element.to_spatialdata(CHUNK)})
    section.attrs["spatialml"] = {"version": 1, "um_per_unit": {"global": 1.0}}
    with dask.config.set(scheduler="threads", num_workers=2):
        section.write(store)
