"""On which section of a table each row lies, and how much tissue it stands for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from ..core.domain_sizes import tissue_areas
from ..errors import BadInput
from .document import GLOBAL, Document
from .extents import extent

__all__ = ["areas_in", "sections_of"]

_SHARED = 0.1
"""Fields of view overlap by some hundredths; boxes that share more of the smaller one lie on each other."""


def sections_of(document: Document, table: str) -> npt.NDArray[np.int64] | None:
    """Return (n,) the number of the section on which each row lies; None where all lie on one.

    Elements that lie in one frame, beside each other and no farther apart than they are large, are one section: the
    fields of view of an imager, or the cores of an array. What lies on each other, far apart or in frames of its own
    was never one piece of glass.
    """
    elements = document.regions(table)
    if len(elements) < 2:
        return None
    numbers = _pieces([_box(document, element) for element in elements])
    if len(np.unique(numbers)) == 1:
        return None
    found = np.zeros(document.table(table).n_obs, np.int64)
    for number, element in zip(numbers, elements, strict=True):
        found[document.rows(table, element)] = number
    return found


@dataclass(frozen=True)
class _Box:
    """Where an element lies: its frame, and its low and high corner there, (y, x) in µm."""

    system: str
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]


def _box(document: Document, element: str) -> _Box | None:
    """Return where an element lies; None of one that is not there or is empty."""
    there = any(element in document.names(kind) for kind in ("labels", "shapes", "points"))
    placed = document.placed(element) if there else ()
    if not placed:
        return None
    system = GLOBAL if GLOBAL in placed else placed[0]
    try:
        low, high = extent(document, element)
    except BadInput:
        return None
    corners = np.array([[low[0], low[1]], [low[0], high[1]], [high[0], low[1]], [high[0], high[1]]])
    moved = document.affine(element, system).apply(corners)
    return _Box(system, moved.min(0), moved.max(0))


def _pieces(boxes: Sequence[_Box | None]) -> npt.NDArray[np.int64]:
    """Return the section of each box: what lies beside each other shares one, unless two of it lie on each other."""
    n = len(boxes)
    beside, upon = np.zeros((2, n, n), bool)
    systems = np.array(["" if box is None else box.system for box in boxes])
    known = np.array([box is not None for box in boxes])
    low, high = (np.array([np.zeros(2) if b is None else getattr(b, end) for b in boxes]) for end in ("low", "high"))
    size = high - low
    for k in range(n):
        same = known & known[k] & (systems == systems[k])
        gap = np.maximum(low, low[k]) - np.minimum(high, high[k])  # below 0 along an axis where they share some of it
        shared = np.prod(np.maximum(-gap, 0), 1)
        upon[k] = same & (shared > _SHARED * np.minimum(np.prod(size, 1), np.prod(size[k])))
        near = np.maximum(gap, 0).max(1) <= np.minimum(size.max(1), size[k].max())
        beside[k] = same & near & ~upon[k]
        upon[k, k] = False
    numbers = np.asarray(connected_components(csr_matrix(beside), directed=False)[1], np.int64)
    torn = np.unique(numbers[(upon & (numbers[:, None] == numbers)).any(1)])
    apart = np.isin(numbers, torn)
    numbers[apart] = n + np.flatnonzero(apart)
    return np.unique(numbers, return_inverse=True)[1].astype(np.int64)


def areas_in(where: npt.NDArray[np.float64], sections: npt.NDArray[np.int64] | None) -> npt.NDArray[np.float64]:
    """Return (n,) the tissue that each row stands for, in µm²: see `tissue_areas`, of each section by itself."""
    if sections is None:
        return tissue_areas(where)
    found = np.full(len(where), np.nan)
    for section in np.unique(sections):
        found[sections == section] = tissue_areas(where[sections == section])
    return found
