"""Flows towards the middle of each cell: from labels, and back to labels.

Networks in Cellpose's formulation give, for each pixel, the flow and the logit of being cell. That raw
output is a `FlowField`; `decode` makes cells of it, as often as thresholds change, without the network.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import frozen, require
from .segmentation import Masks

__all__ = ["FlowField", "decode", "flow_errors", "labels_to_flows", "logit_of"]

Labels = npt.NDArray[np.int32]
Flows = npt.NDArray[np.float32]
Values = npt.NDArray[np.float64]

STEPS = 200
_THREADS = max(1, min(os.cpu_count() or 1, 8))
_WORTH_IT = 100_000
"""Pixels of cells from which on threads take less time than they cost."""


@dataclass(frozen=True)
class FlowField:
    """What a flow network says of an image, before any threshold.

    Parameters
    ----------
    logit
        (y, x) float32: above 0 a pixel is more likely cell than not.
    flows
        (2, y, x) float32: the steps in y and in x, near 1 pixel long within a cell.
    diameter
        Typical diameter of a cell in pixels, as it was given or estimated.
    stain
        What the network took the image for: "fluorescence", "histology" or "bright-field".
    """

    logit: Flows
    flows: Flows
    diameter: float = 20.0
    stain: str = "fluorescence"

    def __post_init__(self) -> None:
        logit = np.asarray(self.logit, dtype=np.float32)
        flows = np.asarray(self.flows, dtype=np.float32)
        require(logit.ndim == 2, f"The logit has the shape {logit.shape}.", "Give (height, width).")
        require(
            flows.shape == (2, *logit.shape),
            f"The flows have the shape {flows.shape}, the logit {logit.shape}.",
            "Give flows (2, height, width).",
        )
        object.__setattr__(self, "logit", frozen(logit))
        object.__setattr__(self, "flows", frozen(flows))

    def window(self, y0: int, y1: int, x0: int, x1: int) -> FlowField:
        """Return the rows y0 to y1 and the columns x0 to x1, the ends not included."""
        return FlowField(self.logit[y0:y1, x0:x1], self.flows[:, y0:y1, x0:x1], self.diameter, self.stain)


def labels_to_flows(labels: npt.NDArray[Any]) -> Flows:
    """Return unit vectors that lead each cell's pixels to its middle along the paths of diffusion.

    Heat enters at the pixel nearest to the cell's centroid and leaves across its border; the flow is
    the direction of the steepest rise of temperature.

    Parameters
    ----------
    labels
        (y, x); 0 is background.

    Returns
    -------
    Flows
        (2, y, x) float32: the steps in y and in x; 0 in the background and in a cell of one pixel.

    Notes
    -----
    O(pixels · diameter).

    References
    ----------
    Stringer, Wang, Michaelos & Pachitariu, Nature Methods 18 (2021), Methods, "Spatial gradient
    representation"; the iterations and the border are those of the published implementation.
    """
    from .flow_kernels import boxes_of, diffuse

    compact = np.ascontiguousarray(labels, dtype=np.int32)
    flows = np.zeros((2, *compact.shape), dtype=np.float32)
    if compact.size:
        boxes = boxes_of(compact)
        sums = np.cumsum(boxes[:, 4])

        def some(first: int, last: int) -> None:  # each thread writes the pixels of its own cells
            own = np.zeros_like(boxes)
            own[first:last] = boxes[first:last]
            diffuse(compact, own, flows)

        _in_threads(some, sums)
    return flows


def flow_errors(labels: npt.NDArray[Any], flows: Flows) -> Values:
    """Return, for the labels 1 to n, the mean squared distance between their own flows and those given.

    0 is perfect; beyond about 0.4 a cell hardly looks as the network meant it.
    """
    from .flow_kernels import errors

    compact = np.ascontiguousarray(labels, dtype=np.int32)
    n = int(compact.max()) if compact.size else 0
    return np.asarray(errors(compact, n, labels_to_flows(compact), np.asarray(flows, dtype=np.float32)))


def logit_of(probability: float) -> float:
    """Return the logit of a probability; 0 and 1 give the infinities."""
    with np.errstate(divide="ignore"):
        return float(np.log(probability) - np.log1p(-probability))


def decode(
    field: FlowField,
    cell_probability: float = 0.5,
    flow_error: float = 0.4,
    min_area: float = 15.0,
    steps: int = STEPS,
) -> Masks:
    """Make cells of a network's output: pixels that flow to one place are one cell.

    Parameters
    ----------
    field
        The raw output; it is left as it is.
    cell_probability
        Pixels whose probability of being cell is above this are cell, 0 <= cell_probability <= 1.
    flow_error
        Cells whose flows differ more from the network's are dropped (see `flow_errors`); 0 keeps all.
    min_area
        Smaller cells are dropped, in pixels.
    steps
        Most steps of one pixel that a pixel goes.

    Returns
    -------
    Masks
        Labels 1 to n without holes, numbered from top to bottom; the score of a cell is the product of
        its mean probability and the mean length of the flow in it, between 0 and 1.

    Notes
    -----
    About 0.1 s a megapixel. Differs from the published implementation where a pixel is left to swing
    about its end: there it is followed for all steps. No cell is dropped for being a large part of the
    image.

    References
    ----------
    Stringer, Wang, Michaelos & Pachitariu, Nature Methods 18 (2021), Methods, "Gradient tracking".
    """
    from .flow_kernels import boxes_of, fill_holes, scores

    labels = _converged(field, logit_of(cell_probability), steps)
    n = _keep(labels, _areas(labels) >= min_area)
    if flow_error > 0 and n > 0:
        n = _keep(labels, flow_errors(labels, field.flows) <= flow_error)
    fill_holes(labels, boxes_of(labels))
    n = _keep(labels, _areas(labels) >= max(min_area, 1))
    return Masks(labels, scores(labels, n, field.logit, field.flows))


def _converged(field: FlowField, threshold: float, steps: int) -> Labels:
    """Return labels of the pixels above the threshold by where they flow to."""
    from .flow_kernels import directed, follow, grow, peaks

    cell = np.ascontiguousarray(field.logit > np.float32(threshold))
    labels = np.zeros(cell.shape, dtype=np.int32)
    n = int(cell.sum())
    if n == 0:
        return labels
    ends, towards = np.zeros(n, dtype=np.int32), directed(field.flows, cell)
    sums = np.cumsum(cell.sum(axis=1))

    def some(first: int, last: int) -> None:  # no path knows of another
        own = np.zeros_like(cell)
        own[first:last] = cell[first:last]
        begin = int(sums[first - 1]) if first else 0
        follow(towards, own, steps, ends[begin : int(sums[last - 1])])

    _in_threads(some, sums)
    arrived = np.bincount(ends, minlength=cell.size).astype(np.int32).reshape(cell.shape)
    basins = np.zeros_like(labels)
    grow(arrived, peaks(arrived), basins)
    labels[cell] = basins.ravel()[ends]
    return labels


def _in_threads(call: Callable[[int, int], None], sums: npt.NDArray[Any]) -> None:
    """Call with the first and last of runs of rows or cells of about equal work; ``sums`` is the work up to each."""
    n, work = len(sums), int(sums[-1])
    parts = min(_THREADS, max(1, work // _WORTH_IT))
    cuts = np.unique([0, *np.searchsorted(sums, work * np.arange(1, parts) / parts).tolist(), n]).tolist()
    if len(cuts) == 2:
        call(0, n)
        return
    with ThreadPoolExecutor(parts) as pool:
        list(pool.map(call, cuts[:-1], cuts[1:]))


def _keep(labels: Labels, kept: npt.NDArray[np.bool_]) -> int:
    """Drop the labels 1 to n that are not kept, in place; return how many are left, numbered in raster order."""
    from .flow_kernels import renumber

    return int(renumber(labels, np.concatenate([[False], kept])))


def _areas(labels: Labels) -> npt.NDArray[np.int64]:
    return np.bincount(labels.ravel(), minlength=1)[1:]
