"""A selection of rows to a file and back: a table, and what Xenium Explorer reads and writes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import BadInput
from ..io.explorer import write_explorer
from ..io.explorer_cells import read_explorer_cells, write_explorer_cells
from ..io.regions_file import MICROMETRES, RegionsFile, write_text
from .document import GLOBAL
from .row_places import row_places
from .selected import Selected

if TYPE_CHECKING:
    from .document import Document

__all__ = ["export_cells", "export_outline", "export_rows", "import_cells"]

_CELL_ID = "cell_id"
"""The column in which SpatialData's readers keep the names that Xenium gives its cells."""
Points = npt.NDArray[np.float64]


def export_rows(document: Document, selected: Selected, path: Path) -> str:
    """Write the selected rows as a table: name, place in µm and every column; return a sentence."""
    _some(selected)
    obs = document.table(selected.table).obs.iloc[selected.rows].copy()
    where = _places_um(document, selected.table)[selected.rows]
    frame = pd.DataFrame({"x_um": where[:, 1], "y_um": where[:, 0]}, index=obs.index)
    frame = pd.concat([frame, obs.drop(columns=[c for c in frame if c in obs])], axis=1)
    write_text(path, [frame.to_csv(index_label="row", lineterminator="\n")])
    return f"{_rows(len(frame))} written to {path.name}."


def export_cells(document: Document, selected: Selected, path: Path, name: str = "") -> str:
    """Write the ids of the selected cells as Xenium Explorer does; return a sentence."""
    _some(selected)
    ids = [str(v) for v in cell_ids(document, selected.table)[selected.rows]]
    obs = document.table(selected.table).obs
    area = obs["area_um2"].to_numpy(dtype=float)[selected.rows] if "area_um2" in obs else None
    write_explorer_cells(path, name or selected.said or path.stem, ids, None if area is None else float(area.sum()))
    return f"{_rows(len(ids))} written to {path.name}, with the ids of cells."


def export_outline(document: Document, selected: Selected, path: Path, name: str = "") -> str:
    """Write outlines that hold the centres of the selected rows and of no others, as Xenium Explorer's selections.

    Notes
    -----
    They are the union of the selected rows' Voronoi cells, so that whoever selects by centres finds the same
    rows again. O(n log n) for n rows within the selection's box.

    References
    ----------
    Voronoi, Journal für die reine und angewandte Mathematik 134, 198 (1908).
    """
    _some(selected)
    where = _places_um(document, selected.table)
    geometry = _around(where, selected.mask(len(where)))
    nothing = ("",) * len(geometry)
    title = name or selected.said or path.stem
    ids = tuple(f"{title} {k + 1}" for k in range(len(geometry)))
    kinds = ("annotation",) * len(geometry)
    notes = (title,) * len(geometry)
    said = write_explorer(path, RegionsFile(geometry, ids, nothing, notes, nothing, nothing, kinds, MICROMETRES))
    return " ".join([f"The outline of {_rows(len(selected))} written to {path.name}.", *said])


def import_cells(document: Document, table: str, path: Path) -> tuple[Selected, str]:
    """Return the rows of a table that a file of Xenium Explorer names, and a sentence about those it does not have.

    Raises
    ------
    BadInput
        When none of the cells is in the table.
    """
    name, wanted = read_explorer_cells(path)
    own = pd.Index([str(v) for v in cell_ids(document, table)])
    found = np.flatnonzero(own.isin(wanted))
    if not len(found):
        raise BadInput(
            f"None of the {len(wanted):,} cells of '{path.name}' is in '{table}', whose first is '{own[0]}'."
            if len(own)
            else f"The table '{table}' is empty.",
            "Choose the table of the section in which they were selected.",
        )
    lost = len(set(wanted) - set(own[found]))
    said = f" {lost:,} of the file are not in '{table}'." if lost else ""
    return Selected(table, found, name), f"{_rows(len(found))} selected.{said}"


def cell_ids(document: Document, table: str) -> npt.NDArray[Any]:
    """Return what the vendor calls each row: its own names, where the table keeps them, else the instances."""
    obs = document.table(table).obs
    return np.asarray(obs[_CELL_ID].astype(str)) if _CELL_ID in obs else document.instances(table)


def _places_um(document: Document, table: str) -> Points:
    """Return (n, 2) where rows lie, (y, x) in µm; NaN for those that name nothing."""
    where = np.full((document.table(table).n_obs, 2), np.nan)
    for element in document.regions(table):
        placed = document.placed(element)
        found = row_places(document, table, element)
        to_um = document.affine(element, GLOBAL if GLOBAL in placed else placed[0])
        where[found.rows] = to_um.apply(found.where)
    return where


def _around(where: Points, wanted: npt.NDArray[np.bool_]) -> npt.NDArray[np.object_]:
    """Return polygons (x, y) around the wanted points and no others."""
    import shapely
    from scipy.spatial import Voronoi

    there = np.isfinite(where[:, 0])
    if not (wanted & there).any():
        raise BadInput("What is selected lies nowhere in the section.", "Select what is on the canvas.")
    low, high = where[wanted & there].min(0), where[wanted & there].max(0)
    reach = max(float((high - low).max()) * 0.1, 30.0)
    near = there & ((where >= low - reach) & (where <= high + reach)).all(axis=1)
    points, first = np.unique(where[near], axis=0, return_index=True)
    chosen = wanted[near][first]
    (y0, x0), (y1, x1) = low - reach, high + reach
    # mirrored far away, so that every cell of the diagram within the box is closed
    far = 3 * np.array([[y1 - y0, 0], [y0 - y1, 0], [0, x1 - x0], [0, x0 - x1]]) + (low + high) / 2
    diagram = Voronoi(np.concatenate([points, far]))
    cells = [
        shapely.Polygon(diagram.vertices[diagram.regions[diagram.point_region[k]]][:, ::-1])
        for k in np.flatnonzero(chosen)
    ]
    box = shapely.box(x0, y0, x1, y1)
    merged = shapely.intersection(shapely.union_all(shapely.make_valid(np.array(cells, dtype=object))), box)
    parts = shapely.get_parts(merged)
    return np.asarray(parts[shapely.get_type_id(parts) == 3], dtype=object)


def _some(selected: Selected) -> None:
    if not len(selected):
        raise BadInput("Nothing is selected.", "Select some rows first.")


def _rows(n: int) -> str:
    return f"{n:,} {'row' if n == 1 else 'rows'}"
