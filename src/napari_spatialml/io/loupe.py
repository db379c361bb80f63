"""Loupe Browser's manual alignment: where the spots and fiducials of a slide lie in an image.

"oligo" (spots) and "fiducial" list places of the slide's design (x, y) with their place in the image (imageX,
imageY) in pixels; "transform" is the 3 × 3 matrix between the two; "cytAssistInfo" holds the one from the
microscope's image to CytAssist's. Of Visium HD the spots are one string of bits, and only the matrix is there.

References
----------
10x Genomics, Space Ranger, ``--loupe-alignment``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from .landmark_files import LARGEST, LandmarksFile
from .regions_file import PIXELS, bytes_of, write_text

__all__ = ["LoupeAlignment", "read_loupe", "write_loupe"]

PITCH_UM = 100.0
"""Between neighbouring spots of Visium; the design's own unit differs between versions."""


@dataclass(frozen=True, eq=False)
class LoupeAlignment:
    """A slide laid onto an image by hand.

    Parameters
    ----------
    landmarks
        The slide's design (moving, in µm where its spots tell the unit) and the image (fixed, in pixels): the
        fiducials where they are placed, else the spots, else four corners through the matrix.
    in_tissue
        (n,) whether each spot lies under tissue; empty for Visium HD.
    matrix
        (3, 3), from the design's (x, y, 1) to pixels of the image, or None.
    to_cytassist
        (3, 3), from the microscope's image to CytAssist's, or None.
    serial, area
        The slide's number and capture area, or "".
    """

    landmarks: LandmarksFile
    in_tissue: npt.NDArray[np.bool_]
    matrix: npt.NDArray[np.float64] | None = None
    to_cytassist: npt.NDArray[np.float64] | None = None
    serial: str = ""
    area: str = ""


def read_loupe(path: Path) -> LoupeAlignment:
    """Read a manual alignment.

    Raises
    ------
    BadInput
        When it is no JSON, or no alignment, or holds something that is no number.
    """
    held = _parsed(path)
    spots, fiducials = (held.get(key) for key in ("oligo", "fiducial"))
    cytassist = held.get("cytAssistInfo")
    if spots is None and fiducials is None:
        raise BadInput(f"'{path.name}' has neither 'oligo' nor 'fiducial'.", "Export the alignment from Loupe Browser.")
    listed = [one if isinstance(one, list) else [] for one in (fiducials, spots)]
    matrix = _matrix(held.get("transform"), "transform", path)
    images = cytassist.get("transformImages") if isinstance(cytassist, dict) else None
    unit = _design_um(listed[1], path)
    return LoupeAlignment(
        _landmarks(listed, matrix, unit, path),
        np.array([bool(_entry(one, path).get("tissue", False)) for one in listed[1]], dtype=bool),
        matrix,
        _matrix(images, "cytAssistInfo.transformImages", path),
        str(held.get("serialNumber") or ""),
        str(held.get("area") or ""),
    )


def write_loupe(path: Path, pairs: LandmarksFile) -> tuple[str, ...]:
    """Write pairs as fiducials: the moving side as the slide's design, the fixed one in pixels of the image."""
    fiducials = [
        {"x": b[1], "y": b[0], "row": k, "col": 0, "dia": 0.0, "fidName": name, "imageX": a[1], "imageY": a[0]}
        for k, (a, b, name) in enumerate(zip(pairs.fixed.tolist(), pairs.moving.tolist(), pairs.names, strict=True))
        if pairs.active[k]
    ]
    held: dict[str, Any] = {"oligo": [], "fiducial": fiducials, "serialNumber": "", "area": ""}
    write_text(path, [json.dumps(held, allow_nan=False)])
    off = len(pairs) - len(fiducials)
    return (f"{off} of {len(pairs)} landmarks take no part and were left out.",) if off else ()


def _parsed(path: Path) -> dict[str, Any]:
    try:
        held = json.loads(bytes_of(path, LARGEST))
    except (ValueError, RecursionError) as error:
        raise BadInput(f"'{path.name}' is not JSON, or cut short ({error}).", "Export or copy it again.") from error
    if not isinstance(held, dict):
        raise BadInput(f"'{path.name}' is no alignment.", "Export the alignment from Loupe Browser.")
    return held


def _landmarks(
    listed: list[list[Any]], matrix: npt.NDArray[np.float64] | None, unit: float | None, path: Path
) -> LandmarksFile:
    for entries in listed:
        placed = [one for one in entries if "imageX" in _entry(one, path) and "imageY" in one]
        if placed:
            values = _numbers(placed, ("imageY", "imageX", "y", "x"), path)
            names = tuple(str(one.get("fidName", "")) for one in placed)
            break
    else:
        if matrix is None:
            raise BadInput(f"Nothing of '{path.name}' is placed in the image.", "Align it in Loupe Browser first.")
        corners = np.array([[0.0, 0.0], [0.0, 6500.0], [6500.0, 0.0], [6500.0, 6500.0]])
        moved = np.column_stack([corners[:, ::-1], np.ones(4)]) @ matrix.T
        values, names = np.hstack([(moved[:, :2] / moved[:, 2:])[:, ::-1], corners]), ("",) * 4
        if not np.isfinite(values).all():
            raise BadInput(f"The matrix of '{path.name}' is no alignment.", "Export it again.")
    moving = values[:, 2:] * (unit or 1.0)
    return LandmarksFile(values[:, :2], moving, PIXELS, "µm" if unit else "", names)


def _design_um(spots: list[Any], path: Path) -> float | None:
    """Return µm in the design's unit, from the distance of each spot to its nearest neighbour."""
    if len(spots) < 3:
        return None
    from scipy.spatial import cKDTree

    where = _numbers(spots, ("y", "x"), path)
    pitch = float(np.median(cKDTree(where).query(where, k=2)[0][:, 1]))
    return PITCH_UM / pitch if pitch > 0 else None


def _entry(one: Any, path: Path) -> dict[str, Any]:
    if not isinstance(one, dict):
        raise BadInput(f"'{path.name}' lists {str(one)[:40]!r} where a spot belongs.", "Export it again.")
    return one


def _numbers(entries: list[Any], keys: tuple[str, ...], path: Path) -> npt.NDArray[np.float64]:
    try:
        values = np.array([[float(_entry(one, path)[key]) for key in keys] for one in entries], dtype=np.float64)
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f"A spot of '{path.name}' has no place ({error}).", f"It needs {', '.join(keys)}.") from error
    if not np.isfinite(values).all():
        raise BadInput(f"A spot of '{path.name}' lies at NaN or infinity.", "Export it again.")
    return values


def _matrix(values: Any, what: str, path: Path) -> npt.NDArray[np.float64] | None:
    if values is None:
        return None
    try:
        matrix = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BadInput(f"'{what}' of '{path.name}' is no matrix.", "Export it again.") from error
    if matrix.size != 9 or not np.isfinite(matrix).all():
        raise BadInput(f"'{what}' of '{path.name}' is no 3 × 3 matrix of numbers.", "Export it again.")
    return matrix.reshape(3, 3)
