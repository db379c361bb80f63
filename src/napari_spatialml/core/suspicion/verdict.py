"""What is found: how likely each cell is wrong and why, and where a cell is missing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..arrays import frozen, require

__all__ = ["KINDS", "Missing", "Reason", "Suspicions"]

KINDS = {
    "area": "unusual size",
    "shape": "unusual shape",
    "merged": "may be several cells",
    "halves": "may be part of a neighbour",
    "contrast": "faint in the image",
    "nuclei": "several nuclei, or none",
    "membrane": "membrane inside",
    "confidence": "the network is not sure",
    "markers": "impossible markers",
    "rim": "transcripts of a neighbour",
    "edge": "at the image's edge",
}
"""The kinds of reasons, each with its title."""


@dataclass(frozen=True)
class Reason:
    """One reason why a cell may be wrong.

    Parameters
    ----------
    kind
        One of `KINDS`.
    strength
        0 to 1: how likely a cell of which only this is known is wrong.
    words
        A sentence for people, with the numbers.
    """

    kind: str
    strength: float
    words: str


@dataclass(frozen=True, eq=False)
class Suspicions:
    """The cells, each with the probability that it is wrong.

    Parameters
    ----------
    cells
        (n,) ids, ascending.
    scores
        (n,) probability of being wrong, 0 to 1.
    reasons
        For each cell its reasons, strongest first, but a cause (as two halves) that is at least half as strong
        comes before what it explains (a small area), and signs (confidence, contrast, edge) after what is
        likely (0.5 or more); none where nothing is unusual.
    """

    cells: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float64]
    reasons: tuple[tuple[Reason, ...], ...]

    def __post_init__(self) -> None:
        sizes = {len(self.cells), len(self.scores), len(self.reasons)}
        require(len(sizes) == 1, f"Cells, scores and reasons have the lengths {sorted(sizes)}.", "Give one each.")
        object.__setattr__(self, "cells", frozen(np.asarray(self.cells, dtype=np.int64)))
        object.__setattr__(self, "scores", frozen(np.asarray(self.scores, dtype=np.float64)))

    @property
    def queue(self) -> npt.NDArray[np.int64]:
        """The cells, most suspicious first; of equally suspicious ones the lowest id first."""
        return np.asarray(self.cells[np.lexsort((self.cells, -self.scores))])


@dataclass(frozen=True, eq=False)
class Missing:
    """Places that look like a cell and carry no label, most likely first.

    Parameters
    ----------
    places
        (m, 2) as (y, x) in pixels of the whole labels.
    areas_px
        (m,) pixels of each place.
    scores
        (m,) 0 to 1: how much the place looks like a cell.
    words
        (m,) a sentence for people.
    """

    places: npt.NDArray[np.float64]
    areas_px: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float64]
    words: tuple[str, ...]

    def __post_init__(self) -> None:
        sizes = {len(self.places), len(self.areas_px), len(self.scores), len(self.words)}
        require(len(sizes) == 1, f"Places, areas, scores and words have the lengths {sorted(sizes)}.", "Give one each.")
        for name in ("places", "areas_px", "scores"):
            object.__setattr__(self, name, frozen(np.asarray(getattr(self, name))))
