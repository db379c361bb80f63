"""Cells made of nuclei: each nucleus reaches out into free pixels, group by group, so that a slide fits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.boxes import Boxes, boxes_in, boxes_of, grouped, padded, reach_of
from ..core.patch import Patch, Window, diff
from ..core.report import Report, silent
from ..core.shaping import claimed
from ..errors import BadInput
from .cutting import pixel_um
from .document import Document
from .grid import LabelGrid

__all__ = ["LARGEST", "Claim", "chosen_nuclei", "claims", "fresh_ids", "has_labels", "patch_of_claims"]

LARGEST = 64_000_000
"""Pixels of labels that are there already which one step may span."""
_STRIP = 16_000_000
_TILE = 1024


@dataclass(frozen=True)
class Claim:
    """The cells of a group of nuclei.

    Parameters
    ----------
    offset
        (y, x) of the first pixel in the labels.
    cells
        (h, w) the new cells under their new ids, whole; 0 elsewhere.
    """

    offset: tuple[int, int]
    cells: npt.NDArray[Any]


def has_labels(document: Document, name: str) -> bool:
    """Return whether the document has such labels, or such a plane of a stack."""
    return document.get(("labels", name)) is not None


def chosen_nuclei(
    document: Document,
    nuclei: str,
    labels: str,
    cells: Sequence[int] | None,
    window: Window | None,
    report: Report = silent,
) -> Boxes:
    """Return the nuclei from which cells are to be made.

    Parameters
    ----------
    document
        The document.
    nuclei
        The labels of the nuclei.
    labels
        The labels of the cells; may not be there yet.
    cells
        Ids of nuclei; all if None.
    window
        Rows and columns in which the nuclei lie wholly; without ``cells``, those that do are taken.
    report
        Told how far it is.

    Raises
    ------
    BadInput
        When a named nucleus is absent or cut by the window, or every nucleus has its cell already.
    """
    grid, target = document.grid(nuclei), _grid(document, labels)
    if cells is not None and window is not None:
        boxes = boxes_of(grid.levels[0], cells, window)
        found, covered = _surveyed(grid, target, boxes.around(), report)
    else:
        found, covered = _surveyed(grid, target, window, report)
    keep = np.ones(len(found.ids), dtype=bool)
    if cells is not None:
        wanted = sorted({int(cell) for cell in cells})
        keep = np.isin(found.ids, np.array(wanted, dtype=found.ids.dtype))
        absent = sorted(set(wanted) - set(found.ids.tolist()))
        if absent or not wanted:
            said = f"There is no nucleus {absent[0]} in '{nuclei}'." if absent else "No nucleus is selected."
            raise BadInput(said, "Choose nuclei that are in the labels.")
    elif window is not None:
        keep = _whole(found, window, grid.shape)
    keep &= 2 * covered <= found.pixels
    if not keep.any():
        raise BadInput(
            f"No nucleus of '{nuclei}' here lacks a cell in '{labels}'.",
            "Choose other nuclei; one of which more than half lies in a cell has that cell.",
        )
    return found.chosen(keep)


def _surveyed(
    grid: LabelGrid, target: LabelGrid | None, window: Window | None, report: Report
) -> tuple[Boxes, npt.NDArray[np.int64]]:
    """Return the boxes of all nuclei in a window, and how many pixels of each lie in cells; read by strips."""
    y0, y1, x0, x1 = window or (0, grid.shape[0], 0, grid.shape[1])
    step = max(1, _STRIP // max(x1 - x0, 1))
    frames = []
    for top in range(y0, y1, step):
        box = (top, min(top + step, y1), x0, x1)
        report((top - y0) / max(y1 - y0, 1), "looking for nuclei")
        values = grid.read(box)
        if not values.any():
            continue
        held = boxes_in(values, (top, x0))
        frame = pd.DataFrame(held.corners, columns=["y0", "y1", "x0", "x1"], index=held.ids)
        frame["pixels"], frame["covered"] = held.pixels, 0
        if target is not None:
            under = boxes_in(np.where(target.read(box) != 0, values, 0))
            frame.loc[under.ids, "covered"] = under.pixels
        frames.append(frame)
    if not frames:
        return Boxes(np.empty(0, grid.dtype), np.empty((0, 4), np.int64), np.empty(0, np.int64)), np.empty(0, np.int64)
    how = {"y0": "min", "y1": "max", "x0": "min", "x1": "max", "pixels": "sum", "covered": "sum"}
    whole = pd.concat(frames).groupby(level=0).agg(how)
    corners = whole[["y0", "y1", "x0", "x1"]].to_numpy().astype(np.int64)
    boxes = Boxes(whole.index.to_numpy().astype(grid.dtype), corners, whole["pixels"].to_numpy().astype(np.int64))
    return boxes, whole["covered"].to_numpy().astype(np.int64)


def _whole(found: Boxes, window: Window, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Return which boxes do not end at an edge of the window behind which there is more."""
    inside = np.ones(len(found.ids), dtype=bool)
    for k, (edge, limit) in enumerate(zip(window, (0, shape[0], 0, shape[1]), strict=True)):
        if edge != limit:
            inside &= found.corners[:, k] != edge
    return inside


def fresh_ids(document: Document, labels: str, boxes: Boxes, new_id: int) -> npt.NDArray[Any]:
    """Return the id of each nucleus's cell: its own, or from ``new_id`` on where the labels have that already."""
    target = _grid(document, labels)
    if target is None:
        return boxes.ids
    fits = boxes.ids <= np.iinfo(target.dtype).max
    taken = ~fits | np.isin(boxes.ids, _present(target, boxes.ids))
    ids = np.where(fits, boxes.ids, 0).astype(target.dtype)
    top = new_id + int(taken.sum()) - 1
    if top > np.iinfo(target.dtype).max:
        raise BadInput(f"'{labels}' cannot hold the cell id {top}.", "Expand the nuclei into new labels.")
    ids[taken] = np.arange(new_id, top + 1).astype(target.dtype)
    return ids


def _present(target: LabelGrid, ids: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return which of some ids are in labels; read by strips."""
    height, width = target.shape
    step = max(1, _STRIP // max(width, 1))
    wanted = ids[ids <= np.iinfo(target.dtype).max].astype(target.dtype)
    found: list[npt.NDArray[Any]] = []
    for top in range(0, height, step):
        values = target.read((top, min(top + step, height), 0, width))
        if values.any():
            found.append(np.unique(values[np.isin(values, wanted)]))
    return np.unique(np.concatenate(found)) if found else wanted[:0]


def claims(
    document: Document,
    nuclei: str,
    labels: str,
    boxes: Boxes,
    ids: npt.NDArray[Any],
    distance_um: float,
    report: Report = silent,
) -> Iterator[Claim]:
    """Yield the cells of the nuclei, group by group.

    All nuclei reach out, also those that were not chosen: so a cell is the same whether its nucleus
    is expanded alone or with all others, and no nucleus loses a pixel to its neighbour.

    Parameters
    ----------
    document, nuclei, labels
        As in `chosen_nuclei`.
    boxes
        The nuclei.
    ids
        (n,) the ids of their cells.
    distance_um
        How far each reaches at most, in µm.
    report
        Told how far it is.
    """
    grid, target, size = document.grid(nuclei), _grid(document, labels), pixel_um(document, nuclei)
    reach = reach_of(distance_um, size)
    groups = list(grouped(boxes, _TILE))
    for number, group in enumerate(groups):
        report(number / len(groups), "expanding nuclei")
        own = boxes.chosen(group)
        box = padded(own.around(), (2 * reach[0], 2 * reach[1]), grid.shape)
        seeds = grid.read(box)
        free = np.ones(seeds.shape, dtype=bool) if target is None else target.read(box) == 0
        owner = claimed(seeds, free, own.ids, distance_um, size)
        cells = np.zeros(owner.shape, dtype=ids.dtype)
        held = owner != 0
        cells[held] = ids[group][np.searchsorted(own.ids, owner[held])]
        yield Claim((box[0], box[2]), cells)


def patch_of_claims(target: LabelGrid, found: Iterator[Claim], box: Window) -> Patch | None:
    """Return the patch that puts cells into labels that are there, within a box that holds them all.

    Raises
    ------
    BadInput
        When the box is too large to be changed in one step.
    """
    if (box[1] - box[0]) * (box[3] - box[2]) > LARGEST:
        raise BadInput(
            f"The nuclei span {box[1] - box[0]} × {box[3] - box[2]} pixels.",
            "Zoom in, so that only those in view are expanded; or expand all of them into new labels.",
        )
    old = target.read(box)
    new = old.copy()
    for claim in found:
        y, x = claim.offset[0] - box[0], claim.offset[1] - box[2]
        part = new[y : y + claim.cells.shape[0], x : x + claim.cells.shape[1]]
        part[claim.cells != 0] = claim.cells[claim.cells != 0]
    return diff(old, new, (box[0], box[2]))


def _grid(document: Document, labels: str) -> LabelGrid | None:
    return document.grid(labels) if has_labels(document, labels) else None
