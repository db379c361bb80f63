"""A map of domains into the document: the changes of a table's parts, of the rows that differ."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.domain_trust import boundary, margin
from .changes import Change, EditColumn, EditValues, Put, Slot
from .constraints import key_of
from .document import Document
from .domain_maps import ATTRIBUTE, DomainMap, held_map, neighbours
from .domain_strokes import DomainHand
from .selection import by_hand

__all__ = ["neighbours", "written"]

Array = npt.NDArray[Any]


def written(
    document: Document,
    maps: Sequence[tuple[DomainMap, DomainHand]],
    beside: Iterable[tuple[Slot, Any]] = (),
    *,
    afresh: bool = False,
) -> list[Change]:
    """Return the changes that put maps into the document, of what differs; nothing is left of one without domains.

    Parameters
    ----------
    document
        The document.
    maps
        Each with what the hand says of its rows.
    beside
        More addresses of tables, and what is to stand there.
    afresh
        Whether what is known of each row is worked out for all of them, whatever stands there.
    """
    values = [pair for made, hand in maps for pair in _parts(document, made, hand, afresh)]
    changes = [_values(document, slot, value) for slot, value in (*values, *beside)]
    changes.append(_entries(document, [(made, bool(made.names) or bool(hand.given.any())) for made, hand in maps]))
    return [change for change in changes if change is not None]


def _parts(document: Document, made: DomainMap, hand: DomainHand, afresh: bool) -> Iterable[tuple[Slot, Any]]:
    """Yield what stands at each address of a map; None where nothing does."""
    part, column = ("tables", made.table), made.column
    there = bool(made.names) or bool(hand.given.any())
    yield (*part, "obs", column), _column(document, made) if there else None
    for end, values in _about_rows(document, made, hand, afresh):
        yield (*part, "obs", f"{column}_{end}"), values
    for end, values in (("probabilities", made.probabilities), ("computed", made.computed)):
        yield (*part, "obsm", f"{column}_{end}"), values if values.shape[1] else None


def _about_rows(
    document: Document, made: DomainMap, hand: DomainHand, afresh: bool
) -> Iterable[tuple[str, Array | None]]:
    """Yield what is known of each row; where the map stays as it is, so does that."""
    obs, column = document.table(made.table).obs, made.column
    if not made.names:
        yield from (("margin", None), ("boundary", None))
    else:
        there = {f"{column}_margin", f"{column}_boundary"} <= set(obs)
        before = held_map(document, made.table, column) if there and not afresh else None
        yield "margin", _margin(made, before, obs.get(f"{column}_margin"))
        yield "boundary", _boundary(made, before, obs.get(f"{column}_boundary"), neighbours(document, made.table))
    mark = hand.given if hand.given.any() or by_hand(column) in obs else None
    yield "by_hand", mark if mark is not None and (made.names or mark.any()) else None


def _margin(made: DomainMap, before: DomainMap | None, held: Any) -> Array:
    p, n = made.probabilities, len(made.codes)
    sure, rows = np.full(n, np.nan, np.float32), np.arange(n)
    if before is not None and before.probabilities.shape == p.shape:
        rows = np.flatnonzero((before.probabilities != p).any(1) | ((before.codes < 0) != (made.codes < 0)))
        sure = held.to_numpy(dtype=np.float32, copy=True)
    known = (made.codes[rows] >= 0) & np.isfinite(p[rows]).all(1)
    sure[rows] = np.nan
    sure[rows[known]] = margin(p[rows[known]])
    return sure


def _boundary(made: DomainMap, before: DomainMap | None, held: Any, graph: Any) -> Array:
    if before is None or made.names[: len(before.names)] != before.names:
        return np.asarray(boundary(made.codes, graph), dtype=np.float32)
    share: Array = held.to_numpy(dtype=np.float32, copy=True)
    moved = made.codes != before.codes
    beside = moved | (graph @ moved.astype(np.float64) > 0)
    rows = np.flatnonzero(beside | (graph.T @ beside.astype(np.float64) > 0))  # with all that lies beside them
    if len(rows):
        near = np.flatnonzero(beside[rows])
        share[rows[near]] = boundary(made.codes[rows], graph[rows][:, rows])[near]
    return share


def _column(document: Document, made: DomainMap) -> pd.Series[Any]:
    frame = document.table(made.table)
    held = frame.obs.get(made.column)
    ordered = bool(held.cat.ordered) if held is not None and isinstance(held.dtype, pd.CategoricalDtype) else False
    names = pd.Index(list(made.names), dtype=object)
    return pd.Series(pd.Categorical.from_codes(made.codes, categories=names, ordered=ordered), index=frame.obs.index)


def _values(document: Document, slot: Slot, new: Any) -> Change | None:
    """Return the change that sets a part of a table: of the rows that differ, where they are the fewer."""
    held = document.get(slot)
    if new is None or held is None:
        return None if new is held else Put(slot, held, None if new is None else _standing(document, slot, new))
    if isinstance(new, pd.Series) and isinstance(new.dtype, pd.CategoricalDtype):  # codes are small, names are slow
        return None if _same_column(held, new) else Put(slot, held, new)
    old, now = np.asarray(held), np.asarray(new)
    if old.shape != now.shape or old.dtype != now.dtype:
        return Put(slot, held, _standing(document, slot, now))
    differ = (old != now) & ~((old != old) & (now != now))
    rows = np.flatnonzero(differ.any(1) if differ.ndim == 2 else differ)
    if not len(rows):
        return None
    if slot[2] == "obsm":
        return EditValues(slot[1], slot[3], rows, old[rows], now[rows], slot[2])
    if 2 * len(rows) > len(old):
        return Put(slot, held, _standing(document, slot, now))
    return EditColumn(slot[1], slot[3], rows, pd.Series(old[rows]), pd.Series(now[rows]))


def _standing(document: Document, slot: Slot, values: Array) -> Any:
    """Return values as they stand at an address."""
    if slot[2] != "obs" or isinstance(values, pd.Series):
        return values
    return pd.Series(values, index=document.table(slot[1]).obs.index)


def _same_column(held: pd.Series[Any], new: pd.Series[Any]) -> bool:
    if not isinstance(held.dtype, pd.CategoricalDtype) or list(held.cat.categories) != list(new.cat.categories):
        return False
    return bool((held.cat.codes.to_numpy() == new.cat.codes.to_numpy()).all())


def _entries(document: Document, maps: Sequence[tuple[DomainMap, bool]]) -> Put | None:
    """Return the change that says how maps were made, and of those that are gone nothing."""
    held = document.attribute(ATTRIBUTE)
    new: dict[str, Any] = dict(held) if isinstance(held, dict) else {}
    for made, there in maps:
        new.pop(key_of(made.table, made.column), None)
        if not there:
            continue
        known = {"table": made.table, "column": made.column, "method": "", "parameters": {}, "tables": [made.table]}
        about = {**known, "features": "", "fingerprint": "", **made.about}
        lists = {"names": list(made.names), "names_computed": list(made.names_computed)}
        new[key_of(made.table, made.column)] = {**about, **lists}
    return None if new == (held or {}) else Put(("attrs", ATTRIBUTE), held, new or None)
