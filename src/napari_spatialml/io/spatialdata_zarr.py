"""A SpatialData store (zarr, versions 2 and 3): read where it lies, and never modified."""

from __future__ import annotations

import logging
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BadInput, UnitNeeded
from .document import GLOBAL, VERSION
from .format import Format
from .units import Units

if TYPE_CHECKING:
    from spatialdata import SpatialData

__all__ = ["FORMAT", "read_store"]

# it warns that labels lie in no image, which in SpatialData they never do
logging.getLogger("ome_zarr.reader").setLevel(logging.ERROR)

KINDS = ("images", "labels", "points", "shapes", "tables")


def _is_group(path: Path) -> bool:
    return path.is_dir() and ((path / "zarr.json").is_file() or (path / ".zgroup").is_file())


def is_store(path: Path) -> bool:
    """Return whether the folder is a zarr group, or is named as one."""
    return path.is_dir() and (_is_group(path) or path.name.rstrip("/").endswith(".zarr"))


def read_store(path: Path, units: Units) -> SpatialData:
    """Open a SpatialData store, lazily; scale its coordinate systems to µm in memory.

    Raises
    ------
    BadInput
        It is no SpatialData store, an element is damaged (named), or a link leads out of it.
    UnitNeeded
        Another program wrote the store, and it does not say what its units are.
    """
    _check_store(path)
    from spatialdata import read_zarr

    from .stored_table import large_tables, put_tables

    large: tuple[str, ...] = ()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on older store versions, which are read all the same
            large = large_tables(path)
            document = read_zarr(path, selection=KINDS[:4]) if large else read_zarr(path)
            if large:
                put_tables(document, path, large)
    except Exception as error:  # zarr, parquet and anndata each raise their own
        named = _damaged(path)
        where = f"The element '{named}' of" if named else "The store"
        raise BadInput(
            f"{where} '{path.name}' is damaged ({_first_line(error)}).", "Copy the store again, or remove the element."
        ) from error
    for name, table in document.tables.items():
        if name not in large and table.X is None and table.n_vars:
            raise BadInput(
                f"The element '{name}' of '{path.name}' is damaged (it has no values).", "Copy the store again."
            )
    _to_um(document, path, units)
    return document


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _check_store(path: Path) -> None:
    if not _is_group(path):
        raise BadInput(
            f"The folder '{path.name}' is not a zarr store: it has no zarr.json or .zgroup.", "Choose another."
        )
    held = [kind for kind in KINDS if (path / kind).is_dir()]
    if not held:
        raise BadInput(
            f"The zarr store '{path.name}' holds no SpatialData elements ({', '.join(KINDS)}).", "Choose another store."
        )
    root = path.resolve()
    for kind in held:
        for folder, folders, files in os.walk(path / kind):
            for name in folders + files:
                _check_link(Path(folder) / name, root, path)
            if kind in ("images", "labels") and len(Path(folder).relative_to(path).parts) == 2:
                folders.clear()  # below are the chunks of rasters, too many to look at one by one
        for element in sorted((path / kind).iterdir()):
            if element.is_dir() and not element.name.startswith(".") and not _is_group(element):
                raise BadInput(
                    f"The element '{element.name}' ({kind}) of '{path.name}' is incomplete: its metadata is absent.",
                    "Copy the store again, or remove the element.",
                )


def _check_link(path: Path, root: Path, store: Path) -> None:
    if path.is_symlink() and not path.resolve().is_relative_to(root):
        raise BadInput(
            f"'{path.relative_to(store)}' in '{store.name}' is a link out of the store.", "Open a copy without links."
        )


def _damaged(path: Path) -> str | None:
    """Return the first element that cannot be read alone, or None."""
    from spatialdata import read_zarr

    for kind in KINDS:
        if not (path / kind).is_dir():
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                found: Any = read_zarr(path, selection=(kind,), on_bad_files="warn")
            except Exception:
                return kind
        names = {p.name for p in (path / kind).iterdir() if p.is_dir() and not p.name.startswith(".")}
        missing = sorted(names - set(getattr(found, kind)))
        if missing:
            return missing[0]
    return None


def _to_um(document: SpatialData, path: Path, units: Units) -> None:
    """Make every coordinate system µm, in memory: by what our own attributes say, else by what is stated."""
    ours = document.attrs.get("spatialml")
    ours = dict(ours) if isinstance(ours, dict) else {}
    known = ours.get("um_per_unit")
    what = f"The store '{path.name}'"
    if isinstance(known, dict):
        factors = {system: _factor(known.get(system, 1.0), path) for system in document.coordinate_systems}
        units.length("um_per_unit", what, factors.get(GLOBAL, 1.0))
        if all(factor == 1.0 for factor in factors.values()):
            return  # what we saved is opened as it is, to the last attribute
    else:
        if units.um_per_unit is None:
            raise UnitNeeded(
                f"{what} does not say how many µm one unit of its coordinates is.",
                "State it: 1 when they are µm; the pixel size when they are pixels (0.2125 for Xenium).",
                parameter="um_per_unit",
            )
        factors = dict.fromkeys(document.coordinate_systems, units.take("um_per_unit"))
        ours |= {
            "sources": [{"path": str(path), "format": FORMAT.name}],
            "notes": [f"The coordinates of '{path.name}' were taken as {units.um_per_unit:g} µm a unit."],
        }
    if any(factor != 1.0 for factor in factors.values()):
        _rescale(document, factors)
    ours |= {"version": VERSION, "um_per_unit": dict.fromkeys([GLOBAL, *sorted(factors)], 1.0)}
    document.attrs["spatialml"] = ours


def _factor(value: object, path: Path) -> float:
    if not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise BadInput(f"The store '{path.name}' says one unit is {value!r} µm.", "Copy the store again.")
    return float(value)


def _rescale(document: SpatialData, factors: dict[str, float]) -> None:
    from spatialdata.models import get_axes_names
    from spatialdata.transformations import Scale, Sequence, get_transformation, set_transformation

    for _, _, element in document.gen_spatial_elements():
        held = get_transformation(element, get_all=True)
        axes = ("x", "y", "z") if "z" in get_axes_names(element) else ("x", "y")
        scaled = {
            system: Sequence([old, Scale([factors[system]] * len(axes), axes=axes)]) for system, old in held.items()
        }
        set_transformation(element, scaled, set_all=True)


FORMAT = Format(
    name="spatialdata",
    title="SpatialData",
    what="a SpatialData store (zarr)",
    recognises=is_store,
    read=read_store,
)
