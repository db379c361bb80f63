"""New cells measured, counted and given the ids of their partners, in the thread that found them.

On an image of 36 million pixels that takes many seconds, for which the window would stand still.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core import Masks
from ..core.report import Report, part, silent
from ..core.transform import Affine
from .ahead import Ahead
from .cells import measure
from .changes import Slot
from .counting import Counts, count_all, counted_again
from .document import GLOBAL, Document
from .elements import LabelsElement, matrices, new_labels
from .gather import full_resolution, pixel_size
from .grid import LabelGrid
from .linking import ids_beside, partner_of
from .selection import SegmentationSelection

__all__ = ["Measured", "Measuring", "places_of"]


@dataclass(frozen=True)
class Measured:
    """New cells as they are stored.

    Parameters
    ----------
    masks
        What the method found.
    rests_on
        What of the document they were measured with, as `Measuring.rests_on` told it.
    element
        The labels, with the ids of their partners.
    table
        Areas, centroids and mean intensities.
    points, counts
        The transcripts counted, and their points; "" and None where there are none.
    partner
        The labels whose ids they share, or "".
    ahead
        The labels, and those that they replace, packed for the journal.
    """

    masks: Masks
    rests_on: tuple[Any, ...]
    element: LabelsElement
    table: Any
    points: str
    counts: Counts | None
    partner: str
    ahead: Ahead


class Measuring:
    """Measure the cells of a segmentation. Made in the document's thread; called on any.

    Parameters
    ----------
    document
        The document.
    selection
        What is segmented.
    """

    def __init__(self, document: Document, selection: SegmentationSelection) -> None:
        self._document, self._selection = document, selection
        y0, _, x0, _ = selection.region or (0, 0, 0, 0)
        self._pixels = full_resolution(document, selection.image).isel(y=slice(y0, None), x=slice(x0, None))
        self._places, self._size = places_of(document, selection), pixel_size(document, selection.image)
        _, y1, _, x1 = selection.region or (0, y0 + self._pixels.shape[-2], 0, x0 + self._pixels.shape[-1])
        shape = (min(y1 - y0, self._pixels.shape[-2]), min(x1 - x0, self._pixels.shape[-1]))
        self._partner = partner_of(document, selection.output, shape, self._places)
        self._other = document.grid(self._partner).snapshot() if self._partner else None
        self._points, self._choice = counted_again(document, selection.output, self._places)
        self._replaced = _replaced(document, selection.output)
        self.rests_on = self._state(shape)
        """The partner, the points and the places as they are now: where these change, it has to be done again."""

    def __call__(self, masks: Masks, report: Report = silent) -> Measured:
        """Measure the cells, count their transcripts, and give them their ids."""
        labels, scores = np.asarray(masks.labels), masks.scores
        if self._other is not None:
            report(0.0, "Looking for partners")
            ids = ids_beside(labels, self._other.read())
            labels = np.concatenate([[0], ids]).astype(np.int32)[labels]
            scores = None if scores is None else np.asarray(scores)[np.argsort(ids)]
        report(0.1, "Measuring the cells")
        table = measure(labels, self._pixels, name=self._selection.output, pixel_size_um=self._size)
        counts = None
        if self._points:
            cells, to_um = table.obs["instance_id"].to_numpy().astype(np.int32), Affine.from_xy(self._places[GLOBAL])
            told = part(report, 0.6, 0.9)
            counts = count_all(self._document, self._points, labels, to_um, cells, told, self._choice)
        if scores is not None:
            table.obs["score"] = np.asarray(scores)
        report(0.9, "Making the pyramid")
        element = new_labels(labels, self._places)
        report(0.94, "Packing the labels")
        ahead = Ahead()
        if self._replaced is not None:
            ahead.add_old(*self._replaced)
        ahead.add_new(element)
        return Measured(masks, self.rests_on, element, table, self._points, counts, self._partner, ahead)

    def _state(self, shape: tuple[int, ...]) -> tuple[Any, ...]:
        document, image = self._document, self._selection.image
        slots: list[Slot] = [("images", image), ("labels", self._partner), ("points", self._points)]
        slots += [("transforms", "images", image), ("transforms", "points", self._points)]
        revisions = tuple(document.revision(slot) for slot in slots if slot[-1])
        return (shape, self._partner, self._points, self._choice, str(self._places), revisions)


def _replaced(document: Document, labels: str) -> tuple[LabelGrid, int, LabelsElement] | None:
    """Return the grid of labels that are there, its moment and its labels as they are now; None where none are."""
    held = document.get(("labels", labels))
    if held is None:
        return None
    return held.grid, held.grid.moment, LabelsElement(held.grid.snapshot(), held.transforms)


def places_of(document: Document, selection: SegmentationSelection) -> dict[str, Any]:
    """Return where the labels of a segmentation lie: one 3 × 3 matrix on (x, y, 1) a coordinate system."""
    y0, _, x0, _ = selection.region or (0, 0, 0, 0)
    shift = np.array([[1.0, 0, x0], [0, 1, y0], [0, 0, 1]])
    return {s: (np.asarray(m) @ shift).tolist() for s, m in matrices(document.element(selection.image)).items()}
