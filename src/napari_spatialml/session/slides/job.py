"""Segmenting a slide of any size: tile by tile from where the person looks outwards, and on again after a stop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from psygnal import Signal

from ...core.glass import is_glass
from ...core.report import Report, part, promptly, silent
from ...core.segmentation import Masks, OnSlide, Pixels, Segmenter
from ...core.slide_tiles import Tile, TilePlan, halo_for
from ...core.stitching import seen, whole_in
from ...core.transform import Affine
from ...errors import BadInput, Cancelled
from ..counting import Counts, count_all, counted_again
from ..document import GLOBAL, Document
from ..fingerprints import digest
from ..run import Finished, Job, versions
from ..selection import SegmentationSelection, plain
from ..store import places_of
from .folder import Folder, Record, key_of
from .joining import Joined, joined, level_shapes
from .live import LiveLabels
from .result import SlideMasks
from .source import Source, fingerprint_of, source_of

__all__ = ["ONE_PIECE", "SlideJob", "in_tiles", "slide_job"]

ONE_PIECE = 36_000_000
"""Pixels that are segmented in one piece, in memory; a larger image is segmented in tiles."""
_EDGE, _MARGIN, _PROBE = 1024, 32, 1024
_TYPICAL = 2.0
"""How many times the typical diameter the 99th percentile is taken to be where only the former is known."""
_PLANNING, _TILE = 0.3, 512**2
"""The share of the run in which the slide is looked at as a whole, were it smaller than so many pixels: of a large one
next to none, so that the bar tells how many tiles are done."""
_WIDENED = 3
"""How often a tile is read with twice the halo, when a cell of it reaches further."""


@dataclass
class _State:
    """What changes while a job runs."""

    look: tuple[float, float] | None = None
    live: LiveLabels | None = None
    folder: Folder | None = None


def in_tiles(document: Document, selection: SegmentationSelection) -> bool:
    """Whether a selection is segmented in tiles: where tiles are asked for, or the image is too large for one piece."""
    if selection.tile:
        return True
    height, width = source_of(document, selection).shape
    return height * width > ONE_PIECE


def slide_job(job: Job, document: Document, *, resume: bool = True) -> SlideJob:
    """Return what segments a slide in tiles.

    Parameters
    ----------
    job
        As for an image in one piece, without its pixels.
    document
        The document.
    resume
        Go on with a run that was stopped; a replay does not.
    """
    selection = job.selection
    assert isinstance(selection, SegmentationSelection) and isinstance(job.method, Segmenter)
    if selection.tile < 0 or 0 < selection.tile < 32:
        raise BadInput(f"The tiles are {selection.tile} pixels wide.", "Give 32 or more, or 0.")
    made = SlideJob(
        job.method, selection, (), job.revisions, job.first, source=source_of(document, selection), resume=resume
    )
    places = places_of(document, selection)
    points, choice = counted_again(document, selection.output, places)
    if not points:
        return made
    read = tuple((slot, document.revision(slot)) for slot in (("points", points), ("transforms", "points", points)))

    def counted(cells: Joined, report: Report) -> Counts:
        ids = cells.table.obs["instance_id"].to_numpy().astype(np.int32)
        to_um = Affine.from_xy(places[GLOBAL])
        return count_all(document, points, cells.grid.levels[0], to_um, ids, report, choice)

    return replace(made, revisions=(*job.revisions, *read), counted=counted, points=points)


@dataclass(frozen=True, eq=False)
class SlideJob(Job):
    """A segmentation of a slide. Call it, on any thread.

    Every finished tile is on the disk before `tile_done` is emitted. After Stop, a crash or the end of the
    process the same job made again repeats no tile but the one in work, and ends in the same bits.
    """

    tile_done: ClassVar[Signal] = Signal(tuple, tuple)
    """Emitted on the job's own thread with the first pixel (y, x) and the size of a finished tile's core."""
    source: Source = field(kw_only=True)
    resume: bool = True
    counted: Callable[[Joined, Report], Counts] | None = None
    """Counts the transcripts of the cells."""
    points: str = ""
    """The points that are counted."""
    _state: _State = field(default_factory=_State)

    def __call__(self, report: Report = silent) -> Finished:
        """Segment all tiles and join them."""
        from threadpoolctl import threadpool_limits

        begun = 0.0 if self.first is None else 0.05
        if self.first is not None:
            self.first(part(report, 0.0, begun))
        height, width = self.source.shape
        planned = begun + _PLANNING / (1 + height * width / _TILE)
        start = time.perf_counter()
        pool = ThreadPoolExecutor(1, "segmenting a slide")  # one, so that a library keeps its own threads with it
        with threadpool_limits(limits=1, user_api="blas"), _left_alone(pool):
            ready, plan = self._plan(pool, part(report, begun, planned))
            folder = self._open(plan, ready)
            try:
                hashes, glass = self._tiles(ready, plan, folder, pool, part(report, planned, 0.9))
                report(0.9, "joining the tiles")
                cells = joined(folder, plan, self.source, self._chosen.output, part(report, 0.9, 0.98))
            except (Cancelled, KeyboardInterrupt) as error:
                kept = f"{len(folder.finished(len(plan))):,} of {len(plan):,} tiles are kept"
                raise Cancelled(f"{kept}; the same run goes on from there.") from error
            finally:
                folder.close()
        self._state.folder = folder
        counts = None if self.counted is None else self.counted(cells, part(report, 0.98, 1.0))
        about = {"tile": plan.edge, "halo": plan.halo, "tiles": len(plan), "glass": glass, "fixed": ready.fixed}
        result = SlideMasks(cells, replace(self._chosen, tile=plan.edge), len(plan), glass, counts, self.points)
        record = {"selection": plain(result.selection), "slide": about}
        return Finished(result, time.perf_counter() - start, digest("".join(hashes).encode()), record)

    @property
    def _chosen(self) -> SegmentationSelection:
        assert isinstance(self.selection, SegmentationSelection)
        return self.selection

    # while it runs ---------------------------------------------------------------------------

    def look_at(self, y: float, x: float) -> None:
        """Say where the person looks, in pixels of the region: what is nearest there comes next. From any thread."""
        self._state.look = (float(y), float(x))

    def show(self) -> LiveLabels:
        """Return labels in which the cells appear as they are found. Call it before the job."""
        if self._state.live is None:
            self._state.live = LiveLabels(level_shapes(self.source.shape))
        return self._state.live

    def forget(self) -> None:
        """Remove what is kept to go on with: the result is in the document."""
        if self._state.folder is not None:
            self._state.folder.remove()

    # steps -----------------------------------------------------------------------------------

    def _plan(self, pool: Executor, report: Report) -> tuple[OnSlide, TilePlan]:
        """Fix what depends on the slide as a whole, and cut it."""
        method: Any = self.method
        sample = self.source.sample(part(report, 0.0, 0.4))
        ready: OnSlide = promptly(partial(method.on_slide, sample), part(report, 0.4, 0.8), pool)
        typical = _TYPICAL * ready.diameter
        if not ready.diameter:
            report(0.8, "measuring the cells")
            middle = self.source.pixels(_middle(sample.values))
            typical = promptly(partial(_measured, ready, middle), part(report, 0.8, 1.0), pool)
        halo = halo_for(typical, ready.reach) + _MARGIN
        edge = self._chosen.tile or ready.edge or _EDGE
        return ready, TilePlan(self.source.shape, -(-edge // 16) * 16, halo, ready.align)

    def _open(self, plan: TilePlan, ready: OnSlide) -> Folder:
        told = {
            "method": self.method.name,
            "settings": self.method.settings(),
            "selection": plain(self._chosen),
            "shape": list(plan.shape),
            "cut": [plan.edge, plan.halo, plan.align],
            "fixed": ready.fixed,
            "pixel_size_um": self.source.pixel_size_um,
            "versions": versions(),
        }
        if not self.resume:
            told["again"] = time.time_ns()
        return Folder(key_of(told), told)

    def _tiles(
        self, ready: OnSlide, plan: TilePlan, folder: Folder, pool: Executor, report: Report
    ) -> tuple[list[str], int]:
        """Do every tile that is not done. Return the hashes of what was read, in the order of the tiles."""
        left, there = set(range(len(plan))), folder.finished(len(plan))
        hashes, glass, pace = [""] * len(plan), 0, _Pace(len(plan), len(there))
        height, width = plan.shape
        while left:
            number = plan.nearest(self._state.look or (height / 2, width / 2), left)
            tile, told = plan.tile(number), pace.report(report, glass)
            told(0.0)
            record = folder.read(number) if number in there else None
            if record is None or not self._still_true(record, plan.tile(number, record.halo)):
                record = promptly(partial(self._segmented, ready, plan, tile), told, pool)
                folder.write(number, record)
            left.remove(number)
            hashes[number], glass = record.pixels, glass + record.glass
            pace.done(number in there)
            self._show(tile, record)
        report(1.0, f"{len(plan)} tiles, {glass} of them glass")
        return hashes, glass

    def _still_true(self, record: Record, tile: Tile) -> bool:
        """Whether a tile that was finished earlier saw the pixels that are there now."""
        return fingerprint_of(self.source.values(tile.window)) == record.pixels

    def _segmented(self, ready: OnSlide, plan: TilePlan, tile: Tile, report: Report) -> Record:
        """Segment a tile, with a larger halo where a cell of it reaches beyond."""
        values, halo = self.source.values(tile.window), plan.halo
        if is_glass(values):
            empty = Masks(np.zeros(values.shape[1:], np.int32))
            return Record(fingerprint_of(values), seen(empty, tile, plan.shape), halo, glass=True)
        for attempt in range(_WIDENED + 1):
            pixels, said = self.source.pixels(values), tile
            if ready.within is None:
                masks = ready.segment(pixels, report)
            else:
                said, spare = tile.less(ready.reach, plan.shape)
                masks = ready.within(pixels, spare, report)
            wider = plan.tile(tile.number, 2 * halo)
            if attempt == _WIDENED or wider.window == tile.window or whole_in(masks, said, plan.shape):
                break
            halo, tile, values = 2 * halo, wider, self.source.values(wider.window)
        return Record(fingerprint_of(values), seen(masks, said, plan.shape), halo)

    def _show(self, tile: Tile, record: Record) -> None:
        if self._state.live is not None:
            self._state.live.add(tile.number, record.seen)
        y0, y1, x0, x1 = tile.core
        self.tile_done.emit((y0, x0), (y1 - y0, x1 - x0))


@contextmanager
def _left_alone(pool: ThreadPoolExecutor) -> Iterator[None]:
    """Close a pool without waiting for what runs in it: after Stop that ends by itself."""
    try:
        yield
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


class _Pace:
    """How far a run is, and how long the rest takes, from the tiles that this process has done."""

    def __init__(self, tiles: int, there: int) -> None:
        self._tiles, self._left, self._finished = tiles, tiles - there, 0
        self._count, self._seconds, self._since = 0, 0.0, time.monotonic()

    def report(self, report: Report, glass: int) -> Report:
        """Return the report of the next tile: it tells the tiles done and the time left."""
        words = f"tile {self._finished + 1:,} of {self._tiles:,}"
        words += f", {glass:,} skipped as glass" if glass else ""
        if self._count:
            words += f", {_duration(self._seconds / self._count * self._left)} left"
        done, tiles = self._finished, self._tiles

        def inner(fraction: float, message: str = "") -> None:
            report((done + min(max(fraction, 0.0), 1.0)) / tiles, words)

        return inner

    def done(self, there: bool) -> None:
        """Say that a tile is done; one that was there already says nothing about the pace."""
        now = time.monotonic()
        self._finished += 1
        if not there:
            self._left -= 1
            self._count, self._seconds = self._count + 1, self._seconds + now - self._since
        self._since = now


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{max(round(seconds), 1)} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _middle(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the middle of a sample."""
    y, x = (max((n - _PROBE) // 2, 0) for n in values.shape[1:])
    return values[:, y : y + _PROBE, x : x + _PROBE]


def _measured(ready: OnSlide, pixels: Pixels, report: Report) -> float:
    """Return the 99th percentile of the diameters of cells in pixels; of none, the halo has to grow by itself."""
    areas = np.bincount(ready.segment(pixels, report).labels.ravel())[1:]
    return float(np.percentile(2 * np.sqrt(areas[areas > 0] / np.pi), 99)) if areas.any() else 32.0
