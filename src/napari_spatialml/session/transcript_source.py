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
from .document import digest

__all__ = ["ALL", "Choice", "Source", "merged", "quality_column", "source_of"]

Piece = tuple[npt.NDArray[Any], npt.NDArray[np.int64], npt.NDArray[Any]]
"""(n, 2) coordinates as (y, x), (n,) positions in the piece's own list of genes (-1: none), and that list."""
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
        The feature column.
    files
        The parquet files that the frame reads; none where it is held in memory.
    choice
        Which of the points there are; the others are read past.
    quality
        The column of their quality, where the choice asks for it.
    """

    name: str
    frame: Any
    key: str
    files: tuple[Path, ...]
    choice: Choice = ALL
    quality: str = ""

    @property
    def held_in_memory(self) -> bool:
        """Whether no file is behind the points."""
        return not self.files

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type in which coordinates are kept: float32 only if they come so, as no digit may be lost."""
        narrow = all(self.frame.dtypes[axis] == np.float32 for axis in ("y", "x"))
        return np.dtype(np.float32 if narrow else np.float64)

    def rows(self) -> int:
        """Return the number of points, those that are not chosen included."""
        return len(self.frame)

    def pieces(self) -> Iterator[Piece]:
        """Yield the partitions, one after the other."""
        return (read() for read in self.reads())

    def reads(self) -> Iterator[Callable[[], Piece]]:
        """Yield what reads each partition, on any thread."""
        return (partial(self._piece, delayed) for delayed in self.frame.to_delayed())

    def _piece(self, delayed: Any) -> Piece:
        held = self._chosen(delayed.compute(scheduler="synchronous"))
        genes = held[self.key].astype("category")
        where = held[["y", "x"]].to_numpy(dtype=self.dtype)
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
            return digest(repr((self.key, sorted(facts))).encode() + chosen.encode())
        parts = [self.key.encode(), chosen.encode()]
        for where, codes, genes in self.pieces():
            parts.append(digest(where.tobytes(), codes.tobytes(), repr(list(genes)).encode()).encode())
        return digest(*parts)


def quality_column(element: Any) -> str:
    """Return the column of a points element that says how sure each transcript was read, or ""."""
    return next((c for c in QUALITY if c in element.columns), "")


def source_of(element: Any, name: str, key: str, choice: Choice = ALL) -> Source:
    """Return the points element as a source.

    Raises
    ------
    BadInput
        When it does not have the column by which is chosen.
    DocumentError
        When it has no feature key, or a file behind it is gone.
    """
    from spatialdata import get_dask_backing_files

    if not key:
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
    more = [quality] * (choice.quality is not None) + ["z"] * (choice.z is not None)
    return Source(name, element[["y", "x", key, *more]], key, files, choice, quality)


def _text(gene: Any) -> str:
    return gene.decode("utf-8", "replace") if isinstance(gene, bytes) else str(gene)


def merged(names: dict[str, int], genes: npt.NDArray[Any], codes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return codes into a growing list of names, in place of those into a piece's own list."""
    wide = np.array([names.setdefault(g, len(names)) for g in genes], dtype=np.int64)
    return np.where(codes >= 0, wide[codes], -1) if len(wide) else np.full(len(codes), -1, dtype=np.int64)
