"""The six ways in which a document changes. Each knows its inverse and holds absolute values.

Since the values are absolute (what is there afterwards, not how to get there), applying a list of
changes again from any moment in its middle ends in the same document. Recovery after a crash
rests on this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import DocumentError
from .blocks import Exchange
from .grid import Coarse
from .rows import exchange_rows
from .shape_rows import EditShapes
from .values import Encoder, decode

if TYPE_CHECKING:
    from .document import Document

__all__ = [
    "Change",
    "EditColumn",
    "EditLabels",
    "EditRows",
    "EditShapes",
    "EditValues",
    "Put",
    "Rows",
    "Slot",
    "decode_change",
    "slot_of",
]

_PIECE = 256
"""Rows of values that are written together."""
Slot = tuple[str, ...]
"""An address in the document: ("labels", "nuclei"), ("tables", "counts", "obs", "domain"), ("attrs", "landmarks"),
("transforms", "labels", "msi_pixels", "global")."""


@dataclass(frozen=True)
class Put:
    """Replace what stands at an address; None means nothing stands there."""

    slot: Slot
    old: Any
    new: Any

    def apply(self, document: Document) -> None:
        document.put(self.slot, self.new)

    def inverse(self) -> Put:
        return Put(self.slot, self.new, self.old)

    @property
    def touched(self) -> Slot:
        return self.slot

    def encode(self, encoder: Encoder) -> dict[str, Any]:
        return {"c": "put", "slot": list(self.slot), "old": encoder.any(self.old), "new": encoder.any(self.new)}


@dataclass(frozen=True)
class EditLabels:
    """Replace a window of a labels element, in every level of its pyramid.

    Parameters
    ----------
    name, offset, old, new
        The element and the window of the full resolution.
    coarser
        The same for the other levels; worked out from ``new`` if None.
    """

    name: str
    offset: tuple[int, int]
    old: npt.NDArray[Any]
    new: npt.NDArray[Any]
    coarser: tuple[Coarse, ...] | None = None

    def apply(self, document: Document) -> None:
        document.grid(self.name).write(self.offset, self.new, self.coarser)
        document.touch(self.touched)

    def inverse(self) -> EditLabels:
        turned = None if self.coarser is None else tuple((k, at, new, old) for k, at, old, new in self.coarser)
        return EditLabels(self.name, self.offset, self.new, self.old, turned)

    @property
    def touched(self) -> Slot:
        return ("labels", self.name)

    def encode(self, encoder: Encoder) -> dict[str, Any]:
        old, new = encoder.array(self.old), encoder.array(self.new)
        coarser = None
        if self.coarser is not None:
            coarser = [[k, list(at), encoder.array(a), encoder.array(b)] for k, at, a, b in self.coarser]
        offset = [int(v) for v in self.offset]
        return {"c": "labels", "name": self.name, "offset": offset, "old": old, "new": new, "coarser": coarser}


@dataclass(frozen=True)
class EditColumn:
    """Replace the values of some rows of a table's column. The values carry the categories."""

    table: str
    column: str
    rows: npt.NDArray[np.int64]
    old: pd.Series[Any]
    new: pd.Series[Any]

    def apply(self, document: Document) -> None:
        obs = document.table(self.table).obs
        values, wanted = obs[self.column].copy(), self.new.dtype
        if isinstance(wanted, pd.CategoricalDtype):
            names = values.astype(object)
            names.iloc[self.rows] = self.new.astype(object).to_numpy()
            values = pd.Series(pd.Categorical(names, dtype=wanted), index=obs.index)
        else:
            values.iloc[self.rows] = self.new.to_numpy()
        obs[self.column] = values
        document.touch(self.touched)

    def inverse(self) -> EditColumn:
        return EditColumn(self.table, self.column, self.rows, self.new, self.old)

    @property
    def touched(self) -> Slot:
        return ("tables", self.table, "obs", self.column)

    def encode(self, encoder: Encoder) -> dict[str, Any]:
        parts = {"rows": encoder.array(self.rows), "old": encoder.series(self.old), "new": encoder.series(self.new)}
        return {"c": "column", "table": self.table, "column": self.column, **parts}


@dataclass(frozen=True)
class EditValues:
    """Replace some rows of an array or data frame of a table: (k, c) values of the rows (k,).

    ``part`` is "obsm", or "varm" for a row a feature.
    """

    table: str
    key: str
    rows: npt.NDArray[np.int64]
    old: npt.NDArray[Any]
    new: npt.NDArray[Any]
    part: str = "obsm"

    def apply(self, document: Document) -> None:
        held = document.get(self.touched)
        values = np.array(held)
        values[self.rows] = self.new  # a copy: whoever read the array before keeps what was read
        if isinstance(held, pd.DataFrame):
            values = pd.DataFrame(values, index=held.index, columns=held.columns)
        document.put(self.touched, values)

    def inverse(self) -> EditValues:
        return EditValues(self.table, self.key, self.rows, self.new, self.old, self.part)

    def instead_of(self, first: EditValues) -> EditValues | None:
        """Return what leads from before another change to after this one; None where this covers not all its rows."""
        if first.touched != self.touched or (np.diff(self.rows) <= 0).any() or not np.isin(first.rows, self.rows).all():
            return None
        old = self.old.copy()
        old[np.searchsorted(self.rows, first.rows)] = first.old
        return EditValues(self.table, self.key, self.rows, old, self.new, self.part)

    @property
    def touched(self) -> Slot:
        return ("tables", self.table, self.part, self.key)

    def encode(self, encoder: Encoder) -> dict[str, Any]:
        # by pieces, since the journal does not write again what a step before it has written
        pieces = range(0, max(len(self.rows), 1), _PIECE)
        old, new = ([encoder.array(side[i : i + _PIECE]) for i in pieces] for side in (self.old, self.new))
        said = {"c": "values", "table": self.table, "part": self.part, "key": self.key}
        return {**said, "rows": encoder.array(self.rows), "old": old, "new": new}


@dataclass(frozen=True)
class Rows:
    """Rows of a table and the positions at which they stand."""

    positions: npt.NDArray[np.int64]
    table: Any


@dataclass(frozen=True)
class EditRows:
    """Take rows out of a table, and put others in. Positions of ``old`` count before, of ``new`` after."""

    table: str
    old: Rows
    new: Rows

    def apply(self, document: Document) -> None:
        exchange = Exchange(document.table(self.table).n_obs, self.old.positions, self.new.positions)
        exchange_rows(document, self.table, exchange, self.new.table)

    def inverse(self) -> EditRows:
        return EditRows(self.table, self.new, self.old)

    @property
    def touched(self) -> Slot:
        return ("tables", self.table)

    def encode(self, encoder: Encoder) -> dict[str, Any]:
        sides = {
            side: {"positions": encoder.array(rows.positions), "table": encoder.any(rows.table)}
            for side, rows in (("old", self.old), ("new", self.new))
        }
        return {"c": "rows", "table": self.table, **sides}


Change = Put | EditLabels | EditColumn | EditValues | EditRows | EditShapes


def slot_of(meta: dict[str, Any]) -> Slot:
    """Return the address that a change touches, from what its ``encode`` described."""
    kind = meta["c"]
    if kind == "put":
        return tuple(meta["slot"])
    if kind == "labels":
        return ("labels", meta["name"])
    if kind == "values":
        return ("tables", meta["table"], meta["part"], meta["key"])
    return ("tables", meta["table"], "obs", meta["column"]) if kind == "column" else ("tables", meta["table"])


def decode_change(meta: dict[str, Any], buffers: list[bytes]) -> Change:
    """Make a change again from what its ``encode`` gave.

    Raises
    ------
    DocumentError
        When the description names a change that this version does not know.
    """
    kind = meta.get("c")
    if kind == "put":
        return Put(tuple(meta["slot"]), decode(meta["old"], buffers), decode(meta["new"], buffers))
    if kind == "labels":
        y, x = meta["offset"]
        levels = meta.get("coarser")
        coarser = (
            None
            if levels is None
            else tuple((k, (at[0], at[1]), decode(old, buffers), decode(new, buffers)) for k, at, old, new in levels)
        )
        return EditLabels(meta["name"], (y, x), decode(meta["old"], buffers), decode(meta["new"], buffers), coarser)
    if kind == "column":
        rows, old, new = (decode(meta[part], buffers) for part in ("rows", "old", "new"))
        return EditColumn(meta["table"], meta["column"], rows, old, new)
    if kind == "values":
        rows = decode(meta["rows"], buffers)
        old, new = (np.concatenate([decode(m, buffers) for m in meta[side]]) for side in ("old", "new"))
        return EditValues(meta["table"], meta["key"], rows, old, new, meta["part"])
    if kind == "rows":
        sides = [Rows(decode(meta[s]["positions"], buffers), decode(meta[s]["table"], buffers)) for s in ("old", "new")]
        return EditRows(meta["table"], *sides)
    if kind == "shapes":
        return EditShapes.decode(meta, buffers)
    raise DocumentError(f"The journal holds a change of the unknown kind '{kind}'.", "Open it with a newer version.")
