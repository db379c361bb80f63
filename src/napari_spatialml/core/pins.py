"""Where a person looks first after an automatic registration: the places where it is least and most certain."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .arrays import require
from .registration import Certainty

__all__ = ["PinPlace", "pin_places"]

_SHARE = 0.5
"""Places are spread over about half of what equal squares, one a place, would leave between them."""


class PinPlace(NamedTuple):
    """A place at which a pin is offered: (y, x) in µm of the fixed side."""

    y: float
    x: float
    error_um: float
    sure: bool


def pin_places(certainty: Certainty | None, k: int = 3, spacing: float | None = None) -> list[PinPlace]:
    """Return the places at which pins are offered: first the least certain ones, then the most certain.

    Parameters
    ----------
    certainty
        Where a registration is sure, or None where the method cannot say: then there are no places.
    k
        At most so many places of either sort, k >= 0.
    spacing
        The least distance between any two of them in µm; found from the extent of the places if None.

    Returns
    -------
    list of PinPlace
        The worst place first among the unsure ones, the best first among the sure ones. Fewer than
        2 k where the tissue has no room for more, or where the error is the same everywhere.

    Notes
    -----
    Greedy: the next worst place that keeps its distance from all that were taken. O(n log n + n k).
    """
    require(k >= 0, f"{k} places are asked for.", "Give 0 or more.")
    if certainty is None or len(certainty.points) == 0:
        return []
    points, error = certainty.points, certainty.error_um
    low, high = float(error.min()), float(error.max())
    apart = _spacing(points, k) if spacing is None else float(spacing)
    middle = float(np.median(error))
    order = np.lexsort((points[:, 1], points[:, 0], -error))  # ties by place: the same pins every time
    worst = _spread(points, order[error[order] > middle] if high > low else order[:0], k, apart, points[:0])
    best = _spread(points, order[::-1][error[order[::-1]] <= middle], k, apart, points[worst])
    chosen = [(int(i), False) for i in worst] + [(int(i), True) for i in best]
    return [PinPlace(float(points[i, 0]), float(points[i, 1]), float(error[i]), sure) for i, sure in chosen]


def _spacing(points: npt.NDArray[np.float64], k: int) -> float:
    area = float(np.prod(np.maximum(np.ptp(points, axis=0), 1e-9)))
    return _SHARE * float(np.sqrt(area / max(2 * k, 1)))


def _spread(
    points: npt.NDArray[np.float64],
    order: npt.NDArray[np.intp],
    k: int,
    apart: float,
    taken: npt.NDArray[np.float64],
) -> list[int]:
    """Return the first k of an order that keep their distance from each other and from what is taken."""
    left = order
    chosen: list[int] = []
    for place in taken:
        left = left[np.linalg.norm(points[left] - place, axis=1) >= apart]
    while len(left) and len(chosen) < k:
        chosen.append(int(left[0]))
        left = left[1:][np.linalg.norm(points[left[1:]] - points[left[0]], axis=1) >= apart]
    return chosen
