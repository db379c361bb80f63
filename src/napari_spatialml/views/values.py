"""The values by which an element is coloured, one a row of a table, with their colours or limits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.colours import category_colours, limits
from ..errors import BadInput
from ..session import Document
from ..session.features import feature
from ..session.scales import Scale, linked
from .state import TOTAL, ColourBy
from .trust_columns import trust_of

__all__ = [
    "Categories",
    "Measured",
    "Values",
    "by_hand_mark",
    "categories_of",
    "column_of",
    "revision_of",
    "scaled",
    "values_of",
]


@dataclass(frozen=True, eq=False)
class Categories:
    """A category a row.

    Parameters
    ----------
    ids
        (n,) the instances that the rows annotate.
    codes
        (n,) numbers into ``names``; -1 where there is none.
    names, colours
        The categories in their order, and "#rrggbb" for each.
    """

    ids: npt.NDArray[Any]
    codes: npt.NDArray[np.int64]
    names: tuple[str, ...]
    colours: tuple[str, ...]
    faint: npt.NDArray[np.bool_] | None = None
    """(n,) the rows that a selection leaves out, or None."""
    pale: npt.NDArray[np.float32] | None = None
    """(n,) how far each is faded, 0 to 1, or None."""
    gone: npt.NDArray[np.bool_] | None = None
    """(n,) the rows that a filter takes away: without a category like others, but not drawn at all; or None."""

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """How many rows each category has."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.names))


@dataclass(frozen=True, eq=False)
class Measured:
    """A number a row; NaN where there is none."""

    ids: npt.NDArray[Any]
    numbers: npt.NDArray[np.float32]
    limits: tuple[float, float]
    colormap: str = "viridis"
    unit: str = ""
    faint: npt.NDArray[np.bool_] | None = None
    """As of `Categories`."""
    log: bool = False
    """Whether the numbers and the limits are logarithms of 1 + value."""
    beside: npt.NDArray[np.float32] | None = None
    """(n, t) all numbers with which these share their limits, or None."""


Values = Categories | Measured


def revision_of(document: Document, colour: ColourBy) -> tuple[int, ...]:
    """Return a token that changes whenever the values or their colours do."""
    table = ("tables", colour.table)
    if colour.part == "obs":
        return (document.revision((*table, "obs", colour.name)), document.revision(("attrs", "colours")))
    if colour.part == "obsm":
        return (document.revision((*table, "obsm", colour.name.partition("/")[0])),)
    # a run adds columns, and never touches X: only what replaces rows counts
    return (document.revision((*table, "X")),)


def values_of(document: Document, colour: ColourBy, element: str) -> Values:
    """Return the values by which an element is coloured: those of the rows that annotate it.

    Raises
    ------
    BadInput, DocumentError
        When the table does not hold them.
    """
    rows = document.rows(colour.table, element)
    held, ids = column_of(document, colour), document.instances(colour.table)
    if len(rows) < len(ids):
        held, ids = held.iloc[rows], ids[rows]
    if is_categorical(held):
        return _categories(document, colour, held, ids)
    numbers = np.asarray(held, dtype=np.float32)
    trust = trust_of(document, colour)
    if trust is not None:
        return Measured(ids, numbers, (0.0, 1.0), trust.colormap)
    output = linked(document, colour.table, colour.key)
    if output:  # proportions sum to one: a colour means the same share of every type
        shares = document.table(colour.table).obsm[output].to_numpy(np.float32)
        return Measured(ids, numbers, (0.0, 1.0), _map(colour), beside=shares)
    return Measured(ids, numbers, _limits(numbers), _map(colour), _unit(colour))


def scaled(values: Values, scale: Scale) -> Values:
    """Return measurements with the map and the limits that a person chose; categories as they are."""
    if not isinstance(values, Measured) or scale == Scale():
        return values
    low, high = values.limits
    if scale.low is not None and scale.high is not None:
        by_value = scale.by == "value"
        pool = values.numbers if values.beside is None else values.beside
        low, high = (scale.low, scale.high) if by_value else limits(pool, scale.low, scale.high)
    made = replace(values, limits=(low, high), colormap=scale.colormap or values.colormap)
    if not scale.log:
        return made
    ends = float(np.log1p(max(low, 0.0))), float(np.log1p(max(high, 1e-6)))
    with np.errstate(invalid="ignore", divide="ignore"):
        numbers = np.log1p(np.maximum(values.numbers, 0))
    return replace(made, numbers=numbers, limits=ends, log=True)


def is_categorical(values: pd.Series[Any]) -> bool:
    """Whether values are names rather than measurements."""
    return isinstance(values.dtype, pd.CategoricalDtype) or values.dtype.kind in "OUSb" or values.dtype == "string"


def categories_of(document: Document, table: str, column: str) -> tuple[str, ...]:
    """Return the categories of a column, in order; none when it is absent or holds numbers."""
    held = document.table(table).obs.get(column)
    if held is None or not is_categorical(held):
        return ()
    return tuple(str(c) for c in held.astype("category").cat.categories)


def by_hand_mark(column: str) -> bool:
    """Whether a column only says which rows the hand has set."""
    return column.endswith("_by_hand")


def column_of(document: Document, colour: ColourBy) -> pd.Series[Any]:
    """Return the values of all rows of a table, as the table holds them."""
    table = document.table(colour.table)
    if colour.key == TOTAL and table.X is not None:
        return pd.Series(np.asarray(table.X.sum(axis=1)).ravel())
    if colour.part == "obs" and colour.name in table.obs:
        return table.obs[colour.name]
    if colour.part == "X" and colour.name in table.var_names:
        return pd.Series(feature(table.X, table.var_names.get_loc(colour.name)))
    if colour.part == "obsm":
        name, _, column = colour.name.partition("/")
        found = _of_obsm(table.obsm.get(name), column)
        if found is not None:
            return found
    raise BadInput(f"The table '{colour.table}' has no '{colour.key}'.", "Choose another colour.")


def _of_obsm(block: Any, column: str) -> pd.Series[Any] | None:
    if isinstance(block, pd.DataFrame):
        return block.get(column)
    if block is None or not column.isdigit() or int(column) >= block.shape[1]:
        return None
    return pd.Series(np.asarray(block[:, int(column)]).ravel())


def _categories(document: Document, colour: ColourBy, held: pd.Series[Any], ids: npt.NDArray[Any]) -> Categories:
    column = held.astype("category")
    names = tuple(str(c) for c in column.cat.categories)
    stored = document.colours(colour.name)
    colours = category_colours(names, stored)
    return Categories(
        ids, column.cat.codes.to_numpy().astype(np.int64), names, tuple(colours[n].lower() for n in names)
    )


def _limits(numbers: npt.NDArray[np.float32]) -> tuple[float, float]:
    """Percentiles, but counts and shares start at 0: an absent gene must look absent."""
    low, high = limits(numbers)
    smallest = np.nanmin(numbers) if np.isfinite(numbers).any() else 0.0
    return (0.0, high) if smallest >= 0 and low < 0.3 * high else (low, high)


def _map(colour: ColourBy) -> str:
    return "cividis" if colour.part == "obsm" else "viridis"


def _unit(colour: ColourBy) -> str:
    """Read the unit off a column's name, as this program writes it: area_um2, diameter_um."""
    if colour.name.endswith("_um2"):
        return "µm²"
    return "µm" if colour.name.endswith("_um") else ""
