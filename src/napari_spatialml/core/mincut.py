"""The cheapest cut of a cell in two: evidence for each pixel against the cost of cutting between neighbours.

References
----------
Boykov & Kolmogorov (2003), Computing geodesics and minimal surfaces via graph cuts, ICCV, equation 12:
the weights with which the cost of a cut on a grid approaches its Euclidean length.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["cheapest_cut"]

Mask = npt.NDArray[np.bool_]
Array = npt.NDArray[np.float64]
_STEPS = ((0, 1), (1, 0), (1, 1), (1, -1))
_UNIT = 1000.0  # capacities are whole numbers: the same cut on every machine
_MOST = 1 << 24


def cheapest_cut(mask: Mask, evidence: Array, price: Array, pixel_um: tuple[float, float]) -> Mask:
    """Return the pixels of the first side.

    Parameters
    ----------
    mask
        (h, w) the cell.
    evidence
        (h, w) what it costs to give a pixel to the second side instead of the first; infinite for a
        pixel that must be on the first, minus infinity for one that must be on the second.
    price
        (h, w) cost of one µm of cut here.
    pixel_um
        (y, x) size of a pixel in µm.

    Notes
    -----
    Exact: a maximum flow between the two sides, in a few ms for some thousand pixels.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import breadth_first_order, maximum_flow

    # what must be on a side is that side: the flow runs through the pixels between only
    index = np.full(mask.shape, -1, dtype=np.int64)
    open_ = mask & np.isfinite(evidence)
    n = int(open_.sum())
    source, sink = n, n + 1
    index[open_] = np.arange(n)
    index[mask & (evidence == np.inf)], index[mask & (evidence == -np.inf)] = source, sink
    a, b, cost = _links(mask, index, price, pixel_um)
    own = np.clip(evidence[open_] * _UNIT, -_MOST, _MOST).round().astype(np.int64)
    first, second = np.flatnonzero(own > 0), np.flatnonzero(own < 0)
    start = np.concatenate([a, b, np.full(len(first), source), second])
    end = np.concatenate([b, a, first, np.full(len(second), sink)])
    room = np.concatenate([cost, cost, own[first], -own[second]])
    useful = (end != source) & (start != sink) & (start != end)
    graph = coo_matrix((room[useful], (start[useful], end[useful])), (n + 2, n + 2)).tocsr()  # adds what repeats
    graph.data = np.minimum(graph.data, _MOST * 16).astype(np.int32)
    left = graph - maximum_flow(graph, source, sink).flow
    left.data = np.maximum(left.data, 0)
    left.eliminate_zeros()
    reached = np.zeros(n + 2, dtype=bool)
    reached[breadth_first_order(left, source, return_predecessors=False)] = True
    return np.asarray(mask & reached[index])


def _links(
    mask: Mask, index: npt.NDArray[np.int64], price: Array, pixel_um: tuple[float, float]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the pairs of neighbours, each of eight, and what it costs to cut between them."""
    starts, ends, costs = [], [], []
    for dy, dx in _STEPS:
        here = slice(0, mask.shape[0] - dy), slice(max(-dx, 0), mask.shape[1] - max(dx, 0))
        there = slice(dy, mask.shape[0]), slice(max(dx, 0), mask.shape[1] + min(dx, 0))
        both = mask[here] & mask[there]
        length = np.hypot(dy * pixel_um[0], dx * pixel_um[1])
        weight = pixel_um[0] * pixel_um[1] * np.pi / (8 * length)
        starts.append(index[here][both])
        ends.append(index[there][both])
        costs.append(weight * (price[here][both] + price[there][both]) / 2)
    whole = np.clip(np.concatenate(costs) * _UNIT, 1, _MOST).round().astype(np.int64)
    return np.concatenate(starts), np.concatenate(ends), whole
