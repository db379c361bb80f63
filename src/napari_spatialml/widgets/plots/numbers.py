"""How numbers are said under a plot, and which columns hold numbers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...session import Document
from ...views.state import ColourBy
from ...views.values import is_categorical

__all__ = ["is_grouping", "is_measured", "logarithms", "said"]


def said(value: float) -> str:
    """Return a number in four digits, as a person writes it."""
    if value != 0 and (abs(value) >= 1e6 or abs(value) < 1e-3):
        return f"{value:.3g}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def logarithms(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return logarithms to base 10; NaN for values of 0 and less."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(values > 0, np.log10(values), np.nan)


_PLACES = ("array_row", "array_col", "row", "col")
"""Columns of numbers that only say where a spot stands in its grid."""


def is_measured(document: Document, choice: ColourBy, *, telling: bool = False) -> bool:
    """Whether a choice is a column of numbers; ``telling``: that differ, and are no places in a grid."""
    if choice.part != "obs" or (telling and choice.name in _PLACES):
        return False
    held = document.table(choice.table).obs[choice.name]
    return not is_categorical(held) and (not telling or bool(held.max() > held.min()))


def is_grouping(document: Document, choice: ColourBy, *, telling: bool = False) -> bool:
    """Whether a choice is a column of categories; ``telling``: of more than one that has rows."""
    if choice.part != "obs":
        return False
    held = document.table(choice.table).obs[choice.name]
    return is_categorical(held) and (not telling or held.nunique() > 1)
