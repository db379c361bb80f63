"""A map of domains applied to another table: of the section, or of another store."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.domains import DomainDetector
from ..core.report import Report, part, silent
from ..core.transferred_domains import centred_apart, domains_like
from ..errors import BadInput
from ..io import open_files
from ..io.reference import INSIDE, split_place, table_inside
from .document import Document
from .domain_cache import domain_inputs, inputs_of, stacked_features
from .domain_dividing import fitted_under, rounded, together
from .domain_maps import DomainMap, held_map
from .domain_refit import as_made
from .domain_strokes import DomainHand, domain_hand_of
from .selection import DomainsSelection

__all__ = ["Source", "source_map", "transferred"]

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Source:
    """The map that is applied.

    Parameters
    ----------
    document, found
        Where it stands, and the map.
    method, features
        How it was made.
    place
        What a person calls it.
    """

    document: Document
    found: DomainMap
    method: DomainDetector
    features: str
    place: str


def source_map(document: Document, source: str, column: str = "domain") -> Source:
    """Return a map by its place: the name of a table of the section, or ``store.zarr::table``.

    Raises
    ------
    BadInput, DocumentError
        When there is none, or it is not known how it was made.
    """
    place, held, table = source, document, source
    if source not in document.names("tables"):
        store, inside = split_place(source)
        if not source.strip() or not _is_there(store):
            listed = ", ".join(document.names("tables"))
            raise BadInput(
                f"There is no table and no section '{source:.200}'.",
                f"Name a table ({listed}), or the one of a saved section: section.zarr{INSIDE}table.",
            )
        table = Path(table_inside(store, inside)).name
        held, place = Document(open_files(store)), f"{store.name}{INSIDE}{table}"
    if column not in held.table(table).obs:
        raise BadInput(f"The table '{table}' has no column '{column}'.", "Run a method there first.")
    found = held_map(held, table, column)
    method, selection = as_made(held, found)
    return Source(held, found, method, selection.features, place)


def _is_there(store: Path) -> bool:
    try:
        return store.is_dir()
    except OSError:  # a name longer than any file's
        return False


def transferred(
    document: Document, table: str, column: str, source: Source, report: Report = silent
) -> tuple[DomainMap, DomainHand]:
    """Return the map of a table by that of a source, and what the hand says of its rows.

    Both are embedded together, over the features that they share, and centred apart. The rows of the source
    keep their domains and teach the others; the strokes on the table stay what they are.

    Raises
    ------
    BadInput, DocumentError
        When the two share no features, or a table does not hold what the method needs.
    """
    from threadpoolctl import threadpool_limits

    own = source.document is document
    if own and source.found.table == table and source.found.column == column:
        raise BadInput(f"'{table}' has this map.", "Choose another table.")
    places = [(source.document, source.found.table), (document, table)]
    features = stacked_features(places, source.features)
    rows = inputs_of(features, places, (source.place, table))
    hand = domain_hand_of(document, table, column)
    if hand.ignored.all():
        raise BadInput("All rows are ignored.", "Leave some tissue.")
    with threadpool_limits(limits=1, user_api="blas"):  # see `run.Job`
        smoothed = rows.smoothed(source.method, part(report, 0.0, 0.7))
        ignored = np.concatenate([source.found.codes < 0, hand.ignored])
        assert rows.cells.sections is not None
        space = replace(smoothed, values=centred_apart(smoothed.values, rows.cells.sections, ignored))
        computed, names, p = _applied(source, space, hand, part(report, 0.7, 1.0))
    made = DomainMap(table, column, tuple(names), p.argmax(1), p, source.found.names, computed)
    return replace(made, about=_about(document, made, source)), hand


def _applied(source: Source, space: Any, hand: DomainHand, report: Report) -> tuple[Array, list[str], Array]:
    """Return the map before the hand on the table, and names and probabilities of the one after it."""
    codes, k = source.found.codes, len(source.found.names)
    known, other = space.values[: len(codes)], space.values[len(codes) :]
    start = np.concatenate([np.eye(k)[np.maximum(codes, 0)], domains_like(known, codes, other, k)])
    taught = DomainHand(source.found.names, codes, codes < 0, np.full(len(codes), -1))
    free = DomainHand((), np.full(len(other), -1), np.zeros(len(other), bool), np.full(len(other), -1))
    both = [replace(free, ignored=hand.ignored), hand]
    found: list[tuple[list[str], Array]] = []
    for i, said in enumerate(both if hand.given.any() else both[:1]):
        step = part(report, i / 2, (i + 1) / 2)
        names, p = fitted_under(source.method, space, source.found.names, start, together([taught, said]), step)
        found.append((names, rounded(p[len(codes) :])))
    return found[0][1], *found[-1]


def _about(document: Document, made: DomainMap, source: Source) -> dict[str, Any]:
    selection = DomainsSelection(made.table, source.features, made.column)
    return {
        "table": made.table,
        "column": made.column,
        "method": source.method.name,
        "parameters": source.method.settings(),
        "tables": [made.table],
        "features": source.features,
        "fingerprint": domain_inputs(document, selection).fingerprint,
        "transferred": {"source": source.place, "column": source.found.column},
    }
