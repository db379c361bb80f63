"""Measure each cell of a window: outline, border, image, network, neighbours. Nothing here looks at the section."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..patch import LabelArray
from ..report import Report, silent
from .evidence import Evidence
from .picture import membrane_plane, nuclear_plane

__all__ = ["Measures", "measure"]

Columns = dict[str, npt.NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Measures:
    """What was measured of the cells of a window, or of several windows.

    Parameters
    ----------
    cells
        (n,) ids.
    columns
        (n,) each by name; NaN where there is no evidence.
    partners
        (n,) the neighbour that fits best as the other half of the cell, 0 without one.
    notes
        For each cell by kind of reason, words that the columns do not hold.
    pixel_size_um
        Edge of the pixel, for the words.
    """

    cells: npt.NDArray[np.int64]
    columns: Columns
    partners: npt.NDArray[np.int64]
    notes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    pixel_size_um: float = 1.0

    def taken(self, rows: npt.NDArray[Any]) -> Measures:
        """Return the measures of some cells, by row number or mask."""
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows
        notes = {kind: tuple(words[i] for i in rows) for kind, words in self.notes.items()}
        columns = {name: values[rows] for name, values in self.columns.items()}
        return replace(self, cells=self.cells[rows], columns=columns, partners=self.partners[rows], notes=notes)


@dataclass(frozen=True, eq=False)
class Cells:
    """The cells of a window, coded 1 to n by ascending id, and their pixels cell by cell."""

    ids: npt.NDArray[np.int64]
    codes: npt.NDArray[np.int32]
    order: npt.NDArray[np.int64]
    start: npt.NDArray[np.int64]
    moments: npt.NDArray[np.float64]

    def means(self, plane: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Return the mean of a plane over each cell."""
        sums = np.add.reduceat(plane.ravel()[self.order], self.start[:-1], dtype=np.float64)
        return np.asarray(sums / self.moments[:, 0])

    def quantiles(self, plane: npt.NDArray[Any], share: float) -> npt.NDArray[np.float64]:
        """Return a quantile of a plane over each cell."""
        owner = self.codes.ravel()[self.order] - 1
        return quantiles(plane.ravel()[self.order], owner, len(self.ids), share)


def measure(evidence: Evidence, report: Report = silent) -> Measures:
    """Measure the cells that lie whole in the window.

    Notes
    -----
    O(pixels), one pass over them for each group of measures; memory is about 60 bytes a pixel of the
    window. A measure depends on the cell and its surroundings (a cell's diameter wide) only.
    """
    from .molecules import molecular_columns
    from .network import again_columns, network_columns
    from .outline import neighbour_columns, outline_columns

    report(0.0, "finding the cells")
    cells = _cells_of(evidence.labels)
    n = len(cells.ids)
    if n == 0:
        return Measures(cells.ids, {}, cells.ids, pixel_size_um=evidence.pixel_size_um)
    report(0.1, "measuring outlines")
    columns = outline_columns(cells)
    columns["y"] += evidence.offset[0]
    columns["x"] += evidence.offset[1]
    stain, membrane = nuclear_plane(evidence), membrane_plane(evidence)
    report(0.3, "measuring borders")
    border, contacts = neighbour_columns(cells, stain, evidence.field)
    columns |= border
    report(0.6, "measuring the image")
    columns |= _through(cells, stain, membrane, evidence)
    columns |= network_columns(cells, evidence.field)
    columns |= again_columns(cells, evidence.field, evidence.second)
    report(0.8, "counting nuclei and transcripts")
    molecular, notes = molecular_columns(cells, evidence)
    whole = Measures(cells.ids, columns | molecular, contacts, notes, evidence.pixel_size_um)
    report(1.0, f"{n} cells")
    return whole.taken(~_cut(cells, evidence))


def _cells_of(labels: LabelArray) -> Cells:
    import pandas as pd

    from . import kernels

    flat, ids = pd.factorize(labels.ravel())
    order = np.argsort(ids)  # ids are few; codes follow them, so that permuted ids permute the rows
    ids = np.asarray(ids)[order]
    rank = np.empty(len(ids), dtype=np.int32)
    rank[order] = np.arange(len(ids), dtype=np.int32) + (0 if len(ids) and ids[0] == 0 else 1)
    codes = rank[flat].reshape(labels.shape) if len(ids) else np.zeros(labels.shape, np.int32)
    ids = ids[ids != 0].astype(np.int64)
    pixels, start = kernels.grouped(codes, len(ids))
    return Cells(ids, codes, pixels, start, kernels.moments(pixels, start, max(labels.shape[1], 1)))


def _through(cells: Cells, stain: Any, membrane: Any, evidence: Evidence) -> Columns:
    """Look through each cell: necks, and valleys and ridges of stain, network and membrane."""
    from . import crossings

    planes = {"stain": stain, "chance": evidence.field.logit if evidence.field else None, "membrane": membrane}
    there = {name: plane for name, plane in planes.items() if plane is not None}
    images = np.zeros((len(there), cells.codes.size), np.float32)
    for row, plane in zip(images, there.values(), strict=True):
        row[:] = plane.ravel()
    found = crossings.profiles(cells.order, cells.start, cells.codes.shape[1], cells.moments, images)
    columns = {"neck": found[:, 0]}
    for i, name in enumerate(there):
        columns |= {f"{name}_valley": found[:, 1 + 2 * i], f"{name}_ridge": found[:, 2 + 2 * i]}
    if stain is not None:
        columns["stain"] = cells.means(stain)
        columns["texture"] = np.sqrt(np.maximum(cells.means(stain.astype(np.float64) ** 2) - columns["stain"] ** 2, 0))
    if membrane is not None:
        columns["membrane_contrast"] = _border_mean(cells, membrane) - cells.means(membrane)
    return columns


def _border_mean(cells: Cells, plane: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return the mean of a plane over each cell's border pixels."""
    padded = np.pad(cells.codes, 1)
    middle = padded[1:-1, 1:-1]
    border = np.zeros(cells.codes.shape, dtype=bool)
    for other in (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]):
        border |= middle != other
    owner = cells.codes[border]
    total = np.bincount(owner, weights=plane[border], minlength=len(cells.ids) + 1)
    return np.asarray((total / np.maximum(np.bincount(owner, minlength=len(cells.ids) + 1), 1))[1:])


def _cut(cells: Cells, evidence: Evidence) -> npt.NDArray[np.bool_]:
    """Return which cells reach a side of the window behind which the section goes on."""
    (height, width), (h, w), (y, x) = evidence.whole, cells.codes.shape, evidence.offset
    cut = np.zeros(len(cells.ids) + 1, dtype=bool)
    sides = ((y > 0, cells.codes[:1]), (x > 0, cells.codes[:, :1]))
    for goes_on, side in (*sides, (y + h < height, cells.codes[-1:]), (x + w < width, cells.codes[:, -1:])):
        if goes_on:
            cut[side.ravel()] = True
    return cut[1:]


def quantiles(values: npt.NDArray[Any], owner: npt.NDArray[Any], n: int, share: float) -> npt.NDArray[np.float64]:
    """Return a quantile of the values of each owner 0 … n - 1; NaN for one that has none."""
    order = np.lexsort((values, owner))
    count = np.bincount(owner, minlength=n)
    first = np.cumsum(count) - count
    at = first + share * np.maximum(count - 1, 0)
    low = np.minimum(at.astype(np.int64), max(len(values) - 1, 0))
    high = np.minimum(low + 1, np.minimum(first + np.maximum(count - 1, 0), max(len(values) - 1, 0)))
    if len(values) == 0:
        return np.full(n, np.nan)
    ranked = values[order].astype(np.float64)
    found = ranked[low] + (at - low) * (ranked[high] - ranked[low])
    return np.asarray(np.where(count > 0, found, np.nan))
