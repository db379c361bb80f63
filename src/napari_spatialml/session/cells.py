"""The table of cells that belongs to a segmentation, and how it follows every correction."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp

from ..core.labels import cell_table
from ..core.patch import Patch
from .averaging import averages_of
from .changes import Change, EditRows, Put, Rows
from .counting import INTENSITIES, count_near, require_same_genes, with_counts
from .document import GLOBAL, Document
from .gather import full_resolution, pixel_size
from .neighbourhood import around
from .planes import split_plane
from .reviewed import by_hand
from .rows import rows_with, taken

__all__ = ["MEASURED", "follow", "measure", "pixels_known", "table_name", "table_of"]

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
    if ids is not None:
        labels = np.where(np.isin(labels, np.fromiter(ids, dtype=np.int64)), labels, 0)
    frame = cell_table(labels, pixel_size_um, offset=offset)
    cells = frame.index.to_numpy()
    channels, intensities = _intensities(labels, image, offset, cells)
    return table_of(name, frame, channels, intensities)


def table_of(name: str, frame: pd.DataFrame, channels: list[str], intensities: npt.NDArray[np.float32]) -> Any:
    """Return the table of labels.

    Parameters
    ----------
    name
        Name of the labels.
    frame
        What was measured of each cell, by its id.
    channels, intensities
        Names of the channels, and (cells, channels) their means.
    """
    from anndata import AnnData

    cells = frame.index.to_numpy()
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

    A table that this program measured gets new rows for the touched cells, counted again where it
    counts transcripts, averaged again where it averages spots or pixels. Other tables lose the rows of
    cells that are gone, and keep the rest.

    Raises
    ------
    DocumentError
        When the transcripts that the table counts are not there any more.
    """
    touched, tables = patch.touched, document.tables_of(labels)
    changes: list[Change] = []
    if not touched or not tables:
        return changes
    window, offset = around(document.grid(labels), patch, pixels_known(document, labels, touched))
    left: set[int] | None = None
    averaged = document.attribute("averages", {})
    for name in tables:
        instances = document.instances(name)
        own = document.rows(name, labels)
        named = touched if instances.dtype.kind in "iu" else tuple(str(cell) for cell in touched)
        old = own[rows_with(instances[own], named)]
        ours = name == table_name(labels) and instances.dtype.kind in "iu"  # one that names cells by words is another's
        if ours:
            before = taken(document.table(name), old)
            new = _measured_again(document, labels, before, window, offset)
        elif name in averaged:
            before = taken(document.table(name), old)
            new = _completed(averages_of(document, labels, averaged[name]["table"], window, offset), before)
        else:
            left = _left(document, labels, window, touched) if left is None else left
            old = old[[int(instances[i]) not in left for i in old]]
            before, new = (taken(document.table(name), rows) for rows in (old, old[:0]))
        if len(old) == 0 and new.n_obs == 0:
            continue
        if not ours and (len(document.table(name).obsp) or document.table(name).raw is not None):
            changes.append(_without(document, name, old))  # pairs of rows: only the whole table can be put back
            continue
        kept = np.delete(instances, old)
        ids = new.obs["instance_id"].to_numpy() if new.n_obs else np.empty(0, np.int64)
        positions = np.searchsorted(kept, ids) + np.arange(len(ids))
        changes.append(EditRows(name, Rows(old, before), Rows(positions, new)))
        if ours:
            changes += _unassigned(document, labels, before, new)
    return changes


def _left(document: Document, labels: str, window: npt.NDArray[Any], touched: tuple[int, ...]) -> set[int]:
    """Return which of the touched cells are still there: in the window, or in another plane of a stack."""
    here = set(np.unique(window).tolist())
    plane = split_plane(labels)[1]
    gone = set(touched) - here
    return here if plane is None or not gone else here | document.in_other_planes(labels, gone)


def _unassigned(document: Document, labels: str, before: Any, after: Any) -> list[Change]:
    """Return the change of how many transcripts lie in no cell: what the touched cells lost, less what they won."""
    held = document.attribute("segmentations", {})
    about = held.get(labels, {})
    if "unassigned" not in about:
        return []
    gained = sum(sign * int(t.X.sum(dtype=np.float64)) for sign, t in ((1, after), (-1, before)))
    if not gained:
        return []
    now = {**about, "unassigned": int(about["unassigned"]) - gained}
    return [Put(("attrs", "segmentations"), held, {**held, labels: now})]


def pixels_known(document: Document, labels: str, cells: tuple[int, ...]) -> dict[int, int]:
    """Return how many pixels the table says that cells have; none for what it does not know."""
    name = table_name(labels)
    if name not in document.tables_of(labels) or "area_um2" not in document.table(name).obs:
        return {}
    instances = document.instances(name)
    at = rows_with(instances, cells)
    pixels = document.table(name).obs["area_um2"].to_numpy()[at] / pixel_size(document, labels) ** 2
    # not whole numbers: the pixel had another size when they were measured, so they say nothing
    whole = np.isfinite(pixels) & (np.abs(pixels - np.rint(pixels)) < 1e-6 * np.maximum(pixels, 1))
    return {int(i): round(float(n)) for i, n in zip(instances[at[whole]], pixels[whole], strict=True)}


def _without(document: Document, name: str, rows: npt.NDArray[np.int64]) -> Put:
    table = document.table(name)
    keep = np.setdiff1d(np.arange(table.n_obs), rows)
    return Put(("tables", name), table, table[keep].copy())


def _measured_again(
    document: Document, labels: str, before: Any, window: npt.NDArray[Any], offset: tuple[int, int]
) -> Any:
    """Measure the cells of a window; what the table knew of them ``before`` besides stays with them."""
    source = document.attribute("segmentations", {}).get(labels, {})
    points = str(source.get("transcripts", ""))
    channels = [str(c) for c in (_intensity_names(before) if points else before.var_names)]
    image, origin = None, source.get("origin", [0, 0])
    if source.get("image") in document.names("images"):
        image = full_resolution(document, source["image"]).isel(y=slice(origin[0], None), x=slice(origin[1], None))
        image = image.sel(c=[c for c in channels if c in image.coords["c"].to_numpy()])
    new = measure(window, image, name=labels, pixel_size_um=pixel_size(document, labels), offset=offset)
    if points:
        cells = new.obs["instance_id"].to_numpy().astype(window.dtype)
        to_um = document.affine(labels, GLOBAL)
        values, genes = count_near(document, points, window, offset, to_um, cells)
        require_same_genes(before, genes, points)
        new = with_counts(new, values, genes)
    return by_hand(_completed(new, before))


def _intensity_names(table: Any) -> list[str]:
    return list(table.obsm[INTENSITIES].columns) if INTENSITIES in table.obsm else []


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
    uns = {**new.uns, **table.uns}  # an empty table does not say what it annotates
    made = AnnData(X=_features(new, table, at), obs=obs[list(table.obs.columns)], var=table.var.copy(), uns=uns)
    for key, part in table.obsm.items():
        rows = _known(np.asarray(part), at)
        columns = getattr(part, "columns", None)
        if columns is not None and key in new.obsm:
            fresh = new.obsm[key]
            measured = [i for i, c in enumerate(columns) if c in fresh.columns]
            rows[:, measured] = fresh[[columns[i] for i in measured]].to_numpy()
        made.obsm[key] = rows if columns is None else pd.DataFrame(rows, obs.index, columns)
    for key, part in table.layers.items():
        made.layers[key] = _known(part, at)
    return made


def _features(new: Any, table: Any, at: npt.NDArray[Any]) -> Any:
    """Return X of newly measured rows: their counts, or the intensities with what the table knew besides."""
    if sp.issparse(new.X):
        return new.X
    values = _known(table.X, at)
    column_at = table.var_names.get_indexer(new.var_names)
    values[:, column_at[column_at >= 0]] = np.asarray(new.X)[:, column_at >= 0]
    return values


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
