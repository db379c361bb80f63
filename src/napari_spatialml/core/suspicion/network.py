"""Measures of what a network says of a cell, and of what it says when it looks again."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..flows import FlowField, flow_errors
from ..metrics import intersection_over_union
from ..patch import LabelArray
from .evidence import Field
from .looks import Looks, at_thresholds
from .measure import Cells, Columns

__all__ = ["again_columns", "network_columns"]


def network_columns(cells: Cells, field: Field | None) -> Columns:
    """Measure the network's probability and flows inside each cell.

    Notes
    -----
    ``flow`` is the mean length of the flow, which falls where the network hesitates between directions;
    ``flow_error`` is how far the flows are from those of the cell's own outline; ``towards`` is the mean
    cosine between the flow and the way to the cell's middle, weighted by the distance. ``steady`` is how
    far the outline stays with other thresholds than one half, ``steady_low`` with the worst of them.
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
    others = field.at_thresholds if isinstance(field, Looks) else at_thresholds(FlowField(field.logit, field.flows))
    kept = [_overlap(cells, labels) for labels in others]
    return {
        "chance": cells.means(chance),
        "chance_low": cells.quantiles(chance, 0.1),
        "chance_high": cells.quantiles(chance, 0.9),
        "flow": cells.means(length),
        "flow_low": cells.quantiles(length, 0.2),
        "flow_error": flow_errors(cells.codes, np.asarray(field.flows, np.float32)),
        "towards": np.bincount(owner, weights=along, minlength=n) / np.maximum(away, 1e-6),
        "steady": np.mean(kept, axis=0),
        "steady_low": np.min(kept, axis=0),
    }


def again_columns(cells: Cells, field: Field | None, second: LabelArray | None) -> Columns:
    """Measure how each cell is found at further looks, and in other labels: overlaps, and how far flows lie apart."""
    columns: Columns = {} if second is None else {"second": _overlap(cells, second)}
    if isinstance(field, Looks):
        columns["apart"] = cells.means(field.apart)
        if len(field.again):
            columns["again"] = np.mean([_overlap(cells, labels) for labels in field.again], axis=0)
    return columns


def _overlap(cells: Cells, labels: LabelArray) -> npt.NDArray[np.float64]:
    """Return each cell's best intersection over union with the cells of other labels."""
    overlap = intersection_over_union(cells.codes, labels)
    if not overlap.shape[1]:
        return np.zeros(len(cells.ids))
    return np.asarray(overlap.max(axis=1).todense()).ravel()
