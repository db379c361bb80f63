"""Transcripts as a density: every point is counted, none is left out."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.transform import Affine
from ..session import Document
from ..session.transcript_index import TranscriptIndex
from ..session.transcript_view import whole_density
from ..session.transcripts import is_quick, opened_index
from .memory import Memory
from .places import as_matrix, extent
from .specs import ImageSpec, Key

__all__ = ["bin_um", "density_spec"]

_LONGEST = 512
"""Bins along the longer side, at most."""
_CENTRE = Affine.translation(0.5, 0.5)


def bin_um(box: npt.NDArray[np.float64]) -> float:
    """Return a bin's edge in µm: a round number that gives at most 512 bins a side."""
    least = float(np.ptp(box, axis=0).max()) / _LONGEST
    power = 10.0 ** np.floor(np.log10(max(least, 1e-3)))
    return float(next(step * power for step in (1.0, 2.0, 5.0, 10.0) if step * power >= least))


def density_spec(
    document: Document, points: str, system: str, memory: Memory, *, beside: bool, offset: tuple[float, float]
) -> tuple[ImageSpec, float] | None:
    """Return the layer of a density, and the bin's edge in µm; None for many points that nobody has indexed yet."""
    affine = document.affine(points, system)
    shift = Affine.translation(*offset)
    if is_quick(document, points):
        return _counted(document, points, system, affine, shift, memory, beside)
    index = opened_index(document, points)
    return None if index is None else _indexed(document, points, affine, shift, index, beside)


def _counted(
    document: Document, points: str, system: str, affine: Affine, shift: Affine, memory: Memory, beside: bool
) -> tuple[ImageSpec, float]:
    """Count every point."""
    token = ("density", points, document.revision(("points", points)), as_matrix(affine))
    box = memory.get((*token, "box"), partial(extent, document, points, system))
    edge = bin_um(box)
    low = np.floor(box[0] / edge) * edge
    h, w = (int(n) for n in np.floor((box[1] - low) / edge) + 1)
    counts = partial(memory.get, token, partial(_counts, document.element(points), affine, low, edge, (h, w)))
    placed = shift @ Affine.translation(*low) @ Affine.scale(edge) @ _CENTRE
    return _spec(points, token, counts, placed, beside), edge


def _indexed(
    document: Document, points: str, affine: Affine, shift: Affine, index: TranscriptIndex, beside: bool
) -> tuple[ImageSpec, float]:
    """Take the bins of the index, without looking at a point."""
    lattice = index.lattice
    low, high = lattice.low, lattice.low + np.array(lattice.shape) * lattice.edge
    corners = affine.apply(np.array([[y, x] for y in (low[0], high[0]) for x in (low[1], high[1])]))
    (y0, x0), (y1, x1) = corners.min(0), corners.max(0)
    counts, corner, edge = whole_density(index, affine, (y0, y1, x0, x1), bin_um(np.array([[y0, x0], [y1, x1]])))
    token = ("indexed density", points, document.revision(("points", points)), as_matrix(affine))
    placed = shift @ affine @ Affine.translation(*corner) @ Affine.scale(edge) @ _CENTRE
    return _spec(points, token, lambda: counts, placed, beside), edge * affine.scale_factors[1]


def _spec(points: str, token: Any, counts: Any, placed: Affine, beside: bool) -> ImageSpec:
    make, matrix = partial(_drawn, counts), as_matrix(placed)
    return ImageSpec(Key(points, "", beside), points, token, make, matrix, 20, opacity=0.9, colormap="magma")


def counts_of(spec: ImageSpec) -> npt.NDArray[np.float32]:
    """Return the number of points a bin; NaN where there is none."""
    counts: npt.NDArray[np.float32] = spec.make()
    return counts


def _drawn(counts: Any) -> npt.NDArray[np.float32]:
    found = counts().astype(np.float32)
    found[found == 0] = np.nan  # an empty bin lets the tissue through
    return np.asarray(found)


def _counts(
    points: Any, affine: Affine, low: npt.NDArray[np.float64], edge: float, shape: tuple[int, int]
) -> npt.NDArray[np.int64]:
    """Count points a bin, partition by partition, so that the table is never whole in memory."""
    total = np.zeros(shape, np.int64)
    for part in points[["y", "x"]].to_delayed():
        places = part.compute().to_numpy(dtype=float)
        # a transcript without a place is drawn nowhere and counted in no cell, as in the index
        where = affine.apply(places[np.isfinite(places).all(1)])
        at = np.floor((where - low) / edge).astype(np.int64)
        at = np.clip(at, 0, np.array(shape) - 1)
        total += np.bincount(at[:, 0] * shape[1] + at[:, 1], minlength=total.size).reshape(shape)
    return total
