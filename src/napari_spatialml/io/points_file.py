"""Transcripts in parquet files, as vendors and dask write them: read lazily, never whole."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BadInput
from .document import GLOBAL, assemble, element_name
from .format import Format
from .units import Units

if TYPE_CHECKING:
    from spatialdata import SpatialData

__all__ = ["FORMAT", "GENE_COLUMNS", "is_parquet", "is_points", "read_points"]

_MAGIC = b"PAR1"
_ELEMENT = "transcripts"


@dataclass(frozen=True)
class _Columns:
    """How the columns of one kind of file are called, and how many µm one unit is; 0 where the file does not say."""

    x: str
    y: str
    z: str
    genes: tuple[str, ...]
    um_per_unit: float = 0.0


_KNOWN = (
    _Columns("x_location", "y_location", "z_location", ("feature_name",), 1.0),
    _Columns("global_x", "global_y", "global_z", ("gene", "target_name"), 1.0),
    _Columns("x_global_px", "y_global_px", "z", ("target", "gene")),
    _Columns("x", "y", "z", ("feature_name", "gene", "target", "gene_name", "feature")),
)
"""Xenium, MERSCOPE, CosMx, and points elements that were taken out of a store."""
GENE_COLUMNS = tuple(dict.fromkeys(gene for columns in _KNOWN for gene in columns.genes))
"""The names under which a column of genes is known."""


def is_points(path: Path) -> bool:
    """Return whether the path is a parquet file of points that name their genes, or a folder of nothing but such."""
    files = _files(path)
    return bool(files) and _columns_of(files[0]) is not None


def read_points(path: Path, units: Units) -> SpatialData:
    """Read parquet files as one lazy points element, whose coordinate system "global" is in µm.

    Raises
    ------
    UnitNeeded
        The columns do not say in what unit the coordinates are.
    BadInput
        The files cannot be read, or have different columns.
    """
    import dask.dataframe as dd
    from spatialdata.models import PointsModel
    from spatialdata.transformations import Identity, Scale, set_transformation

    files = _files(path)
    found = _columns_of(files[0])
    if found is None:
        raise BadInput(f"'{path.name}' holds no points that name their genes.", "Choose the file of the transcripts.")
    columns, key = found
    factor = units.length("um_per_unit", f"The file '{path.name}'", columns.um_per_unit or None)
    frame = _frame(dd, files, columns, path)
    # not by PointsModel.parse: it would read the genes of all transcripts first
    frame.attrs["spatialdata_attrs"] = {"feature_key": key}
    axes = tuple(axis for axis in ("x", "y", "z") if axis in frame.columns)
    placed = Identity() if factor == 1.0 else Scale([factor] * 2, axes=axes[:2])
    set_transformation(frame, {GLOBAL: placed}, set_all=True)
    PointsModel().validate(frame)
    return assemble({_ELEMENT: frame}, path, FORMAT.name)


def _frame(dd: Any, files: list[Path], columns: _Columns, path: Path) -> Any:
    """Return the rows of all files with their places called x, y and z."""
    try:
        frame = dd.read_parquet([str(file) for file in files])
    except (OSError, ValueError) as error:
        raise BadInput(f"'{path.name}' cannot be read ({error}).", "Check that its files belong together.") from error
    names = {columns.x: "x", columns.y: "y", columns.z: "z"}
    names = {old: new for old, new in names.items() if old != new and old in frame.columns}
    kept = [c for c in frame.columns if c in names or c not in names.values()]
    return frame[kept].rename(columns=names)


def _files(path: Path) -> list[Path]:
    """Return the parquet files that a path stands for; none where it is something else."""
    if path.is_file():
        return [path] if is_parquet(path) else []
    if not path.is_dir() or not os.access(path, os.R_OK):
        return []
    inside = sorted((p for p in path.iterdir() if not p.name.startswith((".", "_"))), key=_number)
    return inside if inside and all(p.is_file() and is_parquet(p) for p in inside) else []


def _number(path: Path) -> tuple[int, str]:
    """Sort part.10 after part.9."""
    digits = [part for part in path.stem.split(".") if part.isdigit()]
    return (int(digits[-1]) if digits else -1, path.name)


def is_parquet(path: Path) -> bool:
    """Return whether a file begins as parquet files do."""
    with path.open("rb") as file:
        return file.read(4) == _MAGIC


def _columns_of(file: Path) -> tuple[_Columns, str] | None:
    """Return how the columns of a file are called and which names the gene; None where they are no transcripts."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        names = set(pq.read_schema(file).names)
    except (OSError, pa.ArrowException):
        return None
    for columns in _KNOWN:
        key = next((gene for gene in columns.genes if gene in names), "")
        if key and {columns.x, columns.y} <= names:
            return columns, key
    return None


FORMAT = Format(
    name="transcripts",
    title="transcripts in parquet files",
    what="a parquet file of transcripts, or a folder of such (columns x, y and the gene)",
    recognises=is_points,
    read=read_points,
    stem=element_name,
)
