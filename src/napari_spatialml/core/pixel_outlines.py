"""Cells of a label image as polygons along their pixels' edges, exactly: holes, parts and pinched corners kept.

Pixel (i, j) is the square from (x, y) = (j, i) to (j + 1, i + 1). Parts of a cell that meet only at a
corner stay parts of their own, so that every polygon is valid, and `core.rasterise` gives the same labels.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["pixel_outlines"]

Ints = npt.NDArray[np.int64]
_EAST, _SOUTH, _WEST, _NORTH = range(4)
# of the pixel whose edge is walked with the pixel on the right: the pixel ahead, and the one ahead to the left
_AHEAD = {_EAST: (0, 1), _SOUTH: (1, 0), _WEST: (0, -1), _NORTH: (-1, 0)}
_LEFT = {_EAST: (-1, 1), _SOUTH: (1, 1), _WEST: (1, -1), _NORTH: (-1, -1)}
# where such an edge begins, from the pixel's upper left corner
_START = np.array([(0, 0), (0, 1), (1, 1), (1, 0)])


def pixel_outlines(
    labels: npt.NDArray[Any], offset: tuple[int, int] = (0, 0)
) -> tuple[npt.NDArray[Any], npt.NDArray[np.object_]]:
    """Return the cells of a label image and their outlines.

    Parameters
    ----------
    labels
        (y, x) integers, 0 for background.
    offset
        (y, x) of the first pixel, where the labels are a window.

    Returns
    -------
    tuple
        (n,) ids, ascending; (n,) polygons and multi-part polygons in pixels, as (x, y).

    Notes
    -----
    O(pixels + border). Each ring starts at a corner and holds corners only.
    """
    import shapely
    from skimage.measure import label as connected

    values = np.asarray(labels)
    if not values.any():
        return np.empty(0, values.dtype), np.empty(0, object)
    codes, ids = _codes(values)
    label_parts: Any = connected  # untyped
    parts = np.pad(label_parts(codes, background=0, connectivity=1).astype(np.int32), 1)
    part_of_ring, corners, ring_of_corner = _rings(parts)
    rings = shapely.linearrings(corners[:, ::-1] + np.array(offset[::-1], dtype=float) - 1.0, indices=ring_of_corner)
    n = int(parts.max())
    cell_of_part = np.zeros(n + 1, np.int64)
    inner = parts[1:-1, 1:-1].ravel()
    cell_of_part[inner] = codes.ravel()
    polygons = _polygons(rings, part_of_ring, n)
    order = np.argsort(cell_of_part[1:], kind="stable")
    return ids[1:], _joined(polygons[order], cell_of_part[1:][order])


def _codes(values: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int32], npt.NDArray[Any]]:
    """Return every pixel's place in the ascending list of ids, which begins with 0, and the list."""
    import pandas as pd

    codes, found = pd.factorize(values.ravel())
    known = np.asarray(found)
    if not (known == 0).any():
        known = np.append(known, np.zeros(1, known.dtype))
    order = np.argsort(known, kind="stable")
    order = np.concatenate([order[known[order] == 0], order[known[order] != 0]])
    place = np.empty(len(known), np.int32)
    place[order] = np.arange(len(known), dtype=np.int32)
    return place[codes].reshape(values.shape), known[order]


def _rings(parts: npt.NDArray[np.int32]) -> tuple[Ints, npt.NDArray[np.float64], Ints]:
    """Return the part of each ring, and the corners (y, x) of all rings with the ring of each."""
    edges, following, turns = _edges(parts)
    order, starts = _follow()(following)
    pixel, direction = edges[order, 0], edges[order, 1]
    width = parts.shape[1]
    y, x = np.divmod(pixel, width)
    at = np.stack([y, x], axis=1) + _START[direction]
    ring = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    # an edge begins at a corner where the one before it turned
    before = order[np.where(np.arange(len(order)) == starts[ring], starts[ring + 1] - 1, np.arange(len(order)) - 1)]
    corner = turns[before]
    at, ring, owner = at[corner], ring[corner], parts.ravel()[pixel[starts[:-1]]]
    return _untied(at, ring, owner.astype(np.int64), width + 1)


def _edges(parts: npt.NDArray[np.int32]) -> tuple[Ints, Ints, npt.NDArray[np.bool_]]:
    """Return every edge as (pixel, direction), the edge that follows each, and whether one turns at its end."""
    width, flat = parts.shape[1], parts.ravel()
    sides = {_EAST: -width, _SOUTH: 1, _WEST: width, _NORTH: -1}
    inside = np.flatnonzero(flat)
    pixels = {d: inside[flat[inside + step] != flat[inside]] for d, step in sides.items()}
    first = np.cumsum([0, *(len(pixels[d]) for d in range(4))])
    following, turns = [], []
    for d in range(4):
        p = pixels[d]
        ahead, left = p + _step(_AHEAD[d], width), p + _step(_LEFT[d], width)
        own = flat[p]
        right_turn = flat[ahead] != own
        straight = ~right_turn & (flat[left] != own)
        target = np.where(right_turn, p, np.where(straight, ahead, left))
        to = np.where(right_turn, (d + 1) % 4, np.where(straight, d, (d + 3) % 4))
        found = np.empty(len(p), np.int64)
        for k in {d, (d + 1) % 4, (d + 3) % 4}:
            mine = to == k
            found[mine] = first[k] + np.searchsorted(pixels[k], target[mine])
        following.append(found)
        turns.append(~straight)
    edges = np.concatenate([np.stack([pixels[d], np.full(len(pixels[d]), d)], axis=1) for d in range(4)])
    return edges, np.concatenate(following), np.concatenate(turns)


def _step(yx: tuple[int, int], width: int) -> int:
    return yx[0] * width + yx[1]


@cache
def _follow() -> Any:
    """Return the compiled walk: from what follows each edge to the edges ring by ring, and where rings begin."""
    import numba

    @numba.njit(cache=True)  # type: ignore[untyped-decorator,unused-ignore]
    def follow(following: Any) -> Any:
        n = len(following)
        order, starts, seen = np.empty(n, np.int64), np.empty(n // 4 + 2, np.int64), np.zeros(n, np.bool_)
        at = rings = 0
        for first in range(n):
            if seen[first]:
                continue
            starts[rings] = at
            rings += 1
            edge = first
            while not seen[edge]:
                seen[edge] = True
                order[at] = edge
                at += 1
                edge = following[edge]
        starts[rings] = n
        return order, starts[: rings + 1]

    return follow


def _untied(at: Ints, ring: Ints, owner: Ints, width: int) -> tuple[Ints, npt.NDArray[np.float64], Ints]:
    """Cut rings that pass a corner twice into simple ones."""
    place = (ring.astype(np.int64) << 40) + at[:, 0] * width + at[:, 1]
    _, inverse, count = np.unique(place, return_inverse=True, return_counts=True)
    tied = np.unique(ring[count[inverse] > 1])
    if not len(tied):
        return owner, at.astype(float), ring
    keep = ~np.isin(ring, tied)
    pieces, owners = [at[keep]], [owner]
    numbers = [ring[keep]]
    new = len(owner)
    first = np.searchsorted(ring, tied)
    last = np.searchsorted(ring, tied, side="right")
    for r, a, b in zip(tied.tolist(), first.tolist(), last.tolist(), strict=True):
        for loop in _loops([(int(y), int(x)) for y, x in at[a:b]]):
            pieces.append(np.array(loop))
            numbers.append(np.full(len(loop), new))
            owners.append(owner[r : r + 1])
            new += 1
    kept, numbered = np.unique(np.concatenate(numbers), return_inverse=True)
    return np.concatenate(owners)[kept], np.concatenate(pieces).astype(float), numbered


def _loops(corners: list[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    """Yield the simple rings of one that passes some corners twice."""
    path: list[tuple[int, int]] = []
    place: dict[tuple[int, int], int] = {}
    for corner in corners:
        if corner in place:
            cut = place[corner]
            loop, path = path[cut:], path[:cut]
            for c in loop:
                del place[c]
            yield loop
        place[corner] = len(path)
        path.append(corner)
    yield path


def _polygons(rings: npt.NDArray[np.object_], part: Ints, n: int) -> npt.NDArray[np.object_]:
    """Return the polygon of every part: of its rings, the one around all others is the shell."""
    import shapely

    boxes = shapely.bounds(rings)
    size = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    order = np.lexsort((-size, part))
    sorted_parts = part[order]
    first = np.searchsorted(sorted_parts, np.arange(1, n + 1))
    is_shell = np.zeros(len(rings), bool)
    is_shell[order[first]] = True
    made: Any = shapely.polygons(rings[order[first]])
    holes = np.flatnonzero(~is_shell)
    if len(holes):
        with_holes = np.unique(part[holes])
        mine = order[np.isin(sorted_parts, with_holes)]  # shell first, then its holes, part by part
        made[with_holes - 1] = shapely.polygons(
            rings[mine[is_shell[mine]]],
            holes=_ragged(rings[mine[~is_shell[mine]]], part[mine[~is_shell[mine]]], with_holes),
        )
    return np.asarray(made, dtype=object)


def _ragged(holes: npt.NDArray[np.object_], part: Ints, parts: Ints) -> npt.NDArray[np.object_]:
    """Return a row of holes for each part, filled up with None."""
    row = np.searchsorted(parts, part)
    first = np.searchsorted(row, np.arange(len(parts)))
    column = np.arange(len(row)) - first[row]
    table = np.full((len(parts), int(column.max()) + 1), None, dtype=object)
    table[row, column] = holes
    return table


def _joined(polygons: npt.NDArray[np.object_], cell: Ints) -> npt.NDArray[np.object_]:
    """Return one geometry a cell: the polygon of its one part, else all of them."""
    import shapely

    _, first, count = np.unique(cell, return_index=True, return_counts=True)
    made = polygons[first].copy()
    several = np.flatnonzero(count > 1)
    if len(several):
        mine = np.isin(cell, cell[first[several]])
        numbers = np.repeat(np.arange(len(several)), count[several])
        made[several] = shapely.multipolygons(polygons[mine], indices=numbers)
    return made
