"""Agreement of two readers who gave a class to the same things, beyond what chance would give."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import require
from .intervals import Estimate, proportion

__all__ = ["Classes", "class_agreement", "kappa"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Classes:
    """How two readers agree on classes.

    Parameters
    ----------
    names
        The classes that either reader used, in order.
    confusion
        (k, k) how many rows reader A (rows) and reader B (columns) put into each pair of classes.
    agreement
        The share on which they agree.
    kappa
        Cohen's kappa of all classes.
    per_class
        Kappa of each class against all others.
    left_out
        How many rows one of them gave no class.
    """

    names: tuple[str, ...]
    confusion: Floats
    agreement: Estimate
    kappa: Estimate
    per_class: tuple[Estimate, ...]
    left_out: int = 0


def kappa(confusion: npt.ArrayLike, *, counted: bool = True) -> Estimate:
    """Return Cohen's kappa of a table of counts, with its interval of large samples.

    Parameters
    ----------
    confusion
        (k, k) ≥ 0: counts of rows, or areas.
    counted
        Whether they count independent rows. Areas have no interval.

    Returns
    -------
    Estimate
        In -1..1: 1 is full agreement, 0 is chance; NaN where both readers used one class only.

    Notes
    -----
    Neighbouring spots and cells are alike, so that the rows of a section are not independent: the
    interval says how sure kappa is for these rows, and is narrow for the tissue.

    References
    ----------
    Cohen, Educational and Psychological Measurement 20, 37 (1960), eq. 1. The variance: Fleiss, Cohen
    and Everitt, Psychological Bulletin 72, 323 (1969), eq. 13.
    """
    table = np.asarray(confusion, dtype=np.float64)
    require(table.ndim == 2 and table.shape[0] == table.shape[1], f"The table is {table.shape}.", "Give a square one.")
    n = float(table.sum())
    if n == 0:
        return Estimate(nan)
    p = table / n
    a, b = p.sum(1), p.sum(0)
    observed, expected = float(np.trace(p)), float(a @ b)
    if 1 - expected < 1e-12:
        return Estimate(nan)
    value = (observed - expected) / (1 - expected)
    if not counted:
        return Estimate(value)
    off = p * (b[:, None] + a[None, :]) ** 2
    np.fill_diagonal(off, 0)
    spread = float((np.diag(p) * (1 - (a + b) * (1 - value)) ** 2).sum()) + (1 - value) ** 2 * float(off.sum())
    spread -= (value - expected * (1 - value)) ** 2
    half = 1.959963984540054 * sqrt(max(spread, 0.0) / n) / (1 - expected)
    return Estimate(value, max(-1.0, value - half), min(1.0, value + half))


def one_against_all(confusion: Floats, k: int) -> Floats:
    """Return the (2, 2) table of one class against all others."""
    both, of_a, of_b = confusion[k, k], confusion[k].sum(), confusion[:, k].sum()
    return np.array([[both, of_a - both], [of_b - both, confusion.sum() - of_a - of_b + both]])


def class_agreement(a: Any, b: Any) -> Classes:
    """Compare the classes that two readers gave to the same rows.

    Parameters
    ----------
    a, b
        (n,) names; None or NaN where a reader gave none. Such rows are left out.

    Raises
    ------
    BadInput
        If the lengths differ, or no row has a class of both.
    """
    import pandas as pd

    x, y = pd.Series(a).reset_index(drop=True), pd.Series(b).reset_index(drop=True)
    require(len(x) == len(y), f"There are {len(x)} rows of A and {len(y)} of B.", "Give classes of the same rows.")
    names = ordered_names(x, y)
    place = {name: k for k, name in enumerate(names)}
    both = (x.notna() & y.notna()).to_numpy()
    require(bool(both.any()), "No row has a class of both readers.", "Choose two columns over the same rows.")
    rows, columns = ([place[str(v)] for v in side[both]] for side in (x, y))
    confusion = np.zeros((len(names), len(names)))
    np.add.at(confusion, (rows, columns), 1)
    each = tuple(kappa(one_against_all(confusion, k)) for k in range(len(names)))
    agreed = proportion(int(np.trace(confusion)), int(confusion.sum()))
    return Classes(names, confusion, agreed, kappa(confusion), each, int((~both).sum()))


def ordered_names(*columns: Any) -> tuple[str, ...]:
    """Return the names that occur in columns: in the order of their categories, else of the alphabet."""
    import pandas as pd

    found: dict[str, None] = {}
    for column in columns:
        used = {str(v) for v in column.dropna().unique()}
        listed = column.cat.categories if isinstance(column.dtype, pd.CategoricalDtype) else sorted(used)
        found |= {str(v): None for v in listed if str(v) in used}
    return tuple(found)
