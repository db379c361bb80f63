"""Which results are older than what they were made from, since the hand has changed it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..errors import SpatialMLError
from .changes import Slot
from .composition import CO_LOCATIONS
from .constraints import ATTRIBUTE as CONSTRAINTS
from .constraints import key_of
from .corrections.linking import composition_name
from .counting import NUCLEAR
from .document import Document
from .refitting import REFIT
from .selection import (
    DeconvolutionSelection,
    DomainsSelection,
    EmbeddingSelection,
    RegistrationSelection,
    SegmentationSelection,
    StackSelection,
    selection_from,
)
from .session import Entry, Session

__all__ = ["Outdated", "outdated"]


_WHAT = {
    "domains": "The domains in",
    "deconvolution": "The proportions in",
    "embedding": "The places in",
    "registration": "The places of what lies in",
    "counts": "The counts in",
    "averages": "The averages in",
    "composition": "The mean proportions in",
    "co-location": "The co-location of types in",
}


@dataclass(frozen=True)
class Outdated:
    """A result whose inputs were changed after it was made.

    Parameters
    ----------
    kind
        The kind of the run ("domains", "deconvolution", "registration"), or "counts" or "averages" by cell, or
        "composition" or "co-location" of types.
    slot
        What the result is, or is part of.
    name
        What a person calls it: the column, the table, the coordinate system.
    since
        The label of the first step that changed an input.
    steps
        How many steps have changed one.
    record
        How it was made, so that it can be made again.
    """

    kind: str
    slot: Slot
    name: str
    since: str
    steps: int
    record: dict[str, Any]

    @property
    def sentence(self) -> str:
        """What a person is told."""
        more = f" and {self.steps - 1:,} more" if self.steps > 1 else ""
        return f"{_WHAT[self.kind]} '{self.name}' are older than this step: {self.since}{more}."


@dataclass(frozen=True)
class _Made:
    """A result and what it was made from."""

    kind: str
    slot: Slot
    name: str
    inputs: tuple[Slot, ...]


def outdated(session: Session) -> tuple[Outdated, ...]:
    """Return the results that are older than their inputs, the oldest first.

    What the hand itself corrected in a result, such as spots moved to another domain, does not make it
    old; a segmentation that was corrected is newer than its run, never older.

    Notes
    -----
    O(steps of the history × results); no data is read.
    """
    document, done = session.document, session.history[: session.position]
    latest: dict[Slot, tuple[int, _Made, dict[str, Any]]] = {}
    for number, entry in enumerate(done):
        for made in _made(document, entry):
            latest.pop(made.slot, None)
            latest[made.slot] = (number, made, entry.record)
        again = _fitted_again(entry.record)
        if again in latest:
            latest[again] = (number, *latest[again][1:])
    found = []
    for number, made, record in latest.values():
        later = [e.label for e in done[number + 1 :] if _makes_old(e, made)]
        if later:
            found.append(Outdated(made.kind, made.slot, made.name, later[0], len(later), record))
    return tuple(found)


def _makes_old(entry: Entry, made: _Made) -> bool:
    """Return whether a step changed what a result was made from."""
    said = entry.record.get("arguments", {})
    elsewhere = ("tables", said.get("table"), "obsm", said.get("output", "proportions")) != made.slot
    # what the hand says of spots is kept in one place for all outputs
    inputs = tuple(i for i in made.inputs if not (elsewhere and i == ("attrs", CONSTRAINTS)))
    return any(_meet(t, i) for t in entry.touched for i in inputs)


def _fitted_again(record: dict[str, Any]) -> Slot:
    """Return the address of the proportions that a step fitted again, after a stroke or on its own."""
    fit = record.get("then", record)
    return ("tables", fit["table"], "obsm", fit["output"]) if fit.get("type") == REFIT else ()


def _meet(touched: Slot, read: Slot) -> bool:
    """Return whether one of two addresses lies in the other."""
    n = min(len(touched), len(read))
    return touched[:n] == read[:n]


def _made(document: Document, entry: Entry) -> Iterator[_Made]:
    """Yield what a step of the history made, as far as it is still there."""
    record = entry.record
    try:
        if record.get("type") == "run":
            yield from _of_run(document, record)
        elif record.get("type") == "correction":
            yield from _of_correction(document, record)
    except (SpatialMLError, KeyError, TypeError):  # what it ran on was removed: there is nothing to run again
        return


def _of_run(document: Document, record: dict[str, Any]) -> Iterator[_Made]:
    selection = selection_from(record["kind"], record["selection"])
    if isinstance(selection, SegmentationSelection):
        yield from _counts(document, selection.output)
        return
    slots = selection.slots(document)
    if isinstance(selection, DomainsSelection):
        inputs = selection.data_slots(document)
        yield _Made("domains", ("tables", selection.table, "obs", selection.column), selection.column, inputs)
    elif isinstance(selection, DeconvolutionSelection):
        yield _Made("deconvolution", ("tables", selection.table, "obsm", selection.output), selection.output, slots)
    elif isinstance(selection, StackSelection):
        for system in selection.systems:
            if system != selection.onto:
                yield _Made("registration", ("attrs", "alignments", system), system, slots)
    elif isinstance(selection, EmbeddingSelection):
        yield _Made("embedding", ("tables", selection.table, "obsm", selection.output), selection.output, slots)
    elif isinstance(selection, RegistrationSelection):
        # how the sides lie now is also what the hand corrects, which makes nothing old; nor do landmarks
        # that are placed to judge what images or points have given
        given = {("attrs", "alignments")}
        if not selection.landmarks and (selection.moving_image or selection.moving_points):
            given.add(("attrs", "landmarks"))
        inputs = tuple(s for s in slots if s not in given)
        yield _Made("registration", ("attrs", "alignments", selection.moving), selection.moving, inputs)


def _of_correction(document: Document, record: dict[str, Any]) -> Iterator[_Made]:
    labels = str(record.get("arguments", {}).get("labels", ""))
    if record["name"] == "count-transcripts":
        yield from _counts(document, labels)
    elif record["name"] in ("keep-composition", "keep-co-location"):
        yield from _of_proportions(document, record["name"], record["arguments"])
    elif record["name"] == "average-by-cell":
        table = str(record["arguments"]["table"])
        name = f"{labels}_{table}"
        source = document.attribute("averages", {})[name]
        elements = ((document.type_of(e), e) for e in document.regions(source["table"]))
        moved = tuple(("transforms", *place) for place in elements)
        inputs = (("tables", table, "X"), ("transforms", "labels", labels), *moved)
        yield _Made("averages", ("tables", name), name, inputs)


def _of_proportions(document: Document, name: str, said: dict[str, Any]) -> Iterator[_Made]:
    """Yield what follows from proportions, as far as it is still there."""
    output = said.get("output", "proportions")
    proportions = ("tables", said["table"], "obsm", output)
    if name == "keep-co-location":
        yield _Made("co-location", ("attrs", CO_LOCATIONS, key_of(said["table"], output)), output, (proportions,))
        return
    kept = composition_name(said["table"], output, said["by"])
    groups = ("shapes", said["by"]) if said["by"] in document.names("shapes") else _column(said["table"], said["by"])
    if kept in document.names("tables"):
        yield _Made("composition", ("tables", kept), kept, (proportions, groups))


def _column(table: str, name: str) -> Slot:
    return ("tables", table, "obs", name)


def _counts(document: Document, labels: str) -> Iterator[_Made]:
    """Yield the counts of a segmentation's cells: they follow its pixels, but not a move of either side."""
    about = document.attribute("segmentations", {}).get(labels, {})
    points, name = about.get("transcripts", ""), f"{labels}_table"
    if points and points in document.names("points"):
        inputs: tuple[Slot, ...] = (
            ("points", points),
            ("transforms", "points", points),
            ("transforms", "labels", labels),
        )
        if name in document.names("tables") and NUCLEAR in document.table(name).obs and about.get("nuclei"):
            inputs = (*inputs, ("labels", str(about["nuclei"])))
        yield _Made("counts", ("tables", f"{labels}_table", "X"), f"{labels}_table", inputs)
