"""Elements to a document: spots as circles, grids as labels, a table beside each, notes in the attrs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import BadInput

if TYPE_CHECKING:
    from anndata import AnnData
    from spatialdata import SpatialData

__all__ = ["assemble", "check_values", "circles", "element_name", "grid", "neighbour_distance", "unique_names"]

GLOBAL = "global"
VERSION = 1
SPOT_FILL = 0.5
"""Diameter over pitch of a drawn spot whose true size no file states (100 µm of 200 µm on the first arrays)."""


def assemble(elements: Mapping[str, Any], path: Path, format_name: str, notes: Iterable[str] = ()) -> SpatialData:
    """Return a document of ``elements``, whose attributes tell the source, the units and the notes."""
    from spatialdata import SpatialData

    ours = {
        "version": VERSION,
        "um_per_unit": {GLOBAL: 1.0},
        "sources": [{"path": str(path), "format": format_name}],
        "notes": list(notes),
    }
    return SpatialData.init_from_elements(dict(elements), attrs={"spatialml": ours})


def element_name(path: Path) -> str:
    """Return a name for an element that SpatialData accepts, made of the file's name."""
    stem = path.name
    for suffix in reversed(path.suffixes):
        if not re.fullmatch(r"\.[A-Za-z][A-Za-z0-9]{0,7}", suffix):
            break
        stem = stem.removesuffix(suffix)
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", stem).strip("_-")
    return name or "element"


def unique_names(names: Iterable[Any], what: str, notes: list[str]) -> list[str]:
    """Return the names with "-1", "-2" … after repeats, in their order, and note that it was done.

    The first of equal names keeps it. A name made this way never takes one that is already there.
    """
    given = [str(name) for name in names]
    taken, made, count = set(given), [], dict.fromkeys(given, 0)
    seen: set[str] = set()
    for name in given:
        new = name
        while new in seen:
            count[name] += 1
            new = f"{name}-{count[name]}"
            if new in taken:
                new = name
        seen.add(new)
        made.append(new)
    repeats = len(given) - len(taken)
    if repeats:
        first = next(old for old, new in zip(given, made, strict=True) if old != new)
        notes.append(f"{repeats} {what} were repeated (the first: '{first}') and got a number at their end.")
    return made


def check_values(values: Any, what: str, *, negative: bool = False) -> None:
    """Raise `BadInput` when values (dense or sparse) are NaN, infinite or, unless allowed, negative."""
    data = values.data if hasattr(values, "indptr") else np.asarray(values)
    if data.dtype.kind not in "biuf":
        raise BadInput(f"{what} holds values of type '{data.dtype}', not numbers.", "Choose a table of counts.")
    bad = int(data.size - np.count_nonzero(np.isfinite(data)))
    if bad:
        raise BadInput(f"{what} holds {bad} values that are NaN or infinite.", "Export the raw counts again.")
    below = 0 if negative else int(np.count_nonzero(data < 0))
    if below:
        raise BadInput(f"{what} holds {below} negative values.", "Use raw counts, which are 0 or more.")


def neighbour_distance(xy: npt.NDArray[np.float64]) -> float | None:
    """Return the median distance to the nearest neighbour, or None where there are fewer than two points."""
    from scipy.spatial import cKDTree

    distinct = np.unique(xy, axis=0)
    if len(distinct) < 2:
        return None
    return float(np.median(cKDTree(distinct).query(distinct, k=2)[0][:, 1]))


def circles(
    yx_um: npt.NDArray[np.float64], radius_um: float, table: AnnData, spots: str = "spots", counts: str = "counts"
) -> dict[str, Any]:
    """Return spots as circles in µm and the table that annotates them."""
    from spatialdata.models import ShapesModel
    from spatialdata.transformations import Identity

    xy = np.ascontiguousarray(np.asarray(yx_um, dtype=np.float64)[:, ::-1])
    shapes = ShapesModel.parse(xy, geometry=0, radius=radius_um, transformations={GLOBAL: Identity()})
    shapes.index = np.arange(1, len(xy) + 1)
    return {spots: shapes, counts: annotate(table, spots, np.arange(1, len(xy) + 1), xy)}


def grid(
    row_column: npt.NDArray[np.int64],
    pixel_um: tuple[float, float],
    table: AnnData,
    labels: str = "pixels",
    counts: str = "intensities",
) -> dict[str, Any]:
    """Return a grid as a raster of labels 1 … n, 0 where nothing was measured, and its table.

    Parameters
    ----------
    row_column
        (n, 2) row and column of each observation; the raster starts at the smallest.
    pixel_um
        (y, x) size of one grid step in µm.
    """
    from spatialdata.models import Labels2DModel
    from spatialdata.transformations import Scale

    cells = row_column - row_column.min(axis=0)
    shape = tuple(int(v) for v in cells.max(axis=0) + 1)
    if np.prod(shape, dtype=float) > 2**31:
        raise BadInput(f"The grid would have {shape[0]} × {shape[1]} pixels.", "Check the grid coordinates.")
    raster = np.zeros(shape, dtype=np.int32)
    raster[cells[:, 0], cells[:, 1]] = np.arange(1, len(cells) + 1)
    filled = int(np.count_nonzero(raster))
    if filled != len(cells):
        raise BadInput(
            f"{len(cells) - filled} of {len(cells)} pixels lie at a grid position that is taken.",
            "Open one section at a time.",
        )
    scale = Scale([pixel_um[1], pixel_um[0]], axes=("x", "y"))
    element = Labels2DModel.parse(raster, dims=("y", "x"), transformations={GLOBAL: scale})
    xy = ((cells + 0.5) * np.asarray(pixel_um))[:, ::-1]
    return {labels: element, counts: annotate(table, labels, np.arange(1, len(cells) + 1), xy)}


def annotate(table: AnnData, region: str, instances: npt.NDArray[np.int64], xy: npt.NDArray[Any]) -> AnnData:
    """Return the table, tied to the element ``region``; ``obsm["spatial"]`` becomes (x, y) in µm."""
    import pandas as pd
    from spatialdata.models import TableModel

    table.obs["region"] = pd.Categorical([region] * table.n_obs)
    table.obs["instance_id"] = np.asarray(instances, dtype=np.int64)
    table.obsm["spatial"] = np.asarray(xy, dtype=np.float64)
    table.uns.pop("spatialdata_attrs", None)
    return TableModel.parse(table, region=region, region_key="region", instance_key="instance_id")
