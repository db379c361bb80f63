"""Running a deconvolution: once as the method sees the spots, and from there once more under the hand's constraints."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

from ..core.count_rows import CountRows
from ..core.deconvolution import Proportions, Reference, Spots
from ..core.method import Method
from ..core.report import Report, part, silent
from ..core.signatures import shared_genes
from ..errors import BadInput, ReferenceNeeded
from ..methods import methods
from .constraints import Hand, hand_of
from .document import Document
from .fingerprints import fingerprint
from .gather import gather
from .proportions import Deconvolved
from .references import CheckedReference
from .run import Finished, Job
from .selection import DeconvolutionSelection

__all__ = ["DeconvolvingJob", "Gathered", "deconvolving_job", "gathered"]

_FREE = 0.7
"""The share of a run that the fit without constraints is taken to be; the other starts from it."""
_LARGE = 30_000_000
"""Counts of so many genes in spots are not copied: 0.4 GB."""
_HAND = ("attrs", "proportion_constraints")


class Gathered:
    """The spots and the reference of a selection, with their hashes once somebody has asked for them.

    Parameters
    ----------
    spots
        The spots.
    reference
        The reference, or None where types are learnt from the spots.
    """

    def __init__(self, spots: Spots, reference: Reference | None) -> None:
        self.spots = spots
        self.reference = reference

    @cached_property
    def of_spots(self) -> str:
        """Hash of the spots."""
        return fingerprint((self.spots,))

    @cached_property
    def of_reference(self) -> str:
        """Hash of the reference over the shared genes."""
        return fingerprint((self.reference,))

    @cached_property
    def shared(self) -> Spots:
        """The spots over the genes that the reference has, sorted by name: what every fit would pick from them.

        The spots as they are where a copy of their counts would be large.
        """
        if self.reference is None or isinstance(self.spots.counts, CountRows) or self.spots.counts.nnz > _LARGE:
            return self.spots
        found = shared_genes(self.spots, self.reference)
        return Spots(found.spots, found.genes, self.spots.coordinates)

    @property
    def content(self) -> str:
        """Hash of the content of the reference's file; "" where there is none."""
        if self.reference is None:
            return ""
        known = self.reference.report.fingerprint if isinstance(self.reference, CheckedReference) else ""
        return known or self.of_reference

    def types(self, document: Document, selection: DeconvolutionSelection) -> tuple[str, ...]:
        """Return the sorted types of the reference; where there is none, those that an earlier run has learnt."""
        if self.reference is not None:
            return tuple(str(t) for t in np.unique(self.reference.types))
        held = document.table(selection.table).obsm.get(selection.output)
        return tuple(str(t) for t in held.columns) if isinstance(held, pd.DataFrame) else ()

    def hashed(self, *others: Any) -> str:
        """Return a hash of all that goes into a run."""
        return fingerprint((self.of_spots, self.of_reference, *others))


_LAST: WeakKeyDictionary[Document, tuple[Any, Gathered]] = WeakKeyDictionary()
"""What was gathered last for a section: after a stroke the same is fitted again, and reading takes longer than that."""


def gathered(document: Document, selection: DeconvolutionSelection) -> Gathered:
    """Return a selection's inputs: those of the last run where nothing of them has changed since.

    Raises
    ------
    BadInput, DocumentError
        When the document or the reference does not hold what is needed.
    """
    key = _key(document, selection)
    known = _LAST.get(document)
    if known is not None and key is not None and known[0] == key:
        return known[1]
    spots, reference = gather(document, selection)
    made = Gathered(spots, reference)
    _LAST[document] = (key, made)
    return made


def _key(document: Document, selection: DeconvolutionSelection) -> Any:
    """Return what the inputs depend on; None where that cannot be told without reading."""
    slots = [slot for slot in selection.slots(document) if slot != _HAND]
    revisions = tuple((slot, document.revision(slot)) for slot in slots)
    if not selection.reference or selection.reference.startswith("table:"):
        return (selection, revisions)
    file = Path(selection.reference).expanduser()
    if not file.is_file():
        return None
    about = file.stat()
    return (selection, revisions, about.st_mtime_ns, about.st_size)


@dataclass(frozen=True, eq=False)
class DeconvolvingJob(Job):
    """A deconvolution. Call it, on any thread."""

    gathered: Gathered = field(kw_only=True)
    hand: Hand = field(kw_only=True)

    def __call__(self, report: Report = silent) -> Finished:
        """Run the method, and again from its result if the hand has laid something down."""
        start, hand = time.perf_counter(), self.hand.constraints
        free = found = self.fitted(self.gathered.spots, part(report, 0.0, _FREE) if hand is not None else report)
        # types that are learnt anew may be others than the hand has spoken of: what it said is told as left out
        bound = hand is not None and (not len(hand.rows) or set(hand.types) <= set(free.types))
        if bound:
            under = replace(self.gathered.spots, constraints=hand, start=free)
            found = self.fitted(under, part(report, _FREE, 1.0))
        seconds = time.perf_counter() - start
        _ = self.gathered.shared  # a stroke may follow, and is not to wait for it
        return self.done(found, free.values if bound else None, seconds)

    def fitted(self, spots: Spots, report: Report, instead: Method | None = None) -> Proportions:
        """Call the method, or another one instead."""
        from threadpoolctl import threadpool_limits

        method: Any = instead or self.method
        with threadpool_limits(limits=1, user_api="blas"):  # see `Job`
            found: Proportions = method(spots, self.gathered.reference, report)
        return found

    def done(self, found: Proportions, computed: Any, seconds: float) -> Finished:
        """Return what is stored, with how it was made."""
        about = {
            "method": self.method.name,
            "parameters": self.method.settings(),
            "fingerprint": self.gathered.content,
        }
        return Finished(Deconvolved(found, computed, about), seconds, self.gathered.hashed(self.hand.constraints))


def _require_reference(method: Method, selection: DeconvolutionSelection) -> None:
    """Raise where a method is to do without a reference and cannot, or is to merge types that nobody has named.

    Raises
    ------
    ReferenceNeeded, BadInput
        The message says what to do.
    """
    if selection.reference:
        return
    if not getattr(method, "reference_free", False):
        able = [c.title for c in methods("deconvolution").values() if getattr(c, "reference_free", False)]
        raise ReferenceNeeded(
            f"{method.title} needs a reference: single cells whose types are known, or a table of signatures.",
            f"Name one, or take a method that learns types from the spots: {', '.join(able)}.",
        )
    if selection.merged:
        raise BadInput("Without a reference there are no types to merge.", "Name a reference, or merge nothing.")


def deconvolving_job(job: Job, document: Document) -> DeconvolvingJob:
    """Return what deconvolves, with everything gathered.

    Raises
    ------
    BadInput, DocumentError
        When the document or the reference does not hold what the method needs.
    """
    assert isinstance(job.selection, DeconvolutionSelection)
    _require_reference(job.method, job.selection)
    inputs = gathered(document, job.selection)
    types = inputs.types(document, job.selection)
    hand = hand_of(document, job.selection.table, job.selection.output, types)
    parts = (inputs.spots, inputs.reference)
    return DeconvolvingJob(job.method, job.selection, parts, job.revisions, gathered=inputs, hand=hand)
