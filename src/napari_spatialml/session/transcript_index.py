"""The index of the transcripts of one points element: sorted by tile and gene, read by window.

The sidecar is made from the points once, in pieces, and mapped into memory. Its head says what it was
made from and what it must look like, so that one that is stale, cut short or damaged is made again.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.assignment import moved
from ..core.report import Report, silent
from ..core.transform import Affine
from ..errors import DocumentError
from .document import GLOBAL, Document
from .index_files import folder_of, made_files, opened_files
from .lattice import Lattice
from .sidecar import OF_GENES, Arrays
from .sorting import Columns
from .tiling import Seen, Tiling, sorted_in_memory
from .transcript_source import ALL, Choice, Source, source_of

__all__ = [
    "TranscriptIndex",
    "feature_key",
    "points_with_genes",
    "sorts_in_memory",
    "to_um_of",
    "transcript_source",
]

IN_MEMORY = 1_000_000
"""Fewer points than these, in memory already, are sorted there, without a sidecar."""
TILE_UM = 64.0
_LOCK = threading.Lock()  # one thread builds, the others wait for it


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
        to_um = to_um_of(document, points)
        source = transcript_source(document, points, choice, measured=choice == ALL, named=False)
        edge = TILE_UM / to_um.scale_factors[1]
        with _LOCK:
            if sorts_in_memory(source):
                return cls.of(sorted_in_memory(source, edge, by_gene=choice == ALL), to_um)
            kept = tempfile.TemporaryDirectory(prefix="napari-spatialml-") if home is None else None
            folder = Path(kept.name) / "rna" if kept is not None else folder_of(Path(str(home)), points, choice)
            fingerprint = source.fingerprint()
            found = opened_files(source, folder, fingerprint)
            if found is None:
                found = made_files(source, fingerprint, edge, folder, report, seen)
            if found is None:
                raise DocumentError(f"The index of '{points}' cannot be read back.", "Check the disk, then try again.")
            return replace(cls.of(found, to_um), _folder=kept)

    @classmethod
    def of(cls, arrays: Arrays, to_um: Affine) -> TranscriptIndex:
        """Return the index that sorted arrays are."""
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
    def height_unit(self) -> str:
        """The unit of "z": "µm", or "" where z numbers planes or the points lie in other units."""
        found = self.range_of("z")
        numbered = found is not None and all(z == round(z) for z in found)
        return "" if found is None or numbered or self.to_um.family != "rigid" else "µm"

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


def sorts_in_memory(source: Source) -> bool:
    """Whether points are in memory already, and few enough to be sorted there, without a sidecar."""
    return source.held_in_memory and source.rows() < IN_MEMORY


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
    """Return the points element as a source of transcripts: see `source_of`."""
    key = feature_key(document, points)
    return source_of(document.element(points), points, key, choice, measured=measured, named=named)


def to_um_of(document: Document, points: str) -> Affine:
    """Return the way from the points' own coordinates to µm in "global", or in the first system where they lie."""
    placed = document.placed(points)
    return document.affine(points, GLOBAL if GLOBAL in placed else placed[0])
