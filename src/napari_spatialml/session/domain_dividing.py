"""Dividing the tissue: from the cached stages to the map before the hand, its names, and the map after it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.colours import match_labels
from ..core.domain_trust import margin
from ..core.domains import DomainDetector, Embedded
from ..core.report import Report, part, silent
from ..errors import BadInput
from .changes import Change, Put
from .constraints import key_of
from .document import Document
from .domain_cache import DomainInputs, domain_inputs
from .domain_maps import DomainMap, checked_column
from .domain_strokes import ATTRIBUTE as STROKES
from .domain_strokes import DomainHand, domain_hand_of
from .domain_writing import written
from .fingerprints import fingerprint
from .row_words import rows_are
from .run import Finished, Job
from .selection import DomainsSelection

__all__ = ["Divided", "DomainsJob", "divided_line", "domains_job", "fitted_under", "stored_domains", "together"]

Ints = npt.NDArray[np.int64]
Array = npt.NDArray[Any]
_STEPS = 8192
_UNSURE, _UNSURE_BELOW = 0.2, 0.6
"""A margin below the first needs a probability below the second."""
_FREE = 0.9
"""The share of a run that the map before the hand takes."""


@dataclass(frozen=True)
class Divided:
    """What a division of one or several tables gives to the document.

    Parameters
    ----------
    names, probabilities
        (k,) and, a table, (n, k): what counts now.
    names_computed, computed
        The same of the map before the hand.
    about
        How it was made, for the attribute ``domain_maps``.
    """

    names: tuple[str, ...]
    probabilities: tuple[Array, ...]
    names_computed: tuple[str, ...]
    computed: tuple[Array, ...]
    about: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class DomainsJob(Job):
    """A division. Call it, on any thread.

    Parameters
    ----------
    rows
        The features and coordinates.
    hand
        What the hand says, of all rows.
    before
        (n,) the map so far, as places in its names, -1 in none; by which domains that are found again keep theirs.
    before_names
        Its names.
    """

    rows: DomainInputs = field(kw_only=True)
    hand: DomainHand = field(kw_only=True)
    before: Ints = field(kw_only=True)
    before_names: tuple[str, ...] = field(kw_only=True)

    def __call__(self, report: Report = silent) -> Finished:
        """Divide the tissue, and fit again if the hand has said anything."""
        from threadpoolctl import threadpool_limits

        method: Any = self.method
        start = time.perf_counter()
        with threadpool_limits(limits=1, user_api="blas"):  # see `Job`
            smoothed = self.rows.smoothed(method, part(report, 0.0, 0.6))
            ignored = self.hand.ignored if self.hand.ignored.any() else None
            if ignored is not None and ignored.all():
                raise BadInput("All rows are ignored.", "Leave some tissue.")
            free = method.divided(smoothed, ignored, part(report, 0.6, _FREE))
            computed = rounded(free.probabilities)
            names_computed = _names(self.before, self.before_names, free.labels, computed.shape[1])
            names, p = fitted_under(method, smoothed, names_computed, computed, self.hand, part(report, _FREE, 1.0))
        seconds = time.perf_counter() - start
        order = [*(n for n in self.before_names if n in names), *(n for n in names if n not in self.before_names)]
        p = p[:, [names.index(n) for n in order]]
        about = {
            "method": method.name,
            "parameters": method.settings(),
            "fingerprint": self.rows.fingerprint,
        }
        split = self.rows.split
        result = Divided(tuple(order), tuple(split(p)), names_computed, tuple(split(computed)), about)
        report(1.0, f"Found {len(order)} domains")
        return Finished(result, seconds, fingerprint((self.rows.fingerprint, *_plain(self.hand))))


def _plain(hand: DomainHand) -> tuple[Any, ...]:
    return list(hand.names), hand.codes, hand.ignored


def fitted_under(
    method: DomainDetector,
    smoothed: Embedded,
    names: Sequence[str],
    computed: Array,
    hand: DomainHand,
    report: Report = silent,
) -> tuple[list[str], Array]:
    """Return the names and the (n, k) probabilities of the map that follows the hand, from the one before it.

    Rows of which the map before the hand knows nothing start in all domains alike.
    """
    wide = [*names, *(n for n in hand.names if n not in names)]
    # a domain that later strokes cover wholly, or ignored tissue, is named and has no row to learn from
    kept = [n for n in wide if n in names or (hand.codes == hand.names.index(n)).any()]
    wide = [*kept, *(n for n in wide if n not in kept)]
    anchors = hand.anchors(wide)
    ignored = hand.ignored if hand.ignored.any() else None
    unknown = ~np.isfinite(computed).all(1)
    if not (anchors >= 0).any() and not unknown.any():
        return wide, _widened(computed, len(wide))
    start = computed.astype(np.float64)
    start[unknown] = 1 / start.shape[1]
    start /= start.sum(1, keepdims=True)
    found = method.refitted(smoothed, start, anchors, ignored, report)
    return wide, _widened(rounded(found.probabilities), len(wide))


def _widened(p: Array, k: int) -> Array:
    """Return (n, k) probabilities with empty columns for the domains that no row is in."""
    empty = np.zeros((len(p), k - p.shape[1]), p.dtype)
    return np.concatenate([p, empty], axis=1) if empty.shape[1] else p


def rounded(p: Array) -> Array:
    """Return (n, k) probabilities to 1.2e-4, rows that sum to 1 to the bit: what a fit leaves as it was stays so."""
    made = np.rint(p * _STEPS)
    rows, most = np.arange(len(made)), p.argmax(1)
    made[rows, most] += _STEPS - made.sum(1)
    return np.asarray(made / _STEPS, dtype=np.float32)


def _names(before: Ints, before_names: Sequence[str], labels: Ints, k: int) -> tuple[str, ...]:
    """Name domains so that a re-run keeps the names, and so the colours, of what it finds again."""
    partner = match_labels(before, labels)
    found = [int(partner[i]) if i < len(partner) else -1 for i in range(k)]
    kept = [before_names[p] if 0 <= p < len(before_names) else "" for p in found]
    fresh = (n for n in (f"D{i + 1}" for i in range(k + len(before_names))) if n not in before_names)
    return tuple(name or next(fresh) for name in kept)


def domains_job(job: Job, document: Document) -> DomainsJob:
    """Return what divides the tissue, with everything gathered.

    Raises
    ------
    BadInput, DocumentError
        When the document does not hold what the method needs.
    """
    selection = job.selection
    assert isinstance(selection, DomainsSelection)
    rows = domain_inputs(document, selection)
    hands = [_hand(document, table, selection) for table in rows.tables]
    names, codes = _standing(document, selection)
    return DomainsJob(
        job.method, selection, (), job.revisions, rows=rows, hand=together(hands), before=codes, before_names=names
    )


def _hand(document: Document, table: str, selection: DomainsSelection) -> DomainHand:
    if selection.keep_corrections:
        return domain_hand_of(document, table, selection.column)
    n = document.table(table).n_obs
    return DomainHand((), np.full(n, -1), np.zeros(n, bool), np.full(n, -1))


def together(hands: Sequence[DomainHand]) -> DomainHand:
    """Return what the hand says of several tables, one after the other."""
    names = tuple(dict.fromkeys(name for hand in hands for name in hand.names))
    return DomainHand(
        names,
        np.concatenate([hand.anchors(names) for hand in hands]),
        np.concatenate([hand.ignored for hand in hands]),
        np.concatenate([hand.stroke for hand in hands]),
    )


def _standing(document: Document, selection: DomainsSelection) -> tuple[tuple[str, ...], Ints]:
    """Return the names and the codes of what stands in the column of each table."""
    made = [checked_column(document.table(table), table, selection.column) for table in selection.tables]
    names = list(dict.fromkeys(str(c) for values in made for c in values.cat.categories))
    codes = []
    for values in made:
        place = np.array([*(names.index(str(c)) for c in values.cat.categories), -1], dtype=np.int64)
        codes.append(place[values.cat.codes.to_numpy()])
    return tuple(names), np.concatenate(codes)


# into the document -----------------------------------------------------------------------------


def stored_domains(document: Document, selection: DomainsSelection, done: Divided) -> tuple[list[Change], str]:
    """Return the changes that keep a division, and the result in one line.

    What the hand has said by now holds, whatever the method knew of it.
    """
    column = selection.column
    about = {**done.about, "tables": list(selection.tables), "features": selection.features, "column": column}
    pairs = []
    for table, p, computed in zip(selection.tables, done.probabilities, done.computed, strict=True):
        made = _as_map(document, table, column, done, p, computed, {**about, "table": table})
        pairs.append((made, _hand(document, table, selection)))
    names = list(dict.fromkeys(n for made, hand in pairs for n in (*made.names, *hand.names)))
    shown = [(made.of_names(names).under(hand), hand) for made, hand in pairs]
    beside = [(("tables", table, "obs", f"{column}_stability"), None) for table in selection.tables]
    changes = written(document, shown, beside, afresh=True)
    if not selection.keep_corrections:
        changes = [*_forgotten(document, selection), *changes]
    return changes, divided_line(document, [made for made, _ in shown])


def _as_map(
    document: Document, table: str, column: str, done: Divided, p: Array, computed: Array, about: dict[str, Any]
) -> DomainMap:
    if len(p) != document.table(table).n_obs:
        raise ValueError(f"{len(p)} rows were divided, and '{table}' has {document.table(table).n_obs}")
    codes = p.argmax(1).astype(np.int64)
    return DomainMap(table, column, done.names, codes, p, done.names_computed, computed, about)


def _forgotten(document: Document, selection: DomainsSelection) -> list[Change]:
    """Return the changes after which the hand has said nothing."""
    held = document.attribute(STROKES)
    keys = {key_of(table, selection.column) for table in selection.tables}
    left = {key: v for key, v in held.items() if key not in keys} if isinstance(held, dict) else None
    if left == held:
        return []
    return [Put(("attrs", STROKES), held, left or None)]


def divided_line(document: Document, maps: Sequence[DomainMap]) -> str:
    """Return maps in one line: how many domains, and how many spots, cells or pixels to look at."""
    codes, p = np.concatenate([m.codes for m in maps]), np.concatenate([m.probabilities for m in maps])
    near = (codes >= 0) & (p.max(1) < _UNSURE_BELOW)
    unsure = int((margin(p[near]) < _UNSURE).sum()) if near.any() else 0
    sure = "all are sure" if unsure == 0 else "1 is unsure" if unsure == 1 else f"{unsure:,} are unsure"
    ignored = int((codes < 0).sum())
    left = f", {ignored:,} ignored" if ignored else ""
    sections = f" of {len(maps)} sections" if len(maps) > 1 else ""
    words = {rows_are(document, m.table, len(codes)) for m in maps}
    what = words.pop() if len(words) == 1 else "rows"
    return f"{len(np.unique(codes[codes >= 0])):,} domains over {len(codes):,} {what}{sections}{left}; {sure}."
