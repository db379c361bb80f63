"""Rows of a shapes element put in, taken out or replaced; the rest of the element is not written down again."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import DocumentError
from .elements import matrices, with_matrices
from .values import Encoder

if TYPE_CHECKING:
    from .document import Document

__all__ = ["EditShapes", "ShapeRows", "edit_shapes"]


@dataclass(frozen=True)
class ShapeRows:
    """Rows of a shapes element, with the positions at which they stand; no frame where there are none."""

    positions: npt.NDArray[np.int64]
    frame: Any


@dataclass(frozen=True)
class EditShapes:
    """Take rows out of a shapes element, and put others in. Positions of ``old`` count before, of ``new`` after.

    An element without rows cannot be held: it comes with its first row and goes with its last.
    """

    name: str
    old: ShapeRows
    new: ShapeRows

    def apply(self, document: Document) -> None:
        import geopandas
        import pandas as pd

        whole = document.get(self.touched)
        before = 0 if whole is None else len(whole)
        rest = np.setdiff1d(np.arange(before), self.old.positions, assume_unique=True)
        n = len(rest) + len(self.new.positions)
        if before < len(self.old.positions) or (len(self.new.positions) and self.new.positions.max() >= n):
            raise DocumentError(f"The rows to change do not fit the shapes '{self.name}'.", "Undo, and try again.")
        if n == 0:
            document.put(self.touched, None)
            return
        frames = [f for f in (None if not len(rest) else whole.iloc[rest], self.new.frame) if f is not None]
        order = np.empty(n, dtype=np.int64)
        order[np.setdiff1d(np.arange(n), self.new.positions, assume_unique=True)] = np.arange(len(rest))
        order[self.new.positions] = len(rest) + np.arange(len(self.new.positions))
        made = frames[0] if len(frames) == 1 else geopandas.GeoDataFrame(pd.concat(frames))
        made = made.iloc[order]
        made.attrs = dict((frames[0] if whole is None else whole).attrs)
        document.put(self.touched, made)

    def inverse(self) -> EditShapes:
        return EditShapes(self.name, self.new, self.old)

    @property
    def touched(self) -> tuple[str, ...]:
        return ("shapes", self.name)

    def encode(self, encoder: Encoder) -> dict[str, Any]:
        sides = {side: _packed(encoder, rows) for side, rows in (("old", self.old), ("new", self.new))}
        return {"c": "shapes", "name": self.name, **sides}

    @classmethod
    def decode(cls, meta: dict[str, Any], buffers: list[bytes]) -> EditShapes:
        """Make the change again from what ``encode`` gave."""
        return cls(meta["name"], *(_unpacked(meta[side], buffers) for side in ("old", "new")))


def edit_shapes(document: Document, name: str, rows: Any, drop: Iterable[str] = ()) -> EditShapes:
    """Return the change that puts rows into a shapes element, in place of those of the same id, and drops others.

    Parameters
    ----------
    document
        The document; it is only read.
    name
        The element; it may not be there yet.
    rows
        A frame as the element is, or None. New ids are appended.
    drop
        Ids of rows to take out.
    """
    whole = document.get(("shapes", name))
    known = {} if whole is None else {i: k for k, i in enumerate(whole.index)}
    dropped = sorted(known[i] for i in drop)
    ids = [] if rows is None else list(rows.index)
    replaced = [known[i] for i in ids if i in known]
    out = np.array(sorted({*dropped, *replaced}), dtype=np.int64)
    shift = np.cumsum([0] + [k in set(dropped) for k in range(len(known))])
    end = len(known) - len(dropped)
    places = []
    for i in ids:
        places.append(known[i] - int(shift[known[i]]) if i in known else end)
        end += i not in known
    at = np.array(places, dtype=np.int64)
    order = np.argsort(at, kind="stable")
    new = ShapeRows(at[order], None if rows is None or not len(rows) else rows.iloc[order])
    return EditShapes(name, ShapeRows(out, None if not len(out) else whole.iloc[out]), new)


def _packed(encoder: Encoder, rows: ShapeRows) -> dict[str, Any]:
    if rows.frame is None:
        return {"positions": encoder.array(rows.positions)}
    file = io.BytesIO()
    bare = rows.frame.copy()
    bare.attrs = {}  # holds the transformation as an object, which parquet cannot keep
    bare.to_parquet(file)
    held = {"b": encoder.raw(file.getvalue()), "transforms": matrices(rows.frame)}
    return {"positions": encoder.array(rows.positions), **held}


def _unpacked(meta: dict[str, Any], buffers: list[bytes]) -> ShapeRows:
    import geopandas
    from spatialdata.models import ShapesModel

    from .values import decode

    positions = decode(meta["positions"], buffers)
    if "b" not in meta:
        return ShapeRows(positions, None)
    frame = geopandas.read_parquet(io.BytesIO(buffers[meta["b"]]))
    frame.attrs = {}
    return ShapeRows(positions, with_matrices(ShapesModel.parse(frame), meta["transforms"]))
