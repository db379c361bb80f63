"""Transcripts as a density: every point is counted, none is left out."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.transform import Affine
from ..session import Document
from .memory import Memory
from .places import as_matrix, extent
from .specs import ImageSpec, Key

__all__ = ["bin_um", "density_spec"]

_LONGEST = 512
"""Bins along the longer side, at most."""


def bin_um(box: npt.NDArray[np.float64]) -> float:
    """Return a bin's edge in µm: a round number that gives at most 512 bins a side."""
    least = float(np.ptp(box, axis=0).max()) / _LONGEST
    power = 10.0 ** np.floor(np.log10(max(least, 1e-3)))
    return float(next(step * power for step in (1.0, 2.0, 5.0, 10.0) if step * power >= least))


def density_spec(
    document: Document, points: str, system: str, memory: Memory, *, beside: bool, offset: tuple[float, float]
) -> tuple[ImageSpec, float]:
    """Return the layer of a density, and the bin's edge in µm."""
    affine = document.affine(points, system)
    token = ("density", points, document.revision(("points", points)), as_matrix(affine))
    box = memory.get((*token, "box"), partial(extent, document, points, system))
    edge = bin_um(box)
    low = np.floor(box[0] / edge) * edge
    h, w = (int(n) for n in np.floor((box[1] - low) / edge) + 1)
    counts = partial(memory.get, token, partial(_counts, document.element(points), affine, low, edge, (h, w)))
    placed = Affine.translation(*offset) @ Affine.translation(*low) @ Affine.scale(edge) @ Affine.translation(0.5, 0.5)
    spec = ImageSpec(
        Key(points, "", beside), points, token, partial(_drawn, counts), as_matrix(placed), 20,
        opacity=0.9, colormap="magma",
    )  # fmt: skip
    return spec, edge


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
        where = affine.apply(part.compute().to_numpy(dtype=float))
        at = np.floor((where - low) / edge).astype(np.int64)
        at = np.clip(at, 0, np.array(shape) - 1)
        total += np.bincount(at[:, 0] * shape[1] + at[:, 1], minlength=total.size).reshape(shape)
    return total
