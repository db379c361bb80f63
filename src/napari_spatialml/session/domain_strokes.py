"""The strokes that a map of domains keeps to: a list with the document, read for a table's rows of today.

Each entry names the instances it is about, not rows, so that it survives cells that were merged or deleted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..errors import DocumentError
from .constraints import instance_index, key_of
from .document import Document
from .selection import by_hand

__all__ = ["ATTRIBUTE", "DomainHand", "domain_hand_of", "held_strokes", "stroke_rows"]

ATTRIBUTE = "domain_strokes"
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class DomainHand:
    """What the hand says of the rows of a table as it is now.

    Parameters
    ----------
    names
        The domains that it names, each once.
    codes
        (n,) places in ``names``; -1 where the hand has given no domain.
    ignored
        (n,) rows that are no tissue to divide.
    stroke
        (n,) number of the stroke that counts for a row; -1 where none does.
    """

    names: tuple[str, ...]
    codes: Ints
    ignored: npt.NDArray[np.bool_]
    stroke: Ints

    @property
    def given(self) -> npt.NDArray[np.bool_]:
        """(n,) rows of which the hand says anything."""
        return np.asarray((self.codes >= 0) | self.ignored)

    def without(self, rows: Ints) -> DomainHand:
        """Return the same, in which some rows are free."""
        codes, ignored, stroke = self.codes.copy(), self.ignored.copy(), self.stroke.copy()
        codes[rows], ignored[rows], stroke[rows] = -1, False, -1
        return DomainHand(self.names, codes, ignored, stroke)

    def anchors(self, names: Sequence[str]) -> Ints:
        """Return (n,) places in ``names``, which hold all of the hand's; -1 where free."""
        at = {name: i for i, name in enumerate(names)}
        number = np.array([*(at[name] for name in self.names), -1], dtype=np.int64)
        return number[self.codes]


def held_strokes(document: Document, table: str, column: str = "domain") -> list[dict[str, Any]]:
    """Return the strokes of a map in the order in which they were laid; a later one wins over an earlier one.

    Raises
    ------
    DocumentError
        When the attribute of the file cannot be read.
    """
    held = document.attribute(ATTRIBUTE, {})
    entries = held.get(key_of(table, column), []) if isinstance(held, dict) else None
    if not isinstance(entries, list):
        raise _unreadable()
    return [_checked(entry) for entry in entries]


def _checked(entry: Any) -> dict[str, Any]:
    """Return an entry of a file, which may hold anything."""
    try:
        instances = entry["instances"]
        regions = entry.get("regions", instances)
        texts = [entry["domain"], *(entry.get(key, "") for key in ("reason", "by", "when"))]
        whole = isinstance(instances, list) and isinstance(regions, list) and len(regions) == len(instances)
        whole = whole and all(isinstance(text, str) for text in texts)
        whole = whole and all(isinstance(v, str | int | float) for v in (*instances, *regions))
    except (KeyError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise _unreadable()
    return {"reason": "", "by": "", "when": "", **entry}


def _unreadable() -> DocumentError:
    return DocumentError(
        "The strokes on the domains cannot be read.",
        "The section may have been changed by another program; open an earlier copy, or run without the hand's.",
    )


def stroke_rows(document: Document, table: str, said: Mapping[str, Any]) -> Ints:
    """Return the rows that a stroke is about, as far as they are still there, sorted."""
    return np.flatnonzero(_which_counts(instance_index(document, table), [said]) == 0)


def domain_hand_of(
    document: Document, table: str, column: str = "domain", said: Sequence[Mapping[str, Any]] | None = None
) -> DomainHand:
    """Return what the hand says of a table's rows.

    Parameters
    ----------
    document, table, column
        The document, a table and the column of its domains.
    said
        The strokes; those of the document if None.

    Notes
    -----
    Rows that were relabelled without a stroke keep the domain that the column gives them, unless a stroke
    goes over them.
    """
    held = held_strokes(document, table, column)
    entries = held if said is None else list(said)
    ids = instance_index(document, table) if held or entries else None
    n = document.table(table).n_obs
    stroke = np.full(n, -1, np.int64) if ids is None else _which_counts(ids, entries)
    names = {str(e["domain"]): None for e in entries if e["domain"]}
    free = stroke < 0 if ids is None or not held else (stroke < 0) & (_which_counts(ids, held) < 0)
    rows, relabelled = _relabelled(document, table, column, free)
    names |= dict.fromkeys(relabelled)
    at = {name: i for i, name in enumerate(names)}
    number = np.array([*(at.get(str(e["domain"]), -1) for e in entries), -1], dtype=np.int64)
    codes = number[stroke]
    codes[rows] = [at[name] for name in relabelled]
    ignored = np.array([*(not e["domain"] for e in entries), False])[stroke]
    return DomainHand(tuple(names), codes, ignored, stroke)


def _relabelled(document: Document, table: str, column: str, free: npt.NDArray[np.bool_]) -> tuple[Ints, list[str]]:
    """Return the rows under no stroke that were given their domain by hand all the same, and its names."""
    obs = document.table(table).obs
    if by_hand(column) not in obs or column not in obs:
        return np.empty(0, np.int64), []
    rows = np.flatnonzero(free & obs[by_hand(column)].to_numpy(dtype=bool))
    values = obs[column].iloc[rows]
    there = values.notna().to_numpy()
    return rows[there], [str(v) for v in values[there]]


def _which_counts(ids: pd.Index[Any], entries: Sequence[Mapping[str, Any]]) -> Ints:
    """Return (n,) the number of the last entry about each row, -1 where none is."""
    last = np.full(len(ids), -1, np.int64)
    entries_with = [(i, e) for i, e in enumerate(entries) if len(e["instances"])]
    if isinstance(ids, pd.MultiIndex):
        entries_with = [(i, e) for i, e in entries_with if "regions" in e]
    if not entries_with:
        return last
    instances = [v for _, e in entries_with for v in e["instances"]]
    wanted: pd.Index[Any] = pd.Index(instances)
    if isinstance(ids, pd.MultiIndex):
        wanted = pd.MultiIndex.from_arrays([[r for _, e in entries_with for r in e["regions"]], instances])
    number = np.repeat([i for i, _ in entries_with], [len(e["instances"]) for _, e in entries_with])
    # several rows of a table may name the same instance: what is said of one is said of all
    codes, once = (None, ids) if ids.is_unique else ids.factorize()
    at = once.get_indexer(wanted)
    per = np.full(len(once), -1, np.int64)
    np.maximum.at(per, at[at >= 0], number[at >= 0])
    return per if codes is None else np.where(codes >= 0, per[codes], -1)
