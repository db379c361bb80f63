"""What a segmentation of a slide gives."""

from __future__ import annotations

from dataclasses import dataclass

from ..counting import Counts
from ..selection import SegmentationSelection
from .joining import Joined

__all__ = ["SlideMasks"]


@dataclass(frozen=True, eq=False)
class SlideMasks:
    """The cells of a slide.

    Parameters
    ----------
    cells
        The labels and their table.
    selection
        What was segmented, with the tiles that were used.
    tiles, glass
        How many tiles there were, and how many of them were skipped, since they show nothing but glass.
    counts
        The transcripts of the cells, and the points that they were counted from; None and "" without any.
    """

    cells: Joined
    selection: SegmentationSelection
    tiles: int
    glass: int
    counts: Counts | None = None
    points: str = ""
