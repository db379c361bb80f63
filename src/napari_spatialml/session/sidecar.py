"""Sorted points on disk: their arrays, and a head that says what they must look like."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .durable import write_whole
from .lattice import Lattice

__all__ = ["OF_GENES", "Arrays", "open_sidecar", "write_sidecar"]

VERSION = 2
OF_GENES = "gene_"
"""Begins the names of what is sorted by gene."""
_NAMES = ("coordinates", "codes", "starts")
_MEASURES = ("quality", "z")
_BY_GENE = tuple(OF_GENES + name for name in ("starts", "coordinates", *_MEASURES))
_KNOWN = (*_NAMES, *_MEASURES, *_BY_GENE, "density")
_IN_MEMORY = ("starts", OF_GENES + "starts")


@dataclass(frozen=True)
class Arrays:
    """Points sorted by tile.

    Parameters
    ----------
    head
        Plain values: the tiling, the genes, how many rows the source has.
    coordinates
        (n, 2) as (y, x) in the points' own coordinates.
    codes
        (n,) the gene of each point.
    starts
        (tiles + 1,) where the points of each tile begin.
    more
        (n,) "quality" and "z" of each point, where the source has them. And, of an index that is looked at, the
        points once more by gene: "gene_coordinates", "gene_quality", "gene_z", (genes + 1,) "gene_starts",
        and "density", the points in each bin of the `Lattice` of the tiles.
    """

    head: dict[str, Any]
    coordinates: npt.NDArray[Any]
    codes: npt.NDArray[Any]
    starts: npt.NDArray[Any]
    more: dict[str, npt.NDArray[Any]] = field(default_factory=dict)

    @property
    def lattice(self) -> Lattice:
        """The bins of the density."""
        (y, x), (rows, columns) = self.head["low"], self.head["tiles"]
        return Lattice.of_tiles((float(y), float(x)), float(self.head["edge"]), (int(rows), int(columns)))

    def fit(self) -> bool:
        """Return whether the arrays fit each other and the head."""
        rows, columns = self.head["tiles"]
        n = len(self.codes)
        return bool(
            self.coordinates.shape == (n, 2)
            and self.coordinates.dtype.kind == "f"
            and self.codes.ndim == 1
            and self.codes.dtype.kind in "iu"
            and self.starts.shape == (rows * columns + 1,)
            and self.starts.dtype == np.int64
            and self.starts[0] == 0
            and self.starts[-1] == n
            and (np.diff(self.starts) >= 0).all()
            and n <= int(self.head["rows"])
            and self._more_fit(n)
        )

    def _more_fit(self, n: int) -> bool:
        """Return whether measures, and what is sorted by gene, fit the points."""
        more = self.more
        measures = [name for name in _MEASURES if name in more]
        if not all(more[m].shape == (n,) and more[m].dtype.kind == "f" for m in measures):
            return False
        if OF_GENES + "starts" not in more:
            return set(more) == set(measures)
        starts, genes = more[OF_GENES + "starts"], len(self.head["genes"])
        density = more["density"]
        return bool(
            set(more) == {*measures, "density", *(OF_GENES + name for name in ("starts", "coordinates", *measures))}
            and starts.shape == (genes + 1,)
            and starts.dtype == np.int64
            and starts[0] == 0
            and starts[-1] == n
            and (np.diff(starts) >= 0).all()
            and more[OF_GENES + "coordinates"].shape == (n, 2)
            and more[OF_GENES + "coordinates"].dtype == self.coordinates.dtype
            and all(more[OF_GENES + m].shape == (n,) and more[OF_GENES + m].dtype == more[m].dtype for m in measures)
            and density.shape == (self.lattice.size,)
            and density.dtype == np.uint32
        )


def write_sidecar(folder: Path, head: dict[str, Any]) -> None:
    """Write the head of the arrays that lie in a folder, with the length and a checksum of each."""
    there = [name for name in _KNOWN if (folder / f"{name}.npy").exists()]
    sums = _checksums(folder, there)
    files = {name: {"bytes": _length(folder, name), "crc32": sums[name]} for name in there}
    text = json.dumps({"version": VERSION, **head, "files": files}, ensure_ascii=False)
    write_whole(folder / "head.json", text.encode())


def open_sidecar(folder: Path, source: str, *, whole: bool = True) -> Arrays | None:
    """Map the arrays of a folder into memory.

    Parameters
    ----------
    folder
        Where they lie.
    source
        The fingerprint of the points from which they must have been made.
    whole
        Whether every file is read and checked; else those of the points only by their length.

    Returns
    -------
    Arrays or None
        None where there are none, or they are of another version, stale, cut short or damaged.
    """
    try:
        head = json.loads((folder / "head.json").read_text(encoding="utf-8"))
        if head["version"] != VERSION or head["source"] != source:
            return None
        said = {name: head["files"][name] for name in (*_NAMES, *(n for n in _KNOWN if n in head["files"]))}
        if any(_length(folder, name) != file["bytes"] for name, file in said.items()):
            return None
        checked = [name for name in said if whole or name in (*_IN_MEMORY, "density")]
        if _checksums(folder, checked) != {name: said[name]["crc32"] for name in checked}:
            return None
        opened = {n: np.load(folder / f"{n}.npy", mmap_mode=_mode(n), allow_pickle=False) for n in said}
        coordinates, codes, starts = (opened.pop(name) for name in _NAMES)
        found = Arrays(head, coordinates, codes, starts, opened)
        return found if found.fit() else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # whatever it is, it is no index: it is made again from the points


def _mode(name: str) -> Any:
    return None if name in _IN_MEMORY else "r"


def _length(folder: Path, name: str) -> int:
    return (folder / f"{name}.npy").stat().st_size


def _checksums(folder: Path, names: Iterable[str]) -> dict[str, int]:
    """Read every file once, two at a time."""
    names = list(names)
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(names, pool.map(lambda name: _checksum(folder, name), names), strict=True))


def _checksum(folder: Path, name: str) -> int:
    found = 0
    with (folder / f"{name}.npy").open("rb") as file:
        while piece := file.read(1 << 22):
            found = zlib.crc32(piece, found)
    return found
