"""Sorted points on disk: three arrays and a head that says what they must look like."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .durable import write_whole

__all__ = ["Arrays", "open_sidecar", "write_sidecar"]

VERSION = 1
_NAMES = ("coordinates", "codes", "starts")


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
    """

    head: dict[str, Any]
    coordinates: npt.NDArray[Any]
    codes: npt.NDArray[Any]
    starts: npt.NDArray[Any]

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
        )


def write_sidecar(folder: Path, head: dict[str, Any]) -> None:
    """Write the head of the arrays that lie in a folder, with the length and a checksum of each."""
    files = {name: {"bytes": _length(folder, name), "crc32": _checksum(folder, name)} for name in _NAMES}
    text = json.dumps({"version": VERSION, **head, "files": files}, ensure_ascii=False)
    write_whole(folder / "head.json", text.encode())


def open_sidecar(folder: Path, source: str) -> Arrays | None:
    """Map the arrays of a folder into memory.

    Parameters
    ----------
    folder
        Where they lie.
    source
        The fingerprint of the points from which they must have been made.

    Returns
    -------
    Arrays or None
        None where there are none, or they are of another version, stale, cut short or damaged.
    """
    try:
        head = json.loads((folder / "head.json").read_text(encoding="utf-8"))
        if head["version"] != VERSION or head["source"] != source:
            return None
        for name in _NAMES:
            said = head["files"][name]
            if _length(folder, name) != said["bytes"] or _checksum(folder, name) != said["crc32"]:
                return None
        opened = {n: np.load(folder / f"{n}.npy", mmap_mode=_mode(n), allow_pickle=False) for n in _NAMES}
        found = Arrays(head, **opened)
        return found if found.fit() else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # whatever it is, it is no index: it is made again from the points


def _mode(name: str) -> Any:
    return None if name == "starts" else "r"


def _length(folder: Path, name: str) -> int:
    return (folder / f"{name}.npy").stat().st_size


def _checksum(folder: Path, name: str) -> int:
    found = 0
    with (folder / f"{name}.npy").open("rb") as file:
        while piece := file.read(1 << 22):
            found = zlib.crc32(piece, found)
    return found
