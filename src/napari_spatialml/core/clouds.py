"""Pictures of points: each as a disc, or so many of them that a pixel counts what lies in it.

Both draw every point. A picture is a function of the points alone: neither the order of the rows nor
chance other than a fixed shuffle decides what lies on top.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["counted", "discs", "most_frequent"]

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
_FAINTEST = 0.45
"""The opacity of a pixel that holds one point, where others hold many."""
_TABLE = 4_000_000
"""Entries of a table of pixels and colours; a larger one is replaced by sorting."""


def discs(at: npt.NDArray[np.float64], colours: Bytes, shape: tuple[int, int], diameter: float) -> Bytes:
    """Draw each point as a smooth disc.

    Parameters
    ----------
    at
        (n, 2) as (row, column) in pixels; those outside are cut off at the border.
    colours
        (n, 4) red, green, blue and opacity.
    shape
        (y, x) of the picture.
    diameter
        Of a disc in pixels, ≥ 1.

    Returns
    -------
    npt.NDArray[np.uint8]
        (y, x, 4), clear where no point is.

    Notes
    -----
    Where discs overlap, a fixed shuffle decides which lies on top, so that no category hides the others
    because its rows come last. O(n · diameter²).
    """
    height, width = shape
    picture = np.zeros((height * width, 4), np.uint8)
    order = np.random.default_rng(0).permutation(len(at))
    row, column = (np.floor(at[order, k]).astype(np.int64) for k in (0, 1))
    shown = colours[order]
    for dy, dx, share in _disc(float(diameter)):
        y, x = row + dy, column + dx
        inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
        drawn = shown[inside]
        if share < 1:
            drawn = drawn.copy()
            drawn[:, 3] = np.round(drawn[:, 3] * share)
        picture[y[inside] * width + x[inside]] = drawn
    return picture.reshape(height, width, 4)


@lru_cache(maxsize=16)
def _disc(diameter: float) -> tuple[tuple[int, int, float], ...]:
    """Return the pixels of a disc with the share that it covers of each, the least covered first."""
    if diameter <= 1:
        return ((0, 0, 1.0),)
    reach = int(np.ceil(diameter / 2))
    fine = (np.arange(-reach * 8 - 4, reach * 8 + 4) + 0.5) / 8
    covered = (fine[:, None] ** 2 + fine[None, :] ** 2 <= (diameter / 2) ** 2).reshape(2 * reach + 1, 8, -1, 8)
    share = covered.mean(axis=(1, 3))
    found = [(i - reach, j - reach, float(share[i, j])) for i, j in zip(*np.nonzero(share > 0.05), strict=True)]
    return tuple(sorted(found, key=lambda pixel: pixel[2]))


def counted(at: npt.NDArray[np.float64], codes: Ints, palette: Bytes, shape: tuple[int, int], *, mean: bool) -> Bytes:
    """Draw a two-dimensional histogram of points: the more in a pixel, the more opaque it is.

    Parameters
    ----------
    at
        (n, 2) as (row, column) in pixels; those outside are not in the picture.
    codes
        (n,) the place of each point's colour in the palette.
    palette
        (k, 4) red, green, blue and opacity.
    shape
        (y, x) of the picture.
    mean
        Whether a pixel has the mean place in the palette (a map of numbers), or the one that most of its
        points have (categories).

    Returns
    -------
    npt.NDArray[np.uint8]
        (y, x, 4), clear where no point is.
    """
    height, width = shape
    row, column = (np.floor(at[:, k]) for k in (0, 1))
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    pixel = row[inside].astype(np.int64) * width + column[inside].astype(np.int64)
    held = codes[inside]
    n = np.bincount(pixel, minlength=height * width)
    if mean:
        sums = np.bincount(pixel, weights=held, minlength=height * width)
        colour = np.rint(sums / np.maximum(n, 1)).astype(np.int64)
    else:
        colour = most_frequent(pixel, held, height * width, len(palette))
    picture: Any = palette[colour].copy()
    share = np.log1p(n) / np.log1p(max(int(n.max(initial=1)), 1))
    opacity = np.where(n > 0, _FAINTEST + (1 - _FAINTEST) * share, 0.0)
    picture[:, 3] = np.rint(picture[:, 3] * opacity)
    return np.asarray(picture.reshape(height, width, 4))


def most_frequent(groups: Ints, codes: Ints, n_groups: int, n_codes: int) -> Ints:
    """Return the code that is most frequent in each group, the smallest of equals; 0 for an empty group.

    Parameters
    ----------
    groups, codes
        (n,) 0 ≤ group < n_groups, 0 ≤ code < n_codes.
    n_groups, n_codes
        How many there are.
    """
    key = groups * n_codes + codes
    if n_groups * n_codes <= _TABLE:
        table = np.bincount(key, minlength=n_groups * n_codes).reshape(n_groups, n_codes)
        return np.asarray(table.argmax(axis=1))
    pairs, n = np.unique(key, return_counts=True)
    order = np.lexsort((pairs, -n, pairs // n_codes))
    first = pairs[order]
    held, start = np.unique(first // n_codes, return_index=True)
    found = np.zeros(n_groups, np.int64)
    found[held] = first[start] % n_codes
    return found
