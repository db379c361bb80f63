"""Measures of what a network says of a cell, and of what it says when it looks again."""

from __future__ import annotations

import numpy as np

from ..flows import flow_errors
from ..metrics import intersection_over_union
from ..patch import LabelArray
from .evidence import Field
from .measure import Cells, Columns

__all__ = ["network_columns", "second_columns"]


def network_columns(cells: Cells, field: Field | None) -> Columns:
    """Measure the network's probability and flows inside each cell.

    Notes
    -----
    ``flow`` is the mean length of the flow, which falls where the network hesitates between directions;
    ``flow_error`` is how far the flows are from those of the cell's own outline; ``towards`` is the mean
    cosine between the flow and the way to the cell's middle, weighted by the distance.
    """
    if field is None:
        return {}
    chance = np.clip(np.asarray(field.logit, np.float32), -12, 12)
    fy, fx = np.asarray(field.flows, np.float32)
    length = np.hypot(fy, fx)
    owner = cells.codes.ravel()[cells.order] - 1
    width = cells.codes.shape[1]
    dy = cells.moments[owner, 1] - (cells.order // width + 0.5)
    dx = cells.moments[owner, 2] - (cells.order % width + 0.5)
    along = dy * fy.ravel()[cells.order] + dx * fx.ravel()[cells.order]
    n = len(cells.ids)
    away = np.bincount(owner, weights=np.hypot(dy, dx) * length.ravel()[cells.order], minlength=n)
    mean = cells.means(chance)
    return {
        "chance": mean,
        "chance_low": cells.quantiles(chance, 0.1),
        "chance_high": cells.quantiles(chance, 0.9),
        "flow": cells.means(length),
        "flow_low": cells.quantiles(length, 0.2),
        "flow_error": flow_errors(cells.codes, np.asarray(field.flows, np.float32)),
        "towards": np.bincount(owner, weights=along, minlength=n) / np.maximum(away, 1e-6),
    }


def second_columns(cells: Cells, second: LabelArray | None) -> Columns:
    """Measure how each cell is found at the second look: overlap, pieces, and whether it is part of more."""
    if second is None:
        return {}
    overlap = intersection_over_union(cells.codes, second)
    best = np.asarray(overlap.max(axis=1).todense()).ravel() if overlap.shape[1] else np.zeros(len(cells.ids))
    return {"again": best}
