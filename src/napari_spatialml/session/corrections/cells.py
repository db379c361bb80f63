"""Corrections of cells: paint, merge, delete, split, draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ...core import labels as edits
from ...core.patch import Patch, Window, found_in
from ...errors import BadInput
from ..cells import follow
from ..changes import Change, EditLabels
from ..cutting import image_near, pixel_um, transcripts_near
from ..document import Document
from .registry import Made, correction, unpacked

__all__ = ["labels_changes", "named", "pixels_of", "split_patch"]

_LARGEST = 64_000_000


@correction
def paint_labels(document: Document, labels: str, offset: Sequence[int], values: Any) -> Made:
    """Replace a window of labels by what was painted."""
    new = unpacked(values)
    y, x = int(offset[0]), int(offset[1])
    grid = document.grid(labels)
    _check_ids(new, grid.dtype)
    old = grid.read((y, y + new.shape[0], x, x + new.shape[1]))
    if old.shape != new.shape:
        raise BadInput("The stroke reaches outside the labels.", "Draw inside the image.")
    patch = edits.diff(old, new.astype(grid.dtype), (y, x))
    if patch is None:
        return "paint", ()
    return f"paint {named(patch.touched)} in {labels}", labels_changes(document, labels, patch)


def _check_ids(values: npt.NDArray[Any], dtype: np.dtype[Any]) -> None:
    top = int(np.iinfo(dtype).max)
    if values.dtype.kind not in "iub" or values.ndim != 2:
        raise BadInput(f"The stroke holds {values.ndim}-dimensional {values.dtype}.", "Paint with whole cell ids.")
    if values.size and (int(values.min()) < 0 or int(values.max()) > top):
        worst = int(values.min()) if int(values.min()) < 0 else int(values.max())
        raise BadInput(f"The labels cannot hold the cell id {worst}.", f"Use a number from 0 to {top}.")


@correction
def merge_cells(document: Document, labels: str, cells: Sequence[int], window: Window | None = None) -> Made:
    """Make one cell of several; the largest keeps its id."""
    patch = edits.merge_cells(pixels_of(document, labels, window), cells, window=window)
    return f"merge {named(cells)} in {labels}", labels_changes(document, labels, patch)


@correction
def delete_cells(document: Document, labels: str, cells: Sequence[int], window: Window | None = None) -> Made:
    """Turn cells into background."""
    patch = edits.delete_cells(pixels_of(document, labels, window), cells, window=window)
    return f"delete {named(cells)} in {labels}", labels_changes(document, labels, patch)


@correction
def split_cell(
    document: Document,
    labels: str,
    cell: int,
    line: Sequence[Sequence[float]],
    new_id: int,
    how: Any = "straight",
    window: Window | None = None,
    image: str = "",
    channel: str = "",
    points: str = "",
) -> Made:
    """Cut a cell in two along a line of (y, x) pixel positions; the larger part keeps the id.

    ``how`` is "straight", "watershed" (at the neck), "membrane" (on the bright ridge of a channel of an
    image) or "transcripts" (where the expression of the points changes).
    """
    patch = split_patch(document, labels, cell, line, new_id, how, window, image, channel, points)
    return f"split cell {cell} in {labels}", labels_changes(document, labels, patch)


def split_patch(
    document: Document,
    labels: str,
    cell: int,
    line: Sequence[Sequence[float]],
    new_id: int = 0,
    how: Any = "straight",
    window: Window | None = None,
    image: str = "",
    channel: str = "",
    points: str = "",
) -> Patch:
    """Return what `split_cell` would change of the labels, and nothing that follows from it: for a preview.

    Parameters
    ----------
    document, labels, cell, line, how, window, image, channel, points
        As in `split_cell`.
    new_id
        The id of the smaller part; the next free one if 0.

    Raises
    ------
    BadInput, DocumentError
        When the cell cannot be cut so.
    """
    pixels = pixels_of(document, labels, window)
    mask, (y, x) = found_in(pixels, cell, window)
    box = (y, y + mask.shape[0], x, x + mask.shape[1])
    return edits.split_cell(
        pixels,
        cell,
        line,
        new_id=new_id or document.grid(labels).maximum() + 1,
        how=how,
        image=image_near(document, labels, box, image, channel) if how == "membrane" else None,
        image_offset=(y, x),
        transcripts=transcripts_near(document, labels, box, points) if how == "transcripts" else None,
        pixel_um=pixel_um(document, labels),
        window=window,
    )


@correction
def draw_cell(document: Document, labels: str, outline: Sequence[Sequence[float]], new_id: int) -> Made:
    """Add a cell by its outline of (y, x) pixel positions, on background only."""
    pixels: Any = document.grid(labels).levels[0]  # only the outline's box is read
    patch = edits.draw_outline(pixels, outline, new_id)
    return f"draw cell {new_id} in {labels}", labels_changes(document, labels, patch)


def pixels_of(document: Document, labels: str, window: Window | None) -> Any:
    """Return what an edit reads: with a window the labels as they lie, else all of them."""
    grid = document.grid(labels)
    if window is not None:
        return grid.levels[0]
    if grid.shape[0] * grid.shape[1] > _LARGEST:
        raise BadInput(
            f"'{labels}' has {grid.shape[0]} × {grid.shape[1]} pixels.",
            "Zoom in, so that only what is in view is read.",
        )
    return grid.read()


def labels_changes(document: Document, labels: str, patch: Patch) -> list[Change]:
    old, new = np.array(patch.old), np.array(patch.new)
    change = EditLabels(labels, patch.offset, old, new, document.grid(labels).coarser(patch.offset, new))
    return [change, *follow(document, labels, patch)]


def named(cells: Sequence[int]) -> str:
    ids = [str(int(c)) for c in cells]
    if len(ids) == 1:
        return f"cell {ids[0]}"
    if len(ids) > 4:
        return f"{len(ids)} cells"
    return f"cells {', '.join(ids[:-1])} and {ids[-1]}"
