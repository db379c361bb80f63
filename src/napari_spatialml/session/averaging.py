"""What spots or pixels say of cells: the mean of the rows that a cell's pixels lie on, again after each correction.

A cell's pixel takes the row of the source pixel (imaging mass spectrometry, bins) that its centre lies
in, or of the nearest spot whose disc it lies in; a cell takes the mean over its pixels that have one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp

from ..core.assignment import count, moved, rows_of
from ..core.report import Report, silent
from ..core.transform import Affine
from ..errors import BadInput
from .document import GLOBAL, Document

__all__ = ["averages", "averages_name", "averages_of"]

_ROWS = 1024
"""Rows of pixels that are in memory at a time."""

RowsAt = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.int64]]


def averages_name(labels: str, table: str) -> str:
    """Return the name of the table that keeps the averages of a table over cells."""
    return f"{labels}_{table}"


def averages(document: Document, labels: str, table: str, report: Report = silent) -> Any:
    """Return a table of all cells: the mean of the rows of another table that lie under each.

    Parameters
    ----------
    document
        The document.
    labels
        The cells.
    table
        A table of spots or pixels.
    report
        Told how far it is.

    Returns
    -------
    AnnData
        X is (cells, features) float32, NaN for a cell that lies on no row; ``covered`` in obs is the share
        of the cell's pixels that lie on one.

    Raises
    ------
    BadInput
        When the table is not one of spots or pixels in the frame of the labels.
    """
    grid = document.grid(labels)
    at = _rows_at(document, labels, table)
    pieces = []
    for top in range(0, grid.shape[0], _ROWS):
        report(top / grid.shape[0], "averaging by cell")
        band = grid.read((top, min(top + _ROWS, grid.shape[0]), 0, grid.shape[1]))
        pieces.append(_pixels_on(band, (top, 0), at, document.table(table).n_obs))
    ids = np.unique(np.concatenate([p[0] for p in pieces])) if pieces else np.empty(0, np.int64)
    shares = sum((_at_rows(p, ids) for p in pieces), sp.csr_matrix((len(ids), document.table(table).n_obs + 1)))
    report(1.0, "averaging by cell")
    return _table(document, labels, table, ids, shares)


def averages_of(document: Document, labels: str, table: str, window: npt.NDArray[Any], offset: tuple[int, int]) -> Any:
    """Return the same for the cells that lie in a window, which holds them whole."""
    found = _pixels_on(window, offset, _rows_at(document, labels, table), document.table(table).n_obs)
    return _table(document, labels, table, found[0], found[1])


def _pixels_on(
    window: npt.NDArray[Any], offset: tuple[int, int], at: RowsAt, n_rows: int
) -> tuple[npt.NDArray[np.int64], sp.csr_matrix]:
    """Return the cells of a window, and how many pixels of each lie on each row; on none: the last column."""
    y, x = np.nonzero(window)
    ids = np.unique(window[y, x]).astype(np.int64)
    own = np.stack([y + (offset[0] + 0.5), x + (offset[1] + 0.5)], axis=1)
    row = at(own)
    cells = rows_of(window[y, x].astype(np.int64), ids)
    return ids, count(cells, np.where(row < 0, n_rows, row), len(ids), n_rows + 1)


def _at_rows(piece: tuple[npt.NDArray[np.int64], sp.csr_matrix], ids: npt.NDArray[np.int64]) -> sp.csr_matrix:
    rows = np.searchsorted(ids, piece[0])
    n = len(piece[0])
    place = sp.csr_matrix((np.ones(n, np.float32), (rows, np.arange(n))), shape=(len(ids), n))
    return (place @ piece[1]).tocsr()


def _table(document: Document, labels: str, table: str, ids: npt.NDArray[np.int64], pixels: sp.csr_matrix) -> Any:
    from anndata import AnnData

    source, name = document.table(table), averages_name(labels, table)
    on = pixels[:, :-1].tocsr()
    n_on, n = (np.asarray(m.sum(axis=1, dtype=np.float64)).ravel() for m in (on, pixels))
    sums = on.astype(np.float64) @ (source.X if sp.issparse(source.X) else np.asarray(source.X, dtype=np.float64))
    sums = np.asarray(sums.todense() if sp.issparse(sums) else sums)
    with np.errstate(invalid="ignore", divide="ignore"):
        values = (sums / n_on[:, None]).astype(np.float32)
    obs = pd.DataFrame(
        {
            "region": pd.Categorical([labels] * len(ids), categories=[labels]),
            "instance_id": ids,
            "covered": np.divide(n_on, n, out=np.zeros(len(ids)), where=n > 0),
        },
        index=pd.Index([str(i) for i in ids], dtype=object),
    )
    made = AnnData(X=values, obs=obs, var=pd.DataFrame(index=source.var_names.copy()))
    made.uns["spatialdata_attrs"] = {"region": labels, "region_key": "region", "instance_key": "instance_id"}
    made.uns["averages"] = {"table": table, "labels": labels, "name": name}
    return made


def _rows_at(document: Document, labels: str, table: str) -> RowsAt:
    """Return what finds, for positions in the labels' own coordinates, the rows of a table; -1 for none."""
    element = document.annotated(table)
    if not element or document.type_of(element) not in ("labels", "shapes") or element == labels:
        raise BadInput(f"'{table}' is not a table of spots or pixels.", "Choose a table of spots or pixels.")
    shared = [s for s in document.placed(labels) if s in document.placed(element)]
    if not shared:
        raise BadInput(
            f"'{labels}' and '{element}' lie in no common coordinate system.", "Register one onto the other first."
        )
    system = GLOBAL if GLOBAL in shared else shared[0]
    to_source = document.affine(element, system).inverse() @ document.affine(labels, system)
    rows = document.rows(table, element)
    instances = pd.Index(document.instances(table)[rows])
    if document.type_of(element) == "labels":
        return _on_pixels(document, element, to_source, rows, instances)
    return _on_spots(document, element, to_source, rows, instances)


def _on_pixels(
    document: Document, element: str, to_source: Affine, rows: npt.NDArray[np.int64], instances: pd.Index[Any]
) -> RowsAt:
    grid = document.grid(element)

    def at(own: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        where = np.floor(moved(to_source.matrix, own)).astype(np.int64)
        inside = ((where >= 0) & (where < np.array(grid.shape))).all(axis=1)
        found = np.full(len(own), -1, dtype=np.int64)
        if inside.any():
            held = where[inside]
            (y0, x0), (y1, x1) = held.min(0), held.max(0) + 1
            ids = grid.read((int(y0), int(y1), int(x0), int(x1)))[held[:, 0] - y0, held[:, 1] - x0]
            found[inside] = _row_of(ids, rows, instances)
        return found

    return at


def _on_spots(
    document: Document, element: str, to_source: Affine, rows: npt.NDArray[np.int64], instances: pd.Index[Any]
) -> RowsAt:
    from scipy.spatial import cKDTree

    shapes = document.element(element)
    if "radius" not in shapes:
        raise BadInput(f"'{element}' holds polygons, not spots.", "Choose a table of spots or pixels.")
    centres = np.stack([shapes.geometry.y.to_numpy(), shapes.geometry.x.to_numpy()], axis=1)
    radius, tree = shapes["radius"].to_numpy(dtype=float), cKDTree(centres)
    row = _row_of(shapes.index.to_numpy(), rows, instances)

    def at(own: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        distance, nearest = tree.query(moved(to_source.matrix, own))
        return np.where(distance <= radius[nearest], row[nearest], -1) if len(own) else np.empty(0, np.int64)

    return at


def _row_of(ids: npt.NDArray[Any], rows: npt.NDArray[np.int64], instances: pd.Index[Any]) -> npt.NDArray[np.int64]:
    if len(rows) == 0:
        return np.full(len(ids), -1, dtype=np.int64)
    at = instances.get_indexer(pd.Index(ids))
    return np.where(at >= 0, rows[np.maximum(at, 0)], -1)
