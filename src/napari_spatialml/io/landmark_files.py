"""Landmark pairs of other programs: BigWarp, Xenium Explorer, Loupe Browser, and a plain table in µm.

A file is told by what it holds, not by its name. Where it counts pixels, it does not say how large they are.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.affine import Affine
from ..errors import BadInput, UnitNeeded
from .regions_file import MICROMETRES, PIXELS, bytes_of, write_text

__all__ = ["FORMS", "PLAIN", "LandmarksFile", "numbers_of", "read_landmarks", "rows_of", "write_landmarks"]

Array = npt.NDArray[np.float64]

LARGEST = 50_000_000
"""Bytes that are read: a million landmarks, which no hand places."""
PLAIN = ("fixed_y_um", "fixed_x_um", "moving_y_um", "moving_x_um")
_NAMES = ("name", "what")


@dataclass(frozen=True, eq=False)
class LandmarksFile:
    """The landmark pairs of a file.

    Parameters
    ----------
    fixed, moving
        (k, 2) as (y, x), finite, in the unit of each side.
    fixed_unit, moving_unit
        "px", counted from the outer corner of the image's first pixel; "µm"; "" where the file does not say.
    names
        (k,) strings, "" where the file says nothing.
    active
        (k,) whether a pair takes part in the fit.
    said
        Sentences about what was left out.
    centred
        Whether whole numbers are the centres of pixels where the file's own unit turns out to be pixels.
    """

    fixed: Array
    moving: Array
    fixed_unit: str = MICROMETRES
    moving_unit: str = MICROMETRES
    names: tuple[str, ...] = ()
    active: npt.NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, bool))
    said: tuple[str, ...] = ()
    centred: bool = False

    def __post_init__(self) -> None:
        k = len(self.fixed)
        object.__setattr__(self, "names", self.names or ("",) * k)
        object.__setattr__(self, "active", self.active if len(self.active) == k else np.ones(k, bool))

    def __len__(self) -> int:
        return len(self.fixed)

    def counted(self, unit: str) -> LandmarksFile:
        """Return the pairs, the sides of which the file does not say the unit counting "px" or "µm"."""
        shift = 0.5 if self.centred and unit == PIXELS else 0.0
        return replace(
            self,
            fixed=self.fixed + (0 if self.fixed_unit else shift),
            moving=self.moving + (0 if self.moving_unit else shift),
            fixed_unit=self.fixed_unit or unit,
            moving_unit=self.moving_unit or unit,
        )

    def in_um(self, fixed_pixel_um: float | None = None, moving_pixel_um: float | None = None) -> LandmarksFile:
        """Return the pairs in µm.

        Parameters
        ----------
        fixed_pixel_um, moving_pixel_um
            Edge of one pixel of the image of each side; a side whose unit the file does not say then
            counts pixels. Use `counted` first where it counts µm.

        Raises
        ------
        UnitNeeded
            When a side does not count µm and the size is not given.
        """
        sides = (("fixed", self.fixed_unit, fixed_pixel_um), ("moving", self.moving_unit, moving_pixel_um))
        sizes = [_size_um(*side) for side in sides]
        return self.counted(PIXELS).placed(Affine.scale(sizes[0]), Affine.scale(sizes[1]))

    def placed(self, fixed: Affine, moving: Affine) -> LandmarksFile:
        """Return the pairs in µm, by the affine from each side's own coordinates."""
        return replace(
            self,
            fixed=fixed.apply(self.fixed),
            moving=moving.apply(self.moving),
            fixed_unit=MICROMETRES,
            moving_unit=MICROMETRES,
        )


def _size_um(side: str, unit: str, size: float | None) -> float:
    if size is None and unit != MICROMETRES:
        counts = "count pixels" if unit == PIXELS else "are in a unit that the file does not say"
        hint = f"State the size of one pixel of the {side} image in µm."
        raise UnitNeeded(f"The {side} landmarks {counts}.", hint, parameter="pixel_size_um")
    if size is not None and not 0 < size < np.inf:
        raise BadInput(f"The pixel size of the {side} side is {size} µm.", "Give a number above 0.")
    return 1.0 if unit == MICROMETRES or size is None else float(size)


def read_landmarks(path: Path) -> LandmarksFile:
    """Read landmark pairs, whichever program wrote them.

    Raises
    ------
    BadInput
        When the file is none of the known ones, is cut short or too large, or holds no pair.
    """
    from .bigwarp import is_bigwarp, read_bigwarp
    from .explorer_alignment import is_keypoints, is_matrix, read_keypoints
    from .loupe import read_loupe

    if not path.is_file():
        raise BadInput(f"There is no file '{path}'.", "Check the path.")
    data = bytes_of(path, LARGEST)
    if data.lstrip()[:1] == b"{":
        return _some(read_loupe(path).landmarks, path)
    rows = rows_of(data, path)
    head = [cell.strip().lower() for cell in rows[0]]
    if is_matrix(rows):
        raise BadInput(f"'{path.name}' holds a matrix, not landmarks.", "Open it as an alignment.")
    known: tuple[tuple[bool, Callable[[Any, Path], LandmarksFile]], ...] = (
        (set(PLAIN) <= set(head), _read_plain),
        (is_keypoints(head), read_keypoints),
        (is_bigwarp(rows), read_bigwarp),
    )
    for fits, read in known:
        if fits:
            return _some(read(rows, path), path)
    raise _unknown(rows, head, path)


def write_landmarks(path: Path, pairs: LandmarksFile, form: str = "plain") -> tuple[str, ...]:
    """Write landmark pairs; return sentences about what such a file cannot tell.

    Parameters
    ----------
    path
        The file.
    pairs
        In µm for "plain"; for the others in the unit in which they shall be written.
    form
        One of `FORMS`.

    Raises
    ------
    BadInput
        When there is no pair, no such form, or the file cannot be written.
    """
    from .bigwarp import write_bigwarp
    from .explorer_alignment import write_keypoints
    from .loupe import write_loupe

    if form not in FORMS:
        raise BadInput(f"Landmarks cannot be written as '{form}'.", f"Choose {', '.join(FORMS)}.")
    if not len(pairs):
        raise BadInput("There are no landmarks to write.", "Place some first.")
    writers = {"plain": _write_plain, "bigwarp": write_bigwarp, "keypoints": write_keypoints, "loupe": write_loupe}
    return writers[form](path, pairs)


FORMS = ("plain", "bigwarp", "keypoints", "loupe")
"""What landmarks are written as: a table in µm, BigWarp's, Xenium Explorer's keypoints, Loupe Browser's alignment."""


def rows_of(data: bytes, path: Path) -> list[list[str]]:
    """Return the rows of a table, without comments and empty lines; at least one.

    Raises
    ------
    BadInput
        When it is no text, or empty.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"'{path.name}' is not text.", "Choose a file of landmarks.") from error
    lines = (line for line in io.StringIO(text) if line.strip() and not line.lstrip().startswith("#"))
    try:
        rows = list(csv.reader(lines))
    except csv.Error as error:
        raise BadInput(f"'{path.name}' is no table ({error}).", "Export it again.") from error
    if not rows:
        raise BadInput(f"'{path.name}' is empty.", "Export it again.")
    return rows


def numbers_of(rows: Iterable[list[str]], columns: list[int], path: Path, first: int = 1) -> Array:
    """Return (rows, columns) numbers, finite.

    Raises
    ------
    BadInput
        When a row is cut short, or holds something that is no finite number.
    """
    made = []
    for number, row in enumerate(rows, first):
        try:
            values = [float(row[c]) for c in columns]
        except IndexError as error:
            raise BadInput(
                f"Row {number} of '{path.name}' has {len(row)} columns, too few.", "Export it again: it is cut short."
            ) from error
        except ValueError as error:
            held = ", ".join(row[c] for c in columns)
            raise BadInput(
                f"Row {number} of '{path.name}' holds '{held}', which is no place.", "Correct it."
            ) from error
        if not np.isfinite(values).all():
            raise BadInput(f"Row {number} of '{path.name}' holds {values}, which is no place.", "Correct it.")
        made.append(values)
    return np.array(made, dtype=np.float64).reshape(-1, len(columns))


def _read_plain(rows: list[list[str]], path: Path) -> LandmarksFile:
    head = [cell.strip().lower() for cell in rows[0]]
    values = numbers_of(rows[1:], [head.index(c) for c in PLAIN], path)
    named = next((head.index(c) for c in _NAMES if c in head), -1)
    names = tuple(row[named].strip() if 0 <= named < len(row) else "" for row in rows[1:])
    return LandmarksFile(values[:, :2], values[:, 2:], names=names)


def _write_plain(path: Path, pairs: LandmarksFile) -> tuple[str, ...]:
    def lines() -> Iterator[str]:
        yield ",".join((*PLAIN, "name")) + "\n"
        for a, b, name in zip(pairs.fixed.tolist(), pairs.moving.tolist(), pairs.names, strict=True):
            row = io.StringIO()
            csv.writer(row, lineterminator="\n").writerow([*map(repr, (*a, *b)), name])
            yield row.getvalue()

    write_text(path, lines())
    off = int((~pairs.active).sum())
    return (f"{off} of {len(pairs)} landmarks take no part; they are written like the others.",) if off else ()


def _some(pairs: LandmarksFile, path: Path) -> LandmarksFile:
    if not len(pairs):
        raise BadInput(f"'{path.name}' holds no pair of landmarks.", "Place some there first.")
    return pairs


def _unknown(rows: list[list[str]], head: list[str], path: Path) -> BadInput:
    if len(head) == 1 and any(mark in head[0] for mark in ";\t|"):
        return BadInput(f"The columns of '{path.name}' are not separated by commas.", "Save it with commas.")
    absent = [c for c in PLAIN if c not in head]
    if len(absent) < 4:
        return BadInput(f"'{path.name}' has no column '{absent[0]}'.", f"It needs {', '.join(PLAIN)}.")
    return BadInput(
        f"'{path.name}' begins with '{','.join(rows[0])[:60]}': no table of landmarks that is known.",
        f"Give BigWarp's or Xenium Explorer's file, Loupe's JSON, or the columns {', '.join(PLAIN)}.",
    )
