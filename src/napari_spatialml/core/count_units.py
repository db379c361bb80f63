"""The unit in which a spot was counted, so that scaled counts say no more and no less than the counts themselves."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

__all__ = ["count_units"]

_NEAR = 1e-3
_DECILE = 10
_PARTS = 6


def count_units(counts: sp.csr_matrix) -> npt.NDArray[np.float64]:
    """Return what one count is in each row: the greatest number of which all values are multiples.

    Raw counts have 1, counts that were scaled by a factor have that factor. Where a row has no such
    number (counts added up from corrected ones), it is the lowest decile of its values, which
    scales with them all the same.

    Parameters
    ----------
    counts
        (n, g) ≥ 0.

    Returns
    -------
    (n,) > 0; 1 for a row without counts.
    """
    rows = sp.csr_matrix(counts)
    rows.eliminate_zeros()
    filled = np.flatnonzero(np.diff(rows.indptr))
    units = np.ones(rows.shape[0])
    if not len(filled):
        return units
    starts = rows.indptr[:-1][filled]
    data = rows.data
    if np.issubdtype(data.dtype, np.integer) or bool((data == np.rint(data)).all()):
        units[filled] = np.gcd.reduceat(data.astype(np.int64), starts)
        return units
    lengths = np.diff(rows.indptr)[filled]
    least = np.minimum.reduceat(data, starts).astype(np.float64)
    found = np.zeros(len(filled))
    ratio = data / np.repeat(least, lengths)
    for part in range(1, _PARTS + 1):
        multiple = ratio * part
        apart = np.abs(multiple - np.rint(multiple)) > _NEAR * np.minimum(multiple, 100)
        fits = (found == 0) & ~np.logical_or.reduceat(apart, starts)
        found[fits] = least[fits] / part
        if (found > 0).all():
            break
    for row in np.flatnonzero(found == 0):
        found[row] = np.percentile(data[starts[row] : starts[row] + lengths[row]], _DECILE)
    units[filled] = found
    return units
