"""How two labellings of the same rows agree, and how smooth a labelling lies on the tissue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from .arrays import as_coordinates, require
from .graph import knn_graph
from .metrics import adjusted_rand_index, normalised_mutual_information

__all__ = [
    "ComparedLabellings",
    "adjusted_rand_index",
    "chaos",
    "compared_labellings",
    "normalised_mutual_information",
    "numbered",
    "pas",
]

Ints = npt.NDArray[np.int64]

_NEIGHBOURS = 10
_LONE = 2
"""A domain of so few rows adds nothing to CHAOS."""


@dataclass(frozen=True, eq=False)
class ComparedLabellings:
    """Two labellings of the same rows.

    Parameters
    ----------
    names_a, names_b
        What the labels are called: the rows and the columns of the table.
    confusion
        (a, b) how many rows have each pair of labels.
    adjusted_rand_index
        1 is the same partition, 0 is chance.
    normalised_mutual_information
        0..1.
    chaos, pas
        Of the first and of the second labelling; None without coordinates. Lower is smoother.
    compared
        How many rows have both labels: all figures are of these.
    left_out
        How many rows lack one of them.
    """

    names_a: tuple[str, ...]
    names_b: tuple[str, ...]
    confusion: Ints
    adjusted_rand_index: float
    normalised_mutual_information: float
    chaos: tuple[float, float] | None
    pas: tuple[float, float] | None
    compared: int
    left_out: int


def numbered(labels: Any) -> tuple[Ints, tuple[str, ...]]:
    """Return (n,) numbers of labels and what each number is called; -1 where a label is missing.

    Parameters
    ----------
    labels
        (n,) names, categories or numbers. None, NaN, "" and whole numbers below 0 are missing. The order is that
        of the categories, else of the numbers, else of the alphabet; names without a row are left out.
    """
    import pandas as pd

    column = pd.Series(labels).reset_index(drop=True)
    if not isinstance(column.dtype, pd.CategoricalDtype):
        if pd.api.types.is_numeric_dtype(column.dtype) and column.dtype != bool:
            column = column.where(column >= 0)
        column = column.astype("category")
    column = column.cat.remove_unused_categories()
    names = [str(c) if not isinstance(c, float) or not c.is_integer() else str(int(c)) for c in column.cat.categories]
    codes = column.cat.codes.to_numpy().astype(np.int64)
    if "" in names:
        empty = names.index("")
        codes = np.where(codes == empty, -1, codes - (codes > empty))
        names.pop(empty)
    return codes, tuple(names)


def chaos(labels: Any, coordinates: Any, sections: Any = None) -> float:
    r"""Return the mean distance of rows to the nearest row of the same domain: lower is smoother.

    Parameters
    ----------
    labels
        (n,), as in `numbered`; rows without a label are left out.
    coordinates
        (n, 2) as (y, x) in any unit.
    sections
        (n,) the section of each row; distances are taken within it. None: all on one.

    Returns
    -------
    float
        NaN where no row has a label.

    Notes
    -----
    :math:`CHAOS = \frac{1}{n} \sum_k \sum_{i \in k} d_{ik}` with d the distance to the nearest other row of the
    domain, on coordinates of which each axis is scaled to unit variance. So it does not depend on the unit, but
    on how the section is turned, and it falls with the number of rows: compare labellings of the same rows only.
    A domain of one or two rows adds nothing to the sum. O(n log n).

    References
    ----------
    Yuan et al., Nature Methods 21, 712 (2024), doi:10.1038/s41592-024-02215-8; first in Shang and Zhou, Nature
    Communications 13, 7203 (2022), doi:10.1038/s41467-022-34879-1.
    """
    codes, where = _placed(labels, coordinates)
    total = 0.0
    for rows in _by_section(codes, sections):
        spread = where[rows].std(0)
        scaled = (where[rows] - where[rows].mean(0)) / np.where(spread > 0, spread, 1.0)
        for own in _members(codes[rows]):
            if len(own) > _LONE:
                total += float(cKDTree(scaled[own]).query(scaled[own], k=2)[0][:, 1].sum())
    n = int((codes >= 0).sum())
    return total / n if n else float("nan")


def pas(labels: Any, coordinates: Any, sections: Any = None) -> float:
    """Return the share of rows most of whose 10 nearest neighbours are of another domain: lower is smoother.

    Parameters
    ----------
    labels, coordinates, sections
        As in `chaos`.

    Returns
    -------
    float
        In 0..1; NaN where no row has a label.

    Notes
    -----
    A row counts if at least 6 of its 10 nearest neighbours have another label. Where several rows are as near as
    the tenth, as on a grid, all of them are neighbours and more than half must differ: the published figure takes
    any ten, and so depends on the order of the rows. O(n log n).

    References
    ----------
    Yuan et al., Nature Methods 21, 712 (2024), doi:10.1038/s41592-024-02215-8.
    """
    codes, where = _placed(labels, coordinates)
    abnormal = 0
    for rows in _by_section(codes, sections):
        graph = knn_graph(where[rows], _NEIGHBOURS)
        own = codes[rows]
        number = np.diff(graph.indptr)
        differ = own[graph.indices] != np.repeat(own, number)
        others = np.bincount(np.repeat(np.arange(len(rows)), number), weights=differ, minlength=len(rows))
        abnormal += int((2 * others > number).sum())
    n = int((codes >= 0).sum())
    return abnormal / n if n else float("nan")


def compared_labellings(a: Any, b: Any, coordinates: Any = None, sections: Any = None) -> ComparedLabellings:
    """Compare two labellings of the same rows: which is which, how far they agree, how smooth each is.

    Parameters
    ----------
    a, b
        (n,), as in `numbered`. Rows without both labels are left out, and counted.
    coordinates
        (n, 2) as (y, x); None leaves CHAOS and PAS out.
    sections
        (n,) the section of each row; None: all on one.

    Raises
    ------
    BadInput
        If the lengths differ, or no row has both labels.
    """
    n_a, n_b = len(a), len(b)
    require(n_a == n_b, f"There are {n_a} and {n_b} labels.", "Give two labellings of the same rows.")
    codes_a, codes_b = numbered(a)[0], numbered(b)[0]
    both = (codes_a >= 0) & (codes_b >= 0)
    require(bool(both.any()), "No row has a label in both.", "Choose two columns over the same rows.")
    (codes_a, names_a), (codes_b, names_b) = _kept(a, both), _kept(b, both)
    confusion = np.zeros((len(names_a), len(names_b)), np.int64)
    np.add.at(confusion, (codes_a, codes_b), 1)
    smooth_chaos = smooth_pas = None
    if coordinates is not None:
        where = as_coordinates(coordinates, "The coordinates", n_a)[both]
        on = None if sections is None else np.asarray(sections)[both]
        smooth_chaos = chaos(codes_a, where, on), chaos(codes_b, where, on)
        smooth_pas = pas(codes_a, where, on), pas(codes_b, where, on)
    return ComparedLabellings(
        names_a,
        names_b,
        confusion,
        adjusted_rand_index(codes_a, codes_b),
        normalised_mutual_information(codes_a, codes_b),
        smooth_chaos,
        smooth_pas,
        int(both.sum()),
        int((~both).sum()),
    )


def _kept(labels: Any, both: npt.NDArray[np.bool_]) -> tuple[Ints, tuple[str, ...]]:
    import pandas as pd

    return numbered(pd.Series(labels).reset_index(drop=True)[both])


def _placed(labels: Any, coordinates: Any) -> tuple[Ints, npt.NDArray[np.float64]]:
    codes, _ = numbered(labels)
    return codes, as_coordinates(coordinates, "The coordinates", len(codes))


def _members(codes: Ints) -> Sequence[Ints]:
    order = np.argsort(codes, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)


def _by_section(codes: Ints, sections: Any) -> list[Ints]:
    """Return the labelled rows of each section."""
    there = np.flatnonzero(codes >= 0)
    if sections is None or not len(there):
        return [there] if len(there) else []
    number = np.unique(np.asarray(sections)[there], return_inverse=True)[1]
    return [there[rows] for rows in _members(number.astype(np.int64))]
