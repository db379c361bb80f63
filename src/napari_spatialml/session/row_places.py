"""Where the rows of a table lie in the element that they annotate; rows that name nothing there are left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.colours import lookup_table
from ..errors import BadInput
from .cells import table_name
from .document import GLOBAL

if TYPE_CHECKING:
    from .document import Document

__all__ = ["RowPlaces", "row_places"]

_MOST_PIXELS = 64_000_000
"""Of labels with more, the centres are those of a coarser level."""
_BAND = 1024
_CENTRES = ["centroid_y_um", "centroid_x_um"]


@dataclass(frozen=True, eq=False)
class RowPlaces:
    """Where rows lie.

    Parameters
    ----------
    rows
        (k,) places in the table, ascending.
    where
        (k, 2) as (y, x) in the element's own coordinates: pixel corners, for labels.
    """

    rows: npt.NDArray[np.int64]
    where: npt.NDArray[np.float64]


def row_places(document: Document, table: str, element: str) -> RowPlaces:
    """Return where the rows of a table that annotate an element lie: centroids of cells, centres of spots.

    Raises
    ------
    BadInput
        When the table names by words what the element numbers.
    """
    rows = document.rows(table, element)
    ids = document.instances(table)[rows]
    if document.type_of(element) == "shapes":
        centres = document.element(element).geometry.centroid
        found = pd.DataFrame({"y": centres.y.to_numpy(), "x": centres.x.to_numpy()}, index=centres.index)
        found = found[~found.index.duplicated()]
        at = found.index.get_indexer(pd.Index(ids))
        return RowPlaces(rows[at >= 0], found.to_numpy(dtype=float)[at[at >= 0]])
    where = _measured(document, table, element, rows)
    if where is None:
        where = _centres(document, element, ids)
    there = np.isfinite(where[:, 0])
    return RowPlaces(rows[there], where[there])


def _measured(
    document: Document, table: str, labels: str, rows: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64] | None:
    """Return the centroids that the table knows and the hand keeps right, in the labels' own coordinates."""
    obs = document.table(table).obs
    known = labels in document.attribute("segmentations", {}) and set(_CENTRES) <= set(obs.columns)
    if table != table_name(labels) or not known or GLOBAL not in document.placed(labels):
        return None
    return document.affine(labels, GLOBAL).inverse().apply(obs[_CENTRES].to_numpy(dtype=float)[rows])


def _centres(document: Document, labels: str, ids: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return the centres of labels, (n, 2) in pixels; NaN for those that are nowhere."""
    from ..core.inside_kernels import add_centres

    if ids.dtype.kind not in "iu":
        raise BadInput(f"The table names its rows by words, but '{labels}' are numbers.", "Give the numbers instead.")
    grid = document.grid(labels)
    unique, inverse = np.unique(ids, return_inverse=True)
    real = unique > 0
    table = lookup_table(0, unique[real], np.flatnonzero(real).astype(np.int32), np.int32(-1))
    sizes = [level.shape[0] * level.shape[1] for level in grid.levels]
    level = next((k for k, size in enumerate(sizes) if size <= _MOST_PIXELS), len(sizes) - 1)
    sums, height = np.zeros((len(unique), 3)), grid.levels[level].shape[0]
    for top in range(0, height, _BAND):
        window = (top, min(top + _BAND, height), 0, grid.levels[level].shape[1])
        add_centres(table[grid.read(window, level)], top, sums)
    with np.errstate(invalid="ignore"):
        where = (sums[:, 1:] / sums[:, :1] + 0.5) * np.array(grid.factors[level])
    return np.asarray(where[inverse.ravel()])
