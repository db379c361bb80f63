"""Files of other programs, in and out: regions and cells, in the pixels of an image or in µm.

What is read becomes a correction, so that it can be undone and replayed without the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..core.report import Report, silent
from ..errors import BadInput
from ..io.beside import is_regions, read_regions
from ..io.cellpose_seg import is_cellpose_seg, read_cellpose, write_cellpose
from ..io.document import element_name
from ..io.explorer import write_explorer
from ..io.geojson import write_geojson
from ..io.regions_file import CLASS, MICROMETRES, PIXELS, RegionsFile
from .annotating import class_colours, frame_of, in_um
from .cell_outlines import cell_outlines
from .command import Command
from .corrections import correct, packed
from .document import GLOBAL, Document
from .elements import matrices
from .gather import full_resolution

__all__ = ["Incoming", "export_annotations", "export_cells", "image_for", "read_incoming"]

Unit = Literal["", "px", "µm"]


class Incoming:
    """A file that was read and where it belongs; `command` adds it to the document.

    Parameters
    ----------
    document
        The document; it is only read.
    path
        The file.
    found
        What it holds.
    """

    def __init__(self, document: Document, path: Path, found: Any, image: str, into: str, said: Sequence[str]) -> None:
        self.path, self.found, self.image, self.into = path, found, image, into
        self.said = tuple(said)

    def command(self, document: Document) -> Command:
        """Return the command that adds it."""
        if isinstance(self.found, RegionsFile):
            return _regions_command(document, self)
        masks = packed(np.ascontiguousarray(self.found.masks))
        return correct(document, "import-cells", labels=self.into, image=self.image, masks=masks, source=self.path.name)


def read_incoming(
    document: Document,
    path: Path,
    *,
    image: str = "",
    unit: Unit = "",
    into: str = "",
    report: Report = silent,
) -> Incoming:
    """Read a file and find its place in the document.

    Parameters
    ----------
    document
        The document; it is only read, so that this may run in a thread.
    path
        GeoJSON, a selection of Xenium Explorer, or Cellpose's ``_seg.npy``.
    image
        The image whose pixels are counted; `image_for` finds one if empty.
    unit
        "px" or "µm", where the file does not say; GeoJSON counts pixels otherwise.
    into
        The element that takes it in; named after the file if empty.
    report
        Told how far it is.

    Raises
    ------
    BadInput
        When it cannot be read, or lies wholly outside the section.
    """
    report(0.0, f"Reading {path.name}")
    name = into or element_name(path).removesuffix("_seg")
    if is_cellpose_seg(path):
        found = read_cellpose(path)
        return Incoming(document, path, found, image or _image_of(document, found.masks.shape, path), name, ())
    if not is_regions(path):
        raise BadInput(
            f"'{path.name}' holds neither regions nor masks.",
            "Choose GeoJSON, a selection of Xenium Explorer, or Cellpose's NAME_seg.npy.",
        )
    regions = read_regions(path)
    report(0.7, "Placing the regions")
    counted = (unit or regions.unit or PIXELS) == PIXELS
    chosen = (image or image_for(document)) if counted else ""
    matrix = matrices(document.element(chosen))[GLOBAL] if counted else np.eye(3)
    placed = regions.placed(matrix)
    return Incoming(document, path, placed, chosen, name, [*regions.said, *_checked(document, regions, placed, path)])


def image_for(document: Document) -> str:
    """Return the image in whose pixels people draw: the first of three 8-bit channels, else the first.

    Raises
    ------
    BadInput
        When there is none.
    """
    images = [n for n in document.names("images") if GLOBAL in document.placed(n) and not n.endswith("_warped")]
    if not images:
        raise BadInput("The regions count pixels, but the section has no image.", "Say that they are in µm.")
    coloured = [
        n for n in images if (lambda p: p.sizes["c"] == 3 and p.dtype == np.uint8)(full_resolution(document, n))
    ]
    return (coloured or images)[0]


def _image_of(document: Document, shape: tuple[int, ...], path: Path) -> str:
    sizes = {n: full_resolution(document, n).sizes for n in document.names("images")}
    fit = [n for n, s in sizes.items() if (s["y"], s["x"]) == shape]
    if not fit:
        have = ", ".join(f"'{n}' {s['y']} × {s['x']}" for n, s in sizes.items()) or "none"
        raise BadInput(
            f"The masks of '{path.name}' have {shape[0]} × {shape[1]} pixels, as no image has.", f"Images: {have}."
        )
    return fit[0]


def _checked(document: Document, regions: RegionsFile, placed: RegionsFile, path: Path) -> list[str]:
    """Return a sentence where regions reach beyond the section; refuse where none lies on it."""
    import shapely

    extent = _extent(document)
    if extent is None:
        return []
    low, high = extent
    boxes = shapely.bounds(placed.geometry)
    off = (boxes[:, 2] < low[1]) | (boxes[:, 0] > high[1]) | (boxes[:, 3] < low[0]) | (boxes[:, 1] > high[0])
    if off.all():
        x0, y0, x1, y1 = shapely.total_bounds(regions.geometry)
        raise BadInput(
            f"None of the {len(placed):,} regions of '{path.name}' lies on the section: its coordinates reach from "
            f"({x0:.0f}, {y0:.0f}) to ({x1:.0f}, {y1:.0f}).",
            "Choose another image, or another unit: pixels or µm.",
        )
    n = int(off.sum())
    return [f"{n:,} of {len(placed):,} regions lie outside the section: check the unit and the image."] if n else []


def _extent(document: Document) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]] | None:
    """Return the lowest and highest (y, x) in µm that images and labels reach."""
    corners = []
    for kind in ("images", "labels"):
        for name in document.names(kind):
            if GLOBAL in document.placed(name):
                h, w = _size(document, name, kind)
                corners.append(document.affine(name).apply(np.array([[0.0, 0.0], [0.0, w], [h, 0.0], [h, w]])))
    if not corners:
        return None
    points = np.concatenate(corners)
    return points.min(0), points.max(0)


def _size(document: Document, name: str, kind: str) -> tuple[int, int]:
    if kind == "labels":
        return document.grid(name).shape
    sizes = full_resolution(document, name).sizes
    return int(sizes["y"]), int(sizes["x"])


def _regions_command(document: Document, incoming: Incoming) -> Command:
    import shapely

    found: RegionsFile = incoming.found
    binary = shapely.to_wkb(found.geometry)
    lengths = np.array([len(b) for b in binary], dtype=np.int64)
    return correct(
        document,
        "import-annotations",
        annotations=incoming.into,
        ids=list(found.ids),
        geometry={"bytes": packed(np.frombuffer(b"".join(binary), np.uint8)), "lengths": packed(lengths)},
        columns=found.columns(),
        colours=found.colours,
        source=incoming.path.name,
    )


def export_annotations(
    document: Document, annotations: str, path: Path, form: str = "geojson", *, image: str = ""
) -> tuple[str, ...]:
    """Write annotations; return sentences about what the file cannot tell.

    Parameters
    ----------
    document
        The document; it is only read.
    annotations
        Which.
    path
        The file.
    form
        "geojson", as QuPath reads it, in pixels of an image; "explorer", in µm.
    image
        The image whose pixels are counted; `image_for` finds one if empty.

    Raises
    ------
    BadInput
        When there is nothing to write, or it cannot be written.
    """
    frame = frame_of(document, annotations)
    if frame is None:
        raise BadInput(f"There are no annotations '{annotations}'.", "Draw a region first.")
    columns = {c: tuple(map(str, frame[c])) if c in frame else ("",) * len(frame) for c in _SAID}
    found = RegionsFile(
        geometry=np.asarray(in_um(document, annotations), dtype=object),
        ids=tuple(map(str, frame.index)),
        classes=columns[CLASS],
        notes=columns["note"],
        annotators=columns["annotator"],
        created=columns["created"],
        kinds=("annotation",) * len(frame),
        unit=MICROMETRES,
        colours=class_colours(document, annotations),
    )
    if form == "explorer":
        return write_explorer(path, found)
    if form != "geojson":
        raise BadInput(f"Annotations cannot be written as '{form}'.", "Choose geojson or explorer.")
    write_geojson(path, _in_pixels(document, found, image or image_for(document)))
    return ()


_SAID = (CLASS, "note", "annotator", "created")


def _in_pixels(document: Document, found: RegionsFile, image: str) -> RegionsFile:
    from dataclasses import replace

    matrix = np.linalg.inv(np.asarray(matrices(document.element(image))[GLOBAL]))
    return replace(found.placed(matrix), unit=PIXELS)


def export_cells(
    document: Document,
    labels: str,
    path: Path,
    form: str = "geojson",
    *,
    nuclei: str = "",
    unit: str = "px",
    colour: str = "",
    report: Report = silent,
) -> tuple[str, ...]:
    """Write the cells of labels along their pixels' edges; return sentences about them.

    Parameters
    ----------
    document
        The document; it is only read.
    labels
        The cells.
    path
        The file.
    form
        "geojson", as QuPath and ``xeniumranger import-segmentation`` read it; "cellpose", ``NAME_seg.npy``.
    nuclei
        Labels of the cells' nuclei, by the same ids, or "".
    unit
        "px", or "µm" of the coordinate system "global".
    colour
        A categorical column of the cells' table, written as their class, or "".
    report
        Told how far it is.

    Raises
    ------
    BadInput
        When there are no cells, or the file cannot be written.
    """
    if form == "cellpose":
        return _to_cellpose(document, labels, path)
    if form != "geojson":
        raise BadInput(f"Cells cannot be written as '{form}'.", "Choose geojson or cellpose.")
    ids, outlines = cell_outlines(document, labels, report)
    if not len(ids):
        raise BadInput(f"'{labels}' holds no cells.", "Segment an image first.")
    names, nothing = tuple(str(i) for i in ids.tolist()), ("",) * len(ids)
    classes, colours = _classes(document, labels, ids, colour)
    inner = _nuclei(document, labels, nuclei, ids) if nuclei else np.empty(0, object)
    found = RegionsFile(
        outlines, names, classes, nothing, nothing, nothing, ("cell",) * len(ids), PIXELS, inner, colours
    )
    if unit == MICROMETRES:
        found = _to_um(found, matrices(document.element(labels))[GLOBAL])
    report(0.8, f"Writing {path.name}")
    write_geojson(path, found, cells=True)
    parts = sum(g.geom_type == "MultiPolygon" for g in outlines)
    told = f"{parts:,} of {len(ids):,} cells are in several parts, which some programs read as one." if parts else ""
    return (told,) if told else ()


def _to_um(found: RegionsFile, matrix: Any) -> RegionsFile:
    from dataclasses import replace

    inner = found.nuclei
    has = np.array([g is not None for g in inner], dtype=bool)
    if has.any():
        inner = inner.copy()
        inner[has] = replace(found, geometry=inner[has]).placed(matrix).geometry
    return replace(found.placed(matrix), nuclei=inner)


def _nuclei(document: Document, labels: str, nuclei: str, ids: npt.NDArray[Any]) -> npt.NDArray[np.object_]:
    if document.grid(nuclei).shape != document.grid(labels).shape:
        raise BadInput(f"'{nuclei}' and '{labels}' are of different sizes.", "Choose nuclei of the same image.")
    found, outlines = cell_outlines(document, nuclei)
    made = np.full(len(ids), None, dtype=object)
    at = np.searchsorted(ids, found)
    fits = (at < len(ids)) & (ids[np.minimum(at, len(ids) - 1)] == found)
    made[at[fits]] = outlines[fits]
    return made


def _classes(
    document: Document, labels: str, ids: npt.NDArray[Any], column: str
) -> tuple[tuple[str, ...], dict[str, str]]:
    import pandas as pd

    from ..core.colours import category_colours

    if not column:
        return ("",) * len(ids), {}
    for table in document.tables_of(labels):
        obs = document.table(table).obs
        if column in obs and obs[column].dtype.kind not in "biufc":
            rows = document.rows(table, labels)
            at = pd.Index(document.instances(table)[rows]).get_indexer(pd.Index(ids))
            values = obs[column].astype(object).to_numpy()[rows]
            names = tuple("" if k < 0 or pd.isna(values[k]) else str(values[k]) for k in at)
            stored = document.colours(column)
            return names, category_colours(sorted({n for n in names if n}), stored)
    raise BadInput(f"No table of '{labels}' has a column of categories '{column}'.", "Choose another column.")


def _to_cellpose(document: Document, labels: str, path: Path) -> tuple[str, ...]:
    if not path.name.endswith("_seg.npy"):
        raise BadInput(f"Cellpose does not find '{path.name}'.", "Name it NAME_seg.npy, beside the image NAME.tif.")
    grid = document.grid(labels)
    if grid.shape[0] * grid.shape[1] > 400_000_000:
        raise BadInput(
            f"'{labels}' has {grid.shape[0]} × {grid.shape[1]} pixels: Cellpose keeps them all in memory.",
            "Write GeoJSON instead.",
        )
    write_cellpose(path, grid.read())
    return ()
