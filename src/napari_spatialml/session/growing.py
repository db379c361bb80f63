"""How many points each bin holds of those that were read so far: the picture while an index is being made."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Growing"]

_FIRST, _MOST = 512, 1024
"""Bins along the longer side of the first piece, and at most."""
Counts = npt.NDArray[np.uint32]


class Growing:
    """Counts points as they are read, without knowing how far they will reach; one thread adds, another looks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counts = np.zeros((0, 0), np.uint32)
        self._first = np.zeros(2, np.int64)  # the number of the first bin from the origin
        self._edge = 0.0
        self.n = 0

    def add(self, where: npt.NDArray[Any]) -> None:
        """Count some more: (n, 2) as (y, x) in the points' own coordinates, all finite, n > 0."""
        from ..core.point_kernels import added

        low, high = where.min(0).astype(np.float64), where.max(0).astype(np.float64)
        with self._lock:
            if not self._edge:
                self._edge = 2.0 ** np.ceil(np.log2(max(float((high - low).max()), 1e-6) / _FIRST))
                self._first = np.floor(low / self._edge).astype(np.int64)
            self._reach(low, high)
            added(where, self._first * self._edge, self._edge, self._counts)
            self.n += len(where)

    def now(self) -> tuple[Counts, tuple[float, float], float]:
        """Return the counts so far, (h, w), the corner (y, x) of the first bin, and the edge of a bin."""
        with self._lock:
            y, x = self._first * self._edge
            return self._counts.copy(), (float(y), float(x)), self._edge

    def _reach(self, low: npt.NDArray[np.float64], high: npt.NDArray[np.float64]) -> None:
        """Let the bins hold a box; twice as wide ones where they would be too many."""
        while True:
            first = np.minimum(np.floor(low / self._edge).astype(np.int64), self._first)
            end = np.maximum(np.floor(high / self._edge).astype(np.int64) + 1, self._first + self._counts.shape)
            if (end - first).max() <= _MOST:
                break
            self._coarsen()
        (top, left), (bottom, right) = self._first - first, end - self._first - self._counts.shape
        self._counts, self._first = np.pad(self._counts, ((top, bottom), (left, right))), first

    def _coarsen(self) -> None:
        first = self._first // 2
        before = self._first - 2 * first
        after = (before + self._counts.shape) % 2
        fine = np.pad(self._counts, tuple(zip(before, after, strict=True)))
        h, w = fine.shape
        self._counts = fine.reshape(h // 2, 2, w // 2, 2).sum((1, 3), dtype=np.uint32)
        self._first, self._edge = first, 2 * self._edge
