"""Judge segmentations by what lies in their cells, without a truth: gather, then work on any thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from ..core.assignment import rows_of
from ..core.depth import depths_of, overlaps
from ..core.judging import exclusive_markers, nuclei_held
from ..core.report import Report, part
from ..core.tally import Blocks, Placed
from ..errors import BadInput
from .assigning import Assigned, BlockReader, Stream, Task, ahead, assign_all, workers
from .comparing import require_same_frame
from .counting import counted_points
from .document import Document
from .evidence import nuclei_for
from .gather import pixel_size
from .judgement import STEPS_UM, Found, Judgement, judgement
from .transcript_source import ALL, Choice

__all__ = ["judge", "read_pairs"]

Judge = Callable[[Report], Judgement]
_MOST_PAIRS = 100


def judge(
    document: Document,
    labels: Sequence[str],
    *,
    points: str = "",
    nuclei: str = "",
    choice: Choice = ALL,
    pairs: Sequence[tuple[str, str]] = (),
) -> Judge:
    """Prepare the judgement of one segmentation, or of several of one section side by side.

    Parameters
    ----------
    document
        The document.
    labels
        The segmentations, of the same pixels.
    points
        The transcripts; those that the first one counts if "".
    nuclei
        Labels of nuclei; those that are called so if "", or none.
    choice
        Which transcripts count.
    pairs
        Pairs of genes that no cell expresses together; learned from the segmentations if none are given.

    Raises
    ------
    BadInput, DocumentError
        When there are no transcripts in their frame, or they are not of the same pixels.
    """
    names = list(dict.fromkeys(labels))
    if not names:
        raise BadInput("No segmentation is named.", "Name one, or several to be compared.")
    for other in names[1:]:
        require_same_frame(document, names[0], document, other)
    said = str(document.attribute("segmentations", {}).get(names[0], {}).get("transcripts", ""))
    found = counted_points(document, document.placed(names[0]), points or said)
    if not found or (points and points != found):
        raise BadInput(f"There are no transcripts in the frame of '{names[0]}'.", "Open transcripts first.")
    shown = nuclei or next((n for k in names for n in nuclei_for(document, k)), "")
    jobs = [_Judged(document, Task(n, found, choice, shown if shown != n else "")) for n in names]
    return partial(_judged, jobs, tuple(pairs))


def read_pairs(path: Path) -> tuple[tuple[str, str], ...]:
    """Read pairs of genes from a CSV file: two columns, with or without a head.

    Raises
    ------
    BadInput
        When a line does not name two genes.
    """
    import csv

    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = [[c.strip() for c in line] for line in csv.reader(file) if any(c.strip() for c in line)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"'{path.name}' cannot be read as CSV.", "Give a text file with two genes a line.") from error
    for number, line in enumerate(lines, 1):
        if len(line) < 2 or not line[0] or not line[1]:
            raise BadInput(f"Line {number} of '{path.name}' does not name two genes.", "Write GENE,GENE.")
    return tuple((line[0], line[1]) for line in lines)


def _judged(jobs: list[_Judged], given: tuple[tuple[str, str], ...], report: Report) -> Judgement:
    n = len(jobs)
    for k, job in enumerate(jobs):
        job.count(part(report, 0.6 * k / n, 0.6 * (k + 1) / n))
    pairs = _pairs(jobs, given)
    found = [job.look(pairs, part(report, 0.6 + 0.4 * k / n, 0.6 + 0.4 * (k + 1) / n)) for k, job in enumerate(jobs)]
    return judgement(found, pairs, learned=not given)


def _pairs(jobs: list[_Judged], given: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Return the exclusive pairs: those given, else what each segmentation teaches, the strongest in turn."""
    genes = set(jobs[0].counted.genes)
    if given:
        absent = sorted({g for p in given for g in p} - genes)
        known = tuple(p for p in given if set(p) <= genes)
        if not known:
            raise BadInput(f"None of the {len(given)} pairs is among the genes (not there: {', '.join(absent[:5])}).",
                           "Name genes as the transcripts do.")  # fmt: skip
        return known
    learned = [exclusive_markers(job.counted.cells.counts, job.counted.genes) for job in jobs]
    longest = max((len(some) for some in learned), default=0)
    turns = (some[k] for k in range(longest) for some in learned if k < len(some))
    return tuple(dict.fromkeys(turns))[:_MOST_PAIRS]


class _Judged:
    """One segmentation on its way: counted first, then looked at from the borders of its cells."""

    def __init__(self, document: Document, task: Task) -> None:
        self.task, self._document = task, document
        self._size = pixel_size(document, task.labels)
        self._reach = max(1, int(np.ceil(max(map(abs, STEPS_UM)) / self._size)))
        self.counted: Assigned

    def count(self, report: Report) -> None:
        """Count the transcripts of its cells."""
        self.counted = assign_all(self._document, self.task, report)

    def look(self, pairs: tuple[tuple[str, str], ...], report: Report) -> Found:
        """Return what lies how deep in the cells, or how near to them."""
        reader, stream = BlockReader(self._document, self.task), Stream(self._document, self.task)
        genes = sorted({g for p in pairs for g in p})
        kept = _Kept(len(self.counted.cells.ids), len(genes))
        with ThreadPoolExecutor(workers()) as pool:
            try:
                for number, pieces in enumerate(stream.rounds(pool, reader.blocks, part(report, 0.0, 0.4))):
                    marker = np.array([genes.index(n) if n in genes else -1 for n in stream.names], np.int64)
                    work = partial(self._block, reader, pieces, marker, n_markers=len(genes), first=number == 0)
                    for k, some in enumerate(ahead(pool, work, range(reader.blocks.n))):
                        report(0.4 + 0.6 * k / reader.blocks.n, "looking at the borders of the cells")
                        kept.add(some)
            finally:
                pool.shutdown(cancel_futures=True)
        return kept.found(self.task, self.counted, tuple(genes), self._size)

    def _block(
        self,
        reader: BlockReader,
        pieces: list[Placed],
        marker: npt.NDArray[np.int64],
        block: int,
        *,
        n_markers: int,
        first: bool,
    ) -> _Some:
        window = reader.blocks.window(block)
        labels, nuclei, origin = reader.around(window, self._reach)
        y, x, genes = _pixels(pieces, block, reader.blocks, window, origin)
        held: tuple[Any, ...] = ()
        if first and nuclei is not None:
            inner = tuple(slice(a - o, b - o) for a, b, o in zip(window[::2], window[1::2], origin, strict=True))
            held = overlaps(nuclei[inner], labels[inner])
        ids = self.counted.cells.ids
        if not labels.any():
            return _Some(np.zeros(len(STEPS_UM) + 1, np.int64), *(np.empty(0, np.int64),) * 3, held)
        depths = depths_of(labels, y, x, self._reach)
        rows, step = rows_of(depths.cells, ids), _steps(depths.distance * self._size)
        step = np.where(rows < 0, len(STEPS_UM), step)
        near = rows_of(depths.neighbours, ids)
        beside = (near >= 0) & (rows >= 0)
        columns = np.append(marker, -1)[genes]  # never empty
        counted = (columns >= 0) & (step < len(STEPS_UM))
        key = (rows[counted] * len(STEPS_UM) + step[counted]) * n_markers
        keys, times = np.unique(key + columns[counted], return_counts=True)
        contacts = np.unique(rows[beside] * max(len(ids), 1) + near[beside])
        return _Some(np.bincount(step, minlength=len(STEPS_UM) + 1), keys, times, contacts, held)


def _pixels(
    pieces: list[Placed], block: int, blocks: Blocks, window: tuple[int, int, int, int], origin: tuple[int, int]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[Any]]:
    """Return the pixels of a block's points in a window that begins at ``origin``, and their genes."""
    some = [p.of(block) for p in pieces]
    offsets = np.concatenate([np.empty(0, np.int64), *(s[0].astype(np.int64) for s in some)])
    genes = np.concatenate([np.empty(0, np.int64), *(s[1].astype(np.int64) for s in some)])
    y, x = np.divmod(offsets, blocks.edge[1])
    return y + window[0] - origin[0], x + window[2] - origin[1], genes


def _steps(distance_um: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return the first step at which a shrunk or grown cell holds a point; the number of steps for none."""
    shrunk, grown_ = np.array([s for s in STEPS_UM if s < 0]), np.array([s for s in STEPS_UM if s >= 0])
    # shrunk by s, a cell keeps what lies deeper than s; grown by s, it takes what is at most s away
    inside = np.searchsorted(shrunk, distance_um, side="right")
    outside = len(shrunk) + np.searchsorted(grown_, distance_um, side="left")
    found: npt.NDArray[np.int64] = np.where(distance_um < 0, inside, outside)
    return found


@dataclass(frozen=True)
class _Some:
    """What a block tells: transcripts a step, markers by (cell, step, gene), contacts of cells, nuclei in cells."""

    steps: npt.NDArray[np.int64]
    keys: npt.NDArray[np.int64]
    times: npt.NDArray[np.int64]
    contacts: npt.NDArray[np.int64]
    held: tuple[Any, ...]


class _Kept:
    """What all blocks told."""

    def __init__(self, n_cells: int, n_genes: int) -> None:
        self._n, self._g = n_cells, max(n_genes, 1)
        self._steps = np.zeros(len(STEPS_UM) + 1, np.int64)
        self._some: list[_Some] = []

    def add(self, some: _Some) -> None:
        self._steps += some.steps
        self._some.append(some)

    def found(self, task: Task, counted: Assigned, genes: tuple[str, ...], size: float) -> Found:
        keys = np.concatenate([np.empty(0, np.int64), *(s.keys for s in self._some)])
        times = np.concatenate([np.empty(0, np.int64), *(s.times for s in self._some)])
        row, rest = np.divmod(keys, len(STEPS_UM) * self._g)
        step, gene = np.divmod(rest, self._g)
        shape = (self._n, self._g)
        steps = tuple(
            sp.csr_matrix((times[step == k].astype(np.float64), (row[step == k], gene[step == k])), shape=shape)
            for k in range(len(STEPS_UM))
        )
        contacts = np.unique(np.concatenate([np.empty(0, np.int64), *(s.contacts for s in self._some)]))
        pairs = np.stack(np.divmod(contacts, max(self._n, 1)), axis=1)
        held = [s.held for s in self._some if s.held]
        nuclei = None
        if held:
            own, cells, pixels = (np.concatenate([h[k] for h in held]) for k in range(3))
            nuclei = nuclei_held(own, cells, pixels, counted.cells.ids)
        return Found(task, counted, genes, self._steps, steps, pairs, nuclei, size)
