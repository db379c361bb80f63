"""Proportions as a sheet for other programs: a row a spot, each type with the ends of its interval."""

from __future__ import annotations

from typing import Any

import pandas as pd

from .document import Document
from .gather import coordinates_of
from .proportions import proportions_frame

__all__ = ["proportions_sheet"]

_COLUMNS = ("dominant", "uncertainty", "deviance", "outside", "empty", "by_hand", "reason")
_PARTS = ("computed", "lower", "upper", "standard_error", "abundance")


def proportions_sheet(document: Document, table: str, output: str = "proportions") -> pd.DataFrame:
    """Return everything that is stored of an output, by the names of the spots.

    Returns
    -------
    pandas.DataFrame
        ``instance``, ``y_um``, ``x_um``; each type, and beside it "TYPE lower", "TYPE upper" and what else there
        is; then what is told of the spot as a whole.

    Raises
    ------
    BadInput, DocumentError
        When there are no such proportions.
    """
    frame, held = proportions_frame(document, table, output), document.table(table)
    where = coordinates_of(document, table)
    columns: dict[str, Any] = {"instance": document.instances(table), "y_um": where[:, 0], "x_um": where[:, 1]}
    parts = {part: held.obsm[f"{output}_{part}"] for part in _PARTS if f"{output}_{part}" in held.obsm}
    for name in frame.columns:
        columns[str(name)] = frame[name].to_numpy()
        columns |= {f"{name} {part.replace('_', ' ')}": found[name].to_numpy() for part, found in parts.items()}
    for name in _COLUMNS:
        if f"{output}_{name}" in held.obs:
            columns[name] = held.obs[f"{output}_{name}"].to_numpy()
    return pd.DataFrame(columns, index=pd.Index(held.obs_names, name="spot"))
