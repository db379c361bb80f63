"""An image's alignment as Xenium Explorer writes it: keypoints, or the 3 × 3 matrix fitted to them.

Both count pixels: "fixed" those of the Xenium image, "alignment" those of the image that is laid onto it. The
matrix maps (x, y, 1) of the latter to the former.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..core.affine import Affine
from ..errors import BadInput
from .landmark_files import LARGEST, LandmarksFile, numbers_of, rows_of
from .regions_file import PIXELS, bytes_of, write_text

__all__ = ["is_keypoints", "is_matrix", "read_keypoints", "read_matrix", "write_keypoints", "write_matrix"]

KEYPOINTS = ("fixedX", "fixedY", "alignmentX", "alignmentY")
_ORDER = ("fixedy", "fixedx", "alignmenty", "alignmentx")


def is_keypoints(head: list[str]) -> bool:
    """Return whether lower-case column names are those of keypoints."""
    return any(column in head for column in _ORDER)


def is_matrix(rows: list[list[str]]) -> bool:
    """Return whether a table is three rows of three numbers."""
    return len(rows) == 3 and all(len(row) == 3 and all(map(_is_number, row)) for row in rows)


def read_keypoints(rows: list[list[str]], path: Path) -> LandmarksFile:
    """Read the rows of a file of keypoints.

    Raises
    ------
    BadInput
        When a column is missing, or a row holds no number.
    """
    head = [cell.strip().lower() for cell in rows[0]]
    absent = [name for name in KEYPOINTS if name.lower() not in head]
    if absent:
        raise BadInput(f"'{path.name}' has no column '{absent[0]}'.", f"It needs {', '.join(KEYPOINTS)}.")
    values = numbers_of(rows[1:], [head.index(name) for name in _ORDER], path)
    return LandmarksFile(values[:, :2], values[:, 2:], PIXELS, PIXELS)


def write_keypoints(path: Path, pairs: LandmarksFile) -> tuple[str, ...]:
    """Write pairs, in pixels, as keypoints; those that take no part are left out."""
    used = np.hstack([pairs.fixed[:, ::-1], pairs.moving[:, ::-1]])[pairs.active]
    lines = (",".join(map(repr, row)) + "\n" for row in used.tolist())
    write_text(path, [",".join(KEYPOINTS) + "\n", *lines])
    off = len(pairs) - len(used)
    return (f"{off} of {len(pairs)} landmarks take no part and were left out.",) if off else ()


def read_matrix(path: Path, fixed_pixel_um: float, moving_pixel_um: float) -> Affine:
    """Read an alignment matrix as the transform from moving to fixed in µm.

    Parameters
    ----------
    path
        The file.
    fixed_pixel_um, moving_pixel_um
        Edge of one pixel in µm, > 0, of the Xenium image and of the image that is laid onto it.

    Raises
    ------
    BadInput
        When it is no such matrix, or flattens the image.
    """
    rows = rows_of(bytes_of(path, LARGEST), path)
    if not is_matrix(rows):
        raise BadInput(f"'{path.name}' holds no 3 × 3 matrix.", "Export the alignment's matrix from Xenium Explorer.")
    matrix = numbers_of(rows, [0, 1, 2], path)
    if not np.array_equal(matrix[2], [0, 0, 1]) or abs(np.linalg.det(matrix)) < 1e-12:
        raise BadInput(f"The matrix of '{path.name}' is no alignment: {matrix.tolist()}.", "Export it again.")
    sizes = _sizes(fixed_pixel_um, moving_pixel_um)
    return Affine.scale(sizes[0]) @ Affine.from_xy(matrix) @ Affine.scale(1 / sizes[1])


def write_matrix(path: Path, transform: Affine, fixed_pixel_um: float, moving_pixel_um: float) -> None:
    """Write a transform from moving to fixed, in µm, as an alignment matrix in pixels."""
    sizes = _sizes(fixed_pixel_um, moving_pixel_um)
    made: npt.NDArray[np.float64] = (Affine.scale(1 / sizes[0]) @ transform @ Affine.scale(sizes[1])).to_xy()
    write_text(path, (",".join(map(repr, row)) + "\n" for row in made.tolist()))


def _sizes(*sizes: float) -> list[float]:
    for size in sizes:
        if not 0 < size < np.inf:
            raise BadInput(f"A pixel is {size} µm.", "Give a number above 0.")
    return [float(size) for size in sizes]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
