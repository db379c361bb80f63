"""What of an index lies in view: how many of each gene, where they are, how many a bin holds. Nothing is left out.

Each question reads either the tiles in view or the points of the genes that were asked for, whichever are fewer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.report import Report, silent
from ..core.transform import Affine
from ..errors import BadInput
from .sorting import Columns
from .transcript_index import TranscriptIndex

__all__ = ["Asked", "Box", "counts_in", "density_in", "places_in", "whole_density"]

Box = tuple[float, float, float, float]
"""y0, y1, x0, x1 in µm; the first of each is in it, the last is not."""
_STEP = 4_000_000
"""Points that are looked at between two reports."""
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Asked:
    """Which transcripts are looked for.

    Parameters
    ----------
    genes
        Positions in the genes of the index, each with a count of its own; None: all, counted together.
    quality
        The lowest quality of one that counts; None for all.
    z
        Only those at or above the first and below the second, in the points' own units; None for all.
    """

    genes: tuple[int, ...] | None = None
    quality: float | None = None
    z: tuple[float, float] | None = None

    @property
    def n(self) -> int:
        """How many counts are kept apart."""
        return 1 if self.genes is None else len(self.genes)

    @property
    def all(self) -> bool:
        """Whether every transcript counts."""
        return self.genes is None and self.quality is None and self.z is None


def counts_in(index: TranscriptIndex, to_um: Affine, asked: Asked, box: Box, report: Report = silent) -> Counts:
    """Return how many transcripts of each gene lie in a box.

    Parameters
    ----------
    index
        The index of all transcripts.
    to_um
        From the points' own coordinates to µm.
    asked
        Which of them count.
    box
        The box in µm.
    report
        Told how far it is; raises `Cancelled` when nobody waits any more.

    Raises
    ------
    BadInput
        When the transcripts have no quality or height and are to be chosen by it.
    """
    from ..core.point_kernels import counted

    out = np.zeros(asked.n, np.int64)
    bounds = np.array(box, np.float64)
    for where, slots in _pieces(index, to_um, asked, box, report):
        counted(where, to_um.matrix, bounds, slots, out)
    return out


def places_in(
    index: TranscriptIndex, to_um: Affine, asked: Asked, box: Box, n: int, most: int, report: Report = silent
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int16]]:
    """Return where the transcripts in a box lie, (m, 2) as (y, x) in µm, and the place of each one's gene in `asked`.

    Where more than ``most`` lie there, these are taken evenly from every tile and every gene in it.
    ``n`` is how many there are, as `counts_in` says. The other parameters are those of `counts_in`.
    """
    from ..core.point_kernels import taken

    most = min(most, n)
    places, kinds = np.empty((most, 2)), np.zeros(most, np.int16)
    seen, bounds = 0, np.array(box, np.float64)
    for where, slots in _pieces(index, to_um, asked, box, report) if most else ():
        seen = taken(where, to_um.matrix, bounds, slots, seen, n, most, places, kinds)
    return places, kinds


def density_in(
    index: TranscriptIndex,
    to_um: Affine,
    asked: Asked,
    corner: tuple[float, float],
    edge: float,
    shape: tuple[int, int],
    report: Report = silent,
) -> npt.NDArray[np.uint32]:
    """Return how many transcripts of each gene every bin holds, (genes, h, w).

    Parameters
    ----------
    corner
        (y, x) of the first bin, in µm.
    edge
        Of a bin, in µm.
    shape
        (h, w) bins.
    index, to_um, asked, report
        As for `counts_in`.
    """
    from ..core.point_kernels import binned

    out = np.zeros((asked.n, *shape), np.uint32)
    box = (corner[0], corner[0] + shape[0] * edge, corner[1], corner[1] + shape[1] * edge)
    for where, slots in _pieces(index, to_um, asked, box, report):
        binned(where, to_um.matrix, np.array(corner), edge, slots, out)
    return out


def whole_density(
    index: TranscriptIndex, to_um: Affine, box: Box, edge: float
) -> tuple[npt.NDArray[np.uint32], tuple[float, float], float]:
    """Return how many transcripts each bin of the index holds near a box, without looking at one.

    Returns
    -------
    tuple
        (h, w) counts; the corner (y, x) of the first bin and the edge of a bin, in the points' own coordinates:
        the widest bins that are no wider than ``edge`` in µm, else the narrowest there are.
    """
    lattice, own = index.lattice, _corners(to_um, box)
    fits = [k for k in range(len(lattice.shapes)) if lattice.edge_of(k) * to_um.scale_factors[1] <= edge * (1 + 1e-9)]
    level = fits[-1] if fits else 0
    r0, r1, c0, c1 = lattice.window(own.min(0), own.max(0), level)
    size = lattice.edge_of(level)
    corner = (lattice.low[0] + r0 * size, lattice.low[1] + c0 * size)
    return lattice.level(index.density, level)[r0:r1, c0:c1], corner, size


def _corners(to_um: Affine, box: Box) -> npt.NDArray[np.float64]:
    y0, y1, x0, x1 = box
    return to_um.inverse().apply(np.array([[y0, x0], [y0, x1], [y1, x0], [y1, x1]]))


def _pieces(
    index: TranscriptIndex, to_um: Affine, asked: Asked, box: Box, report: Report
) -> Iterator[tuple[npt.NDArray[Any], npt.NDArray[np.int16]]]:
    """Yield the points that may be meant, and which count each belongs to."""
    spans = index.spans(_corners(to_um, box)) if index.placed else []
    near = sum(b - a for a, b in spans)
    genes = [] if asked.genes is None else [index.span_of_gene(gene) for gene in asked.genes]
    if asked.genes is not None and sum(b - a for a, b in genes) < near:
        spans, near = [], sum(b - a for a, b in genes)
        ranges = [(slot, a, b) for slot, (a, b) in enumerate(genes)]
    else:
        ranges = [(-1, a, b) for a, b in spans]
    table, done = _table(index, asked), 0
    for slot, start, stop in ranges:
        for a in range(start, stop, _STEP):
            b = min(a + _STEP, stop)
            report(done / max(near, 1), "looking for transcripts")
            rows = index.rows(a, b) if slot < 0 else index.rows_of_gene(a, b)
            yield np.asarray(rows["coordinates"]), _slots(rows, asked, table, slot)
            done += b - a


def _table(index: TranscriptIndex, asked: Asked) -> npt.NDArray[np.int16]:
    """Return the place of every gene of the index in what is asked for, -1 for others."""
    if asked.genes is None:
        return np.zeros(len(index.genes), np.int16)
    table = np.full(len(index.genes), -1, np.int16)
    table[list(asked.genes)] = np.arange(len(asked.genes))
    return table


def _slots(rows: Columns, asked: Asked, table: npt.NDArray[np.int16], slot: int) -> npt.NDArray[np.int16]:
    """Return which count each point belongs to, -1 to none; all to ``slot`` where they are of one gene."""
    from ..core.point_kernels import too_high, too_low

    n = len(rows["coordinates"])
    alike = slot >= 0 or asked.genes is None
    slots = np.full(n, max(slot, 0), np.int16) if alike else table[rows["codes"]]
    if asked.quality is not None:
        values = _measure(rows, "quality", "how sure each was read")
        too_low(values, values.dtype.type(asked.quality), slots)  # as the source itself would compare
    if asked.z is not None:
        values = _measure(rows, "z", "how high each lies")
        too_low(values, values.dtype.type(asked.z[0]), slots)
        too_high(values, values.dtype.type(asked.z[1]), slots)
    return slots


def _measure(rows: Columns, name: str, what: str) -> npt.NDArray[Any]:
    if name not in rows:
        raise BadInput(f"These transcripts do not say {what}.", "Look at all of them.")
    return np.asarray(rows[name])
