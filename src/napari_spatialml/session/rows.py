"""Rows of a table taken out and put in, so that a slide of half a million cells follows the hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp

__all__ = ["picked", "replace"]

_MOST_RUNS = 10_000
"""Rows in more pieces than these are copied row by row."""


def picked(whole: Any, more: Any, order: npt.NDArray[np.int64]) -> Any:
    """Return rows ``order`` of two tables put one below the other, with the first one's columns and types."""
    from anndata import AnnData

    obs = pd.DataFrame(
        {c: _column(whole.obs[c], more.obs[c], order) for c in whole.obs.columns},
        index=whole.obs_names.append(more.obs_names)[order],
    )
    made = AnnData(X=_below(whole.X, more.X, order), obs=obs, var=whole.var.copy(), uns={**more.uns, **whole.uns})
    for name in ("obsm", "layers"):
        added = dict(getattr(more, name).items())
        for key, held in dict(getattr(whole, name).items()).items():
            if isinstance(held, pd.DataFrame):  # with the same index object: anndata compares them at every look
                columns = {c: _column(held[c], added[key][c], order) for c in held.columns}
                getattr(made, name)[key] = pd.DataFrame(columns, index=made.obs_names)
            else:
                getattr(made, name)[key] = _below(held, added[key], order)
    return made


def replace(whole: Any, positions: npt.NDArray[np.int64], fresh: Any) -> None:
    """Give rows of a table other values, in place: nothing but what changed is made anew.

    Parameters
    ----------
    whole
        The table.
    positions
        Of the rows.
    fresh
        The same rows with their new values, and the same columns.
    """
    order = np.arange(whole.n_obs)
    order[positions] = whole.n_obs + np.arange(len(positions))
    obs, added = whole.obs, fresh.obs
    for column in obs.columns:
        values = _values_with(obs[column], added[column], positions, order)
        if values is not None:
            obs[column] = values
    whole.X = _below(whole.X, fresh.X, order)
    for name in ("obsm", "layers"):
        parts = dict(getattr(fresh, name).items())
        for key, held in dict(getattr(whole, name).items()).items():
            made = _frame_with(held, parts[key], positions, order, whole.obs_names)
            getattr(whole, name)[key] = made


def _frame_with(
    held: Any, fresh: Any, positions: npt.NDArray[np.int64], order: npt.NDArray[np.int64], names: pd.Index[str]
) -> Any:
    if not isinstance(held, pd.DataFrame):
        return _below(held, fresh, order)
    made = held.copy()
    made.index = names  # the same object: anndata compares them at every look
    for column in made.columns:
        values = _values_with(held[column], fresh[column], positions, order)
        if values is not None:
            made[column] = values
    return made


def _values_with(
    held: pd.Series[Any], fresh: pd.Series[Any], positions: npt.NDArray[np.int64], order: npt.NDArray[np.int64]
) -> Any:
    """Return a column with new values at some positions; None where they are what is there."""
    if isinstance(held.dtype, np.dtype) and held.dtype.kind in "biuf":
        values = held.to_numpy(copy=True)
        values[positions] = fresh.to_numpy().astype(held.dtype)
        return values
    if held.iloc[positions].astype(object).tolist() == fresh.astype(object).tolist():
        return None
    return _column(held, fresh, order)


def _column(top: pd.Series[Any], bottom: pd.Series[Any], order: npt.NDArray[np.int64]) -> Any:
    if isinstance(top.dtype, pd.CategoricalDtype):
        added = bottom.astype(object)
        present = [v for v in pd.unique(added.dropna()) if v not in top.cat.categories]
        wanted = pd.CategoricalDtype([*top.cat.categories, *present], ordered=top.cat.ordered)
        # by codes: a slide has half a million cells, and as objects they take a tenth of a second
        codes = np.concatenate([top.cat.codes.to_numpy(), pd.Categorical(added, dtype=wanted).codes])[order]
        return pd.Categorical.from_codes(codes, dtype=wanted)
    if isinstance(top.dtype, np.dtype):
        return np.concatenate([top.to_numpy(), bottom.astype(top.dtype).to_numpy()])[order]
    return pd.concat([top, bottom.astype(top.dtype)]).iloc[order].array


def _below(top: Any, bottom: Any, order: npt.NDArray[np.int64]) -> Any:
    if top is None:
        return None
    if sp.issparse(top):
        return _sparse_below(sp.csr_matrix(top), sp.csr_matrix(bottom, dtype=top.dtype), order)
    return np.concatenate([np.asarray(top), np.asarray(bottom).astype(top.dtype)])[order]


def _sparse_below(top: Any, bottom: Any, order: npt.NDArray[np.int64]) -> Any:
    """Return rows ``order`` of two CSR matrices; runs of rows that stay together are copied in one piece."""
    n = top.shape[0]
    ends = np.flatnonzero((np.diff(order) != 1) | (order[1:] == n)) + 1
    starts = np.concatenate([[0], ends]).astype(np.int64)
    if len(order) == 0 or len(starts) > _MOST_RUNS:
        return sp.vstack([top, bottom], format="csr")[order]
    pieces: list[tuple[Any, slice]] = []
    for a, b in zip(order[starts], order[np.concatenate([ends, [len(order)]]) - 1] + 1, strict=True):
        part, shift = (top, 0) if a < n else (bottom, n)
        pieces.append((part, slice(int(part.indptr[a - shift]), int(part.indptr[b - shift]))))
    held = np.concatenate([np.diff(top.indptr), np.diff(bottom.indptr)])[order]
    made = sp.csr_matrix((len(order), top.shape[1]), dtype=top.dtype)
    made.data = np.concatenate([part.data[cut] for part, cut in pieces])
    made.indices = np.concatenate([part.indices[cut] for part, cut in pieces])
    made.indptr = np.concatenate([[0], np.cumsum(held)]).astype(np.int32 if held.sum() < 2**31 else np.int64)
    return made
