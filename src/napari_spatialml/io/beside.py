"""Files that belong to a section: regions and masks drawn on its image, read alone or added to it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import BadInput
from .cellpose_seg import CellposeMasks, is_cellpose_seg, read_cellpose
from .document import GLOBAL, assemble, element_name
from .explorer import is_explorer_selection, read_explorer
from .format import Format
from .geojson import is_geojson, read_geojson
from .regions_file import CLASS, MICROMETRES, RegionsFile, regions_frame
from .units import Units

if TYPE_CHECKING:
    from spatialdata import SpatialData

__all__ = ["FORMATS", "is_beside", "is_regions", "read_regions"]


def is_regions(path: Path) -> bool:
    """Return whether a file holds regions: GeoJSON, or selections of Xenium Explorer."""
    return is_geojson(path) or is_explorer_selection(path)


def is_beside(path: Path) -> bool:
    """Return whether a file holds what is added to a section that is open: regions, or masks of Cellpose."""
    return is_regions(path) or is_cellpose_seg(path)


def read_regions(path: Path) -> RegionsFile:
    """Read a file of regions, whatever its format.

    Raises
    ------
    BadInput
        When it is none, or holds nothing that can be read.
    """
    if is_explorer_selection(path):
        return read_explorer(path)
    if is_geojson(path):
        return read_geojson(path)
    raise BadInput(f"'{path.name}' holds no regions.", "Choose a GeoJSON file or a selection of Xenium Explorer.")


def _regions_alone(path: Path, units: Units) -> SpatialData:
    """Return a document of the regions alone; pixels must be stated."""
    found = read_regions(path)
    edge = 1.0 if found.unit == MICROMETRES else units.length("pixel_size_um", f"The file '{path.name}'")
    return _of_regions(found.placed(np.diag([edge, edge, 1.0])), path)


def _of_regions(found: RegionsFile, path: Path) -> SpatialData:
    element = regions_frame(found.geometry, found.ids, found.columns())
    made = assemble({_name(path): element}, path, "regions", found.said)
    if found.colours:
        made.attrs["spatialml"]["colours"] = {CLASS: dict(found.colours)}
    return made


def _masks_alone(path: Path, units: Units) -> SpatialData:
    edge = units.length("pixel_size_um", f"The file '{path.name}'")
    return assemble({_name(path): _labels(read_cellpose(path), np.diag([edge, edge, 1.0]))}, path, "cellpose")


def _labels(found: CellposeMasks, matrix: Any) -> Any:
    from spatialdata.models import Labels2DModel
    from spatialdata.transformations import Affine

    place = Affine(matrix, ("x", "y"), ("x", "y"))
    return Labels2DModel.parse(found.masks, dims=("y", "x"), transformations={GLOBAL: place})


def _add_regions(path: Path, document: SpatialData) -> None:
    """Add regions to a document, in pixels of its first image unless they are in µm."""
    found = read_regions(path)
    notes: list[str] = document.attrs["spatialml"].setdefault("notes", [])
    if found.unit != MICROMETRES:
        image, matrix = _image(document, path)
        found = found.placed(matrix)
        notes.append(f"The regions of '{path.name}' were placed in pixels of '{image}'.")
    _take_in(document, path, "regions", regions_frame(found.geometry, found.ids, found.columns()))
    notes.extend(found.said)
    known = document.attrs["spatialml"].setdefault("colours", {}).setdefault(CLASS, {})
    document.attrs["spatialml"]["colours"][CLASS] = {**found.colours, **known}


def _add_masks(path: Path, document: SpatialData) -> None:
    """Add masks to a document, on the image that has as many pixels."""
    found = read_cellpose(path)
    height, width = found.masks.shape
    _, matrix = _image(document, path, (height, width))
    _take_in(document, path, "cellpose", _labels(found, matrix))


def _take_in(document: SpatialData, path: Path, form: str, element: Any) -> None:
    taken = {name for _, name, _ in document.gen_elements()}
    name = _name(path)
    free = next(n for n in (name, *(f"{name}_{k}" for k in range(2, 10_000))) if n not in taken)
    document[free] = element
    document.attrs["spatialml"].setdefault("sources", []).append({"path": str(path), "format": form})


def _image(document: SpatialData, path: Path, shape: tuple[int, int] | None = None) -> tuple[str, Any]:
    """Return the first image in µm, or the first of a size (y, x), and its 3 × 3 matrix on (x, y, 1)."""
    from spatialdata.transformations import get_transformation
    from xarray import DataTree

    sizes = {}
    for name, image in document.images.items():
        places = get_transformation(image, get_all=True)
        if GLOBAL in places:
            whole: Any = image["scale0"] if isinstance(image, DataTree) else image
            sizes[name] = (int(whole.sizes["y"]), int(whole.sizes["x"]))
            if shape in (None, sizes[name]):
                return name, places[GLOBAL].to_affine_matrix(("x", "y"), ("x", "y"))
    if shape is None or not sizes:
        raise BadInput(f"'{path.name}' counts pixels, but there is no image beside it.", "Open the image as well.")
    have = ", ".join(f"'{n}' {y} × {x}" for n, (y, x) in sizes.items())
    raise BadInput(f"'{path.name}' has {shape[0]} × {shape[1]} pixels, as no image has.", f"Images: {have}.")


def _name(path: Path) -> str:
    return element_name(path).removesuffix("_seg")


FORMATS = (
    Format(
        "regions",
        "regions of QuPath (GeoJSON) or Xenium Explorer (CSV)",
        "GeoJSON of annotations or cells, or the CSV of a Xenium Explorer selection",
        is_regions,
        _regions_alone,
        stem=_name,
        add=_add_regions,
    ),
    Format(
        "cellpose",
        "masks of Cellpose",
        "Cellpose's NAME_seg.npy",
        is_cellpose_seg,
        _masks_alone,
        stem=_name,
        add=_add_masks,
    ),
)
