"""Cut one cell in two along a line: straight, at the neck, on a membrane, or where the expression changes."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from .arrays import require
from .patch import LabelArray, Patch, Window, found_in, patch_of, read
from .seams import Transcripts, along_membrane, between_profiles

__all__ = ["WAYS", "How", "split_cell"]

How = Literal["straight", "watershed", "membrane", "transcripts"]
WAYS: tuple[str, ...] = get_args(How)
"""The ways to cut."""

Mask = npt.NDArray[np.bool_]
Parts = npt.NDArray[np.int64]
_NUDGE = np.array([1.2345e-7, 2.7183e-7])


def split_cell(
    labels: LabelArray,
    cell: int,
    line: npt.ArrayLike,
    *,
    new_id: int,
    how: How = "straight",
    image: npt.NDArray[Any] | None = None,
    image_offset: tuple[int, int] = (0, 0),
    transcripts: Transcripts | None = None,
    pixel_um: tuple[float, float] = (1.0, 1.0),
    window: Window | None = None,
) -> Patch:
    """Cut a cell in two; the larger part keeps the id.

    Parameters
    ----------
    labels
        (y, x) integers.
    cell
        The cell to cut.
    line
        (k, 2) points as (y, x) in pixels (the centre of pixel (i, j) is at (i + 0.5, j + 0.5)). Its ends
        are lengthened to the cell's border.
    new_id
        The id of the smaller part; not yet used.
    how
        "straight" cuts along the line. "watershed" starts from the middle of either side and lets
        the cut follow the neck between them. "membrane" moves the cut onto the bright ridge of the image,
        "transcripts" to where the expression changes.
    image
        (h, w) signal that covers the cell, bright on membranes. With "watershed" it is bright in the cells,
        and the cut follows its dark seam; without it, the distance to the cell's border is used.
    image_offset
        (y, x) of the image's first pixel in the labels.
    transcripts
        Those in and around the cell.
    pixel_um
        (y, x) size of a pixel in µm.
    window
        Rows and columns in which the whole cell lies, so that the rest is not searched.

    Raises
    ------
    BadInput
        When the cell is absent, the new id is taken, the line does not cross the cell, or what a way to
        cut goes by is missing.
    """
    require(how in WAYS, f"There is no way to cut called '{how}'.", f"Choose one of {', '.join(WAYS)}.")
    mask, offset = found_in(labels, cell, window)
    _require_free(labels, new_id, window)
    parts = _straight(mask, _as_line(line) - offset, cell)
    seam = None if image is None else _crop(image, image_offset, mask, offset)
    if how == "watershed":
        parts = _watershed(mask, parts, seam)
    elif how == "membrane":
        if seam is None:
            raise BadInput("There is no image of membranes.", "Choose an image and its channel, or cut it straight.")
        parts = along_membrane(mask, parts, seam, pixel_um)
    elif how == "transcripts":
        if transcripts is None:
            raise BadInput("There are no transcripts.", "Choose transcripts, or cut it straight.")
        parts = between_profiles(mask, parts, offset, transcripts, pixel_um, cell)
    first, second = np.bincount(parts[mask], minlength=3)[1:3]
    patch = patch_of(labels, parts == (2 if second <= first else 1), offset, new_id)
    assert patch is not None  # both parts hold pixels, so something changes
    return patch


def _require_free(labels: LabelArray, new_id: int, window: Window | None) -> None:
    top = int(np.iinfo(labels.dtype).max)
    require(0 < new_id <= top, f"The new cell's id is {new_id}.", f"Use a number from 1 to {top}.")
    taken = bool((read(labels, window)[0] == new_id).any())
    require(not taken, f"There is already a cell {new_id}.", "Use an id that is free, such as next_id(labels).")


def _as_line(line: npt.ArrayLike) -> npt.NDArray[np.float64]:
    points = np.asarray(line, dtype=np.float64)
    require(points.ndim == 2 and points.shape[1] == 2, f"The line has the shape {points.shape}.", "Give (k, 2) points.")
    require(bool(np.isfinite(points).all()), "The line holds NaN or infinite values.", "Draw it again.")
    # points nearer than a thousandth of a pixel are one: the direction between them is rounding error
    moved = np.concatenate([[True], np.hypot(*np.diff(points, axis=0).T) > 1e-3])
    points = np.asarray(points[moved])
    require(len(points) >= 2, "The line is a single point.", "Draw a line across the cell.")
    return points


def _crop(
    image: npt.NDArray[Any], start: tuple[int, int], mask: Mask, offset: tuple[int, int]
) -> npt.NDArray[np.float64]:
    (h, w), y, x = mask.shape, offset[0] - start[0], offset[1] - start[1]
    covers = image.ndim == 2 and y >= 0 and x >= 0 and y + h <= image.shape[0] and x + w <= image.shape[1]
    require(covers, f"The image {image.shape} does not cover the cell.", "Give the whole image, or a window around it.")
    return np.asarray(image[y : y + h, x : x + w], dtype=np.float64)


def _straight(mask: Mask, line: npt.NDArray[np.float64], cell: int) -> Parts:
    """Return 1 and 2 on the two sides of the line and 0 outside the cell."""
    # a line through pixel centres belongs to neither side: moved by less than a millionth, it has sides
    line = line + _NUDGE
    whole = _pieces(mask, None)[1] if _touches(line, mask) else mask.size
    # first only as far as the border, so that a line over one arm of a cell leaves the other arm alone;
    # then through the whole cell, for a ring whose hole would stop the cut
    for through in (False, True):
        piece, n, votes = _pieces(mask, _lengthened(line, mask, through))
        if n > whole:
            return _sides(mask, piece, n, votes)
    raise BadInput(
        f"The line does not cross the cell {cell}.", "Draw it across the cell, from background to background."
    )


def _touches(line: npt.NDArray[np.float64], mask: Mask) -> bool:
    """Whether the line as drawn, before it is lengthened, enters the cell."""
    length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    along = np.linspace(0, length[-1], int(4 * length[-1]) + 2)
    at = np.floor(np.stack([np.interp(along, length, axis) for axis in line.T], axis=1)).astype(np.int64)
    at = at[((at >= 0) & (at < mask.shape)).all(axis=1)]
    return bool(mask[tuple(at.T)].any())


def _lengthened(line: npt.NDArray[np.float64], mask: Mask, through: bool) -> npt.NDArray[np.float64]:
    ends = []
    for end, inner in ((line[0], line[1]), (line[-1], line[-2])):
        direction = (end - inner) / np.linalg.norm(end - inner)
        reach = float(np.hypot(mask.shape[0], mask.shape[1]) + np.linalg.norm(end - np.array(mask.shape) / 2)) + 2
        steps = np.arange(0, reach, 0.25)
        if not through:
            at = np.floor(end + steps[:, None] * direction).astype(np.int64)
            inside = ((at >= 0) & (at < mask.shape)).all(axis=1)
            inside[inside] = mask[tuple(at[inside].T)]
            out = np.flatnonzero(~inside)
            # one step more than the first pixel outside: the cut must pass the border's pixel centres
            steps = steps[: int(out[0]) + 4] if out.size and out[0] > 0 else steps[:1]
        ends.append(end + steps[-1] * direction)
    return np.vstack([ends[0], line, ends[1]])


def _pieces(mask: Mask, line: npt.NDArray[np.float64] | None) -> tuple[Parts, int, npt.NDArray[np.float64]]:
    """Return the 4-connected pieces that a cut leaves, their number, and for each the side it votes for."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    h, w = mask.shape
    index = np.full(mask.shape, -1, dtype=np.int64)
    index[mask] = np.arange(int(mask.sum()))
    right, down = mask[:, :-1] & mask[:, 1:], mask[:-1] & mask[1:]
    turn_right, turn_down = np.zeros((h, w - 1)), np.zeros((h - 1, w))
    if line is not None:
        _cross(line, turn_right, 0)
        _cross(line[:, ::-1], turn_down.T, 1)
    keep_right, keep_down = right & (turn_right == 0), down & (turn_down == 0)
    a = np.concatenate([index[:, :-1][keep_right], index[:-1][keep_down]])
    b = np.concatenate([index[:, 1:][keep_right], index[1:][keep_down]])
    m = int(mask.sum())
    n, of = connected_components(coo_matrix((np.ones(len(a), np.int8), (a, b)), (m, m)), directed=False)
    votes = np.zeros(n)
    for cut, first, second, turn in (
        (right & ~keep_right, index[:, :-1], index[:, 1:], turn_right),
        (down & ~keep_down, index[:-1], index[1:], turn_down),
    ):
        np.add.at(votes, of[first[cut]], np.sign(turn[cut]))
        np.add.at(votes, of[second[cut]], -np.sign(turn[cut]))
    return of, int(n), votes


def _cross(line: npt.NDArray[np.float64], edges: npt.NDArray[np.float64], axis: int) -> None:
    """Mark the links between neighbours of a row that the line crosses: +1 where the first lies on its left.

    For columns (``axis`` 1) line and edges come transposed, which mirrors left and right.
    """
    rows, links = edges.shape
    mirror = -1.0 if axis else 1.0
    for (y0, x0), (y1, x1) in pairwise(line):
        low, high = sorted((y0, y1))
        i = np.arange(max(int(np.ceil(low - 0.5)), 0), min(int(np.ceil(high - 0.5)), rows))
        if i.size == 0:
            continue
        x = x0 + (i + 0.5 - y0) * (x1 - x0) / (y1 - y0)
        j = np.floor(x - 0.5).astype(np.int64)
        ok = (j >= 0) & (j < links)
        edges[i[ok], j[ok]] += mirror * (1.0 if y1 > y0 else -1.0)  # to and fro cancel


def _sides(mask: Mask, of: Parts, n: int, votes: npt.NDArray[np.float64]) -> Parts:
    """Join the pieces into two: by the side of the line they lie on; pieces off the line go to the nearest."""
    from scipy.spatial import cKDTree

    side = np.sign(votes).astype(np.int64)
    if not ((side > 0).any() and (side < 0).any()):  # a loop: the largest piece against the rest
        largest = int(np.argmax(np.bincount(of, minlength=n)))
        side = np.where(np.arange(n) == largest, 1, -1)
    side = _without_splinters(side, np.bincount(of, minlength=n))
    at = np.argwhere(mask)
    known = side[of] != 0
    per_pixel = side[of]
    if not known.all():
        nearest = cKDTree(at[known]).query(at)[1]
        first_of = np.unique(of, return_index=True)[1]
        guess = per_pixel[known][nearest[first_of]]
        per_pixel = np.where(known, per_pixel, guess[of])
    parts = np.zeros(mask.shape, dtype=np.int64)
    parts[mask] = np.where(per_pixel > 0, 1, 2)
    return parts


def _without_splinters(side: Parts, area: Parts) -> Parts:
    """Give a few pixels that a cut along a ragged border parts from their side to the other one.

    They touch it, and a part of one piece is worth more than a cut that is straight to the pixel.
    """
    tiny = area <= max(3, int(0.02 * area.sum()))
    for sign in (1, -1):
        own = np.flatnonzero(side == sign)
        tiny[own[np.argmax(area[own])]] = False
    return np.where(tiny, -side, side)


def _watershed(mask: Mask, parts: Parts, image: npt.NDArray[np.float64] | None) -> Parts:
    from scipy.ndimage import distance_transform_edt, gaussian_filter
    from skimage import segmentation

    depth = distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    markers = np.zeros(mask.shape, dtype=np.int32)
    for k in (1, 2):
        # the middle of the part, not of the cell: else the seed may touch the cut
        inside = distance_transform_edt(np.pad(parts == k, 1))[1:-1, 1:-1]
        markers[np.unravel_index(int(np.argmax(inside)), mask.shape)] = k
    height = -depth if image is None else -gaussian_filter(image, 1.0)
    flooded: Any = segmentation.watershed  # untyped
    found = np.asarray(flooded(height, markers, mask=mask), dtype=np.int64)
    return np.where(mask & (found == 0), parts, found)  # a piece apart from both seeds stays on its side
