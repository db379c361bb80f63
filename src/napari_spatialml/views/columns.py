"""What a plot shows: the rows of a table that annotate an element, and their columns with unit and colours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..session import Document
from ..session.row_words import word_for
from .choices import choices_of, title_of
from .colormaps import colormap_of
from .state import TOTAL, ColourBy, Legend
from .values import Categories, column_of, is_categorical, values_of

__all__ = ["Axis", "Colours", "PlottedRows", "axis_of", "colours_of", "named_choices", "plottable", "rows_of"]

MISSING = (128, 128, 128, 110)
"""The colour of a row without a value: red, green, blue and opacity."""
PLAIN = (121, 176, 242, 255)
"""The colour of all rows where none was chosen."""
_LEVELS = 256


@dataclass(frozen=True, eq=False)
class PlottedRows:
    """The rows that a plot shows.

    Parameters
    ----------
    table, element
        The table, and the element that these rows of it annotate.
    places
        (n,) where the rows stand in the table, ascending.
    word
        What a row is, in the plural: "cells", "spots", "bins", "pixels".
    """

    table: str
    element: str
    places: npt.NDArray[np.int64]
    word: str

    @property
    def said(self) -> str:
        """The rows in words: "5,000 cells of 'nuclei' (table 'nuclei_table')"."""
        return f"{len(self.places):,} {self.word} of '{self.element}' (table '{self.table}')"


@dataclass(frozen=True, eq=False)
class Axis:
    """A column as a plot shows it: numbers, or categories.

    Parameters
    ----------
    colour
        Which column, gene or embedding.
    title, unit
        What it is called, and its unit or "".
    numbers
        (n,) one a row, NaN where there is none; None for categories.
    categories
        None for numbers.
    """

    colour: ColourBy
    title: str
    unit: str
    numbers: npt.NDArray[np.float64] | None = None
    categories: Categories | None = None

    @property
    def label(self) -> str:
        """The title with the unit: "area (µm²)"."""
        return f"{self.title} ({self.unit})" if self.unit else self.title


@dataclass(frozen=True, eq=False)
class Colours:
    """The colour of each row as a place in a palette; the last one is for rows without a value.

    Parameters
    ----------
    codes
        (n,) places in the palette.
    palette
        (k, 4) red, green, blue and opacity.
    ordered
        Whether neighbours in the palette are neighbouring numbers.
    ends
        The numbers at the two ends of such a palette.
    """

    codes: npt.NDArray[np.int64]
    palette: npt.NDArray[np.uint8]
    ordered: bool
    ends: tuple[float, float] = (0.0, 1.0)


def plottable(document: Document) -> tuple[tuple[str, str], ...]:
    """Return each table with each element of the section that its rows annotate."""
    there = {n for t in ("labels", "shapes", "points") for n in document.names(t)}
    return tuple((t, e) for t in document.names("tables") for e in document.regions(t) if e in there)


def rows_of(document: Document, table: str, element: str) -> PlottedRows:
    """Return the rows of a table that annotate an element."""
    places = np.asarray(document.rows(table, element), dtype=np.int64)
    return PlottedRows(table, element, places, word_for(document, element))


def named_choices(document: Document, rows: PlottedRows) -> dict[str, ColourBy]:
    """Return everything that rows can be plotted by, by a name that a person can type; features last."""
    found: dict[str, ColourBy] = {}
    for choice in choices_of(document, rows.element):
        if choice.table == rows.table:
            name = title_of(document, choice) if choice.key == TOTAL else choice.title
            found[name if name not in found else f"{name} ({choice.key})"] = choice
    return found


def axis_of(document: Document, colour: ColourBy, rows: PlottedRows) -> Axis:
    """Return a column of the rows.

    Raises
    ------
    BadInput, DocumentError
        When the table does not hold it.
    """
    held = column_of(document, colour)
    title = title_of(document, colour).replace("_", " ")
    if is_categorical(held):
        values = values_of(document, colour, rows.element)
        assert isinstance(values, Categories)
        return Axis(colour, title, "", categories=values)
    numbers = np.asarray(held.iloc[rows.places], dtype=np.float64)
    title, unit = _with_unit(document, colour, title, numbers)
    return Axis(colour, title, unit, numbers=numbers)


def colours_of(document: Document, axis: Axis | None, rows: PlottedRows, legend: Legend | None = None) -> Colours:
    """Return the colour of each row, as on the canvas.

    Parameters
    ----------
    document
        The document.
    axis
        What gives the colours; None for one colour.
    rows
        The rows.
    legend
        That of the canvas, if it shows the same column: its limits and its map are taken over.
    """
    if axis is None:
        return Colours(np.zeros(len(rows.places), np.int64), np.array([PLAIN, MISSING], np.uint8), False)
    if axis.categories is not None:
        palette = [_rgba(c) for c in axis.categories.colours]
        return Colours(_last(axis.categories.codes, len(palette)), np.array([*palette, MISSING], np.uint8), False)
    low, high, name = _range(document, axis, rows, legend)
    assert axis.numbers is not None
    steps = np.array(colormap_of(name).map(np.linspace(0, 1, _LEVELS))) * 255
    finite = np.isfinite(axis.numbers)
    share = np.clip((np.where(finite, axis.numbers, low) - low) / max(high - low, 1e-300), 0, 1)
    codes = np.where(finite, np.rint(share * (_LEVELS - 1)), -1).astype(np.int64)
    return Colours(_last(codes, _LEVELS), np.vstack([np.rint(steps), MISSING]).astype(np.uint8), True, (low, high))


def _range(document: Document, axis: Axis, rows: PlottedRows, legend: Legend | None) -> tuple[float, float, str]:
    if legend is not None and legend.kind == "continuous":
        return legend.low, legend.high, legend.colormap
    values: Any = values_of(document, axis.colour, rows.element)
    return (*values.limits, values.colormap)


def _last(codes: npt.NDArray[np.int64], missing: int) -> npt.NDArray[np.int64]:
    return np.where(codes < 0, missing, codes)


def _rgba(colour: str) -> tuple[int, int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16), 255


def _with_unit(document: Document, colour: ColourBy, title: str, numbers: npt.NDArray[np.float64]) -> tuple[str, str]:
    """Read the unit off a column's name, as this program writes it: area_um2, diameter_um; features have counts."""
    for ending, unit in ((" um2", "µm²"), (" um", "µm")):
        if title.endswith(ending):
            return title.removesuffix(ending), unit
    if colour.part == "X":
        held = numbers[np.isfinite(numbers)]
        whole = bool((held == np.rint(held)).all())
        return title, "" if title.startswith("total") else "counts" if whole else "intensity"
    return title, ""
