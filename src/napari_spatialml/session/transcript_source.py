"""Where transcripts come from: the partitions of a points element, and how to tell that they are the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import BadInput, DocumentError
from .fingerprints import digest

__all__ = ["ALL", "Choice", "Source", "merged", "quality_column", "source_of"]

Piece = tuple[npt.NDArray[Any], npt.NDArray[np.int64], npt.NDArray[Any]]
"""(n, 2) coordinates as (y, x), (n,) positions in the piece's own list of genes (-1: none), and that list."""
Measures = dict[str, npt.NDArray[Any]]
"""What else is known of each point, by name: "quality" and "z"; only what the source has."""
QUALITY = ("qv", "quality_value", "quality_score", "transcript_score")
"""How the column is called that says how sure a transcript was read."""
_CONTROL = re.compile(
    r"(neg(ative)?[ _-]?(control|ctrl|prb|probe)|(system|genomic)[ _-]?control|negative\d|false[ _-]?code"
    r"|blank[ _-]?\d|blank$|(unassigned|deprecated)[ _-]?codeword|intergenic[ _-]?region|antisense[ _-])",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Choice:
    """Which transcripts count.

    Parameters
    ----------
    quality
        The lowest quality value (a Phred score) of one that counts; None for all.
    controls
        Whether negative controls, blanks and unassigned codewords count like genes.
    z
        Only those with z at or above the first and below the second, in the points' own units; None for all.
    """

    quality: float | None = None
    controls: bool = True
    z: tuple[float, float] | None = None

    @classmethod
    def from_plain(cls, held: Mapping[str, Any] | None) -> Choice:
        """Return the choice that `plain` wrote down; what is not said is not chosen."""
        held = held or {}
        z = held.get("z")
        quality = held.get("quality")
        return cls(
            None if quality is None else float(quality),
            bool(held.get("controls", True)),
            None if z is None else (float(z[0]), float(z[1])),
        )

    def plain(self) -> dict[str, Any]:
        """Return what JSON keeps; nothing of what is not chosen."""
        held: dict[str, Any] = {} if self.quality is None else {"quality": self.quality}
        held |= {} if self.controls else {"controls": False}
        return held if self.z is None else {**held, "z": list(self.z)}

    @property
    def of_points(self) -> Choice:
        """The part that chooses among points; controls are left out by their names."""
        return Choice(self.quality, True, self.z)

    def leaves_out(self, gene: str) -> bool:
        """Whether a feature does not count."""
        return not self.controls and _CONTROL.match(gene) is not None


ALL = Choice()
UNNAMED = ""
"""The feature of points that do not say which they are."""


@dataclass(frozen=True)
class Source:
    """A points element as rows of y, x and gene.

    Parameters
    ----------
    name
        What the element is called.
    frame
        Its y, x and feature columns, a lazy dask frame.
    key
        The feature column; without one, all points are of one feature without a name.
    files
        The parquet files that the frame reads; none where it is held in memory.
    choice
        Which of the points there are; the others are read past.
    quality
        The column of their quality, where the choice asks for it.
    measures
        The columns of what else is kept of each point, by name.
    """

    name: str
    frame: Any
    key: str
    files: tuple[Path, ...]
    choice: Choice = ALL
    quality: str = ""
    measures: tuple[tuple[str, str], ...] = ()

    @property
    def held_in_memory(self) -> bool:
        """Whether no file is behind the points."""
        return not self.files

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type in which coordinates are kept: float32 only if they come so, as no digit may be lost."""
        narrow = all(self.frame.dtypes[axis] == np.float32 for axis in ("y", "x"))
        return np.dtype(np.float32 if narrow else np.float64)

    def kinds(self) -> dict[str, np.dtype[Any]]:
        """Return the types in which the measures are kept: exact, and no wider than needed."""
        return {n: np.result_type(self.frame.dtypes[c].type, np.float32) for n, c in self.measures}

    def rows(self) -> int:
        """Return the number of points, those that are not chosen included."""
        return len(self.frame)

    def pieces(self) -> Iterator[Piece]:
        """Yield the partitions, one after the other."""
        return (read() for read in self.reads())

    def reads(self) -> Iterator[Callable[[], Piece]]:
        """Yield what reads each partition, on any thread."""
        return (partial(self._piece, delayed) for delayed in self.frame.to_delayed())

    def measured_pieces(self) -> Iterator[tuple[Piece, Measures]]:
        """Yield the partitions with the measures of their points."""
        kinds = self.kinds()
        for delayed in self.frame.to_delayed():
            held = self._chosen(delayed.compute(scheduler="synchronous"))
            yield self._split(held), {n: held[c].to_numpy(dtype=kinds[n], na_value=np.nan) for n, c in self.measures}

    def _piece(self, delayed: Any) -> Piece:
        return self._split(self._chosen(delayed.compute(scheduler="synchronous")))

    def _split(self, held: Any) -> Piece:
        where = held[["y", "x"]].to_numpy(dtype=self.dtype)
        if not self.key:
            return where, np.zeros(len(where), np.int64), np.array([UNNAMED], dtype=object)
        genes = held[self.key].astype("category")
        codes = genes.cat.codes.to_numpy().astype(np.int64)
        return where, codes, np.array([_text(g) for g in genes.cat.categories], dtype=object)

    def _chosen(self, held: Any) -> Any:
        if self.choice.quality is not None:
            held = held[(held[self.quality] >= self.choice.quality).to_numpy()]
        if self.choice.z is not None:
            low, high = self.choice.z
            held = held[((held["z"] >= low) & (held["z"] < high)).to_numpy()]
        return held

    def n_pieces(self) -> int:
        """Return the number of partitions."""
        return int(self.frame.npartitions)

    def fingerprint(self) -> str:
        """Return a hash that changes with the points: of the files' names, sizes and times, or of the values."""
        chosen = repr(self.choice.plain()) if self.choice != ALL else ""
        if self.files:
            facts = [(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in self.files]
            return digest(repr((self.key, self.measures, sorted(facts))).encode() + chosen.encode())
        parts = [self.key.encode(), repr(self.measures).encode(), chosen.encode()]
        for (where, codes, genes), measures in self.measured_pieces():
            more = [values.tobytes() for values in measures.values()]
            parts.append(digest(where.tobytes(), codes.tobytes(), repr(list(genes)).encode(), *more).encode())
        return digest(*parts)


def quality_column(element: Any) -> str:
    """Return the column of a points element that says how sure each transcript was read, or ""."""
    return next((c for c in QUALITY if c in element.columns), "")


def source_of(
    element: Any, name: str, key: str, choice: Choice = ALL, *, measured: bool = False, named: bool = True
) -> Source:
    """Return the points element as a source; if so asked, with the quality and height that it has.

    Parameters
    ----------
    element, name, key, choice
        The points, what they are called, the column of their features, and which of them there are.
    measured
        Read quality and height.
    named
        Whether they must say which feature each is.

    Raises
    ------
    BadInput
        When it does not have the column by which is chosen.
    DocumentError
        When it has no feature key, or a file behind it is gone.
    """
    from spatialdata import get_dask_backing_files

    if named and not key:
        raise DocumentError(f"The points '{name}' do not say which gene each is.", "Give them a feature key.")
    files = tuple(Path(f) for f in get_dask_backing_files(element))
    gone = [f for f in files if not f.exists()]
    if gone:
        raise DocumentError(f"'{gone[0].name}', which holds points of '{name}', is gone.", "Open the section again.")
    choice, quality = choice.of_points, quality_column(element)
    if choice.quality is not None and not quality:
        raise BadInput(f"The points '{name}' do not say how sure each transcript was read.", "Count all of them.")
    if choice.z is not None and "z" not in element.columns:
        raise BadInput(f"The points '{name}' do not say how high each transcript lies.", "Count all of them.")
    measures = _measures(element, quality) if measured else ()
    more = [quality] * (choice.quality is not None) + ["z"] * (choice.z is not None)
    columns = dict.fromkeys(["y", "x", *filter(None, [key]), *more, *(column for _, column in measures)])
    return Source(name, element[list(columns)], key, files, choice, quality, measures)


def _measures(element: Any, quality: str) -> tuple[tuple[str, str], ...]:
    """Return the columns of numbers that say how sure a point is and how high it lies."""
    wanted = (("quality", quality), ("z", "z"))
    return tuple((n, c) for n, c in wanted if c in element.columns and element.dtypes[c].kind in "iufb")


def _text(gene: Any) -> str:
    return gene.decode("utf-8", "replace") if isinstance(gene, bytes) else str(gene)


def merged(names: dict[str, int], genes: npt.NDArray[Any], codes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return codes into a growing list of names, in place of those into a piece's own list."""
    wide = np.array([names.setdefault(g, len(names)) for g in genes], dtype=np.int64)
    return np.where(codes >= 0, wide[codes], -1) if len(wide) else np.full(len(codes), -1, dtype=np.int64)
