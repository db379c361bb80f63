"""What an element can be coloured by, and what it is coloured by when nobody has said."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ..session import Document
from ..session.reviewed import REASON, STATE
from .state import TOTAL, ColourBy, ViewState
from .values import by_hand_mark, is_categorical

__all__ = ["choices_of", "colour_of", "default_colour", "title_of"]

_MOST_CATEGORIES = 512
"""A column of more names than this names the rows; it is nothing to colour by."""


def choices_of(document: Document, element: str) -> tuple[ColourBy, ...]:
    """Return everything that an element can be coloured by: columns, then results, then features."""
    first: list[ColourBy] = []
    features: list[ColourBy] = []
    for name in document.tables_of(element):
        table = document.table(name)
        first += [ColourBy(name, f"obs/{c}") for c in _columns(table)]
        first += [ColourBy(name, f"obsm/{k}/{c}") for k in table.obsm for c in _block(table.obsm[k], k)]
        if table.n_vars and table.X is not None:
            first.append(ColourBy(name, TOTAL))
            features += [ColourBy(name, f"X/{v}") for v in table.var_names]
    return (*first, *features)


def default_colour(document: Document, element: str) -> ColourBy | None:
    """Return what an element is coloured by at first: the newest domains, else another grouping, else its total."""
    tables = document.tables_of(element)
    best: tuple[int, int, ColourBy] | None = None
    for name in tables:
        table = document.table(name)
        for column in _columns(table):
            rank = _rank(table, column)
            if rank:
                moment = document.revision(("tables", name, "obs", column))
                found = (moment, rank, ColourBy(name, f"obs/{column}"))
                best = found if best is None or found[:2] > best[:2] else best
    if best is not None:
        return best[2]
    cells = document.type_of(element) == "labels" and element in document.attribute("segmentations", {})
    if cells:
        return None  # the outlines alone say what was found; intensities are one click away
    summed = (n for n in tables if document.table(n).X is not None and document.table(n).n_vars)
    return next((ColourBy(name, TOTAL) for name in summed), None)


def colour_of(document: Document, state: ViewState, element: str) -> ColourBy | None:
    """Return what an element is coloured by: what was chosen, if its table still has it, else the default."""
    if element not in state.colours:
        return default_colour(document, element)
    chosen = state.colours[element]
    if chosen is None or has(document, element, chosen):
        return chosen
    return default_colour(document, element)


def has(document: Document, element: str, colour: ColourBy) -> bool:
    """Whether a table still annotates the element, and holds what colours it."""
    if colour.table not in document.tables_of(element):
        return False
    table = document.table(colour.table)
    if colour.part == "obs":
        return colour.name in table.obs
    if colour.part == "obsm":
        name, _, column = colour.name.partition("/")
        return name in table.obsm and column in _block(table.obsm[name], name)
    return colour.key == TOTAL or colour.name in table.var_names


def title_of(document: Document, colour: ColourBy) -> str:
    """Return what a legend calls a colour: a gene's name, "m/z 741.53", "total counts"."""
    if colour.part != "X":
        return colour.title
    table = document.table(colour.table)
    ions = all(_is_number(name) for name in table.var_names[:10])
    if colour.key != TOTAL:
        return f"m/z {colour.name}" if ions else colour.name
    if ions:
        return "total ion current"
    some = table.X[: min(100, table.n_obs)]
    return "total counts" if float(abs(some - some.astype(int)).sum()) == 0 else "sum of all features"


def _is_number(name: str) -> bool:
    """Whether a feature is called by a mass such as "741.5306"; a bare "12" only counts genes."""
    whole, point, rest = name.partition(".")
    return bool(point) and whole.isdigit() and rest.isdigit()


def _columns(table: Any) -> list[str]:
    keys = table.uns.get("spatialdata_attrs") or {}
    ties = {keys.get("region_key"), keys.get("instance_key")}
    found = [str(c) for c in table.obs.columns if c not in ties]
    return [c for c in found if _usable(table.obs[c])]


def _usable(values: pd.Series[Any]) -> bool:
    return not is_categorical(values) or values.nunique() <= _MOST_CATEGORIES


def _block(block: Any, name: str) -> list[str]:
    if name == "spatial":
        return []
    if isinstance(block, pd.DataFrame):
        return [str(c) for c in block.columns]
    return [str(i) for i in range(block.shape[1])] if getattr(block, "ndim", 0) == 2 else []


def _rank(table: Any, column: str) -> int:
    """How much a column looks like domains: 2 by its name, 1 for any grouping of a few, 0 for others."""
    values = table.obs[column]
    if by_hand_mark(column) or column in (REASON, STATE) or not isinstance(values.dtype, pd.CategoricalDtype):
        return 0
    n = len(values.cat.categories)
    if "domain" in column.lower():
        return 2 if n else 0
    return 1 if 2 <= n <= 40 else 0
