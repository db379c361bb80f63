"""The transcripts of a window, without the table of all: points sorted by tile and gene, in a sidecar.

The sidecar is made from the points once, in pieces, and mapped into memory. Its head says what it was
made from and what it must look like, so that one that is stale, cut short or damaged is made again.
"""

from __future__ import annotations

import contextlib
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from ..core.assignment import moved
from ..core.report import Report, silent
from ..core.transform import Affine
from ..errors import DocumentError
from .document import GLOBAL, Document
from .growing import Growing
from .index_files import folder_of, made_files, opened_files
from .lattice import Lattice
from .sidecar import OF_GENES, Arrays
from .sorting import Columns
from .tiling import Seen, Tiling, sorted_in_memory
from .transcript_source import ALL, Choice, Source, source_of

__all__ = [
    "TranscriptIndex",
    "feature_key",
    "glimpse_of",
    "growing_of",
    "index_beside",
    "index_of",
    "index_to_see",
    "is_quick",
    "opened_index",
    "points_with_genes",
    "transcript_source",
]

IN_MEMORY = 1_000_000
"""Fewer points than these, in memory already, are sorted there, without a sidecar."""
QUICK_BYTES = 8_000_000
"""Files smaller than this are indexed while the hand waits; they hold about half a million points."""
TILE_UM = 64.0
_LOCK = threading.Lock()  # one thread builds, the others wait for it
Wanted = tuple[str, Choice]
"""A points element, and which of its transcripts count."""
_OPEN: WeakKeyDictionary[Document, dict[Wanted, tuple[int, TranscriptIndex]]] = WeakKeyDictionary()
_GROWING: WeakKeyDictionary[Document, dict[str, Growing]] = WeakKeyDictionary()
_BESIDE: WeakKeyDictionary[Document, Callable[[str, Choice], None]] = WeakKeyDictionary()


@dataclass(frozen=True)
class TranscriptIndex:
    """Transcripts sorted by tile and, within a tile, by gene.

    Parameters
    ----------
    genes
        Every gene that occurs, sorted.
    total
        How many transcripts there are, those without a place or a gene included.
    to_um
        From the points' own coordinates, as kept here, to µm in "global", or where they lie if not there.
    """

    genes: tuple[str, ...]
    total: int
    to_um: Affine
    _tiling: Tiling
    _arrays: Arrays
    _folder: Any = field(default=None, repr=False)  # a temporary folder lives as long as its index

    @classmethod
    def open_or_build(
        cls,
        document: Document,
        points: str,
        home: Path | None,
        report: Report = silent,
        choice: Choice = ALL,
        seen: Seen | None = None,
    ) -> TranscriptIndex:
        """Open the index of a points element, or make it.

        Parameters
        ----------
        document
            The document.
        points
            A points element.
        home
            The session's folder; a temporary one if None.
        report
            Told how far the making is.
        choice
            Which of the transcripts are in it; controls always are. The index of all is one that can be looked at.
        seen
            Called with the places (n, 2) of each piece that was read, in the points' own coordinates.

        Raises
        ------
        DocumentError
            When a file behind the points is gone, or the disk is full.
        """
        to_um = _to_um(document, points)
        source = transcript_source(document, points, choice, measured=choice == ALL, named=False)
        edge = TILE_UM / to_um.scale_factors[1]
        with _LOCK:
            if source.held_in_memory and source.rows() < IN_MEMORY:
                return cls._of(sorted_in_memory(source, edge, by_gene=choice == ALL), to_um)
            kept = tempfile.TemporaryDirectory(prefix="napari-spatialml-") if home is None else None
            folder = Path(kept.name) / "rna" if kept is not None else folder_of(Path(str(home)), points, choice)
            fingerprint = source.fingerprint()
            found = opened_files(source, folder, fingerprint)
            if found is None:
                found = made_files(source, fingerprint, edge, folder, report, seen)
            if found is None:
                raise DocumentError(f"The index of '{points}' cannot be read back.", "Check the disk, then try again.")
            return replace(cls._of(found, to_um), _folder=kept)

    @classmethod
    def _of(cls, arrays: Arrays, to_um: Affine) -> TranscriptIndex:
        total = int(arrays.head["rows"])
        return cls(tuple(arrays.head["genes"]), total, to_um, Tiling.from_head(arrays.head), arrays)

    @property
    def placed(self) -> int:
        """How many transcripts have a place and a gene."""
        return len(self._arrays.codes)

    @property
    def of_each(self) -> npt.NDArray[np.int64]:
        """(genes,) how many placed transcripts there are of each gene."""
        if self.by_gene:
            return np.diff(self._arrays.more[OF_GENES + "starts"])
        total = np.zeros(len(self.genes), np.int64)
        for _, codes in self.blocks():
            total += np.bincount(codes, minlength=len(total))
        return total

    @property
    def by_gene(self) -> bool:
        """Whether it is sorted by gene as well, and counted bin by bin: whether it can be looked at."""
        return OF_GENES + "starts" in self._arrays.more

    @property
    def measures(self) -> tuple[str, ...]:
        """What is known of each transcript: "quality", "z"."""
        return tuple(name for name in ("quality", "z") if name in self._arrays.more)

    def range_of(self, measure: str) -> tuple[float, float] | None:
        """Return the lowest and the highest value of a measure; None where none is known."""
        found = self._arrays.head.get("ranges", {}).get(measure)
        return None if found is None else (float(found[0]), float(found[1]))

    @property
    def lattice(self) -> Lattice:
        """The bins in which all transcripts are counted."""
        return self._tiling.lattice

    @property
    def density(self) -> npt.NDArray[np.uint32]:
        """How many transcripts each bin of the lattice holds, level by level."""
        counts: npt.NDArray[np.uint32] = self._arrays.more["density"]
        return counts

    def spans(self, corners: npt.NDArray[np.float64]) -> list[tuple[int, int]]:
        """Return the ranges of transcripts whose tiles meet the box around corners in the points' own coordinates."""
        return self._tiling.spans(self._arrays.starts, corners.min(0), corners.max(0))

    def rows(self, a: int, b: int) -> Columns:
        """Return "coordinates", "codes" and the measures of a range of transcripts, in the order of the tiles."""
        kept = {name: self._arrays.more[name][a:b] for name in self.measures}
        return {"coordinates": self._arrays.coordinates[a:b], "codes": self._arrays.codes[a:b], **kept}

    def span_of_gene(self, gene: int) -> tuple[int, int]:
        """Return the range of a gene's transcripts, in the order of the genes."""
        starts = self._arrays.more[OF_GENES + "starts"]
        return int(starts[gene]), int(starts[gene + 1])

    def rows_of_gene(self, a: int, b: int) -> Columns:
        """Return "coordinates" and the measures of a range of transcripts, in the order of the genes."""
        return {name: self._arrays.more[OF_GENES + name][a:b] for name in ("coordinates", *self.measures)}

    def window(
        self, y0: float, y1: float, x0: float, x1: float
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
        """Return the transcripts with y0 <= y < y1 and x0 <= x < x1 in µm: (n, 2) as (y, x) in µm, and gene codes."""
        own, codes = self.near(y0, y1, x0, x1)
        where = moved(self.to_um.matrix, own)
        y, x = where.T
        inside = (y >= y0) & (y < y1) & (x >= x0) & (x < x1)
        return where[inside], codes[inside].astype(np.int64)

    def near(self, y0: float, y1: float, x0: float, x1: float) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Return all transcripts of the tiles that a window in µm meets, in the points' own coordinates."""
        corners = np.array([[y0, x0], [y0, x1], [y1, x0], [y1, x1]])
        own = moved(self.to_um.inverse().matrix, corners)
        spans = self.spans(own)
        if not spans:
            return np.empty((0, 2)), np.empty(0, dtype=np.int64)
        coordinates = np.concatenate([self._arrays.coordinates[a:b] for a, b in spans])
        return coordinates, np.concatenate([self._arrays.codes[a:b] for a, b in spans])

    def blocks(self, step: int = 2_000_000) -> Iterator[tuple[npt.NDArray[Any], npt.NDArray[Any]]]:
        """Yield all transcripts in pieces, in the points' own coordinates."""
        return (read() for read in self.slices(step))

    def slices(self, step: int = 2_000_000) -> Iterator[Callable[[], tuple[npt.NDArray[Any], npt.NDArray[Any]]]]:
        """Yield what reads each of these pieces, on any thread."""
        return (partial(self._slice, slice(start, start + step)) for start in range(0, self.placed, step))

    def _slice(self, some: slice) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        return np.asarray(self._arrays.coordinates[some]), np.asarray(self._arrays.codes[some])


def feature_key(document: Document, points: str) -> str:
    """Return the column that names the genes of points, or ""."""
    attrs = document.element(points).attrs.get("spatialdata_attrs") or {}
    key = attrs.get("feature_key")
    return str(key) if key is not None and key in document.element(points).columns else ""


def points_with_genes(document: Document) -> tuple[str, ...]:
    """Return the points elements that lie in "global" and have a feature key."""
    names = document.names("points")
    return tuple(n for n in names if GLOBAL in document.placed(n) and feature_key(document, n))


def transcript_source(
    document: Document, points: str, choice: Choice = ALL, *, measured: bool = False, named: bool = True
) -> Source:
    """Return the points element as a source of transcripts: see `transcript_source.source_of`."""
    key = feature_key(document, points)
    return source_of(document.element(points), points, key, choice, measured=measured, named=named)


def _to_um(document: Document, points: str) -> Affine:
    """Return the way from the points' own coordinates to µm in "global", or in the first system where they lie."""
    placed = document.placed(points)
    return document.affine(points, GLOBAL if GLOBAL in placed else placed[0])


def growing_of(document: Document, points: str) -> Growing | None:
    """Return what was read so far of points whose index is being made; None where none is."""
    return _GROWING.get(document, {}).get(points)


def opened_index(document: Document, points: str, choice: Choice = ALL) -> TranscriptIndex | None:
    """Return the index of a points element where it is open already."""
    held = _OPEN.get(document, {}).get((points, choice.of_points))
    if held is None or held[0] != document.revision(("points", points)):
        return None
    return replace(held[1], to_um=_to_um(document, points))


def glimpse_of(document: Document, points: str) -> TranscriptIndex | None:
    """Return an index to look at now: the one that is open, or the one on disk before all of it was read and checked.

    What counts transcripts must wait for `index_of`, which reads every byte and makes a damaged index again.
    Points of any kind may be looked at: see `index_to_see`.
    """
    found = opened_index(document, points)
    if found is not None or document.home is None:
        return found
    source, to_um = transcript_source(document, points, measured=True, named=False), _to_um(document, points)
    if source.held_in_memory and source.rows() < IN_MEMORY:
        return None
    arrays = opened_files(source, folder_of(document.home, points, ALL), source.fingerprint(), whole=False)
    return None if arrays is None else TranscriptIndex._of(arrays, to_um)


def index_of(document: Document, points: str, report: Report = silent, choice: Choice = ALL) -> TranscriptIndex:
    """Return the index of a points element, opened or made at the first call and kept while the points stay.

    Parameters
    ----------
    document
        The document.
    points
        A points element.
    report
        Told how far the making is.
    choice
        Which of the transcripts are in it; controls always are.

    Raises
    ------
    DocumentError
        When the points are not there, have no feature key, or do not lie in "global"; or, by a caller that
        gives no report, while the index is made beside the window.
    """
    if points not in document.names("points") or not feature_key(document, points):
        raise DocumentError(
            f"The transcripts '{points}', which the cells count, are not in the section.",
            "Undo their removal; or remove the table of counts, if only the labels are to be corrected.",
        )
    to_um = document.affine(points, GLOBAL)
    return replace(_kept(document, points, report, choice), to_um=to_um)


def index_to_see(document: Document, points: str, report: Report = silent) -> TranscriptIndex:
    """Return the index of any points, to look at them.

    Those that do not say which gene each is are all of one gene without a name, and they may lie in any
    coordinate system. Otherwise it is what `index_of` returns.

    Raises
    ------
    DocumentError
        When the points are not there, or a file behind them is gone.
    """
    return _kept(document, points, report, ALL)


def _kept(document: Document, points: str, report: Report, choice: Choice) -> TranscriptIndex:
    """Return the index of points, opened or made at the first call and kept while the points stay."""
    kept, wanted = _OPEN.setdefault(document, {}), (points, choice.of_points)
    revision = document.revision(("points", points))
    if wanted not in kept or kept[wanted][0] != revision:
        if report is silent and document in _BESIDE and not is_quick(document, points):
            _BESIDE[document](*wanted)
            raise DocumentError(
                f"The transcripts '{points}' are still being indexed.",
                "Cells that count them can be corrected when that is done; nothing was changed.",
            )
        with _growth(document, points) as seen:
            made = TranscriptIndex.open_or_build(document, points, document.home, report, choice, seen)
        kept[wanted] = (revision, made)
    return replace(kept[wanted][1], to_um=_to_um(document, points))


def is_quick(document: Document, points: str) -> bool:
    """Whether the index is made in some tenths of a second."""
    source = transcript_source(document, points, named=False)
    if source.held_in_memory:
        return source.rows() < IN_MEMORY
    return sum(file.stat().st_size for file in source.files) < QUICK_BYTES


def index_beside(document: Document, start: Callable[[str, Choice], None]) -> tuple[Wanted, ...]:
    """Let indexes be made beside the window from now on: nobody who draws waits for one.

    Parameters
    ----------
    document
        The document.
    start
        Begins, in a thread, to call `index_of` with a report for points and a choice, unless it is doing so.

    Returns
    -------
    tuple of (str, Choice)
        The points that the segmentations of the section count, and whose index is not open.
    """
    _BESIDE[document] = start
    said = document.attribute("segmentations", {}).values()
    wanted = {(str(a.get("transcripts", "")), Choice.from_plain(a.get("choice")).of_points) for a in said}
    there, kept = points_with_genes(document), _OPEN.get(document, {})
    return tuple(sorted((w for w in wanted if w[0] in there and w not in kept), key=repr))


@contextlib.contextmanager
def _growth(document: Document, points: str) -> Iterator[Seen]:
    """Let what is read be looked at while the index is made."""
    growing = Growing()
    _GROWING.setdefault(document, {})[points] = growing
    try:
        yield growing.add
    finally:
        _GROWING[document].pop(points, None)
