"""An AnnData file (h5ad) whose ``obsm["spatial"]`` says where its rows lie: spots, or a grid of pixels."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from .document import (
    SPOT_FILL,
    assemble,
    check_values,
    circles,
    element_name,
    grid,
    neighbour_distance,
    unique_names,
)
from .format import Format
from .table_names import make_storable
from .units import Units, agree

if TYPE_CHECKING:
    from anndata import AnnData
    from spatialdata import SpatialData

__all__ = ["FORMAT", "load_anndata", "read_anndata"]

MZ_NAME = re.compile(r"^(?:m/?z[-_ ]?)?(\d{2,5}\.\d+)$", re.IGNORECASE)
UNIT_UM = {
    "µm": 1.0,
    "um": 1.0,
    "micrometer": 1.0,
    "micrometre": 1.0,
    "micron": 1.0,
    "microns": 1.0,
    "mm": 1e3,
    "nm": 1e-3,
}
LATTICE_MINIMUM = 10_000
"""A full integer lattice of at least this many rows is a grid of bins; a spot array has up to about 5,000."""


def is_anndata(path: Path) -> bool:
    """Return whether the file is HDF5 with the groups of an AnnData."""
    import h5py

    if not path.is_file() or not h5py.is_hdf5(path):
        return False
    try:
        with h5py.File(path, "r") as file:
            return "obs" in file and "var" in file
    except (OSError, RuntimeError, KeyError):  # cut off or damaged: reading it says so
        return path.suffix == ".h5ad"


def load_anndata(path: Path, notes: list[str]) -> AnnData:
    """Read the file into memory, with unique names and checked values."""
    import warnings

    from anndata import read_h5ad

    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*names are not unique.*")
            table = read_h5ad(path)
    except Exception as error:  # anndata raises what h5py, numpy and pandas raise
        raise BadInput(f"The AnnData file '{path.name}' is damaged ({error}).", "Write it again.") from error
    if table.X is None or 0 in table.shape:
        raise BadInput(f"The table of '{path.name}' is empty: {table.n_obs} × {table.n_vars}.", "Choose another file.")
    check_values(table.X, f"The table of '{path.name}'", negative=True)
    values = table.X.data if hasattr(table.X, "indptr") else np.asarray(table.X)
    if (values < 0).any():
        notes.append(f"'{path.name}' holds negative values, so not raw counts.")
    if getattr(table.X, "format", "csr") != "csr":
        table.X = table.X.tocsr()
    table.obs_names = unique_names(table.obs_names, "row names", notes)
    table.var_names = unique_names(table.var_names, "feature names", notes)
    make_storable(table, notes)
    return table


def read_anndata(path: Path, units: Units) -> SpatialData:
    """Read an h5ad: a full grid of pixels becomes labels, anything else circles."""
    notes: list[str] = []
    table = load_anndata(path, notes)
    xy = _coordinates(table, path)
    name = element_name(path)
    mz = _mz(table)
    um, radius_um = _scale(table, xy, path, units)
    cells = _grid_positions(xy, mz is not None)
    if cells is not None:
        step = _step(xy)
        if mz is not None:
            _name_by_mz(table, mz, notes)
        side = step * um
        elements = grid(cells, (side, side), table, name, f"{name}_intensities" if mz is not None else f"{name}_counts")
        return assemble(elements, path, FORMAT.name, notes)
    if radius_um is None:
        radius_um = _drawn_radius(xy, um, path, units, notes)
    return assemble(circles(xy[:, ::-1] * um, radius_um, table), path, FORMAT.name, notes)


def _coordinates(table: AnnData, path: Path) -> npt.NDArray[np.float64]:
    if "spatial" not in table.obsm:
        has = ", ".join(table.obsm) or "none"
        raise BadInput(
            f"'{path.name}' has no coordinates: obsm['spatial'] is absent (it has: {has}).",
            "Add them, or open the file as a reference of single cells.",
        )
    values = np.asarray(table.obsm["spatial"])
    if values.ndim != 2 or values.shape[1] < 2 or values.dtype.kind not in "iuf":
        raise BadInput(f"obsm['spatial'] of '{path.name}' has the shape {values.shape}.", "It needs x and y columns.")
    if values.shape[1] > 2 and len(np.unique(values[:, 2])) > 1:
        raise BadInput(f"obsm['spatial'] of '{path.name}' has several z.", "Open one section at a time.")
    xy = values[:, :2].astype(np.float64)
    bad = int((~np.isfinite(xy).all(axis=1)).sum())
    if bad:
        raise BadInput(f"{bad} rows of '{path.name}' have no finite coordinates.", "Remove these rows first.")
    return xy


def _mz(table: AnnData) -> npt.NDArray[np.float64] | None:
    """Return the m/z of the features when all are named by one, else None."""
    found = [MZ_NAME.match(str(name)) for name in table.var_names]
    if all(found):
        return np.array([float(m[1]) for m in found if m])
    return None


def _name_by_mz(table: AnnData, mz: npt.NDArray[np.float64], notes: list[str]) -> None:
    """Name the features by their m/z with four decimals; ``var`` keeps the exact one and the file's name."""
    if "mz" in table.var:
        table.var = table.var.rename(columns={"mz": "mz_of_file"})
    table.var["feature"] = table.var_names.to_numpy()
    table.var["mz"] = mz
    table.var_names = unique_names([f"{value:.4f}" for value in mz], "m/z names", notes)


def _step(xy: npt.NDArray[np.float64]) -> float:
    """Return the smallest step between different x or different y."""
    gaps = np.concatenate([np.diff(np.unique(column)) for column in xy.T])
    return float(gaps.min()) if len(gaps) else 1.0


def _grid_positions(xy: npt.NDArray[np.float64], is_spectrum: bool) -> npt.NDArray[np.int64] | None:
    """Return (n, 2) rows and columns when the coordinates are a grid of pixels, else None.

    Pixels touch, spots do not: a grid needs one row a lattice site, and m/z features or a lattice that is
    at least half full and larger than spot arrays are.
    """
    sites = (xy - xy.min(axis=0)) / _step(xy)
    whole = np.rint(sites)
    if np.abs(sites - whole).max() > 1e-3 or len(np.unique(whole, axis=0)) != len(whole):
        return None
    filled = len(whole) / np.prod(whole.max(axis=0) + 1)
    if (is_spectrum and filled >= 0.05) or (len(whole) >= LATTICE_MINIMUM and filled >= 0.5):
        return whole[:, ::-1].astype(np.int64)
    return None


def _scale(table: AnnData, xy: npt.NDArray[np.float64], path: Path, units: Units) -> tuple[float, float | None]:
    """Return µm per unit of the coordinates, and the spots' radius in µm where the file tells it."""
    what = f"The file '{path.name}'"
    metadata, radius = _documented(table)
    distance = neighbour_distance(xy)
    if units.spot_pitch_um is not None and distance is not None:
        stated = units.spot_pitch_um / distance
        if metadata is not None:
            agree(units.spot_pitch_um, metadata * distance, "spot_pitch_um", what)
        elif units.um_per_unit is None:
            units.take("spot_pitch_um")
            return stated, radius
        else:
            agree(units.um_per_unit, stated, "um_per_unit", f"The spot pitch of '{path.name}'")
    return units.length("um_per_unit", what, metadata), radius


def _documented(table: AnnData) -> tuple[float | None, float | None]:
    """Return µm per unit and spot radius from ``uns``: a stated unit, or Space Ranger's scale factors."""
    from .visium import SPOT_DIAMETER_UM, THEORETICAL_DIAMETER_UM

    spatial = table.uns.get("spatial")
    for library in spatial.values() if isinstance(spatial, dict) and len(spatial) == 1 else ():
        factors = library.get("scalefactors", {}) if isinstance(library, dict) else {}
        diameter = factors.get("spot_diameter_fullres")
        if diameter is not None and float(diameter) > 0:
            return THEORETICAL_DIAMETER_UM / float(diameter), SPOT_DIAMETER_UM / 2
    for key in ("spatial_unit", "spatial_units"):
        unit = UNIT_UM.get(str(table.uns.get(key, "")).strip().lower())
        if unit is not None:
            return unit, None
    return None, None


def _drawn_radius(xy: npt.NDArray[np.float64], um: float, path: Path, units: Units, notes: list[str]) -> float:
    distance = neighbour_distance(xy)
    pitch = units.spot_pitch_um if distance is None else distance * um
    if pitch is None:
        notes.append(f"'{path.name}' has one spot only, so no pitch: its circle has a diameter of one unit.")
        return um / 2
    notes.append(f"'{path.name}' states no spot diameter: circles have half the pitch, {SPOT_FILL * pitch:.1f} µm.")
    return SPOT_FILL * pitch / 2


FORMAT = Format(
    name="anndata",
    title="AnnData",
    what="an AnnData file (h5ad) with obsm['spatial']",
    recognises=is_anndata,
    read=read_anndata,
)
