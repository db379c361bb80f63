"""Where transcripts come from: the partitions of a points element, and how to tell that they are the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import DocumentError
from .document import digest

__all__ = ["Source", "merged", "source_of"]

Piece = tuple[npt.NDArray[Any], npt.NDArray[np.int64], npt.NDArray[Any]]
"""(n, 2) coordinates as (y, x), (n,) positions in the piece's own list of genes (-1: none), and that list."""


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
    """

    name: str
    frame: Any
    key: str
    files: tuple[Path, ...]

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
        """Return the number of points."""
        return len(self.frame)

    def pieces(self) -> Iterator[Piece]:
        """Yield the partitions, one after the other."""
        for delayed in self.frame.to_delayed():
            held = delayed.compute()
            genes = held[self.key].astype("category")
            where = held[["y", "x"]].to_numpy(dtype=self.dtype)
            codes = genes.cat.codes.to_numpy().astype(np.int64)
            yield where, codes, np.array([_text(g) for g in genes.cat.categories], dtype=object)

    def n_pieces(self) -> int:
        """Return the number of partitions."""
        return int(self.frame.npartitions)

    def fingerprint(self) -> str:
        """Return a hash that changes with the points: of the files' names, sizes and times, or of the values."""
        if self.files:
            facts = [(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in self.files]
            return digest(repr((self.key, sorted(facts))).encode())
        parts = [self.key.encode()]
        for where, codes, genes in self.pieces():
            parts.append(digest(where.tobytes(), codes.tobytes(), repr(list(genes)).encode()).encode())
        return digest(*parts)


def source_of(element: Any, name: str, key: str) -> Source:
    """Return the points element as a source.

    Raises
    ------
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
    return Source(name, element[["y", "x", key]], key, files)


def _text(gene: Any) -> str:
    return gene.decode("utf-8", "replace") if isinstance(gene, bytes) else str(gene)


def merged(names: dict[str, int], genes: npt.NDArray[Any], codes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return codes into a growing list of names, in place of those into a piece's own list."""
    wide = np.array([names.setdefault(g, len(names)) for g in genes], dtype=np.int64)
    return np.where(codes >= 0, wide[codes], -1) if len(wide) else np.full(len(codes), -1, dtype=np.int64)
