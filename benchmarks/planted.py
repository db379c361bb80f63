"""Errors planted in true labels: merged, halved, missing and invented cells, and borders in the wrong place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

__all__ = ["MIXTURE", "Planted", "overlaps", "plant", "repaired"]

Labels = npt.NDArray[np.int32]
MIXTURE = {"merged": 25, "halves": 25, "missing": 20, "speck": 15, "border": 15}
"""How many errors of each kind a hundred holds."""
_GAP = 6
"""Pixels within which two cells are merged."""
_WRONG = 0.5


@dataclass(frozen=True)
class Planted:
    """One error.

    Parameters
    ----------
    kind
        One of ``MIXTURE``.
    true
        The true cells that it is about; none for a speck.
    cells
        The wrong cells; none where one is missing.
    at
        (y, x) of its middle.
    """

    kind: str
    true: tuple[int, ...]
    cells: tuple[int, ...]
    at: tuple[float, float]


def plant(truth: Labels, n: int, seed: int) -> tuple[Labels, list[Planted]]:
    """Return labels with ``n`` errors, each about other cells than every other one, and the errors.

    Raises
    ------
    ValueError
        When there are not enough cells.
    """
    rng = np.random.default_rng(seed)
    made, free = _Planting(truth, rng), {k: round(v * n / 100) for k, v in MIXTURE.items()}
    for kind, wanted in free.items():
        done = 0
        for cell in rng.permutation(made.ids).tolist() if kind != "speck" else [0] * (200 * wanted):
            if done == wanted:
                break
            done += bool(getattr(made, kind)(cell))
        if done < wanted:
            raise ValueError(f"Only {done} of {wanted} errors of the kind '{kind}' fit into {len(made.ids)} cells.")
    return made.labels, made.planted


class _Planting:
    def __init__(self, truth: Labels, rng: np.random.Generator) -> None:
        self.truth, self.labels, self.rng = truth, truth.copy(), rng
        self.boxes = ndimage.find_objects(truth)
        areas = np.bincount(truth.ravel())
        self.ids = np.array([i + 1 for i, b in enumerate(self.boxes) if b is not None and areas[i + 1] >= 60])
        self.areas, self.top = areas, int(truth.max())
        self.used: set[int] = set()
        self.planted: list[Planted] = []

    def merged(self, cell: int) -> bool:
        box = self._around(cell, _GAP)
        part = self.truth[box]
        near = ndimage.binary_dilation(part == cell, iterations=_GAP)
        others = [int(c) for c in np.unique(part[near]) if c not in (0, cell)]
        others = [c for c in others if c not in self.used and c in self.ids]
        if cell in self.used or not others:
            return False
        other = others[int(self.rng.integers(len(others)))]
        box = self._around(cell, _GAP, other)
        both = np.isin(self.truth[box], (cell, other))
        joined = ndimage.binary_closing(np.pad(both, _GAP), iterations=_GAP)[_GAP:-_GAP, _GAP:-_GAP]
        view = self.labels[box]
        view[joined & ((view == 0) | both)] = cell
        return self._note("merged", (cell, other), (cell,))

    def halves(self, cell: int) -> bool:
        if cell in self.used or self.areas[cell] < 120:
            return False
        box = self.boxes[cell - 1]
        at = np.argwhere(self.truth[box] == cell)
        turn = self.rng.uniform(0, np.pi)
        along = (at - at.mean(0)) @ np.array([np.sin(turn), np.cos(turn)])
        cut = np.quantile(along, self.rng.uniform(0.4, 0.6))
        self.top += 1
        side = at[along > cut]
        self.labels[box][side[:, 0], side[:, 1]] = self.top
        return self._note("halves", (cell,), (cell, self.top))

    def missing(self, cell: int) -> bool:
        if cell in self.used:
            return False
        view = self.labels[self.boxes[cell - 1]]
        view[view == cell] = 0
        return self._note("missing", (cell,), ())

    def speck(self, cell: int) -> bool:
        h, w = self.truth.shape
        radius = 0.35 * np.sqrt(np.median(self.areas[self.ids]) / np.pi)
        y, x = self.rng.uniform(radius + 1, h - radius - 1), self.rng.uniform(radius + 1, w - radius - 1)
        rows, columns = np.indices((h, w), sparse=True)
        inside = np.hypot(rows + 0.5 - y, columns + 0.5 - x) <= radius
        if (self.truth[inside] != 0).any() or (self.labels[inside] != 0).any():
            return False
        self.top += 1
        self.labels[inside] = self.top
        self.planted.append(Planted("speck", (), (self.top,), (y, x)))
        return True

    def border(self, cell: int) -> bool:
        """Shift the cell by more than half of its width, or shrink or grow it until it overlaps by less than half."""
        if cell in self.used:
            return False
        reach = int(np.sqrt(self.areas[cell]))
        box = self._around(cell, reach)
        mask, view = self.truth[box] == cell, self.labels[box]
        how = self.rng.integers(3)
        if how == 0:
            turn, far = self.rng.uniform(0, 2 * np.pi), 0.55 * np.sqrt(self.areas[cell])
            wrong = ndimage.shift(mask.astype(np.uint8), far * np.array([np.sin(turn), np.cos(turn)]), order=0) > 0
        else:
            grow = ndimage.binary_dilation if how == 1 else ndimage.binary_erosion
            wrong = mask
            for _ in range(reach):
                if self._overlap(wrong & ((view == 0) | mask), mask) < _WRONG:
                    break
                wrong = grow(wrong)
        wrong = wrong & ((view == 0) | mask)
        if self._overlap(wrong, mask) >= _WRONG or wrong.sum() < 30:
            return False
        view[mask & (view == cell)] = 0
        view[wrong] = cell
        return self._note("border", (cell,), (cell,))

    def _overlap(self, a: npt.NDArray[np.bool_], b: npt.NDArray[np.bool_]) -> float:
        return float((a & b).sum() / max((a | b).sum(), 1))

    def _note(self, kind: str, true: tuple[int, ...], cells: tuple[int, ...]) -> bool:
        self.used.update(true)
        where = np.concatenate([np.argwhere(self.truth[self.boxes[t - 1]] == t) + self._corner(t) for t in true])
        y, x = where.mean(0) + 0.5
        self.planted.append(Planted(kind, true, cells, (float(y), float(x))))
        return True

    def _corner(self, cell: int) -> npt.NDArray[np.int64]:
        return np.array([s.start for s in self.boxes[cell - 1]])

    def _around(self, cell: int, margin: int, *more: int) -> tuple[slice, slice]:
        boxes = [self.boxes[c - 1] for c in (cell, *more)]
        h, w = self.truth.shape
        rows, columns = ([b[axis] for b in boxes] for axis in (0, 1))
        return (
            slice(max(min(s.start for s in rows) - margin, 0), min(max(s.stop for s in rows) + margin, h)),
            slice(max(min(s.start for s in columns) - margin, 0), min(max(s.stop for s in columns) + margin, w)),
        )


def overlaps(labels: Labels, truth: Labels) -> dict[str, Any]:
    """Return the pixels that each cell (rows) shares with each true one (columns), and the areas of both."""
    width = int(truth.max()) + 1
    pairs, n = np.unique(labels.astype(np.int64).ravel() * width + truth.ravel(), return_counts=True)
    found, true = np.divmod(pairs, width)
    return {
        "cell": found,
        "true": true,
        "n": n,
        "cells": np.bincount(labels.ravel()),
        "trues": np.bincount(truth.ravel()),
    }


def repaired(error: Planted, labels: Labels, truth: Labels, table: dict[str, Any]) -> bool:
    """Return whether each true cell now is one cell, and no piece of it another; a speck must be gone."""
    if error.kind == "speck":
        y, x = (int(v) for v in error.at)
        return int(labels[y, x]) == 0
    for true in error.true:
        at = (table["true"] == true) & (table["cell"] > 0)
        cells, n = table["cell"][at], table["n"][at]
        union = table["cells"][cells] + table["trues"][true] - n
        pieces = n >= 0.5 * table["cells"][cells]
        if not len(cells) or (n / union).max() < 0.5 or pieces.sum() > 1:
            return False
    return True
