"""Whether a table holds raw counts, normalised values or their logarithms, and the way back where there is one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from ..errors import BadInput
from .count_units import count_units

__all__ = ["State", "as_counts", "is_raw"]

State = Literal["raw", "normalised", "log-normalised", "signatures"]
_BLOCK = 1 << 22
_FIRST = 500
"""Rows on which a guess is made, before all rows have to bear it out."""
_EVEN = 1e-3
"""Totals that vary by less than this share of their mean are one constant."""
_WHOLE = 0.02
_MOST_WHOLE = 0.99
_HIGHEST_LOGARITHM = 30.0
_NEAR = 2e-3
"""A value this share from a whole number of counts is one: float32 and logarithms leave less."""
_LARGE = 0.2
"""No value may be farther than this from a whole number, however large it is."""


def is_raw(matrix: Any) -> bool:
    """Return whether every value is a whole number, 0 or more."""
    return all(bool(((block >= 0) & (block == np.rint(block))).all()) for block in _blocks(matrix))


def as_counts(matrix: Any, what: str) -> tuple[sp.csr_matrix, State, tuple[str, ...]]:
    """Return a table as counts, or as near as one can come to them, what it held, and what was done.

    Parameters
    ----------
    matrix
        (m, g) cells by genes.
    what
        What it is called in messages, as "the counts of 'reference.h5ad'".

    Raises
    ------
    BadInput
        When a value is negative, NaN or infinite.

    Notes
    -----
    Normalised counts, or their logarithms, whose genes each are a whole number times one value of their cell are
    divided by that value: these are the raw counts again, with the size of each cell, which normalising had taken.
    """
    found = sp.csr_matrix(matrix)
    _refuse(found, what)
    if is_raw(found):
        return found, "raw", ()
    if _normalised(found):
        counts = _counted(found)
        if counts is not None:
            note = "were normalised: the counts were found again, of which all values of a cell are multiples"
            return counts, "raw", (f"{_capital(what)} {note}.",)
        note = (
            "They were normalised, so each cell counts as much as any other. Raw counts are better, if you have them."
        )
        return found, "normalised", (f"{_capital(what)} are no raw counts. {note}",)
    for base, name in ((np.e, "natural"), (2.0, "binary"), (10.0, "decadic")):
        if float(found.data.max()) <= _HIGHEST_LOGARITHM and _normalised(_unlogged(found[:_FIRST], base)):
            back = _unlogged(found, base)
            if _normalised(back):
                note = f"{name} logarithms of normalised counts plus one: the logarithm was taken back"
                counts = _counted(back)
                if counts is not None:
                    return counts, "raw", (f"{_capital(what)} are {note}, and the counts were found again.",)
                return back, "log-normalised", (f"{_capital(what)} are {note}.",)
    likely = float(found.data.max()) <= _HIGHEST_LOGARITHM
    meant = "they may be logarithms, which no mixture adds up" if likely else "they were taken as they are"
    note = f"are no raw counts (such as {_example(found)}) and no known normalisation: {meant}. Take the raw counts."
    return found, "log-normalised" if likely else "normalised", (f"{_capital(what)} {note}",)


def _refuse(found: sp.csr_matrix, what: str) -> None:
    bad = sum(int((~np.isfinite(block)).sum()) for block in _blocks(found))
    if bad:
        raise BadInput(f"{_capital(what)} hold {bad:,} values that are NaN or infinite.", "Take the raw counts.")
    negative = sum(int((block < 0).sum()) for block in _blocks(found))
    if negative:
        raise BadInput(
            f"{_capital(what)} hold {negative:,} negative values (least {found.data.min():.3g}).",
            "They were scaled or corrected: take the raw counts.",
        )


def _normalised(found: sp.csr_matrix) -> bool:
    """Return whether all cells have one total, or each is a multiple of its own least value.

    The second holds of counts that were divided by their cell's total before genes were left out.
    """
    totals = np.asarray(found.sum(1), np.float64).ravel()
    totals = totals[totals > 0]
    if len(totals) == 0:
        return False
    if totals.std() < _EVEN * totals.mean() and len(totals) > 1:
        return True
    n = np.diff(found.indptr)
    starts = found.indptr[:-1][n > 0]
    least = np.repeat(np.minimum.reduceat(np.where(found.data > 0, found.data, np.inf), starts), n[n > 0])
    parts = found.data / least
    small = parts <= 50  # beyond, rounding to float32 tells nothing
    several = small & (parts > 1.5)
    off = np.abs(parts - np.rint(parts))[several]
    return len(off) > 20 and bool((off < _WHOLE).mean() > _MOST_WHOLE)


def _counted(found: sp.csr_matrix) -> sp.csr_matrix | None:
    """Return the counts that were normalised, where every value is a whole number times one value of its cell."""
    for rows in (found[:_FIRST], found):
        made = sp.csr_matrix(rows, dtype=np.float64, copy=True)
        made.eliminate_zeros()
        made.data /= np.repeat(count_units(made), np.diff(made.indptr))
        off = np.abs(made.data - np.rint(made.data))
        if not len(off) or bool((off > np.minimum(_NEAR * made.data, _LARGE)).any()):
            return None
    made.data = np.rint(made.data).astype(np.float32)
    return made


def _unlogged(found: sp.csr_matrix, base: float) -> sp.csr_matrix:
    values = np.expm1(found.data.astype(np.float64) * np.log(base)).astype(np.float32)
    return sp.csr_matrix((values, found.indices, found.indptr), shape=found.shape)


def _example(found: sp.csr_matrix) -> str:
    return f"{float(found.data[found.data != np.rint(found.data)][0]):.4g}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _blocks(matrix: Any) -> Iterator[npt.NDArray[Any]]:
    values = matrix.data if sp.issparse(matrix) else np.asarray(matrix).ravel()
    for start in range(0, len(values), _BLOCK):
        yield values[start : start + _BLOCK]
