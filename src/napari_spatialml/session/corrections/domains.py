"""Corrections of maps of domains: strokes, shown at once; domains merged, split and put in order.

Rows are row numbers; what is kept names the rows' instances, so that it outlives changes of the table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import BadInput
from ..changes import Change, Put
from ..constraints import key_of
from ..document import Document
from ..domain_maps import DomainMap, held_map, maps_together
from ..domain_strokes import ATTRIBUTE, domain_hand_of, held_strokes, stroke_rows
from ..domain_writing import written
from ..row_words import counted
from ..selection import by_hand
from ..store import put_entry
from .proportions import checked_rows, instances_at, signing
from .registry import Made, correction

__all__ = ["joined_domains", "relabelled", "released", "reordered", "restroked"]

Entry = dict[str, Any]
Rows = npt.NDArray[np.int64]
Strokes = Mapping[str, Sequence[Entry]]


@signing
def stroke_domain(
    document: Document,
    table: str,
    rows: Any,
    domain: str,
    column: str = "domain",
    reason: str = "",
    by: str = "",
    when: str = "",
) -> Made:
    """Say in which domain rows lie; no fit overrules it. A new name makes a new domain."""
    if not str(domain).strip():
        raise BadInput("The name of the domain is empty.", "Give it a name, or ignore the tissue.")
    return _laid_down(document, table, column, rows, str(domain).strip(), reason, by, when)


@signing
def ignore_tissue(
    document: Document,
    table: str,
    rows: Any,
    column: str = "domain",
    reason: str = "",
    by: str = "",
    when: str = "",
) -> Made:
    """Say that rows are no tissue to divide: folds, bubbles, glass. They lie in no domain and teach nothing."""
    return _laid_down(document, table, column, rows, "", reason, by, when)


@correction
def remove_domain_stroke(document: Document, table: str, number: int, column: str = "domain") -> Made:
    """Take a stroke back: ``number`` counts from 0, in the order in which they were laid."""
    entries = _numbered(document, table, column, number)
    left = [*entries[:number], *entries[number + 1 :]]
    return f"take back: {_words(document, table, entries[number])}", _follow(document, table, column, left)


@correction
def edit_domain_stroke(
    document: Document,
    table: str,
    number: int,
    domain: str | None = None,
    reason: str | None = None,
    column: str = "domain",
) -> Made:
    """Change the domain of a stroke ("" ignores the tissue) or its reason. It keeps its place in the order."""
    entries = _numbered(document, table, column, number)
    changed = {"domain": domain, "reason": reason}
    new = {**entries[number], **{key: str(v).strip() for key, v in changed.items() if v is not None}}
    if new == entries[number]:
        raise BadInput("There is nothing to change.", "Give another domain or reason.")
    said = [*entries[:number], new, *entries[number + 1 :]]
    return f"change: {_words(document, table, new)}", _follow(document, table, column, said)


@correction
def merge_domains(document: Document, table: str, names: Sequence[str], column: str = "domain") -> Made:
    """Make one domain of several; it has the name of the largest, and so its colour."""
    found = held_map(document, table, column)
    wanted = list(dict.fromkeys(str(n) for n in names))
    if len(wanted) < 2:
        raise BadInput(f"{len(wanted)} domain cannot be merged.", "Mark two or more.")
    places = [found.number(name) for name in wanted]
    sizes = np.sum([_sizes(made, wanted) for made in maps_together(document, found)], axis=0)
    kept = wanted[int(np.lexsort((places, -sizes))[0])]
    others = [name for name in wanted if name != kept]
    label = f"merge {' and '.join(others)} into {kept}"
    return label, joined_domains(document, found, dict.fromkeys(others, kept))


@correction
def reorder_categories(document: Document, table: str, column: str, names: Sequence[str]) -> Made:
    """Put domains, or other categories, into an order; those that are not named keep their places."""
    from .colouring import order_categories

    return order_categories(document, table, column, names)


# what is laid down -----------------------------------------------------------------------------


def _laid_down(
    document: Document, table: str, column: str, rows: Any, domain: str, reason: str, by: str, when: str
) -> Made:
    at = checked_rows(document.table(table).n_obs, table, rows)
    said = {"domain": domain, **instances_at(document, table, at), "reason": str(reason).strip()}
    entries = [*held_strokes(document, table, column), {**said, "by": by, "when": when}]
    what = counted(document, table, len(at))
    label = f"{what} of {table} into {domain}" if domain else f"ignore {what} of {table}"
    return label, _follow(document, table, column, entries)


def relabelled(document: Document, table: str, column: str, rows: Any, domain: str) -> Made:
    """Lay a stroke that nobody has signed."""
    return _laid_down(document, table, column, rows, str(domain).strip(), "", "", "")


def _numbered(document: Document, table: str, column: str, number: int) -> list[Entry]:
    entries = held_strokes(document, table, column)
    if not entries:
        raise BadInput(f"There is no stroke on '{column}' of '{table}'.", "Brush over some rows first.")
    if not 0 <= number < len(entries):
        raise BadInput(f"There is no stroke {number}.", f"They are numbered from 0 to {len(entries) - 1}.")
    return entries


def _words(document: Document, table: str, said: Entry) -> str:
    what = counted(document, table, len(said["instances"]))
    return f"{what} into {said['domain']}" if said["domain"] else f"ignore {what}"


# what it changes -------------------------------------------------------------------------------


def _follow(
    document: Document, table: str, column: str, entries: Sequence[Entry], free: Rows | None = None
) -> list[Change]:
    """Return the changes that keep other strokes on a table, and show them in all maps that were divided together.

    Rows of ``free`` are free whatever else gave them their domain.
    """
    first = held_map(document, table, column)
    maps = maps_together(document, first)
    hands = [domain_hand_of(document, m.table, column, entries if m is first else None) for m in maps]
    if free is not None:
        hands[0] = hands[0].without(free)
    marked = document.table(table).obs.get(by_hand(column))
    if marked is not None:
        maps[0] = first.as_computed(np.flatnonzero(marked.to_numpy(dtype=bool) & ~hands[0].given))
    named = [name for hand in hands for name in hand.names]
    # a domain that came with a stroke goes with it; one that another program gave stays
    strange = set(first.names) - set(first.about.get("names", first.names))
    own = [n for n in first.names if n in {*first.names_computed, *named, *strange}]
    names = list(dict.fromkeys([*own, *named]))
    shown = [_untested(m.of_names(names).under(hand)) for m, hand in zip(maps, hands, strict=True)]
    kept = restroked(document, column, {table: entries})
    return [*kept, *written(document, list(zip(shown, hands, strict=True)))]


def _untested(made: DomainMap) -> DomainMap:
    """Return a map without what was measured of its strokes."""
    return replace(made, about={key: v for key, v in made.about.items() if key != "accuracy"})


def _sizes(made: DomainMap, names: Sequence[str]) -> npt.NDArray[np.int64]:
    counts = np.bincount(made.codes[made.codes >= 0], minlength=len(made.names))
    return np.array([counts[made.names.index(n)] if n in made.names else 0 for n in names], dtype=np.int64)


def joined_domains(document: Document, found: DomainMap, into: Mapping[str, str]) -> list[Change]:
    """Return the changes that give domains other names, in all that keeps them; those of one name become one."""
    maps = maps_together(document, found)
    strokes = {
        m.table: [
            {**e, "domain": into.get(e["domain"], e["domain"])} for e in held_strokes(document, m.table, found.column)
        ]
        for m in maps
    }
    made = [_untested(m.joined(into)) for m in maps]
    return [
        *restroked(document, found.column, strokes),
        *_with_hands(document, made, into),
        *_recoloured(document, found, into),
    ]


def _with_hands(document: Document, maps: Sequence[DomainMap], into: Mapping[str, str]) -> list[Change]:
    pairs = []
    for made in maps:
        hand = domain_hand_of(document, made.table, made.column)
        names = list(dict.fromkeys(into.get(n, n) for n in hand.names))
        place = np.array([*(names.index(into.get(n, n)) for n in hand.names), -1], dtype=np.int64)
        pairs.append((made, replace(hand, names=tuple(names), codes=place[hand.codes])))
    return written(document, pairs)


def restroked(document: Document, column: str, strokes: Strokes) -> list[Change]:
    """Return the change that keeps other strokes on several tables."""
    held = document.attribute(ATTRIBUTE)
    given = {key_of(table, column): list(entries) for table, entries in strokes.items()}
    new = {**(held or {}), **{key: entries for key, entries in given.items() if entries}}
    for key, entries in given.items():
        if not entries:
            new.pop(key, None)
    return [] if new == (held or {}) else [Put(("attrs", ATTRIBUTE), held, new or None)]


def _recoloured(document: Document, found: DomainMap, into: Mapping[str, str]) -> list[Change]:
    """Return the change that lets a domain keep its colour under its new name; a name that is taken keeps its own."""
    held = document.colours(found.column)
    kept = {}
    for name, colour in held.items():
        to = into.get(name, name)
        if to == name or not (to in found.names or to in held):
            kept[to] = colour
    return [] if kept == held else [put_entry(document, "colours", found.column, kept)]


def reordered(document: Document, found: DomainMap, names: Sequence[str]) -> list[Change]:
    """Return the changes that put all domains of maps into an order."""
    maps = [m.of_names(names) for m in maps_together(document, found)]
    return written(document, [(m, domain_hand_of(document, m.table, m.column)) for m in maps])


def released(document: Document, table: str, column: str, rows: Rows) -> list[Change]:
    """Return the changes that take rows out of all strokes."""
    entries = []
    for entry in held_strokes(document, table, column):
        if np.isin(stroke_rows(document, table, entry), rows).any():
            entry = _without(document, table, entry, rows)
        entries += [entry] if entry["instances"] else []
    return _follow(document, table, column, entries, rows)


def _without(document: Document, table: str, entry: Entry, rows: npt.NDArray[np.int64]) -> Entry:
    gone = instances_at(document, table, rows)
    of = [entry["instances"], *([entry["regions"]] if "regions" in gone else [])]
    wanted = set(zip(gone["instances"], *([gone["regions"]] if "regions" in gone else []), strict=True))
    keep = [place not in wanted for place in zip(*of, strict=True)]
    lists: Entry = {
        key: [v for v, k in zip(entry[key], keep, strict=True) if k] for key in ("instances", "regions") if key in entry
    }
    return {**entry, **lists}
