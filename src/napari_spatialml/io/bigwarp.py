"""BigWarp's landmarks: no header; name, whether active, moving x, y (and z), fixed x, y (and z), all in quotes.

A side that has not been placed yet is Infinity. BigWarp counts in the unit of each image: µm where it is
calibrated, else pixels, with whole numbers at their centres. The file does not say which.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..errors import BadInput
from .landmark_files import LandmarksFile, numbers_of
from .regions_file import MICROMETRES, write_text

__all__ = ["is_bigwarp", "read_bigwarp", "write_bigwarp"]

_HALF = 0.5
"""From the corner of a pixel, which is what we count from, to its centre."""


def is_bigwarp(rows: list[list[str]]) -> bool:
    """Return whether the first row has BigWarp's form."""
    return len(rows[0]) >= 2 and rows[0][1].strip().lower() in ("true", "false")


def read_bigwarp(rows: list[list[str]], path: Path) -> LandmarksFile:
    """Read the rows of a file; those with a side that is not placed are left out.

    Raises
    ------
    BadInput
        When a row has another number of columns than 6 or 8, or holds no number.
    """
    width = len(rows[0])
    if width not in (6, 8):
        raise BadInput(f"'{path.name}' has {width} columns.", "BigWarp writes 6, or 8 in three dimensions.")
    for number, row in enumerate(rows, 1):
        if len(row) != width:
            raise BadInput(f"Row {number} of '{path.name}' has {len(row)} columns, not {width}.", "Export it again.")
    placed = [not any("inf" in cell.lower() for cell in row[2:]) for row in rows]
    kept = [row for row, whole in zip(rows, placed, strict=True) if whole]
    deep = width == 8
    # x before y, moving before fixed
    values = numbers_of(kept, [3, 2, 6, 5] if deep else [3, 2, 5, 4], path)
    said = []
    if len(kept) < len(rows):
        n = len(rows) - len(kept)
        said.append(f"{n} {'landmark has' if n == 1 else 'landmarks have'} no partner and was left out.")
    if deep and (numbers_of(kept, [4, 7], path) != 0).any():
        said.append("The landmarks have a depth, which was left out.")
    return LandmarksFile(
        values[:, 2:],
        values[:, :2],
        "",
        "",
        tuple(row[0].strip() for row in kept),
        np.array([row[1].strip().lower() == "true" for row in kept], dtype=bool),
        tuple(said),
        centred=True,
    )


def write_bigwarp(path: Path, pairs: LandmarksFile) -> tuple[str, ...]:
    """Write pairs as they are counted: in µm for calibrated images, in pixels for others."""
    shifts = [0.0 if unit == MICROMETRES else _HALF for unit in (pairs.moving_unit, pairs.fixed_unit)]

    def lines() -> Iterator[str]:
        for k, (b, a) in enumerate(zip(pairs.moving - shifts[0], pairs.fixed - shifts[1], strict=True)):
            name = (pairs.names[k] or f"Pt-{k}").replace('"', '""')
            cells = [name, str(bool(pairs.active[k])).lower(), *map(repr, map(float, (b[1], b[0], a[1], a[0])))]
            yield ",".join(f'"{cell}"' for cell in cells) + "\n"

    write_text(path, lines())
    return ()
