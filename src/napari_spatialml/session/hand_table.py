"""A table whose rows follow the hand: what a correction does not touch is not copied, or only column by column."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData, settings

from ..io.stored_table import StoredTable
from .blocks import Exchange, RowBlocks, woven

__all__ = ["HandTable", "frozen_table"]


class HandTable(AnnData):  # type: ignore[misc]  # anndata's types are not complete
    """An AnnData with its sparse X in blocks of rows; whoever reads X sees one matrix, made when it is asked for.

    Everything that was read from it before stays as it was read: parts are replaced, never written into.
    """

    _obs: pd.DataFrame
    _obsm: dict[str, Any]
    _layers: dict[str, Any]
    _obsp: dict[str, Any]

    @classmethod
    def of(cls, table: Any) -> HandTable:
        """Return a table with the parts of another one, not copied."""
        with settings.override(check_uniqueness=False):  # was looked at when it was opened, and takes 0.1 s
            made = cls(obs=table.obs, var=table.var, uns=dict(table.uns))
        for part in ("obsm", "layers", "obsp", "varm", "varp"):
            setattr(made, f"_{part}", dict(getattr(table, part).items()))
        made._raw = table._raw
        made._X = table.X
        return made

    def plain(self) -> AnnData:
        """Return an AnnData with the same parts, not copied: anndata writes no other class."""
        with settings.override(check_uniqueness=False):
            made = AnnData(X=self.X, obs=self.obs, var=self.var, uns=dict(self.uns))
        for part in ("obsm", "layers", "obsp", "varm", "varp"):
            setattr(made, f"_{part}", dict(getattr(self, f"_{part}")))
        made._raw = self._raw
        return made

    @property
    def _X(self) -> Any:
        """What anndata reads and sets as its matrix."""
        held = self.__dict__.get("_rows")
        return held.whole() if isinstance(held, RowBlocks) else held

    @_X.setter
    def _X(self, value: Any) -> None:
        self.__dict__["_rows"] = RowBlocks.of(value) if sp.issparse(value) else value

    @property
    def rows(self) -> Any:
        """The matrix as it is held: in blocks of rows where it is sparse."""
        return self.__dict__.get("_rows")

    def taken(self, rows: npt.NDArray[np.int64]) -> AnnData:
        """Return a copy of some rows, without making the whole matrix."""
        held = self.__dict__["_rows"]
        x = held.taken(rows) if isinstance(held, RowBlocks) else None if held is None else held[rows]
        made = AnnData(X=x, obs=self.obs.iloc[rows], var=self.var.copy(), uns=dict(self.uns))
        for name in ("obsm", "layers"):
            for key, part in dict(getattr(self, name).items()).items():
                some = part.iloc[rows] if isinstance(part, pd.DataFrame) else part[rows]
                getattr(made, name)[key] = some.copy()
        return made

    def exchange(self, exchange: Exchange, fresh: Any) -> None:
        """Take rows out and put others in; all of it, or nothing when it fails.

        Parameters
        ----------
        exchange
            Which rows leave, and where others come.
        fresh
            A table of the rows that come, in the order of `Exchange.come`, with the same columns.
        """
        names = _names(self.obs_names, fresh.obs_names, exchange)
        obs = _frame(self.obs, fresh.obs, exchange, names)
        held = self.__dict__["_rows"]
        if isinstance(held, RowBlocks):
            x: Any = held.exchanged(exchange, fresh.X)
        else:
            x = None if held is None else woven(exchange, np.asarray(held), fresh.X)
        obsm, layers = (
            {key: _part(part, getattr(fresh, name)[key], exchange, names) for key, part in held_parts.items()}
            for name, held_parts in (("obsm", self._obsm), ("layers", self._layers))
        )
        if names is not self._obs.index:  # pairs of rows mean nothing for others, and were not measured again
            self._obsp, self._raw = {}, None
        self._obs, self._obsm, self._layers = obs, obsm, layers
        self.__dict__["_rows"] = x
        self.uns.update({k: v for k, v in fresh.uns.items() if k not in self.uns})


def frozen_table(table: Any) -> AnnData:
    """Return a table with the parts that another one has now, not copied: what replaces them does not reach it."""
    hand, stored = isinstance(table, HandTable), isinstance(table, StoredTable)
    with settings.override(check_uniqueness=False):
        made = (HandTable if hand else StoredTable if stored else AnnData)(
            obs=table.obs, var=table.var, uns=dict(table.uns)
        )
    for part in ("obsm", "layers", "obsp", "varm", "varp"):
        setattr(made, f"_{part}", dict(getattr(table, part).items()))
    made._raw = table._raw
    if hand:
        made.__dict__["_rows"] = table.rows
    elif isinstance(made, StoredTable):
        made.read_through(table)
    else:
        made._X = table.X
    return made


def _names(held: pd.Index[str], fresh: pd.Index[str], exchange: Exchange) -> pd.Index[str]:
    """Return the names of the rows: the same object where no row came or went."""
    same = np.array_equal(exchange.gone, exchange.come)
    if same and np.array_equal(held[exchange.gone].to_numpy(), fresh.to_numpy()):
        return held
    names = woven(exchange, held.to_numpy(dtype=object), fresh.to_numpy(dtype=object))
    return pd.Index(names, dtype=object, name=held.name)


def _frame(held: pd.DataFrame, fresh: pd.DataFrame, exchange: Exchange, names: pd.Index[str]) -> pd.DataFrame:
    columns = {c: _column(held[c], fresh[c], exchange) for c in held.columns}
    made = pd.DataFrame(columns, index=names, copy=False)
    made.columns = held.columns
    made.attrs = dict(held.attrs)
    return made


def _part(held: Any, fresh: Any, exchange: Exchange, names: pd.Index[str]) -> Any:
    """Return an array or a frame with a row a cell."""
    if isinstance(held, pd.DataFrame):
        return _frame(held, fresh, exchange, names)
    if sp.issparse(held):
        return RowBlocks.of(held).exchanged(exchange, fresh).whole()
    return woven(exchange, np.asarray(held), fresh)


def _unchanged(held: pd.Series[Any], fresh: pd.Series[Any], exchange: Exchange) -> bool:
    """Whether the rows that come are those that leave, at the same places."""
    if not np.array_equal(exchange.gone, exchange.come):
        return False
    if isinstance(held.dtype, np.dtype) and held.dtype == fresh.dtype and held.dtype.kind in "biufc":
        return np.array_equal(held.to_numpy()[exchange.gone], fresh.to_numpy())
    return bool(held.iloc[exchange.gone].astype(object).tolist() == fresh.astype(object).tolist())


def _column(held: pd.Series[Any], fresh: pd.Series[Any], exchange: Exchange) -> Any:
    if _unchanged(held, fresh, exchange):
        return held.array if not isinstance(held.dtype, np.dtype) else held.to_numpy()
    if isinstance(held.dtype, pd.CategoricalDtype):
        added = fresh.astype(object)
        present = [v for v in pd.unique(added.dropna()) if v not in held.cat.categories]
        wanted = pd.CategoricalDtype([*held.cat.categories, *present], ordered=held.cat.ordered)
        # by codes: a slide has half a million cells, and as objects they take a tenth of a second
        codes = pd.Categorical(added, dtype=wanted).codes
        wide = np.result_type(codes, held.cat.codes.dtype)
        return pd.Categorical.from_codes(
            woven(exchange, held.cat.codes.to_numpy().astype(wide, copy=False), codes), dtype=wanted, validate=False
        )
    if isinstance(held.dtype, np.dtype):
        return woven(exchange, held.to_numpy(), fresh.astype(held.dtype).to_numpy())
    both = pd.concat([held, fresh.astype(held.dtype)])
    order = woven(exchange, np.arange(len(held)), len(held) + np.arange(len(fresh)))
    return both.iloc[order].array
