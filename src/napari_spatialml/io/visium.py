"""A Visium ``outs`` folder: counts, spots on their array, and the tissue image."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import BadInput
from .document import assemble, circles, grid, neighbour_distance
from .format import Format
from .image import image_element
from .tenx_matrix import find_matrix, read_matrix
from .units import Units, agree

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData
    from spatialdata import SpatialData

__all__ = ["FORMAT", "SPOT_DIAMETER_UM", "THEORETICAL_DIAMETER_UM", "read_visium"]

SPOT_DIAMETER_UM = 55.0
PITCH_UM = 100.0
THEORETICAL_DIAMETER_UM = 65.0
"""What ``spot_diameter_fullres`` spans: the vendor documents it as a theoretical 65 µm spot, not the 55 µm printed."""
POSITIONS = ("tissue_positions.parquet", "tissue_positions.csv", "tissue_positions_list.csv")
COLUMNS = ["barcode", "in_tissue", "array_row", "array_col", "pxl_row_in_fullres", "pxl_col_in_fullres"]


def folder_of(path: Path) -> Path:
    """Return the folder that holds the matrix and ``spatial``, for the folder, its parent or a file in it."""
    candidates = [path, path / "outs"] if path.is_dir() else [path.parent, path.parent.parent]
    for folder in candidates:
        if _spatial(folder) is not None and find_matrix(folder) is not None:
            return folder
    return path


def recognise_visium(path: Path) -> bool:
    """Return whether the path is a Visium folder or its count matrix; its images stay images."""
    folder = folder_of(path)
    if folder.is_dir() and _spatial(folder) is not None and find_matrix(folder) is not None:
        return path.is_dir() or path.name.endswith((".h5", ".csv", ".parquet", ".json"))
    return False


def _spatial(folder: Path) -> Path | None:
    return folder / "spatial" if (folder / "spatial").is_dir() else None


def read_visium(path: Path, units: Units) -> SpatialData:
    """Read a Visium folder (55 µm spots, or the square bins of Visium HD) in µm."""
    folder = folder_of(path)
    notes: list[str] = []
    matrix = find_matrix(folder)
    if matrix is None:
        raise BadInput(f"The folder '{folder.name}' has no count matrix.", "Choose the folder named 'outs'.")
    positions = _positions(folder, notes)
    scales = _scale_factors(folder)
    um = _um_per_pixel(folder, positions, scales, units, notes)
    table, placed = _joined(read_matrix(matrix, notes), positions, matrix, notes)
    elements = _image(folder, scales, um, notes)
    yx = placed[["pxl_row_in_fullres", "pxl_col_in_fullres"]].to_numpy(dtype=np.float64) * um
    if "bin_size_um" in scales:
        side = _number(scales, "bin_size_um", folder)
        elements |= _bins(table, placed, yx, side)
    else:
        elements |= circles(yx, SPOT_DIAMETER_UM / 2, table)
    return assemble(elements, folder, FORMAT.name, notes)


def _bins(table: AnnData, placed: pd.DataFrame, yx_um: Any, side_um: float) -> dict[str, Any]:
    """Return Visium HD's bins as a raster, laid over the image by the similarity that fits them."""
    from spatialdata.transformations import Affine, set_transformation

    cells = placed[["array_row", "array_col"]].to_numpy(dtype=np.int64)
    elements = grid(cells, (side_um, side_um), table, "bins", "counts")
    centres = (cells - cells.min(axis=0) + 0.5)[:, ::-1]
    design = np.column_stack([centres, np.ones(len(centres))])
    if np.linalg.matrix_rank(design) == 3:
        fitted, *_ = np.linalg.lstsq(design, yx_um[:, ::-1], rcond=None)
        matrix = np.vstack([fitted.T, [0, 0, 1]])
        set_transformation(elements["bins"], Affine(matrix, ("x", "y"), ("x", "y")), "global")
        elements["counts"].obsm["spatial"] = np.ascontiguousarray(yx_um[:, ::-1])
    return elements


def _positions(folder: Path, notes: list[str]) -> pd.DataFrame:
    import pandas as pd

    found = next((folder / "spatial" / name for name in POSITIONS if (folder / "spatial" / name).is_file()), None)
    if found is None:
        raise BadInput(
            f"The Visium folder '{folder.name}' has no spot positions in 'spatial'.",
            f"Copy the file '{POSITIONS[1]}' or '{POSITIONS[2]}' there.",
        )
    try:
        if found.suffix == ".parquet":
            positions = pd.read_parquet(found)
        else:
            with found.open(encoding="utf-8", errors="replace") as file:
                header = 0 if "barcode" in file.readline() else None
            positions = pd.read_csv(found, header=header)
        positions = positions.iloc[:, : len(COLUMNS)].set_axis(COLUMNS, axis=1)
        positions = positions.astype(
            {"barcode": str, **dict.fromkeys(COLUMNS[1:4], int), **dict.fromkeys(COLUMNS[4:], float)}
        )
    except (ValueError, OSError, TypeError) as error:
        raise BadInput(
            f"The spot positions '{found.name}' cannot be read ({error}).", "Copy the file again."
        ) from error
    if not np.isfinite(positions[COLUMNS[4:]].to_numpy()).all():
        raise BadInput(f"A position in '{found.name}' is not a number.", "Copy the file again.")
    repeated = int(positions["barcode"].duplicated().sum())
    if repeated:
        notes.append(f"{repeated} barcodes stand twice in '{found.name}'; the first position was taken.")
        positions = positions.drop_duplicates("barcode")
    return positions.set_index("barcode")


def _scale_factors(folder: Path) -> dict[str, Any]:
    path = folder / "spatial" / "scalefactors_json.json"
    if not path.is_file():
        return {}
    try:
        scales = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadInput(
            f"The scale factors of '{folder.name}' are not JSON ({error}).", "Copy the file again."
        ) from error
    return scales if isinstance(scales, dict) else {}


def _number(scales: dict[str, Any], key: str, folder: Path) -> float:
    value = scales[key]
    if not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
        raise BadInput(f"The scale factor '{key}' of '{folder.name}' is {value!r}.", "Copy the file again.")
    return float(value)


def _um_per_pixel(
    folder: Path, positions: pd.DataFrame, scales: dict[str, Any], units: Units, notes: list[str]
) -> float:
    """Return µm per pixel of the full-resolution image, from the vendor's own numbers."""
    metadata = None
    if "microns_per_pixel" in scales:
        metadata = _number(scales, "microns_per_pixel", folder)
    elif "spot_diameter_fullres" in scales:
        metadata = THEORETICAL_DIAMETER_UM / _number(scales, "spot_diameter_fullres", folder)
    what = f"The Visium folder '{folder.name}'"
    pixels = neighbour_distance(positions[["pxl_row_in_fullres", "pxl_col_in_fullres"]].to_numpy(dtype=np.float64))
    if units.spot_pitch_um is not None and pixels is not None:
        if metadata is not None:
            agree(units.spot_pitch_um, metadata * pixels, "spot_pitch_um", what)
        elif units.pixel_size_um is None:
            return units.take("spot_pitch_um") / pixels
    um = units.length("pixel_size_um", what, metadata)
    if "bin_size_um" not in scales and pixels is not None and abs(um * pixels / PITCH_UM - 1) > 0.05:
        notes.append(f"Neighbouring spots of '{folder.name}' lie {um * pixels:.1f} µm apart, not {PITCH_UM:.0f} µm.")
    return um


def _joined(table: AnnData, positions: pd.DataFrame, matrix: Path, notes: list[str]) -> tuple[AnnData, pd.DataFrame]:
    """Return the spots that have counts and a position under tissue, in the matrix's order."""
    known = table.obs_names.isin(positions.index)
    if not known.any():
        raise BadInput(
            f"None of the {table.n_obs} barcodes in '{matrix.name}' has a position (the first: "
            f"'{table.obs_names[0] if table.n_obs else ''}').",
            "Counts and 'spatial' come from different slides, or one was renamed.",
        )
    if not known.all():
        notes.append(f"{int((~known).sum())} of {table.n_obs} barcodes have no position and were left out.")
    table = table[known].copy()
    placed = positions.loc[table.obs_names]
    if matrix.name.startswith("raw"):
        under = placed["in_tissue"].to_numpy() == 1
        table, placed = table[under].copy(), placed[under]
    for column in ("in_tissue", "array_row", "array_col"):
        table.obs[column] = placed[column].to_numpy()
    return table, placed


def _image(folder: Path, scales: dict[str, Any], um: float, notes: list[str]) -> dict[str, Any]:
    """Return the best tissue image in the folder as an element, in µm."""
    for kind in ("hires", "lowres"):
        path = folder / "spatial" / f"tissue_{kind}_image.png"
        key = f"tissue_{kind}_scalef"
        if path.is_file() and key in scales:
            size = um / _number(scales, key, folder)
            return {"image": image_element(path, Units(), notes, pixel_um=size)}
    notes.append(f"The folder '{folder.name}' has no tissue image with a scale factor.")
    return {}


FORMAT = Format(
    name="visium",
    title="Visium",
    what="a Visium folder ('outs': a feature-barcode matrix beside 'spatial')",
    recognises=recognise_visium,
    read=read_visium,
    resolve=folder_of,
)
