"""Two readers of a slide of 50,000 × 50,000 pixels compared: how long it takes, and in how much memory."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from .figures import Figure, seconds
from .slide import Level, Slide

__all__ = ["SUBJECT", "measure"]

SUBJECT = "agreement"
EDGE, CELLS, SEED = 50_000, 500_000, 0
MEMORY_GB = 2.0
DATA = f"simulated: {EDGE:,} × {EDGE:,} pixels, {CELLS:,} cells; B lacks every 20th and draws every 10th smaller"


def second_reader(first: Slide) -> Slide:
    """Return the same cells as another reader has them."""
    other = Slide(first.edge, first.cells, SEED)
    other.radius = np.where(other.ids % 10 == 1, 0.7 * first.radius, first.radius).astype(np.float32)
    other.ids = np.where(other.ids % 20 == 0, 0, other.ids).astype(np.int32)
    return other


def measure() -> Iterator[tuple[str, Figure]]:
    """Yield the time and the memory of the comparison, and of the part that counts pixels alone."""
    from napari_spatialml.core.agreement import cell_agreement, windows

    first = Slide(EDGE, CELLS, SEED)
    levels = Level(first, 1), Level(second_reader(first), 1)
    before = _peak_gb()

    def read(w: tuple[int, int, int, int]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        rows, columns = slice(w[0], w[1]), slice(w[2], w[3])
        return levels[0][rows, columns], levels[1][rows, columns]

    found: list[Any] = []
    whole = seconds(lambda: found.append(cell_agreement(read, (EDGE, EDGE), 0.25)))
    memory = _peak_gb() - before

    def look() -> None:
        for window in windows((EDGE, EDGE)):
            read(window)

    making = seconds(look)
    groups = found[0].groups.counts
    # the slide is what it was made: every difference is found, and no other
    assert groups["only in A"] == CELLS // 20 and groups["only in B"] == 0, groups
    assert groups["different outline"] == CELLS // 10, groups
    yield "compare two segmentations", Figure(whole, "s", data=DATA, seed=SEED)
    yield "of which the slide itself, once", Figure(making, "s", data=DATA, seed=SEED)
    yield "memory beyond the slide", Figure(memory, "GB", MEMORY_GB, data=DATA, seed=SEED)


def _peak_gb() -> float:
    unit = 1e9 if sys.platform == "darwin" else 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
