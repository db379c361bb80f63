"""How far a map of domains agrees with any other labelling of the same rows, and how smooth either lies.

As in `comparing`, the document is read on the thread of the window, and what is returned does the work on any.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.domain_metrics import ComparedLabellings, compared_labellings
from ..core.report import Report
from ..errors import BadInput, SpatialMLError
from .labelling import Labelling, labelling
from .tissue_rows import sections_of

if TYPE_CHECKING:
    from .document import Document

__all__ = ["Agreement", "Figure", "agreement"]


@dataclass(frozen=True)
class Figure:
    """One figure of the agreement, with what it says.

    Parameters
    ----------
    name
        "ARI", "NMI", "CHAOS" or "PAS".
    values
        One number, or one for each of the two labellings.
    means
        What it measures, in one line.
    """

    name: str
    values: tuple[float, ...]
    means: str


@dataclass(frozen=True, eq=False)
class Agreement:
    """Two labellings of the same rows.

    Parameters
    ----------
    first, second
        The labellings; names without a row are left out.
    found
        The figures. Of its table the columns stand as in ``order``.
    order
        (b,) places in ``found.names_b``: those that fit the first's names best come in their order.
    """

    first: Labelling
    second: Labelling
    found: ComparedLabellings
    order: npt.NDArray[np.int64]

    @property
    def rows_named(self) -> tuple[str, ...]:
        """The names of the rows of `counts`: those of the first."""
        return self.found.names_a

    @property
    def columns_named(self) -> tuple[str, ...]:
        """The names of the columns of `counts`: those of the second."""
        return tuple(self.found.names_b[k] for k in self.order)

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """(a, b) how many rows of the table have each pair of names."""
        return np.asarray(self.found.confusion[:, self.order])

    def rows(self, first: str, second: str) -> npt.NDArray[np.int64]:
        """Return the rows that have a pair of names, ascending."""
        return np.intersect1d(self.first.rows(first), self.second.rows(second), assume_unique=True)

    def frame(self) -> pd.DataFrame:
        """Return the table of counts with its names."""
        index = pd.Index(self.rows_named, name=self.first.title)
        return pd.DataFrame(self.counts, index=index, columns=pd.Index(self.columns_named, name=self.second.title))

    def figures(self) -> tuple[Figure, ...]:
        """Return ARI and NMI, and CHAOS and PAS of both where it is known where the rows lie."""
        found = self.found
        made = [
            Figure("ARI", (found.adjusted_rand_index,), "adjusted Rand index: 1 is the same map, 0 is chance."),
            Figure(
                "NMI",
                (found.normalised_mutual_information,),
                "normalised mutual information: how much one map tells of the other, from 0 to 1.",
            ),
        ]
        if found.chaos is not None:
            said = "mean distance to the next row of the same name, in spreads of the section: less is smoother."
            made.append(Figure("CHAOS", found.chaos, said))
        if found.pas is not None:
            said = "share of rows that most of their ten neighbours differ from: less is smoother."
            made.append(Figure("PAS", found.pas, said))
        return tuple(made)


def agreement(document: Document, table: str, column: str, other: str) -> Callable[[Report], Agreement]:
    """Prepare the comparison of a column of domains with another labelling of the same rows.

    Parameters
    ----------
    document, table, column
        The document, a table and its column of domains.
    other
        Another column, or "regions/<annotations>": see `labelling`.

    Raises
    ------
    BadInput, DocumentError
        When one of them is not there or holds measurements, or no row has a name in both.
    """
    from .gather import coordinates_of

    first, second = labelling(document, table, column).used(), labelling(document, table, other).used()
    if not bool(((first.codes >= 0) & (second.codes >= 0)).any()):
        raise BadInput(
            f"No row of '{table}' has a name in both '{first.title}' and '{second.title}'.",
            "Choose another labelling.",
        )
    where, sections = None, sections_of(document, table)
    # a table that lies nowhere can still be compared, only not for smoothness
    with suppress(SpatialMLError):
        where = coordinates_of(document, table)

    def compare(report: Report) -> Agreement:
        report(0.0, f"{len(first.codes):,} rows")
        found = compared_labellings(_as_categories(first), _as_categories(second), where, sections)
        report(1.0, "Compared")
        return Agreement(first, second, found, _matched(found.confusion))

    return compare


def _as_categories(named: Labelling) -> pd.Categorical:
    return pd.Categorical.from_codes(named.codes, list(named.names))


def _matched(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return an order of the columns in which the heaviest pairs stand along the diagonal; the others come last."""
    from scipy.optimize import linear_sum_assignment

    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    rows, columns = linear_sum_assignment(-share)
    taken = columns[np.argsort(rows)]
    rest = np.setdiff1d(np.arange(counts.shape[1]), taken)
    strongest = counts[:, rest].argmax(0) if len(rest) else rest
    return np.asarray(np.concatenate([taken, rest[np.argsort(strongest, kind="stable")]]), np.int64)
