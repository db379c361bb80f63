"""What describes the rows of two tables alike: shared genes, shared columns, or the types that both know."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp

from ..errors import BadInput
from .document import Document
from .gather import features_of

__all__ = ["names_of_features", "nothing_shared", "one_hot", "shared_features"]

Rows = tuple[str, npt.NDArray[np.int64]]
Features = npt.NDArray[np.float64]
_LARGEST = {True: 4_000_000_000, False: 1_000_000_000}
"""Bytes of one side's features that are gathered, where a method needs them and where it does not."""


def shared_features(
    document: Document, one: Rows, other: Rows, features: str, *, required: bool = True
) -> tuple[Features | None, Features | None]:
    """Return (n, p) and (m, p): the same p features of some rows of two tables.

    Parameters
    ----------
    document
        The document.
    one, other
        Table and positions of its rows.
    features
        ``"X"``, ``"layers/<name>"``: the genes that both tables name alike and that some row of each
        expresses; ``"obsm/<name>"``: the columns of both; ``"obs/<column>"``: one column a type, 1
        where a row is of it; empty: none.
    required
        Whether it is an error when the tables share nothing; otherwise both are None then.

    Raises
    ------
    BadInput
        When a table has no such features, or, if they are required, the tables share none.
    """
    if not features:
        return None, None
    part, _, name = features.partition("/")
    if part == "obs":
        return _types(document, one, other, name)
    values = tuple(features_of(document, table, features)[rows] for table, rows in (one, other))
    names = tuple(
        names_of_features(document, side[0], part, name, v.shape[1])
        for side, v in zip((one, other), values, strict=True)
    )
    shared = names[0][~names[0].duplicated()].intersection(names[1], sort=False)
    if not len(shared):
        if not required:
            return None, None
        raise nothing_shared(one[0], other[0], part, names)
    taken = [v[:, n.get_indexer_for(shared)] for v, n in zip(values, map(_first, names), strict=True)]
    if part in ("X", "layers"):
        said = np.logical_and(*(np.asarray(abs(t).sum(0)).ravel() > 0 for t in taken))
        taken = [t[:, said] for t in taken] if said.any() else taken
    return _dense(taken[0], required), _dense(taken[1], required)


def names_of_features(document: Document, table: str, part: str, name: str, n: int) -> pd.Index[Any]:
    """Return what the columns of a table's part are called."""
    held = document.table(table)
    if part in ("X", "layers"):
        return pd.Index(held.var_names.astype(str))
    block = held.obsm[name]
    return pd.Index(block.columns.astype(str) if isinstance(block, pd.DataFrame) else [str(k) for k in range(n)])


def _first(names: pd.Index[Any]) -> pd.Index[Any]:
    """Return names of which only the first of its kind is known."""
    return pd.Index([n if first else None for n, first in zip(names, ~names.duplicated(), strict=True)])


def nothing_shared(one: str, other: str, part: str, names: tuple[pd.Index[Any], ...]) -> BadInput:
    """Return the error of two tables whose features have no name in common."""
    if part == "obsm":
        return BadInput(f"'{one}' and '{other}' have no column of it in common.", "Choose other features.")
    a, b = names
    folded = {str(n).casefold(): n for n in a}
    twin = next(((folded[str(n).casefold()], n) for n in b if str(n).casefold() in folded), None)
    if twin is not None:
        return BadInput(
            f"'{one}' and '{other}' share no gene: '{twin[0]}' is not '{twin[1]}', these are sections of "
            "different species.",
            "Choose features that both have, such as obs/<column> of cell types.",
        )
    return BadInput(
        f"'{one}' and '{other}' share no gene: '{a[0] if len(a) else 'none'}' …, '{b[0] if len(b) else 'none'}' ….",
        "Sections of different species or panels have none; choose features that both have.",
    )


def _types(document: Document, one: Rows, other: Rows, column: str) -> tuple[Features, Features]:
    """Return one column a type that either table knows."""
    sides = []
    for table, rows in (one, other):
        obs = document.table(table).obs
        if column not in obs:
            raise BadInput(f"The table '{table}' has no column '{column}'.", f"It has: {', '.join(obs.columns)}.")
        values = obs[column].iloc[rows]
        sides.append(values.astype(object).where(values.notna(), None))
    known = [{str(v) for v in side if v is not None} for side in sides]
    if not known[0] & known[1]:
        some = " and ".join(f"'{min(k)}'" if k else "none" for k in known)
        raise BadInput(f"'{column}' names no type that both tables have: {some}.", "Name the types alike first.")
    types = pd.Index(sorted(known[0] | known[1]))
    return one_hot(sides[0], types), one_hot(sides[1], types)


def one_hot(values: pd.Series[Any], types: pd.Index[Any]) -> Features:
    """Return (n, t) 1 where a value is of a type; a row of None is of none."""
    codes = types.get_indexer_for(pd.Index([None if v is None else str(v) for v in values], dtype=object))
    made = np.zeros((len(values), len(types)))
    rows = np.flatnonzero(codes >= 0)
    made[rows, codes[rows]] = 1.0
    return made


def _dense(values: Any, required: bool) -> Features:
    if values.shape[0] * values.shape[1] * 8 > _LARGEST[required]:
        raise BadInput(
            f"{values.shape[0]:,} rows of {values.shape[1]:,} features are too many to compare at once.",
            "Choose obs/<column> (cell types) or obsm/<name> (principal components) as the features"
            + ("." if required else ", or none."),
        )
    return np.asarray(values.toarray() if sp.issparse(values) else values, dtype=np.float64)
