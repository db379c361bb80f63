"""What would mend the cell under review: the right tool, and a proposal that one key carries out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.alternatives import Alternative
from ..core.patch import Window, found_in
from ..core.proposals import outline_at, partner_of, shortest_cut
from ..core.transform import Affine
from ..errors import BadInput
from ..session import Document
from ..session.evidence import EvidenceReader, Sources, grown
from ..session.queued import Item, Place
from .drawing import Draw
from .images import is_histology
from .marks import Lines, outline_of, path_lines
from .tools import Stage

__all__ = ["Proposal", "Redraw", "mask_near", "moved_to", "proposal_of", "propose", "propose_drawing", "tool_for"]

_SPLIT = ("merged", "membrane", "nuclei", "markers")
_SMALL = 0.7
"""A cell of unusual size is a speck if its diameter is less than this share of the median, else several cells."""

_BY_HAND = {
    "split": "C, then drag a line across it, cuts it.",
    "merge": "G, then a click, merges it with another cell.",
    "redraw": "F, then drag around it: this becomes its outline.",
    "draw": "Drag around a cell that has no outline. Esc goes back.",
}


@dataclass(frozen=True)
class Proposal:
    """How to mend what is looked at.

    Parameters
    ----------
    tool
        The tool to take in the hand: "delete", "split", "merge", "draw" or "redraw".
    correction, arguments
        What one key does; without a correction there is no proposal, only the tool.
    lines
        (n, 2, 2) the proposal as lines in µm.
    words
        What the person can do now.
    """

    tool: str
    correction: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    lines: Lines | None = None
    words: str = ""


class Redraw(Draw):
    """Drag around the cell under review: this becomes its outline."""

    hint = "Drag around the cell: this becomes its outline."

    def __init__(self, stage: Stage, labels: str = "", cell: int = 0, window: Window | None = None) -> None:
        super().__init__(stage, labels)
        self.cell, self.window = cell, window

    def take(self, outline: list[list[float]]) -> None:
        given = {"labels": self.labels, "cell": self.cell, "outline": outline, "window": self.window}
        self.stage.correct("redraw-cell", **given)


def tool_for(item: Item, median_diameter: float) -> str:
    """Return the tool that the strongest reason calls for."""
    words = item.reasons[0][0].lower() if item.reasons else ""
    if item.kind == "halves":
        return "merge"
    if item.kind == "contrast" or (item.kind == "nuclei" and words.startswith("no")):
        return "delete"
    if item.kind == "area":
        return "delete" if item.diameter < _SMALL * median_diameter else "split"
    return "split" if item.kind in _SPLIT else "redraw"


def mask_near(
    document: Document, labels: str, cell: int, centre: tuple[float, float], diameter: float
) -> tuple[npt.NDArray[np.bool_], tuple[int, int]]:
    """Return a cell's mask and where it begins, reading no more than its surroundings.

    Raises
    ------
    BadInput
        When it is not there.
    """
    grid = document.grid(labels)
    reach = int(diameter) + 16
    while True:
        y, x = (int(v) for v in centre)
        window = grown((y, y + 1, x, x + 1), reach, grid.shape)
        try:
            return found_in(grid.levels[0], cell, window)
        except BadInput:
            if reach > max(4096, 8 * diameter) or (window[1] - window[0], window[3] - window[2]) == grid.shape:
                raise
            reach *= 3


def propose(document: Document, labels: str, item: Item, tool: str, affine: Affine) -> Proposal:
    """Return how a tool would mend a cell.

    Parameters
    ----------
    document, labels
        Where the cell is.
    item
        The cell.
    tool
        "delete", "split", "merge" or "redraw".
    affine
        From pixel corners of the labels to µm of the canvas.
    """
    mask, (y, x) = mask_near(document, labels, item.cell, item.centre, item.diameter)
    box = (y, y + mask.shape[0], x, x + mask.shape[1])
    points, partner = None, 0
    if tool == "split":
        points = shortest_cut(mask)
        points = None if points is None else np.add(points, (y, x))
    elif tool == "merge":
        partner = partner_of(document.grid(labels).read(grown(box, 2, document.grid(labels).shape)), item.cell)
    return proposal_of(document, labels, item.cell, box, Alternative(tool, partner=partner, points=points), affine)


def proposal_of(document: Document, labels: str, cell: int, box: Window, way: Alternative, affine: Affine) -> Proposal:
    """Return what one key does to mend a cell in one way; only the tool, where the way does not say how.

    Parameters
    ----------
    document, labels, cell
        The cell.
    box
        Where it lies, in pixels of the labels.
    way
        How it is mended.
    affine
        From pixel corners of the labels to the coordinates of the lines.
    """
    y0, y1, x0, x1 = box
    window = grown(box, 2, document.grid(labels).shape)
    given: dict[str, Any] = {"window": window}
    points = None if way.points is None else np.round(way.points, 2)
    if way.tool == "delete":
        cross = np.array([[[y0, x0], [y1, x1]], [[y0, x1], [y1, x0]]], float)
        return Proposal("delete", "delete-cells", {"cells": [cell], **given}, _placed(cross, affine), "F deletes it.")
    if way.tool == "split" and points is not None:
        given |= {"cell": cell, "line": points.tolist()}
        said = "F cuts it along the line. To cut elsewhere: C, then drag."
        return Proposal("split", "split-cell", given, _placed(points[None], affine), said)
    if way.tool == "merge" and way.partner:
        return _merging(document, labels, cell, way.partner, window, affine)
    if way.tool == "redraw" and points is not None:
        given |= {"cell": cell, "outline": points.tolist()}
        said = "F gives it the red outline. To draw another one: R, then drag."
        return Proposal("redraw", "redraw-cell", given, path_lines(affine.apply(points), closed=True), said)
    return Proposal(way.tool, words=_BY_HAND[way.tool], arguments=given)


def _merging(document: Document, labels: str, cell: int, partner: int, window: Window, affine: Affine) -> Proposal:
    y, x = (window[0] + window[1]) / 2, (window[2] + window[3]) / 2
    mask, offset = mask_near(document, labels, partner, (y, x), max(window[1] - window[0], window[3] - window[2]))
    h, w = mask.shape
    both = (min(window[0], offset[0]), max(window[1], offset[0] + h), min(window[2], offset[1]),
            max(window[3], offset[1] + w))  # fmt: skip
    arguments = {"cells": [cell, partner], "window": grown(both, 2, document.grid(labels).shape)}
    said = f"F merges it with cell {partner}, outlined in red. With another: G, then click."
    return Proposal("merge", "merge-cells", arguments, outline_of(mask, offset, affine), said)


def propose_drawing(document: Document, sources: Sources, place: Place, affine: Affine) -> Proposal:
    """Return the outline of the cell that is missing at a place."""
    reader = EvidenceReader(document, sources)
    y, x = (int(v) for v in place.where)
    window = grown((y, y + 1, x, x + 1), int(2 * place.diameter) + 8, reader.grid.shape)
    pixels = reader.pixels(window)
    signal = None
    if pixels is not None:
        signal = pixels.astype(np.float32).mean(0)
        signal = -signal if is_histology(document, sources.image) else signal
    near = (place.where[0] - window[0], place.where[1] - window[2])
    outline = outline_at(signal, reader.grid.read(window), near, max(place.diameter, 2.0))
    outline = np.round(np.add(outline, (window[0], window[2])), 2)
    lines = path_lines(affine.apply(outline), closed=True)
    said = "F adds a cell with this outline; or drag around it. A: nothing is missing here."
    return Proposal("draw", "draw-cell", {"outline": outline.tolist()}, lines, said)


def moved_to(proposal: Proposal, affine: Affine) -> Proposal:
    """Return a proposal whose lines are in pixels with lines in µm of the canvas."""
    if proposal.lines is None:
        return proposal
    ends = np.stack([proposal.lines[:, 0], proposal.lines.sum(axis=1)], axis=1)
    return replace(proposal, lines=_placed(ends, affine))


def _placed(ends: npt.NDArray[np.float64], affine: Affine) -> Lines:
    """Return lines of (n, 2, 2) ends in pixels as starts and directions in µm."""
    placed = affine.apply(ends.reshape(-1, 2)).reshape(-1, 2, 2)
    return np.stack([placed[:, 0], placed[:, 1] - placed[:, 0]], axis=1)
