"""The transcripts that lie in no cell, as a density: all of them counted, none drawn at random."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.assignment import moved
from ..core.report import Report, part
from ..core.tally import Placed
from ..errors import BadInput
from .assigning import BlockReader, Stream, Task, ahead, workers
from .counting import counted_points
from .document import GLOBAL, Document
from .transcript_source import Choice

__all__ = ["Loose", "extent_um", "loose_transcripts"]


@dataclass(frozen=True, eq=False)
class Loose:
    """How many transcripts lie in no cell, bin by bin. Two are equal only if they are one.

    Parameters
    ----------
    labels
        The cells.
    counts
        (h, w) transcripts a bin.
    low_um
        (y, x) of the first bin's corner, in µm.
    edge_um
        Of a bin.
    moment
        The revision of the labels that was looked at.
    """

    labels: str
    counts: npt.NDArray[np.int64]
    low_um: tuple[float, float]
    edge_um: float
    moment: int


def extent_um(document: Document, labels: str) -> npt.NDArray[np.float64]:
    """Return the box of labels in µm: (2, 2), the lowest and the highest (y, x)."""
    h, w = document.grid(labels).shape
    corners = document.affine(labels, GLOBAL).apply(np.array([[0, 0], [0, w], [h, 0], [h, w]], float))
    return np.stack([corners.min(0), corners.max(0)])


def loose_transcripts(document: Document, labels: str, edge_um: float) -> Callable[[Report], Loose]:
    """Prepare to count the transcripts within the frame of labels that lie in no cell.

    Parameters
    ----------
    document
        The document.
    labels
        The cells.
    edge_um
        Of a bin.

    Raises
    ------
    BadInput
        When there are no transcripts in their frame.
    """
    about = document.attribute("segmentations", {}).get(labels, {})
    points = counted_points(document, document.placed(labels), str(about.get("transcripts", "")))
    if not points:
        raise BadInput(f"There are no transcripts in the frame of '{labels}'.", "Open transcripts first.")
    task, box = Task(labels, points, Choice.from_plain(about.get("choice"))), extent_um(document, labels)
    low = np.floor(box[0] / edge_um) * edge_um
    shape = tuple(int(n) for n in np.floor((box[1] - low) / edge_um) + 1)
    made = Loose(labels, np.zeros(shape, np.int64), (float(low[0]), float(low[1])), edge_um,
                 document.revision(("labels", labels)))  # fmt: skip
    return partial(_counted, BlockReader(document, task), Stream(document, task), document.affine(labels).matrix, made)


def _counted(reader: BlockReader, stream: Stream, to_um: Any, made: Loose, report: Report) -> Loose:
    counts = made.counts.ravel()
    with ThreadPoolExecutor(workers()) as pool:
        try:
            for pieces in stream.rounds(pool, reader.blocks, part(report, 0.0, 0.5)):
                work = partial(_bins, reader, pieces, to_um, made)
                for k, (bins, times) in enumerate(ahead(pool, work, range(reader.blocks.n))):
                    report(0.5 + 0.5 * k / reader.blocks.n, "looking for transcripts in no cell")
                    counts[bins] += times
        finally:
            pool.shutdown(cancel_futures=True)
    return made


def _bins(
    reader: BlockReader, pieces: list[Placed], to_um: Any, made: Loose, block: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the bins of the loose transcripts of a block, and how many lie in each."""
    window, (columns, edge) = reader.blocks.window(block), (made.counts.shape[1], made.edge_um)
    labels = reader.around(window, 0)[0]
    offsets = np.concatenate([np.empty(0, np.int64), *(p.of(block)[0].astype(np.int64) for p in pieces)])
    y, x = np.divmod(offsets, reader.blocks.edge[1])
    out = labels[y, x] == 0
    where = moved(to_um, np.stack([y[out] + (window[0] + 0.5), x[out] + (window[2] + 0.5)], axis=1))
    at = np.floor((where - made.low_um) / edge).astype(np.int64)
    at = np.clip(at, 0, np.array(made.counts.shape) - 1)
    return np.unique(at[:, 0] * columns + at[:, 1], return_counts=True)
