"""Columns that a store cannot keep as they are, made into ones that it can, when a table comes in."""

from __future__ import annotations

from typing import Any

import pandas as pd

__all__ = ["tidy", "tidy_column"]


def tidy(table: Any) -> Any:
    """Make a table's columns storable, in place where it must; return the table.

    Missing text becomes a missing category, since a store would write the word "None". Times become ISO
    text, and pandas' nullable strings become text.
    """
    frames = [table.obs, table.var, *(v for v in table.obsm.values() if isinstance(v, pd.DataFrame))]
    for frame in frames:
        for column in frame.columns:
            made = tidy_column(frame[column])
            if made is not frame[column]:
                frame[column] = made
    return table


def tidy_column(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return a column that a store keeps as it is: the same one where that holds already."""
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return column
    if dtype.kind in "mM" or isinstance(dtype, pd.PeriodDtype | pd.IntervalDtype):
        return column.astype(str).where(column.notna()).astype("category")
    if isinstance(dtype, pd.StringDtype) or pd.api.types.is_object_dtype(dtype):
        present = column.notna()
        if present.all() and pd.api.types.is_object_dtype(dtype) and column.map(type).eq(str).all():
            return column
        text = column.astype(object).where(present).map(str, na_action="ignore")
        return text if bool(present.all()) else text.astype("category")
    return column
