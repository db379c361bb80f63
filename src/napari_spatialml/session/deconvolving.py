"""Running a deconvolution: once as the method sees the spots, and from there once more under the hand's constraints."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..core.deconvolution import Reference, Spots
from ..core.report import Report, part, silent
from .constraints import Hand, hand_of
from .document import Document
from .gather import gather
from .proportions import Deconvolved
from .run import Finished, Job, fingerprint
from .selection import DeconvolutionSelection

__all__ = ["DeconvolvingJob", "deconvolving_job"]

_FREE = 0.7
"""The share of a run that the fit without constraints is taken to be; the other starts from it."""


@dataclass(frozen=True, eq=False)
class DeconvolvingJob(Job):
    """A deconvolution. Call it, on any thread."""

    hand: Hand = field(kw_only=True)

    def __call__(self, report: Report = silent) -> Finished:
        """Run the method, and again from its result if the hand has laid something down."""
        from threadpoolctl import threadpool_limits

        method: Any = self.method
        spots, reference = self.inputs
        start, bound = time.perf_counter(), self.hand.constraints is not None
        with threadpool_limits(limits=1, user_api="blas"):  # see `Job`
            found = free = method(spots, reference, part(report, 0.0, _FREE) if bound else report)
            if bound:
                under = replace(spots, constraints=self.hand.constraints, start=free)
                found = method(under, reference, part(report, _FREE, 1.0))
        about = {"method": method.name, "parameters": method.settings(), "fingerprint": fingerprint((reference,))}
        seconds = time.perf_counter() - start
        done = Deconvolved(found, free.values if bound else None, about)
        return Finished(done, seconds, fingerprint((*self.inputs, self.hand.constraints)))


def deconvolving_job(job: Job, document: Document) -> DeconvolvingJob:
    """Return what deconvolves, with everything gathered.

    Raises
    ------
    BadInput, DocumentError
        When the document or the reference does not hold what the method needs.
    """
    assert isinstance(job.selection, DeconvolutionSelection)
    inputs: tuple[Spots, Reference] = gather(document, job.selection)
    types = [str(t) for t in np.unique(inputs[1].types)]
    hand = hand_of(document, job.selection.table, job.selection.output, types)
    return DeconvolvingJob(job.method, job.selection, inputs, job.revisions, hand=hand)
