"""Corrections of maps of domains that have to compute: a domain divided, a map applied elsewhere or put to the test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ...core.report import Report, silent
from ..changes import Change, Put
from ..constraints import instance_index
from ..document import Document
from ..domain_maps import DomainMap, maps_together
from ..domain_measures import SEEDS, map_space, parts_of_domain, stability_of, strokes_left_out
from ..domain_strokes import DomainHand, domain_hand_of, held_strokes, stroke_rows
from ..domain_transfer import source_map, transferred
from ..domain_writing import written
from ..row_words import counted
from ..store import put_entry
from .domains import restroked
from .proportions import instances_at
from .registry import Made, correction

__all__: list[str] = []

Rows = npt.NDArray[np.int64]


@correction
def split_domain(
    document: Document, table: str, name: str, column: str = "domain", parts: int = 2, report: Report = silent
) -> Made:
    """Divide a domain in the space of its method. The largest part keeps the name; strokes are divided with it."""
    space = map_space(document, table, column, report)
    of_row = parts_of_domain(space, name, int(parts))
    into = [name, *_new_names(name, space.maps[0].names, int(parts) - 1)]
    strokes, shown = {}, []
    for found, values in zip(space.maps, space.inputs.split(of_row), strict=True):
        mine = _alike(document, found.table, values)
        held = held_strokes(document, found.table, column)
        strokes[found.table] = [e for said in held for e in _divided(document, found, said, mine, into)]
        about = {key: v for key, v in found.about.items() if key != "accuracy"}
        hand = domain_hand_of(document, found.table, column)
        made = replace(found.split(name, mine, into), about=about)
        shown.append((made, _given_parts(made, hand, into)))
    label = f"split {name} into {', '.join(into)}"
    return label, [*restroked(document, column, strokes), *written(document, shown)]


def _alike(document: Document, table: str, parts: Rows) -> Rows:
    """Return parts of which all rows of one instance have the same."""
    ids = instance_index(document, table)
    if ids.is_unique:
        return parts
    codes, _ = ids.factorize()
    first = np.unique(codes, return_index=True)[1]
    return np.asarray(parts[first[codes]], dtype=np.int64)


def _given_parts(made: DomainMap, hand: DomainHand, into: Sequence[str]) -> DomainHand:
    """Return what the hand says when what it gave to a domain lies in its parts."""
    names = tuple(dict.fromkeys([*hand.names, *into]))
    place = np.array([names.index(n) if n in names else -1 for n in made.names])
    divided = (hand.codes >= 0) & np.isin(made.codes, [made.number(n) for n in into])
    return replace(hand, names=names, codes=np.where(divided, place[made.codes], hand.codes))


def _new_names(name: str, taken: Sequence[str], n: int) -> list[str]:
    """Return names that are free: the next numbers, where the domain has one and nothing else."""
    plain = name[:1] == "D" and name[1:].isdigit()
    made: list[str] = []
    number = 1 if plain else 2
    while len(made) < n:
        new = f"D{number}" if plain else f"{name} {number}"
        made += [] if new in taken else [new]
        number += 1
    return made


def _divided(
    document: Document, found: DomainMap, said: dict[str, Any], parts: Rows, into: Sequence[str]
) -> list[dict[str, Any]]:
    """Return a stroke on a domain as one for each part that it goes over; what is gone stays with the first."""
    if said["domain"] != into[0]:
        return [said]
    rows = stroke_rows(document, found.table, said)
    elsewhere = [instances_at(document, found.table, rows[parts[rows] == i]) for i in range(1, len(into))]
    gone = {place for one in elsewhere for place in _places(one)}
    keep = [place not in gone for place in _places(said)]
    sides = [key for key in ("instances", "regions") if key in said]
    lists: dict[str, Any] = {key: [v for v, k in zip(said[key], keep, strict=True) if k] for key in sides}
    made = [{**said, **lists}, *({**said, "domain": n, **one} for n, one in zip(into[1:], elsewhere, strict=True))]
    return [one for one in made if one["instances"]]


def _places(said: dict[str, Any]) -> list[tuple[Any, ...]]:
    return list(zip(*(said[key] for key in ("instances", "regions") if key in said), strict=True))


@correction
def transfer_domains(
    document: Document,
    table: str,
    source: str,
    column: str = "domain",
    source_column: str = "",
    report: Report = silent,
) -> Made:
    """Apply the map of another table to a table: the same domains, found where its rows are alike.

    ``source`` is a table of the section, or ``store.zarr::table``. Strokes on the table are kept.
    """
    given = source_map(document, source, source_column or column)
    made, hand = transferred(document, table, column, given, report)
    changes: list[Change] = written(
        document, [(made.under(hand), hand)], [(("tables", table, "obs", f"{column}_stability"), None)], afresh=True
    )
    colours = given.document.colours(given.found.column)
    held = document.colours(column)
    kept = {**{n: c for n, c in colours.items() if n in made.names}, **held}
    if kept != held:
        changes.append(put_entry(document, "colours", column, kept))
    n = int((made.codes >= 0).sum())
    return f"domains of {given.place} applied to {counted(document, table, n)} of {table}", changes


@correction
def measure_domain_stability(
    document: Document,
    table: str,
    column: str = "domain",
    seeds: Sequence[int] = SEEDS,
    report: Report = silent,
) -> Made:
    """Make the map again with other seeds, and keep for each row the share of them that agree with it."""
    found = stability_of(document, table, column, seeds, report)
    beside = [(("tables", name, "obs", f"{column}_stability"), values) for name, values in found.items()]
    return f"stability of {column} of {table} over {len(seeds)} seeds", written(document, [], beside)


@correction
def measure_stroke_accuracy(document: Document, table: str, column: str = "domain", report: Report = silent) -> Made:
    """Leave out each stroke in turn, and keep how many of them the others predict."""
    from ..domain_maps import ATTRIBUTE, held_map

    found = strokes_left_out(document, table, column, report)
    about = {
        "right": found.right,
        "of": found.of,
        "strokes": len(found.per_stroke),
        "before": found.before,
        "per_stroke": list(found.per_stroke),
        "sentence": found.sentence,
    }
    held = document.attribute(ATTRIBUTE)
    keys = [f"{m.table}/{column}" for m in maps_together(document, held_map(document, table, column))]
    new = {**held, **{key: {**held[key], "accuracy": about} for key in keys}}
    return f"strokes of {table} left out one by one", [Put(("attrs", ATTRIBUTE), held, new)]
