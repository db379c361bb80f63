"""The outlines of a labels element's cells, tile by tile, so that no slide has to fit into memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.pixel_outlines import pixel_outlines
from ..core.report import Report, silent
from .document import Document
from .grid import LabelGrid

__all__ = ["cell_outlines"]

WHOLE = 64_000_000
"""Pixels up to which the labels are read at once."""
TILE = 4096


def cell_outlines(
    document: Document, labels: str, report: Report = silent
) -> tuple[npt.NDArray[Any], npt.NDArray[np.object_]]:
    """Return the cells' ids, ascending, and their outlines in pixels as (x, y), along the pixels' edges.

    Notes
    -----
    Of a slide, tiles are read one by one. A cell that a seam cuts is put together of its pieces, which
    share whole pixel edges, so that nothing is lost or moved.
    """
    grid = document.grid(labels)
    height, width = grid.shape
    if height * width <= WHOLE:
        return pixel_outlines(grid.read())
    return _tiled(grid, report)


def _tiled(grid: LabelGrid, report: Report) -> tuple[npt.NDArray[Any], npt.NDArray[np.object_]]:
    import shapely

    height, width = grid.shape
    places = [(y, x) for y in range(0, height, TILE) for x in range(0, width, TILE)]
    ids, pieces = [], []
    for k, (y, x) in enumerate(places):
        report(0.7 * k / len(places), "Outlining cells")
        found, outlines = pixel_outlines(grid.read((y, y + TILE, x, x + TILE)), (y, x))
        ids.append(found)
        pieces.append(outlines)
    every, outline = np.concatenate(ids), np.concatenate(pieces)
    order = np.argsort(every, kind="stable")
    every, outline = every[order], outline[order]
    names, first, count = np.unique(every, return_index=True, return_counts=True)
    made = outline[first].copy()
    for k in np.flatnonzero(count > 1):  # cut by a seam: its pieces share the edges along it exactly
        made[k] = _corners_only(shapely.union_all(outline[first[k] : first[k] + count[k]]))
    return names, made


def _corners_only(outline: Any) -> Any:
    """Take the points away at which an outline goes straight on."""
    import shapely

    return shapely.simplify(outline, 0.0, preserve_topology=True)
