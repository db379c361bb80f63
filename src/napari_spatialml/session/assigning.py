"""Every transcript into its cell, and all cells measured, in one way through the labels: of slides that fit no memory.

Points are read piece by piece and sorted by the block of labels they lie in; then every block is read
once, on two threads, and tallied. What is in memory grows with the points of one round, 6 bytes each.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.report import Report, part, silent
from ..core.tally import Blocks, BlockTally, Placed, Totals, placed, put_together, tallied
from ..errors import BadInput
from .document import GLOBAL, Document
from .evidence import grown, offset_of
from .gather import full_resolution
from .grid import LabelGrid
from .transcript_index import transcript_source
from .transcript_source import ALL, Choice, merged
from .transcripts import opened_index

__all__ = ["Assigned", "BlockReader", "Stream", "Task", "ahead", "assign_all", "workers"]

ROUND = 64_000_000
"""Points that are in memory at a time; a slide with more is gone through once for each so many."""
BLOCK = 1024
_THREADS = min(4, os.cpu_count() or 1)
"""Reading and counting take turns in them. They end with the call, and see neither document nor viewer."""
Read = Callable[[], tuple[npt.NDArray[Any], npt.NDArray[np.int64], npt.NDArray[Any]]]


@dataclass(frozen=True)
class Task:
    """What is counted and measured.

    Parameters
    ----------
    labels
        The cells.
    points
        Their transcripts, or "" to measure only.
    choice
        Which transcripts count.
    nuclei
        Labels of the same pixels, to say how many of a cell's transcripts lie in a nucleus; or "".
    image
        An image of the same pixels whose channels are summed over each cell; or "".
    """

    labels: str
    points: str = ""
    choice: Choice = ALL
    nuclei: str = ""
    image: str = ""


@dataclass(frozen=True)
class Assigned:
    """The cells of a slide and what they hold.

    Parameters
    ----------
    cells
        Measures and counts, by ascending id.
    genes
        The names of the columns, sorted.
    transcripts
        (g,) how many there are of each gene, in cells or not.
    total
        How many transcripts were to be counted, those without a place or a gene included.
    left_out
        How many were not: by quality or height, and as controls.
    channels
        Names of the channels that were summed.
    """

    cells: Totals
    genes: tuple[str, ...]
    transcripts: npt.NDArray[np.int64]
    total: int
    left_out: dict[str, int]
    channels: tuple[str, ...] = ()

    @property
    def unassigned(self) -> int:
        """How many transcripts lie in no cell."""
        return self.total - int(self.cells.counts.data.sum(dtype=np.int64))


def assign_all(document: Document, task: Task, report: Report = silent) -> Assigned:
    """Count every transcript once, and measure every cell.

    Parameters
    ----------
    document
        The document; it may be called on any thread, as the labels are those of this moment.
    task
        What to count and measure.
    report
        Told how far it is; raises `Cancelled` after Stop.

    Raises
    ------
    BadInput, DocumentError
        When the points have no genes or do not lie in "global", or nuclei or image are not of the same pixels.

    Notes
    -----
    The counts are those of `counting.count_near` for every cell, to the last transcript: both round alike.
    """
    reader = BlockReader(document, task)
    stream = Stream(document, task) if task.points else None
    rounds: list[list[BlockTally]] = []
    with ThreadPoolExecutor(workers()) as pool:
        try:
            for pieces in stream.rounds(pool, reader.blocks, part(report, 0.0, 0.5)) if stream else [[]]:
                told = part(report, 0.5, 0.97) if stream is None or stream.done else silent_fraction(report)
                rounds.append(reader.tallies(pool, pieces, len(stream.names) if stream else 0, told, not rounds))
        finally:
            pool.shutdown(cancel_futures=True)
    report(0.97, "putting the counts together")
    names, used = (stream.names, stream.used) if stream else ({}, np.zeros(0, np.int64))
    genes = sorted(n for n, code in names.items() if used[code])
    rank = np.full(max(len(names), 1), -1, np.int64)
    rank[[names[g] for g in genes]] = np.arange(len(genes))
    totals = put_together(rounds, reader.dtype, rank, len(genes))
    made = Assigned(
        totals, tuple(genes), used[[names[g] for g in genes]] if genes else np.zeros(0, np.int64),
        stream.total if stream else 0, stream.left_out if stream else {}, reader.channels,
    )  # fmt: skip
    report(1.0, "counted")
    return made


def silent_fraction(report: Report) -> Report:
    """Return a report that says what is done and not how far, for a round that is not the last."""
    return lambda _fraction, message="": report(0.5, message)


def workers() -> int:
    """Return how many threads read and count."""
    return _THREADS


class Stream:
    """The points of a section, piece by piece, sorted by block as they come."""

    def __init__(self, document: Document, task: Task) -> None:
        self._choice = task.choice
        source = transcript_source(document, task.points, task.choice)
        index = opened_index(document, task.points, task.choice)
        self._rows = source.rows()
        self._reads: list[Read] = list(source.reads())
        to_um, self.total = document.affine(task.points, GLOBAL), 0
        if index is not None:  # sorted already: each block is met in a few pieces only
            names = np.array(index.genes, dtype=object)
            self._reads = [partial(_of_index, read, names) for read in index.slices()]
            to_um, self.total = index.to_um, index.total - index.placed
        self._matrix = (document.affine(task.labels, GLOBAL).inverse() @ to_um).matrix
        self.names: dict[str, int] = {}
        self.used = np.zeros(0, np.int64)
        self.controls = 0
        self.done = False

    @property
    def left_out(self) -> dict[str, int]:
        """How many do not count: as controls, and by their quality or height."""
        controls = {} if self._choice.controls else {"controls": self.controls}
        chosen = self._choice.of_points != ALL
        return {**controls, "chosen otherwise": self._rows - self.total - self.controls} if chosen else controls

    def rounds(self, pool: ThreadPoolExecutor, blocks: Blocks, report: Report) -> Iterator[list[Placed]]:
        """Yield the pieces that are in memory together; the last time with `done` set, and at least once."""
        held: list[Placed] = []
        n = 0
        for where, codes, names in ahead(pool, _called, self._reads):
            report(self.total / max(self._rows, 1), f"reading the transcripts: {self.total:,}")
            if n and n + len(where) > ROUND:
                yield held
                held, n = [], 0
            where, codes = self._chosen(where, codes, names)
            held.append(placed(where, codes, self._matrix, blocks))
            n += len(where)
        self.done = True
        yield held

    def _chosen(self, where: Any, codes: Any, names: Any) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Return the points that have a place and a gene which counts, and take note of the others."""
        known, codes = len(self.names), merged(self.names, names, codes)
        self.used = np.pad(self.used, (0, len(self.names) - known))
        keep = np.isfinite(where).all(1) & (codes >= 0)
        self.total += len(where)
        if not self._choice.controls:
            control = np.array([self._choice.leaves_out(n) for n in self.names], dtype=bool)
            out = keep & np.append(control, False)[codes]
            self.controls += int(out.sum())
            self.total -= int(out.sum())
            keep &= ~out
        if not keep.all():
            where, codes = where[keep], codes[keep]
        self.used += np.bincount(codes, minlength=len(self.used))
        return where, codes.astype(np.uint16 if len(self.names) <= 1 << 16 else np.int32)


def _of_index(read: Callable[[], Any], names: npt.NDArray[Any]) -> Any:
    where, codes = read()
    return where, codes.astype(np.int64), names


def _called(read: Read) -> Any:
    return read()


class BlockReader:
    """The labels, and what lies under them, block by block; each thread reads through its own cache."""

    def __init__(self, document: Document, task: Task) -> None:
        grid = document.grid(task.labels)
        self.dtype = grid.dtype
        self.blocks = Blocks(grid.shape, _edge(grid))
        shifts = {n: _same_pixels(document, task.labels, n) for n in (task.nuclei, task.image) if n}
        image: Any = full_resolution(document, task.image) if task.image else None
        self.channels = () if image is None else tuple(str(c) for c in image.coords["c"].to_numpy())
        self._image, self._shift = image, shifts.get(task.image, (0, 0))
        if shifts.get(task.nuclei, (0, 0)) != (0, 0) or (
            task.nuclei and document.grid(task.nuclei).shape != grid.shape
        ):
            raise _not_same(task.labels, task.nuclei)
        nuclei = document.grid(task.nuclei) if task.nuclei else None
        self._free = deque((grid.snapshot(), None if nuclei is None else nuclei.snapshot()) for _ in range(_THREADS))

    def tallies(
        self, pool: ThreadPoolExecutor, pieces: list[Placed], n_genes: int, report: Report, first: bool
    ) -> list[BlockTally]:
        """Return the tallies of all blocks in their order; the image is summed in the first round."""
        made: list[BlockTally] = []
        work = partial(self._tally, pieces=pieces, n_genes=n_genes, with_image=first)
        for tally in ahead(pool, work, range(self.blocks.n)):
            report(len(made) / self.blocks.n, "counting transcripts" if n_genes else "measuring the cells")
            made.append(tally)
        return made

    def _tally(self, block: int, *, pieces: list[Placed], n_genes: int, with_image: bool) -> BlockTally:
        window = self.blocks.window(block)
        labels, nuclei = self._read(window)
        image = self._pixels(window) if with_image and self._image is not None and labels.any() else None
        points = [p.of(block) for p in pieces]
        tally = tallied(labels, (window[0], window[2]), self.blocks.edge[1], points, n_genes, nuclei, image)
        if with_image and self._image is not None and tally.channels is None:
            return BlockTally(tally.ids, tally.sums, tally.counts, tally.nuclear, np.zeros((0, len(self.channels))))
        return tally

    def around(
        self, window: tuple[int, int, int, int], margin: int
    ) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None, tuple[int, int]]:
        """Return the labels and the nuclei of a window with a margin, and its first pixel."""
        box = grown(window, margin, self.blocks.shape)
        return (*self._read(box), (box[0], box[2]))

    def _read(self, window: tuple[int, int, int, int]) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None]:
        own = self._free.popleft()  # as many as threads: there is one
        try:
            return own[0].read(window), None if own[1] is None else own[1].read(window)
        finally:
            self._free.append(own)

    def _pixels(self, window: tuple[int, int, int, int]) -> npt.NDArray[Any]:
        """Return the image under a window, (c, h, w); 0 where it does not reach."""
        (y0, y1, x0, x1), (dy, dx) = window, self._shift
        h, w = self._image.sizes["y"], self._image.sizes["x"]
        a, b, c, d = max(y0 + dy, 0), min(y1 + dy, h), max(x0 + dx, 0), min(x1 + dx, w)
        out = np.zeros((len(self.channels), y1 - y0, x1 - x0), self._image.dtype)
        if b > a and d > c:
            values = self._image.isel(y=slice(a, b), x=slice(c, d)).data
            values = values.compute(scheduler="synchronous") if hasattr(values, "compute") else values
            out[:, a - y0 - dy : b - y0 - dy, c - x0 - dx : d - x0 - dx] = values
        return out.astype(np.float32) if out.dtype.kind == "f" and out.dtype.itemsize < 4 else out


def _edge(grid: LabelGrid) -> tuple[int, int]:
    """Return the size of a block: whole chunks of the store, so that none is unpacked twice."""
    chunks = getattr(grid.below[0], "chunks", None)
    pair = chunks if isinstance(chunks, tuple) and all(isinstance(n, int) for n in chunks) else (BLOCK, BLOCK)
    y, x = ((max(BLOCK // n, 1) * n if n <= 4 * BLOCK else BLOCK) for n in map(int, pair[-2:]))
    return y, x


def _same_pixels(document: Document, labels: str, element: str) -> tuple[int, int]:
    found = offset_of(document, labels, element)
    if found is None:
        raise _not_same(labels, element)
    return found


def _not_same(labels: str, element: str) -> BadInput:
    return BadInput(f"'{element}' does not have the pixels of '{labels}'.", "Choose another, or none.")


def ahead(pool: ThreadPoolExecutor, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    """Yield what a function makes of each item, in order, a few items ahead."""
    waiting: deque[Any] = deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) > 2 * _THREADS:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
