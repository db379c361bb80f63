"""The expected error of a registration as a map over the fixed side, in µm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..core.registration import Certainty
from ..session import Document
from .colormaps import ERRORS
from .memory import Memory
from .next_landmark import landmark_certainty, tissue_certainty
from .state import ViewState

__all__ = ["ErrorMap", "error_map", "spread"]

_CELLS = 160
"""Pixels of the map along its longer side."""


@dataclass(frozen=True, eq=False)
class ErrorMap:
    """A map of the expected error; two are equal only if they are one.

    Parameters
    ----------
    values
        (h, w) float32 in µm; NaN where nothing is known.
    origin_um
        (y, x) of the first pixel's centre.
    pixel_um
        The edge of a pixel.
    """

    values: npt.NDArray[np.float32]
    origin_um: tuple[float, float]
    pixel_um: float
    colormap: str = ERRORS

    @property
    def limits(self) -> tuple[float, float]:
        """The errors at the two ends of the colours."""
        known = self.values[np.isfinite(self.values)]
        low, high = (float(v) for v in np.percentile(known, [1, 99]))
        return (0.0 if low < 0.5 * high else low), max(high, low + 1e-6)


def error_map(document: Document, state: ViewState, memory: Memory) -> ErrorMap | None:
    """Return the map that is asked for, or None where nothing is known of the error."""
    assert state.aligned is not None
    moving = state.aligned.moving
    if state.aligned.error == "landmarks":
        fixed = state.coordinate_system
        certainty = landmark_certainty(document, moving, fixed, state.aligned.over, state.model)
    else:
        certainty = tissue_certainty(document, moving, memory)
    return None if certainty is None else spread(certainty)


def spread(certainty: Certainty) -> ErrorMap | None:
    """Return the errors at places as a map, linear between them; None where they span no area."""
    from scipy.interpolate import LinearNDInterpolator
    from scipy.spatial import QhullError

    points, error = certainty.points, certainty.error_um
    low, high = points.min(0), points.max(0)
    pixel = float(np.max(high - low)) / _CELLS
    if len(points) < 3 or pixel <= 0:
        return None
    shape = np.floor((high - low) / pixel).astype(int) + 1
    y, x = np.meshgrid(low[0] + pixel * np.arange(shape[0]), low[1] + pixel * np.arange(shape[1]), indexing="ij")
    try:
        values = LinearNDInterpolator(points, error)(y, x)
    except QhullError:  # all on one line
        return None
    return ErrorMap(values.astype(np.float32), (float(low[0]), float(low[1])), pixel)
