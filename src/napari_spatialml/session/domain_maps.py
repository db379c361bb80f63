"""A map of domains as it stands in the document, and what becomes of it when the hand says something.

What stands there follows from three things: what the method said, the last fit, and what the hand says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..core.graph import tissue_graph
from ..errors import BadInput, DocumentError
from .constraints import key_of
from .document import Document
from .domain_strokes import DomainHand
from .gather import coordinates_of
from .selection import places_slots
from .tissue_rows import sections_of

__all__ = ["ATTRIBUTE", "DomainMap", "about_map", "checked_column", "held_map", "maps_together", "neighbours"]

ATTRIBUTE = "domain_maps"
MOST = 1000
"""Categories: a column of more names rows, not domains."""
_NEIGHBOURS = 6
Ints = npt.NDArray[np.int64]
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class DomainMap:
    """The map of one table.

    Parameters
    ----------
    table, column
        Where it stands.
    names
        (k,) of the domains.
    codes
        (n,) places in ``names``; -1 for a row that is in none.
    probabilities
        (n, k); NaN in rows of which nothing is known yet.
    names_computed, computed
        (k0,) and (n, k0): the map before the hand.
    about
        How it was made: its entry of the attribute.
    """

    table: str
    column: str
    names: tuple[str, ...]
    codes: Ints
    probabilities: Array
    names_computed: tuple[str, ...]
    computed: Array
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that were divided together, this one among them."""
        return tuple(self.about.get("tables", (self.table,)))

    def number(self, name: str) -> int:
        """Return the place of a domain.

        Raises
        ------
        BadInput
            When there is none of that name.
        """
        if name not in self.names:
            listed = ", ".join(self.names) or "none"
            raise BadInput(f"'{self.column}' of '{self.table}' has no domain '{name}'.", f"It has: {listed}.")
        return self.names.index(name)

    def of_names(self, names: Sequence[str]) -> DomainMap:
        """Return the map with these domains in this order: new ones are empty, rows of those that went go back."""
        if tuple(names) == self.names:
            return self
        at = {name: i for i, name in enumerate(self.names)}
        to = {name: i for i, name in enumerate(names)}
        wide = np.concatenate([self.probabilities, np.zeros((len(self.codes), 1), self.probabilities.dtype)], axis=1)
        p = wide[:, np.array([at.get(name, -1) for name in names], dtype=np.int64)]
        known = np.isfinite(self.probabilities).all(1) & bool(self.names)
        p[~known] = np.nan
        moved = np.array([*(to.get(name, -1) for name in self.names), -1], dtype=np.int64)[self.codes]
        lost = (moved < 0) & (self.codes >= 0) | (known & (p.sum(1) <= 0))
        made = replace(self, names=tuple(names), codes=moved, probabilities=_normalised(p))
        return made.as_computed(np.flatnonzero(lost)) if lost.any() else made

    def as_computed(self, rows: Ints) -> DomainMap:
        """Return the map with some rows as they were before the hand, as far as these domains are still there."""
        p, codes = self.probabilities.copy(), self.codes.copy()
        at = {name: i for i, name in enumerate(self.names_computed)}
        wide = np.concatenate([self.computed[rows], np.zeros((len(rows), 1), self.computed.dtype)], axis=1)
        before = _normalised(wide[:, np.array([at.get(name, -1) for name in self.names], dtype=np.int64)])
        known = np.isfinite(before).all(1) & (before.sum(1) > 0)
        before[~known] = np.nan
        p[rows] = before
        codes[rows] = np.where(known, np.nan_to_num(before).argmax(1), -1) if self.names else -1
        return replace(self, probabilities=p, codes=codes)

    def under(self, hand: DomainHand) -> DomainMap:
        """Return the map in which rows have the domain that the hand gives them, new domains last."""
        made = self.of_names([*self.names, *(n for n in hand.names if n not in self.names)])
        anchors = hand.anchors(made.names)
        given = anchors >= 0
        codes, p = made.codes.copy(), made.probabilities.copy()
        codes[given], codes[hand.ignored] = anchors[given], -1
        p[given] = np.eye(len(made.names), dtype=p.dtype)[anchors[given]]
        return replace(made, codes=codes, probabilities=p)

    def joined(self, into: Mapping[str, str]) -> DomainMap:
        """Return the map whose domains have other names; those that get the same one become one.

        A row whose likeliest domain is another one now goes there.
        """
        number = [into.get(name, name) for name in self.names]
        names = list(dict.fromkeys(number))
        before = [into.get(name, name) for name in self.names_computed]
        names_computed = list(dict.fromkeys(before))
        codes = np.array([*(names.index(name) for name in number), -1], dtype=np.int64)[self.codes]
        p = _summed(self.probabilities, [names.index(n) for n in number], len(names))
        if len(names) < len(self.names):
            likeliest = (self.codes >= 0) & (np.nan_to_num(self.probabilities).argmax(1) == self.codes)
            codes[likeliest] = np.nan_to_num(p[likeliest]).argmax(1)
        return replace(
            self,
            names=tuple(names),
            codes=codes,
            probabilities=p,
            names_computed=tuple(names_computed),
            computed=_summed(self.computed, [names_computed.index(n) for n in before], len(names_computed)),
        )

    def split(self, name: str, parts: Ints, into: Sequence[str]) -> DomainMap:
        """Return the map in which a domain is several: ``parts`` (n,) says which of ``into`` a row's share of it is."""
        names, p = _split(self.names, self.probabilities, name, parts, into)
        names_computed, computed = _split(self.names_computed, self.computed, name, parts, into)
        place = np.array([*(names.index(n) if n in names else 0 for n in self.names), -1], dtype=np.int64)
        inside = self.codes == self.number(name)
        codes = place[self.codes]
        codes[inside] = names.index(into[0]) + parts[inside]
        return replace(
            self, names=names, codes=codes, probabilities=p, names_computed=names_computed, computed=computed
        )


def _split(
    names: tuple[str, ...], values: Array, name: str, parts: Ints, into: Sequence[str]
) -> tuple[tuple[str, ...], Array]:
    if name not in names:
        return names, values
    at = names.index(name)
    shares = values[:, at, None] * np.eye(len(into), dtype=values.dtype)[parts]
    wide = np.concatenate([values[:, :at], shares, values[:, at + 1 :]], axis=1)
    return (*names[:at], *into, *names[at + 1 :]), wide


def _summed(values: Array, to: Sequence[int], k: int) -> Array:
    out = np.zeros((len(values), k), values.dtype)
    for column, number in enumerate(to):
        out[:, number] += values[:, column]
    return out


def _normalised(values: Array) -> Array:
    """Return rows that sum to 1 where anything is left of them; those that are whole, as they are."""
    total = values.sum(1, dtype=np.float64)
    short = (total > 0) & (np.abs(total - 1) > 1e-6)
    values = values.copy()
    values[short] = values[short] / total[short, None]
    return values


# reading ---------------------------------------------------------------------------------------


def about_map(document: Document, table: str, column: str = "domain") -> dict[str, Any]:
    """Return how a map was made; nothing where that is not known.

    Raises
    ------
    DocumentError
        When the attribute of the file cannot be read.
    """
    held = document.attribute(ATTRIBUTE, {})
    about = held.get(key_of(table, column), {}) if isinstance(held, dict) else None
    if about == {}:
        return {}
    whole = isinstance(about, dict)
    if isinstance(about, dict):
        lists = [about.get(key) for key in ("names", "names_computed", "tables")]
        whole = all(isinstance(v, list) and all(isinstance(n, str) for n in v) for v in lists)
        whole = whole and all(len(set(v)) == len(v) for v in lists if v) and table in about["tables"]
    if not whole or not isinstance(about, dict):
        raise _unreadable(table, column)
    return about


def _unreadable(table: str, column: str) -> DocumentError:
    return DocumentError(
        f"How the domains '{column}' of '{table}' were made cannot be read.",
        "The section may have been changed by another program; run the domains again.",
    )


def held_map(document: Document, table: str, column: str = "domain") -> DomainMap:
    """Return the map that a table has; one without domains where it has none yet.

    A column of categories that no run has made is a map as well: of that, all is certain.

    Raises
    ------
    BadInput
        When the column holds no categories.
    DocumentError
        When there is no such table, or what is known of the map cannot be read.
    """
    frame, about = document.table(table), about_map(document, table, column)
    values, p, computed = checked_column(frame, table, column), *_frames(frame, column)
    named = tuple(str(c) for c in values.cat.categories)
    names = tuple(about["names"]) if about else named
    names_computed = tuple(about["names_computed"]) if about else named
    if p is not None and p.shape[1] != len(names):
        if about:
            raise _unreadable(table, column)
        p = computed = None
    if computed is not None and computed.shape[1] != len(names_computed):
        raise _unreadable(table, column)
    at = {name: i for i, name in enumerate([*names, *(n for n in named if n not in names)])}
    codes = np.array([*(at[name] for name in named), -1], dtype=np.int64)[values.cat.codes.to_numpy()]
    if p is None:
        p = _certain(codes, len(names))
    if computed is None:
        computed = p if names == names_computed else np.zeros((len(codes), 0), p.dtype)
        names_computed = names if names == names_computed else ()
    made = DomainMap(table, column, names, codes, p, names_computed, computed, about)
    strange = [name for name in at if name not in names]  # given by another program since
    if not strange:
        return made
    empty = np.zeros((len(codes), len(strange)), p.dtype)
    return replace(made, names=(*names, *strange), probabilities=np.concatenate([p, empty], axis=1))


_BESIDE = {"margin": "f", "boundary": "f", "stability": "f", "by_hand": "biu"}
"""What a map keeps of each row beside its domain, and the kinds of number that it is."""


def checked_column(frame: Any, table: str, column: str) -> pd.Series[Any]:
    """Return the categories of a column, without any where there is none yet.

    Raises
    ------
    BadInput
        When it, or one in which a map keeps what is known of the rows, holds something else.
    """
    for end, kinds in _BESIDE.items():
        held = frame.obs.get(f"{column}_{end}")
        if held is not None and (held.dtype.kind not in kinds or (end == "by_hand" and held.isna().any())):
            raise BadInput(
                f"The column '{column}_{end}' of '{table}' holds something else than what a map keeps there.",
                "Rename or remove it, or choose another name for the domains.",
            )
    values = frame.obs.get(column)
    if values is None:
        return pd.Series(pd.Categorical([None] * frame.n_obs, categories=[]), index=frame.obs.index)
    if values.dtype.kind not in "OUT" and not isinstance(values.dtype, pd.CategoricalDtype):
        raise BadInput(f"The column '{column}' of '{table}' holds no categories.", "Choose another name.")
    made = values if isinstance(values.dtype, pd.CategoricalDtype) else values.astype("category")
    if len(made.cat.categories) > MOST:
        raise BadInput(
            f"The column '{column}' of '{table}' has {len(made.cat.categories):,} categories: it is no map of domains.",
            "Choose another name.",
        )
    return made


def _frames(frame: Any, column: str) -> tuple[Array | None, Array | None]:
    found: list[Array | None] = []
    for end in ("_probabilities", "_computed"):
        held = frame.obsm.get(f"{column}{end}")
        values = None if held is None else np.asarray(held)
        found.append(values if values is not None and values.ndim == 2 and values.dtype.kind == "f" else None)
    return found[0], found[1]


def _certain(codes: Ints, k: int) -> Array:
    p = np.full((len(codes), k), np.nan, np.float32)
    rows = np.flatnonzero((codes >= 0) & (codes < k))
    p[rows] = np.eye(k, dtype=np.float32)[codes[rows]]
    return p


def maps_together(document: Document, found: DomainMap) -> list[DomainMap]:
    """Return the maps that were divided together with one, as far as they are still that, itself first."""
    others = [t for t in found.tables if t != found.table and t in document.names("tables")]
    maps = [(t, about_map(document, t, found.column)) for t in others]
    known = ("tables", "fingerprint", "names_computed")
    same = [t for t, about in maps if about and all(about.get(k) == found.about.get(k) for k in known)]
    return [found, *(held_map(document, t, found.column) for t in same)]


_GRAPHS: WeakKeyDictionary[Document, dict[str, tuple[Any, Any]]] = WeakKeyDictionary()


def neighbours(document: Document, table: str) -> Any:
    """Return (n, n) which rows of a table lie beside each other, as CSR of ones: the same one until they move.

    Rows on different sections are no neighbours, wherever they lie.
    """
    slots = places_slots(document, table)
    key = (document.table(table).n_obs, *((slot, document.revision(slot)) for slot in (*slots, ("tables", table, "X"))))
    known = _GRAPHS.setdefault(document, {})
    if table not in known or known[table][0] != key:
        where, sections = coordinates_of(document, table), sections_of(document, table)
        known[table] = (key, tissue_graph(where, _NEIGHBOURS, sections))
    return known[table][1]
