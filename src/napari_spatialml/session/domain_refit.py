"""Fitting a map of domains again after the hand has said something: from the map before the hand, with its method.

Only what is stored goes in, and stages that come of it, so that a replay, or a session that was opened again,
gives the same bits.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.domains import DomainDetector
from ..core.report import Report, part, silent
from ..errors import BadInput, Stale
from ..methods import method
from .changes import Slot
from .command import Command
from .document import Document
from .domain_cache import DomainInputs, domain_inputs
from .domain_dividing import divided_line, fitted_under, together
from .domain_maps import ATTRIBUTE as MAPS
from .domain_maps import DomainMap, held_map, maps_together
from .domain_strokes import ATTRIBUTE as STROKES
from .domain_strokes import DomainHand, domain_hand_of, held_strokes
from .domain_writing import written
from .fingerprints import fingerprint
from .run import Finished, Job, described
from .selection import DomainsSelection
from .session import Session

__all__ = ["REFIT", "DomainRefitJob", "as_made", "finish_domain_refit", "refit_domains", "refit_domains_now"]

REFIT = "refit-domains"
"""The type of its record in the history."""
_SPACE = 0.8
Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class DomainRefitJob(Job):
    """A fit of the map that follows the hand. Call it, on any thread.

    Parameters
    ----------
    rows
        The features and coordinates.
    hands
        What the hand says, of each table.
    names, computed
        The map before the hand, of all rows.
    known
        What is stored of the strokes and the map; the fit is of use as long as that is the same.
    number
        Of the stroke that it follows from; -1 where the last step is none.
    """

    rows: DomainInputs = field(kw_only=True)
    hands: tuple[DomainHand, ...] = field(kw_only=True)
    names: tuple[str, ...] = field(kw_only=True)
    computed: Array = field(kw_only=True)
    known: Any = field(kw_only=True)
    number: int = field(kw_only=True)

    def __call__(self, report: Report = silent) -> Finished:
        """Fit again."""
        from threadpoolctl import threadpool_limits

        chosen: Any = self.method
        start = time.perf_counter()
        hand = together(self.hands)
        if hand.ignored.all():
            raise BadInput("All rows are ignored.", "Leave some tissue.")
        with threadpool_limits(limits=1, user_api="blas"):  # see `Job`
            smoothed = self.rows.smoothed(chosen, part(report, 0.0, _SPACE))
            names, p = fitted_under(chosen, smoothed, self.names, self.computed, hand, part(report, _SPACE, 1.0))
        seconds = time.perf_counter() - start
        inputs = fingerprint((self.rows.fingerprint, list(hand.names), hand.codes, hand.ignored, self.computed))
        return Finished((names, self.rows.split(p)), seconds, inputs)


def as_made(document: Document, found: DomainMap) -> tuple[DomainDetector, DomainsSelection]:
    """Return the method with its parameters, and the selection, with which a map was made.

    Raises
    ------
    BadInput, MissingDependency
        When that is not known, or not there any more.
    """
    about = found.about
    unknown = BadInput(
        f"It is not known how the domains '{found.column}' of '{found.table}' were made.",
        "Run a method; the strokes hold.",
    )
    if not about.get("method"):
        raise unknown
    try:
        made: Any = method("domains", str(about["method"])).from_settings(about["parameters"])
        features = str(about["features"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise unknown from error
    made.check_installed()
    still = {m.table for m in maps_together(document, found)}
    tables = [t for t in found.tables if t in still]
    return made, DomainsSelection(tables[0], features, found.column, others=tuple(tables[1:]))


def refit_domains(session: Session, table: str, column: str = "domain") -> DomainRefitJob:
    """Gather what a re-fit needs: the method, the stages that are kept, the map before the hand, and the strokes.

    Raises
    ------
    BadInput, DocumentError, MissingDependency
        When it is not known how the map was made, or that is not there any more.
    """
    document = session.document
    made, selection = as_made(document, held_map(document, table, column))
    maps = [held_map(document, t, column) for t in selection.tables]
    return DomainRefitJob(
        made,
        selection,
        (),
        tuple((slot, document.revision(slot)) for slot in selection.data_slots(document)),
        rows=domain_inputs(document, selection),
        hands=tuple(domain_hand_of(document, t, column) for t in selection.tables),
        names=maps[0].names_computed,
        computed=np.concatenate([m.computed for m in maps]),
        known=_known(document, selection),
        number=_stroke(session, selection),
    )


def _known(document: Document, selection: DomainsSelection) -> Any:
    """Return what is stored, of what the hand may change meanwhile."""
    slots: list[Slot] = []
    for table in selection.tables:
        slots += [("tables", table, "obs", selection.column), ("tables", table, "obsm", f"{selection.column}_computed")]
    strokes = [held_strokes(document, table, selection.column) for table in selection.tables]
    return strokes, [document.revision(slot) for slot in slots]


def finish_domain_refit(session: Session, job: DomainRefitJob, finished: Finished) -> str:
    """Put the fit into the document, as one step with the stroke it follows from. Return it in one line.

    Where the stroke is no longer the last step, the fit is a step of its own.

    Raises
    ------
    Stale
        When the hand has said something else meanwhile: the next fit will know of it.
    """
    document, selection = session.document, job.selection
    assert isinstance(selection, DomainsSelection)
    changed = [slot for slot, revision in job.revisions if document.revision(slot) != revision]
    if changed or _known(document, selection) != job.known:
        raise Stale(f"'{selection.table}' was changed during the fit.", "The map is fitted again.")
    names, values = finished.result
    maps = [held_map(document, t, selection.column) for t in selection.tables]
    made = _fitted(maps, names, values)
    line = divided_line(document, [m.under(hand) for m, hand in zip(made, job.hands, strict=True)])
    pairs = [(m.under(hand), hand) for m, hand in zip(made, job.hands, strict=True)]
    record = {
        "type": REFIT,
        "table": selection.table,
        "column": selection.column,
        **described(job, finished, line),
    }
    session.join(Command(f"fit again: {line}", tuple(written(document, pairs)), record), job.number)
    return line


def _fitted(maps: Sequence[DomainMap], names: Sequence[str], values: Sequence[Array]) -> list[DomainMap]:
    """Return maps with the probabilities of a fit, their domains in the order in which they stood."""
    order = [*(n for n in maps[0].names if n in names), *(n for n in names if n not in maps[0].names)]
    at = [list(names).index(n) for n in order]
    fitted = [np.ascontiguousarray(p[:, at]) for p in values]
    return [
        replace(found, names=tuple(order), codes=p.argmax(1).astype(np.int64), probabilities=p)
        for found, p in zip(maps, fitted, strict=True)
    ]


def refit_domains_now(session: Session, table: str, column: str = "domain", report: Report = silent) -> str:
    """Gather, fit and finish. Return the result in one line."""
    job = refit_domains(session, table, column)
    return finish_domain_refit(session, job, job(report))


def _stroke(session: Session, selection: DomainsSelection) -> int:
    """Return the number of the last step, if it is one of the hand on this map that no fit has followed."""
    if not session.position:
        return -1
    last = session.history[session.position - 1]
    said: Mapping[str, Any] = last.record.get("arguments", {})
    mine = said.get("table") in selection.tables and said.get("column", "domain") == selection.column
    changed = {("attrs", STROKES), ("attrs", MAPS)} & last.touched
    fresh = last.record.get("type") == "correction" and bool(changed) and "then" not in last.record
    return last.number if mine and fresh else -1
