"""The table of cells that belongs to a segmentation, and how it follows every correction."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.labels import cell_table
from ..core.patch import Patch
from .changes import Change, EditRows, Put, Rows
from .document import Document
from .gather import full_resolution, pixel_size

__all__ = ["MEASURED", "follow", "measure", "table_name"]

MEASURED = {"area_um2": 2, "centroid_y_um": 1, "centroid_x_um": 1, "diameter_um": 1}
"""What is measured of a cell, with its power of µm."""


def table_name(labels: str) -> str:
    """Return the name of the table of a segmentation."""
    return f"{labels}_table"


def measure(
    labels: npt.NDArray[Any],
    image: Any,
    *,
    name: str,
    pixel_size_um: float,
    offset: tuple[int, int] = (0, 0),
    ids: Iterable[int] | None = None,
) -> Any:
    """Measure cells: an AnnData with areas and centroids in obs, and mean intensities a channel in X.

    Parameters
    ----------
    labels
        (y, x) window of labels.
    image
        Lazy (c, y, x) DataArray in the frame of the whole labels, or None.
    name
        Name of the labels that the table annotates.
    pixel_size_um
        Edge of the pixel.
    offset
        (y, x) of the window in the whole labels.
    ids
        Only these cells; all if None.
    """
    from anndata import AnnData

    if ids is not None:
        labels = np.where(np.isin(labels, np.fromiter(ids, dtype=np.int64)), labels, 0)
    frame = cell_table(labels, pixel_size_um, offset=offset)
    cells = frame.index.to_numpy()
    channels, intensities = _intensities(labels, image, offset, cells)
    obs = frame.loc[:, [c for c in MEASURED if c in frame]].astype(np.float64)
    obs.insert(0, "instance_id", cells.astype(np.int64))
    obs.insert(0, "region", pd.Categorical([name] * len(cells), categories=[name]))
    obs.index = pd.Index([str(c) for c in cells])
    table = AnnData(X=intensities, obs=obs, var=pd.DataFrame(index=pd.Index(channels)))
    table.uns["spatialdata_attrs"] = {"region": name, "region_key": "region", "instance_key": "instance_id"}
    return table


def _intensities(
    labels: npt.NDArray[Any], image: Any, offset: tuple[int, int], cells: npt.NDArray[Any]
) -> tuple[list[str], npt.NDArray[np.float32]]:
    """Return the mean of each channel over each cell."""
    if image is None:
        return [], np.zeros((len(cells), 0), np.float32)
    channels = [str(c) for c in image.coords["c"].to_numpy()]
    inside = np.flatnonzero(labels.ravel())
    row = np.searchsorted(cells, labels.ravel()[inside])
    n = np.bincount(row, minlength=len(cells))
    y, x = offset
    window = image.isel(y=slice(y, y + labels.shape[0]), x=slice(x, x + labels.shape[1]))
    out = np.zeros((len(cells), len(channels)), np.float32)
    for c in range(len(channels)):
        values = np.asarray(window.isel(c=c).data).ravel()[inside].astype(np.float64)
        out[:, c] = np.bincount(row, values, minlength=len(cells)) / np.maximum(n, 1)
    return channels, out


def follow(document: Document, labels: str, patch: Patch) -> list[Change]:
    """Return the changes that make the tables of labels follow a patch, in the same command.

    A table that this program measured gets new rows for the touched cells. Other tables lose the
    rows of cells that are gone, and keep the rest.
    """
    touched = patch.touched
    changes: list[Change] = []
    if not touched:
        return changes
    window, offset = _around(document, labels, patch)
    left = set(np.unique(window).tolist())
    for name in document.tables_of(labels):
        instances = document.instances(name)
        own = document.rows(name, labels)
        old = own[np.isin(instances[own], touched)]
        if name == table_name(labels):
            new = _measured_again(document, labels, name, window, offset, touched)
        else:
            old = old[[int(instances[i]) not in left for i in old]]
            new = document.table(name)[:0].copy()
        if len(old) == 0 and new.n_obs == 0:
            continue
        if name != table_name(labels) and (len(document.table(name).obsp) or document.table(name).raw is not None):
            changes.append(_without(document, name, old))  # pairs of rows: only the whole table can be put back
            continue
        kept = np.delete(instances, old)
        ids = new.obs["instance_id"].to_numpy() if new.n_obs else np.empty(0, np.int64)
        positions = np.searchsorted(kept, ids) + np.arange(len(ids))
        changes.append(EditRows(name, Rows(old, document.table(name)[old].copy()), Rows(positions, new)))
    return changes


def _without(document: Document, name: str, rows: npt.NDArray[np.int64]) -> Put:
    table = document.table(name)
    keep = np.setdiff1d(np.arange(table.n_obs), rows)
    return Put(("tables", name), table, table[keep].copy())


def _around(document: Document, labels: str, patch: Patch) -> tuple[npt.NDArray[Any], tuple[int, int]]:
    """Return the labels after the patch, where the touched cells lie."""
    whole = document.grid(labels).read()
    whole[patch.window] = patch.new
    hit = np.isin(whole, patch.touched)
    rows, columns = np.flatnonzero(hit.any(1)), np.flatnonzero(hit.any(0))
    if rows.size == 0:
        return whole[:1, :1] * 0, (0, 0)
    y, x = int(rows[0]), int(columns[0])
    return whole[y : int(rows[-1]) + 1, x : int(columns[-1]) + 1], (y, x)


def _measured_again(
    document: Document,
    labels: str,
    name: str,
    window: npt.NDArray[Any],
    offset: tuple[int, int],
    touched: tuple[int, ...],
) -> Any:
    """Measure the touched cells; what the table knows besides stays with the cells that it knew."""
    table = document.table(name)
    source = document.attribute("segmentations", {}).get(labels, {})
    image, origin = None, source.get("origin", [0, 0])
    if source.get("image") in document.names("images"):
        image = full_resolution(document, source["image"]).isel(y=slice(origin[0], None), x=slice(origin[1], None))
        image = image.sel(c=[c for c in table.var_names if c in image.coords["c"].to_numpy()])
    new = measure(window, image, name=labels, pixel_size_um=pixel_size(document, labels), offset=offset, ids=touched)
    return _completed(new, table)


def _completed(new: Any, table: Any) -> Any:
    """Give newly measured rows the columns of their table; what it knew of the same cells stays."""
    from anndata import AnnData

    at = table.obs.index.get_indexer(new.obs.index)
    obs = new.obs.copy()
    for column in table.obs.columns.difference(obs.columns, sort=False):
        held = table.obs[column]
        obs[column] = held.reindex(obs.index)
        if held.dtype == bool:
            obs[column] = obs[column].fillna(False).astype(bool)
        elif held.dtype.kind in "iu":
            obs[column] = obs[column].fillna(0).astype(held.dtype)
    values = _known(table.X, at)
    column_at = table.var_names.get_indexer(new.var_names)
    values[:, column_at[column_at >= 0]] = np.asarray(new.X)[:, column_at >= 0]
    uns = {**new.uns, **table.uns}  # an empty table does not say what it annotates
    made = AnnData(X=values, obs=obs[list(table.obs.columns)], var=table.var.copy(), uns=uns)
    for key, part in table.obsm.items():
        rows = _known(np.asarray(part), at)
        columns = getattr(part, "columns", None)
        made.obsm[key] = rows if columns is None else pd.DataFrame(rows, obs.index, columns)
    for key, part in table.layers.items():
        made.layers[key] = _known(part, at)
    return made


def _known(held: Any, at: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return rows ``at`` of an array, NaN (0 for integers) where ``at`` is -1: a cell the table did not know."""
    out = np.zeros((len(at), held.shape[1]), held.dtype)
    old = at >= 0
    if old.any():
        rows = held[at[old]]
        out[old] = rows.toarray() if hasattr(rows, "toarray") else rows
    if out.dtype.kind == "f":
        out[~old] = np.nan
    return out
