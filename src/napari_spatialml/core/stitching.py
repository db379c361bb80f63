"""Cells of overlapping tiles become the cells of one slide: none doubled, none cut, in whatever order the tiles came.

A tile keeps the cells whose centroid lies in its core, and remembers those just beyond. Where two tiles
disagree, one rule decides by what the tiles saw, never by which came first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .boxes import boxes_in
from .segmentation import Masks
from .slide_tiles import Tile

__all__ = ["Conflict", "Overlaps", "Seen", "Settled", "overlaps", "seen", "settle", "whole_in"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

SAME = 1 / 3
"""Two cells of different tiles are one when they share more than this part of the smaller."""
_TRIMMED = 0.05
"""A cell that loses more than this part of itself to a neighbour of another tile is shown to the person."""


@dataclass(frozen=True, eq=False)
class Seen:
    """The cells that one tile saw.

    Parameters
    ----------
    offset
        (y, x) of the first pixel of ``labels`` in the slide.
    labels
        (h, w) 1 to n, as small as it can be.
    kept
        (n,) whether the cell's centroid lies in the core; the others lie just beyond, and are kept in mind.
    areas
        (n,) in pixels.
    centroids
        (n, 2) as (y, x) in pixels of the slide; the centre of pixel (i, j) is (i + ½, j + ½).
    depths
        (n,) how far the centroid lies from what the tile did not see, in pixels.
    scores
        (n,) confidence; NaN where the method gives none.
    """

    offset: tuple[int, int]
    labels: npt.NDArray[Any]
    kept: npt.NDArray[np.bool_]
    areas: Ints
    centroids: Floats
    depths: Floats
    scores: Floats

    def __len__(self) -> int:
        return len(self.kept)


def whole_in(masks: Masks, tile: Tile, shape: tuple[int, int]) -> bool:
    """Whether no cell whose centroid lies in the core is cut by the edge of the window, with more slide beyond."""
    boxes = boxes_in(masks.labels, (tile.window[0], tile.window[2]))
    inside = _inside(_centroids(masks.labels, boxes.ids, tile), tile.core)
    return not bool((inside & _cut(boxes.corners, tile, shape)).any())


def seen(masks: Masks, tile: Tile, shape: tuple[int, int]) -> Seen:
    """Return what a tile has to say about the slide.

    Parameters
    ----------
    masks
        The cells of the tile's window.
    tile
        The tile.
    shape
        (y, x) of the slide.
    """
    boxes = boxes_in(masks.labels, (tile.window[0], tile.window[2]))
    centroids = _centroids(masks.labels, boxes.ids, tile)
    kept = _inside(centroids, tile.core)
    near = _inside(centroids, _grown(tile, 0.5)) & ~_cut(boxes.corners, tile, shape)
    chosen = kept | near
    scores = np.full(len(boxes.ids), np.nan) if masks.scores is None else masks.scores
    if not chosen.any():
        none = np.zeros(0)
        return Seen((tile.core[0], tile.core[2]), np.zeros((0, 0), np.uint16), none.astype(bool), none.astype(np.int64),
                    np.zeros((0, 2)), none, none)  # fmt: skip
    picked = boxes.chosen(chosen)
    y0, y1, x0, x1 = picked.around()
    number = np.zeros(int(boxes.ids[-1]) + 1, np.uint16 if chosen.sum() < 2**16 else np.int32)
    number[picked.ids] = np.arange(1, len(picked.ids) + 1)
    wy, wx = tile.window[0], tile.window[2]
    labels = number[masks.labels[y0 - wy : y1 - wy, x0 - wx : x1 - wx]]
    depths = _depths(centroids[chosen], tile, shape)
    return Seen((y0, x0), labels, kept[chosen], picked.pixels, centroids[chosen], depths, scores[chosen])


def _centroids(labels: npt.NDArray[Any], ids: npt.NDArray[Any], tile: Tile) -> Floats:
    at = np.flatnonzero(labels)
    codes = np.searchsorted(ids, labels.ravel()[at])
    y, x = np.divmod(at, labels.shape[1])
    n = np.maximum(np.bincount(codes, minlength=len(ids)), 1)
    means = [np.bincount(codes, weights=v, minlength=len(ids)) / n + 0.5 for v in (y, x)]
    return np.asarray(np.stack(means, axis=1) + np.array([tile.window[0], tile.window[2]], dtype=float))


def _inside(points: Floats, window: tuple[float, ...]) -> npt.NDArray[np.bool_]:
    y, x = points.T
    return np.asarray((y >= window[0]) & (y < window[1]) & (x >= window[2]) & (x < window[3]))


def _grown(tile: Tile, share: float) -> tuple[float, ...]:
    """Return the core and this share of the way to the edge of the window."""
    return tuple(c + share * (w - c) for c, w in zip(tile.core, tile.window, strict=True))


def _cut(corners: Ints, tile: Tile, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Return which cells end at an edge of the window behind which the slide goes on."""
    borders = (0, shape[0], 0, shape[1])
    met = [corners[:, k] == tile.window[k] for k in range(4) if tile.window[k] != borders[k]]
    return np.any(met, axis=0) if met else np.zeros(len(corners), dtype=bool)


def _depths(points: Floats, tile: Tile, shape: tuple[int, int]) -> Floats:
    borders, far = (0, shape[0], 0, shape[1]), float(sum(shape))
    edges = [far if tile.window[k] == borders[k] else abs(points[:, k // 2] - tile.window[k]) for k in range(4)]
    return np.asarray(np.min([np.broadcast_to(e, len(points)) for e in edges], axis=0), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Overlaps:
    """Which cells of two tiles lie on the same pixels.

    Parameters
    ----------
    a, b
        (m,) positions of the cells in each tile, from 0.
    pixels
        (m,) how many pixels they share.
    """

    a: Ints
    b: Ints
    pixels: Ints


def overlaps(one: Seen, other: Seen) -> Overlaps:
    """Return the cells that two tiles saw on the same pixels."""
    (ay, ax), (by, bx) = one.offset, other.offset
    y0, x0 = max(ay, by), max(ax, bx)
    y1 = min(ay + one.labels.shape[0], by + other.labels.shape[0])
    x1 = min(ax + one.labels.shape[1], bx + other.labels.shape[1])
    if y1 <= y0 or x1 <= x0:
        return Overlaps(*(np.zeros(0, np.int64) for _ in range(3)))
    a = one.labels[y0 - ay : y1 - ay, x0 - ax : x1 - ax]
    b = other.labels[y0 - by : y1 - by, x0 - bx : x1 - bx]
    both = (a != 0) & (b != 0)
    codes = (a[both].astype(np.int64) - 1) * len(other) + (b[both].astype(np.int64) - 1)
    found, pixels = np.unique(codes, return_counts=True)
    first, second = np.divmod(found, max(len(other), 1))
    return Overlaps(first, second, pixels.astype(np.int64))


@dataclass(frozen=True)
class Conflict:
    """A place where two tiles disagreed.

    Parameters
    ----------
    cell
        Position of the cell that stays.
    other
        Position of the one that it was weighed against.
    kind
        "twice": both tiles kept it, one was dropped; "between": neither kept it; "trimmed": it lost pixels.
    """

    cell: int
    other: int
    kind: str


@dataclass(frozen=True, eq=False)
class Settled:
    """What stays of all tiles' cells.

    Parameters
    ----------
    stays
        (n,) whether a cell becomes one of the slide.
    rank
        (n,) of two cells that share a pixel, the one of lower rank has it.
    conflicts
        Where tiles disagreed, in ascending order of the cell that stays.
    """

    stays: npt.NDArray[np.bool_]
    rank: Ints
    conflicts: tuple[Conflict, ...]


def settle(
    tiles: Ints,
    owners: Ints,
    kept: npt.NDArray[np.bool_],
    areas: Ints,
    depths: Floats,
    pairs: Sequence[tuple[int, int, int]] | Ints,
) -> Settled:
    """Decide which cells stay, by what was seen and not by the order in which tiles came.

    Kept cells go before those that were only kept in mind, deeper ones before those nearer to what their
    tile did not see. A cell stays unless it is one with a cell that stays. A cell that no tile kept stays
    where the tile in whose core it lies saw it too, so that a centroid on the line between two cores loses
    no cell.

    Parameters
    ----------
    tiles
        (n,) number of the tile of each cell, ascending.
    owners
        (n,) number of the tile in whose core the centroid lies.
    kept, areas, depths
        (n,) as in `Seen`.
    pairs
        (m, 3) positions of two cells of different tiles, and the pixels that they share.
    """
    n, found = len(tiles), np.asarray(pairs, dtype=np.int64).reshape(-1, 3)
    order = np.lexsort((np.arange(n), -depths, ~kept))
    rank = np.empty(n, np.int64)
    rank[order] = np.arange(n)
    a, b, pixels = found.T
    same = pixels > SAME * np.minimum(areas[a], areas[b])
    near: dict[int, list[int]] = {}
    for i, j in found[same, :2].tolist():
        near.setdefault(i, []).append(j)
        near.setdefault(j, []).append(i)
    stays, conflicts = kept.copy(), list[Conflict]()
    for i in sorted(near, key=lambda k: rank[k]):
        better = [j for j in near[i] if stays[j] and rank[j] < rank[i]]
        if better:
            stays[i] = False
            if kept[i]:
                conflicts.append(Conflict(min(better, key=lambda j: rank[j]), i, "twice"))
        elif not kept[i]:
            witness = [j for j in near[i] if tiles[j] == owners[i]]
            stays[i] = bool(witness)
            if witness:
                conflicts.append(Conflict(i, min(witness, key=lambda j: rank[j]), "between"))
    conflicts += _trimmed(found[~same], stays, rank, areas)
    return Settled(stays, rank, tuple(sorted(conflicts, key=lambda c: (c.cell, c.other, c.kind))))


def _trimmed(light: Ints, stays: npt.NDArray[np.bool_], rank: Ints, areas: Ints) -> list[Conflict]:
    """Return the cells that lose a part of themselves that can be seen."""
    found = []
    for a, b, pixels in light[stays[light[:, 0]] & stays[light[:, 1]]].tolist():
        loser, winner = (a, b) if rank[a] > rank[b] else (b, a)
        if pixels > _TRIMMED * areas[loser]:
            found.append(Conflict(loser, winner, "trimmed"))
    return found
