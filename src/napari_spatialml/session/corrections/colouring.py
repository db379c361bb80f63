"""Corrections of how columns are shown: the scale of measurements, the order of categories."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from ...errors import BadInput
from ..document import Document
from ..domain_maps import about_map, held_map
from ..scales import SCALES, Scale, scale_key
from ..store import put, put_entry
from .domains import reordered
from .registry import Made, correction


@correction
def set_scale(
    document: Document,
    table: str,
    key: str,
    colormap: str = "",
    by: str = "percentile",
    low: float | None = None,
    high: float | None = None,
    log: bool = False,
) -> Made:
    """Choose the map and the limits of what a key ("X/EPCAM", "obs/area_um2") names; the usual ones without any."""
    document.table(table)
    scale = Scale(colormap, by, low, high, log)
    return f"scale of {key.partition('/')[2] or key}", [
        put_entry(document, SCALES, scale_key(document, table, key), scale.plain() or None)
    ]


@correction
def order_categories(document: Document, table: str, column: str, names: Sequence[str]) -> Made:
    """Put categories of a column into an order; those that are not named keep their places."""
    values = document.get(("tables", table, "obs", column))
    if values is None or not (isinstance(values.dtype, pd.CategoricalDtype) or values.dtype.kind in "OUT"):
        raise BadInput(f"'{column}' of '{table}' has no categories.", "Choose a column of categories.")
    held = values if isinstance(values.dtype, pd.CategoricalDtype) else values.astype("category")
    have = {str(c): c for c in held.cat.categories}
    unknown = [n for n in names if n not in have]
    if unknown or len(set(names)) < len(names):
        wrong = unknown[0] if unknown else next(n for n in names if list(names).count(n) > 1)
        raise BadInput(f"'{wrong}' is no category of '{column}', or stands twice.", "Name each category once.")
    following = iter(names)
    order = [have[next(following)] if name in names else have[name] for name in have]
    if about_map(document, table, column):
        found = held_map(document, table, column)
        return f"order of {column}", reordered(document, found, [str(name) for name in order])
    return f"order of {column}", [put(document, ("tables", table, "obs", column), held.cat.reorder_categories(order))]
