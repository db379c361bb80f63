"""Coarser pictures of millions of bins: the mean of what they measure, or the category that most of them have."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["category_levels", "mean_levels", "n_levels"]

SMALLEST = 1024
"""Bins along the longer side of the coarsest level, at most."""


def n_levels(shape: tuple[int, int]) -> int:
    """Return how many levels bins have, each half as fine as the one before."""
    return 1 + max(int(np.ceil(np.log2(max(shape) / SMALLEST))), 0)


def mean_levels(values: npt.NDArray[np.float32]) -> list[npt.NDArray[np.float32]]:
    """Return levels of (y, x) values, NaN where there is no bin; a coarser pixel is the mean of its bins.

    Notes
    -----
    Bins of 2 µm are mostly zero for any one gene: each second, third … bin alone would show noise, and the
    mean shows where the gene is. Eleven million bins take about 0.1 s.
    """
    from .bin_kernels import halve_means

    made, there = [values], np.isfinite(values)
    total, count = np.where(there, values, np.float32(0)), there.astype(np.int32)
    for _ in range(n_levels(_size(values)) - 1):
        shape = tuple(-(-n // 2) for n in total.shape)
        coarse, many = np.empty(shape, np.float32), np.empty(shape, np.int32)
        halve_means(total, count, coarse, many)
        total, count = coarse, many
        made.append(np.where(count > 0, total / np.maximum(count, 1), np.float32(np.nan)).astype(np.float32))
    return made


def category_levels(codes: npt.NDArray[Any], n_codes: int) -> list[npt.NDArray[Any]]:
    """Return levels of (y, x) categories, 0 for none; a coarser pixel has the category of most of its bins."""
    from .bin_kernels import most_frequent

    made = [codes]
    for k in range(1, n_levels(_size(codes))):
        coarse = np.empty(tuple(-(-n // 2**k) for n in codes.shape), codes.dtype)
        most_frequent(codes, 2**k, n_codes, coarse)
        made.append(coarse)
    return made


def _size(values: npt.NDArray[Any]) -> tuple[int, int]:
    return int(values.shape[0]), int(values.shape[1])
