"""How far two segmentations of one section agree: of two readers, or of a method and a person.

Neither side is the truth: every figure but the names of the sides stays the same when they are swapped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from .arrays import require
from .disagreement import Disagreements, disagreements
from .hausdorff import ReadBoth, cell_distances
from .intervals import Estimate, mean_of, proportion, quantile_of, ratio_of
from .overlap import Overlap, Piece, matches, overlap
from .report import Report, part, silent

__all__ = ["CellAgreement", "Measure", "cell_agreement", "windows"]

STEP = 2048


@dataclass(frozen=True)
class Measure:
    """One figure of a comparison.

    Parameters
    ----------
    name
        What is measured.
    estimate
        Its value and 95 % interval.
    unit
        "µm", "cells" …, or "" for a share.
    """

    name: str
    estimate: Estimate
    unit: str = ""

    def row(self) -> tuple[str, str, str, str]:
        """Return the name, the value, the interval and the unit as a person reads them."""
        low, high = (self._shown(v) for v in (self.estimate.low, self.estimate.high))
        known = isfinite(self.estimate.low), isfinite(self.estimate.high)
        interval = {(True, True): f"{low} – {high}", (True, False): f"≥ {low}", (False, True): f"≤ {high}"}.get(
            known, ""
        )
        return self.name, self._shown(self.estimate.value), interval, self.unit

    def _shown(self, value: float) -> str:
        if not isfinite(value):
            return "?"
        whole = float(value).is_integer() and self.unit not in ("", "µm", "mm²")
        return f"{value:,.0f}" if whole else f"{value:.2f}" if self.unit else f"{value:.3f}"


@dataclass(frozen=True, eq=False)
class CellAgreement:
    """How two segmentations agree.

    Parameters
    ----------
    overlap
        The cells and how they lie on each other.
    rows, columns
        (k,) partners at an intersection over union of one half, as places in ``overlap.a`` and ``overlap.b``.
    distances_um
        (k,) Hausdorff distance of each pair of partners.
    measures
        What a report lists.
    groups
        Where they disagree.
    """

    overlap: Overlap
    rows: npt.NDArray[np.int64]
    columns: npt.NDArray[np.int64]
    distances_um: npt.NDArray[np.float64]
    measures: tuple[Measure, ...]
    groups: Disagreements


def windows(shape: tuple[int, int], step: int = STEP) -> Iterator[tuple[int, int, int, int]]:
    """Yield windows (y0, y1, x0, x1) that cover an image, each pixel once."""
    for y in range(0, shape[0], step):
        for x in range(0, shape[1], step):
            yield y, min(y + step, shape[0]), x, min(x + step, shape[1])


def cell_agreement(
    read: ReadBoth,
    shape: tuple[int, int],
    pixel_size_um: float = 1.0,
    *,
    outline: float = 0.7,
    classes: tuple[dict[int, Any], dict[int, Any]] | None = None,
    step: int = STEP,
    report: Report = silent,
) -> CellAgreement:
    """Compare two segmentations, window by window.

    Parameters
    ----------
    read
        Returns a window (y0, y1, x0, x1) of either label image.
    shape
        (y, x) of both.
    pixel_size_um
        Edge of the pixel.
    outline
        Partners whose intersection over union is below this count as drawn differently.
    classes
        The class of each cell of A and of B, where their classes are compared too.
    step
        Edge of the windows in pixels; it changes no figure.
    report
        Told how far it is.

    Notes
    -----
    Memory: two windows, and some 200 bytes a cell.
    """
    require(step > 0 and pixel_size_um > 0, f"The pixel is {pixel_size_um} µm.", "Give a size above 0.")
    found = overlap(_pieces(read, shape, step, part(report, 0.0, 0.7)))
    rows, columns = matches(found.iou, 0.5)
    far = cell_distances(read, found, rows, columns, pixel_size_um, part(report, 0.7, 1.0))
    named = None
    if classes is not None:
        named = tuple(
            [held.get(int(i)) for i in side.ids] for held, side in zip(classes, (found.a, found.b), strict=True)
        )
    groups = disagreements(found, outline, classes=named)  # type: ignore[arg-type]
    report(1.0, "Compared")
    return CellAgreement(found, rows, columns, far, _measures(found, rows, columns, far), groups)


def _pieces(read: ReadBoth, shape: tuple[int, int], step: int, report: Report) -> Iterator[Piece]:
    n = max(1, -(-shape[0] // step) * -(-shape[1] // step))
    for done, window in enumerate(windows(shape, step)):
        report(done / n, f"Window {done + 1} of {n}")
        yield (window[0], window[2]), *read(window)


def _measures(
    found: Overlap, rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64], far: npt.NDArray[np.float64]
) -> tuple[Measure, ...]:
    n_a, n_b = found.shared.shape
    at = [proportion(len(r), n_a + n_b - len(r)) for r in (rows, matches(found.iou, 0.75)[0])]
    shared = np.asarray(found.shared[rows, columns]).ravel() if len(rows) else np.empty(0)
    dice = 2 * shared / (found.a.areas[rows] + found.b.areas[columns])
    pixels = _pixel_dice(found)
    return (
        Measure("Cells in A", Estimate(n_a), "cells"),
        Measure("Cells in B", Estimate(n_b), "cells"),
        Measure("Partners at IoU 0.5", Estimate(len(rows)), "pairs"),
        Measure("AP at IoU 0.5", at[0]),
        Measure("AP at IoU 0.75", at[1]),
        Measure("F1 at IoU 0.5", at[0].map(lambda v: 2 * v / (1 + v))),
        Measure("Dice of partners, mean", mean_of(dice)),
        Measure("Dice of all pixels", pixels),
        Measure("IoU of all pixels", pixels.map(lambda v: v / (2 - v))),
        Measure("Hausdorff, median", quantile_of(far, 0.5), "µm"),
        Measure("Hausdorff, 95th percentile", quantile_of(far, 0.95), "µm"),
    )


def _pixel_dice(found: Overlap) -> Estimate:
    """Return the Dice coefficient of the foregrounds; its units are the groups of cells that touch each other."""
    pairs = sp.coo_matrix(found.shared)
    n_a, n_b = pairs.shape
    if n_a + n_b == 0:
        return Estimate(float("nan"))
    joined = sp.coo_matrix((np.ones(pairs.nnz), (pairs.row, pairs.col + n_a)), shape=(n_a + n_b,) * 2)
    n, group = connected_components(joined, directed=False)
    both = np.bincount(group[pairs.row], weights=pairs.data, minlength=n)
    sizes = np.bincount(group, weights=np.concatenate([found.a.areas, found.b.areas]), minlength=n)
    return ratio_of(2 * both, sizes)
