"""The transcripts in no cell, drawn over the section as a density."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt

from ..core.colours import limits
from ..core.report import Report
from ..core.transform import Affine
from ..session import Document
from ..session.document import GLOBAL
from ..session.loose import Loose, extent_um, loose_transcripts
from .density import bin_um
from .places import as_matrix
from .specs import ImageSpec, Key, LayerSpec
from .state import Legend

__all__ = ["LOOSE", "find_loose", "is_of_now", "loose_legend", "loose_specs"]

LOOSE = "in no cell"
"""The name of the layer."""
_COLORMAP = "plasma"
_LEAST_UM = 5.0
"""Of a bin: finer ones hold one transcript each, and are hardly seen."""


def find_loose(document: Document, labels: str) -> Callable[[Report], Loose]:
    """Prepare to count the transcripts in no cell, in bins of at least 5 µm."""
    return loose_transcripts(document, labels, max(bin_um(extent_um(document, labels)), _LEAST_UM))


def loose_specs(document: Document, loose: Loose | None, system: str) -> list[LayerSpec]:
    """Return the layer of the transcripts in no cell; none while nothing is shown, or after a cell was changed."""
    if loose is None or system != GLOBAL or not is_of_now(document, loose):
        return []
    placed = Affine.translation(*loose.low_um) @ Affine.scale(loose.edge_um) @ Affine.translation(0.5, 0.5)
    return [
        ImageSpec(
            Key(loose.labels, LOOSE), LOOSE, (LOOSE, loose), partial(_drawn, loose), as_matrix(placed), 46,
            opacity=0.9, colormap=_COLORMAP, limits=_limits(loose),
        )
    ]  # fmt: skip


def is_of_now(document: Document, loose: Loose) -> bool:
    """Return whether the cells are still those that were looked at."""
    there = loose.labels in document.names("labels")
    return there and document.revision(("labels", loose.labels)) == loose.moment


def loose_legend(document: Document, loose: Loose | None) -> Legend | None:
    """Return what the colours mean."""
    if loose is None or not is_of_now(document, loose):
        return None
    low, high = _limits(loose)
    title = f"{int(loose.counts.sum()):,} transcripts in no cell, bins of {loose.edge_um:g} µm"
    return Legend(loose.labels, title, "continuous", colormap=_COLORMAP, low=low, high=high, unit="a bin")


def _drawn(loose: Loose) -> npt.NDArray[np.float32]:
    found = loose.counts.astype(np.float32)
    found[found == 0] = np.nan  # an empty bin lets the tissue through
    return found


def _limits(loose: Loose) -> tuple[float, float]:
    held = loose.counts[loose.counts > 0].astype(np.float32)
    return (0.0, max(float(limits(held, 1.0, 99.5)[1]), 1.0)) if held.size else (0.0, 1.0)
