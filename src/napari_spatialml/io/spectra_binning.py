"""Spectra with their own m/z axes onto one common axis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["TOLERANCE_PPM", "CommonAxis"]

TOLERANCE_PPM = 20.0
"""Peaks this close are one; time-of-flight instruments drift by about as much within a section."""
FINE = 10


class CommonAxis:
    """The m/z at which a set of spectra has peaks, found in one pass with bounded memory.

    Peaks are counted in fine bins of a tenth of the tolerance, geometric in m/z. A run of occupied bins
    that ends in a gap of half the tolerance is one feature; a run longer than the tolerance (a profile,
    not centroids) is cut into pieces of that width.

    Parameters
    ----------
    tolerance_ppm
        Width of a feature relative to its m/z, in parts per million.

    Notes
    -----
    O(peaks) time; memory grows with the number of occupied fine bins, not with the number of spectra.
    """

    def __init__(self, tolerance_ppm: float = TOLERANCE_PPM) -> None:
        self._step = np.log1p(tolerance_ppm * 1e-6) / FINE
        self._bins = np.empty(0, dtype=np.int64)
        self._counts = np.empty(0, dtype=np.int64)
        self._sums = np.empty(0, dtype=np.float64)
        self._pending: list[npt.NDArray[np.float64]] = []
        self._n_pending = 0

    def add(self, mz: npt.NDArray[np.floating[Any]]) -> None:
        """Count the m/z of one spectrum."""
        self._pending.append(np.asarray(mz, dtype=np.float64))
        self._n_pending += len(mz)
        if self._n_pending > 2_000_000:
            self._merge()

    def _merge(self) -> None:
        if not self._pending:
            return
        mz = np.concatenate(self._pending)
        self._pending, self._n_pending = [], 0
        keys = np.concatenate([self._bins, np.floor(np.log(mz) / self._step).astype(np.int64)])
        self._bins, back = np.unique(keys, return_inverse=True)
        counts = np.concatenate([self._counts, np.ones(len(mz), dtype=np.int64)])
        sums = np.concatenate([self._sums, mz])
        self._counts = np.bincount(back, weights=counts, minlength=len(self._bins)).astype(np.int64)
        self._sums = np.bincount(back, weights=sums, minlength=len(self._bins)).astype(np.float64)

    def finish(
        self,
    ) -> tuple[npt.NDArray[np.float64], Callable[[npt.NDArray[np.floating[Any]]], npt.NDArray[np.int64]]]:
        """Return the m/z of the features, ascending, and the function from m/z to feature index."""
        self._merge()
        if not len(self._bins):
            return np.empty(0), lambda mz: np.empty(0, dtype=np.int64)
        gap = np.diff(self._bins, prepend=self._bins[0]) > FINE // 2
        run = np.cumsum(gap)
        starts = self._bins[np.flatnonzero(np.diff(run, prepend=-1))][run]
        piece = (self._bins - starts) // FINE
        feature = np.cumsum(gap | (np.diff(piece, prepend=0) != 0))
        mz = np.bincount(feature, self._sums) / np.bincount(feature, self._counts)
        bins, step = self._bins, self._step

        def index(values: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.int64]:
            keys = np.floor(np.log(np.asarray(values, dtype=np.float64)) / step).astype(np.int64)
            found: npt.NDArray[np.int64] = feature[np.searchsorted(bins, keys)]
            return found

        return mz, index
