"""Fitting the proportions of all spots again after the hand has set some: from the last result, with its method.

Only what is stored goes in, so that a replay, or a session that was opened again, gives the same bits.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.deconvolution import Proportions
from ..core.method import Method
from ..core.report import Report, silent
from ..errors import BadInput, Stale
from ..methods import method
from .command import Command
from .constraints import ATTRIBUTE as CONSTRAINTS
from .constraints import hand_of, key_of
from .deconvolving import DeconvolvingJob, gathered
from .document import Document
from .proportions import ATTRIBUTE, held_proportions, proportions_frame, stored_proportions
from .run import Finished, described
from .selection import DeconvolutionSelection
from .session import Session

__all__ = ["REFIT", "RefitJob", "finish_refit", "moved", "refit", "refit_now"]

REFIT = "refit"
"""The type of its record in the history."""


@dataclass(frozen=True, eq=False)
class RefitJob(DeconvolvingJob):
    """A fit that starts from the last one. Call it, on any thread.

    Parameters
    ----------
    start
        The stored result, or None where it is of no use for this reference.
    computed
        (n, t) what the method said before the hand; None where that is not known.
    fingerprint
        Of the reference that the stored result was made with.
    number
        Of the stroke that it follows from; -1 where the last step is no stroke.
    """

    start: Proportions | None = field(kw_only=True)
    computed: npt.NDArray[Any] | None = field(kw_only=True)
    fingerprint: str = field(kw_only=True)
    number: int = field(kw_only=True)

    def __call__(self, report: Report = silent) -> Finished:
        """Run the method from the last result, under the hand's constraints.

        How wide the intervals are is taken from that result where it has them all: to find it out anew
        takes as long as the fit, and a stroke does not change it. They move with the proportions.
        """
        begun = time.perf_counter()
        start = self.start if self.fingerprint == self.gathered.content else None
        spots = replace(self.gathered.shared, constraints=self.hand.constraints, start=start)
        plainly = _without_intervals(self.method) if start is not None and _has_intervals(start) else None
        found = self.fitted(spots, report, plainly)
        if start is not None and plainly is not None:
            found = moved(found, start)
        return self.done(found, self.computed, time.perf_counter() - begun)


def refit(session: Session, table: str, output: str = "proportions") -> RefitJob:
    """Gather what a re-fit needs, on the main thread: the last method and its parameters, and the last result.

    Raises
    ------
    BadInput, DocumentError, MissingDependency
        When it is not known how the proportions were made, or that is not there any more.
    """
    document = session.document
    made, selection = _as_made(document, table, output)
    inputs = gathered(document, selection)
    frame = proportions_frame(document, table, output)
    start = held_proportions(document, table, output)
    types = inputs.types(document, selection)
    if start is not None and start.types != types:
        start = None
    before = document.table(table).obsm.get(f"{output}_computed", frame)
    computed = before.to_numpy() if tuple(before.columns) == types else None
    return RefitJob(
        made,
        selection,
        (),
        tuple((slot, document.revision(slot)) for slot in selection.slots(document)),
        gathered=inputs,
        hand=hand_of(document, table, output, types),
        start=start,
        computed=None if computed is None or not np.isfinite(computed).all() else computed,
        fingerprint=str(document.attribute(ATTRIBUTE)[key_of(table, output)].get("fingerprint", "")),
        number=_stroke(session, table, output),
    )


def finish_refit(session: Session, job: RefitJob, finished: Finished) -> str:
    """Put the fit into the document, as one step with the stroke it follows from. Return it in one line.

    Where the stroke is no longer the last step, the fit is a step of its own.

    Raises
    ------
    Stale
        When the hand has set something else meanwhile: the next fit will know of it.
    """
    changed = [slot for slot, revision in job.revisions if session.document.revision(slot) != revision]
    if changed:
        raise Stale(f"'{'/'.join(changed[0][:2])}' was changed during the fit.", "The spots are fitted again.")
    selection = job.selection
    assert isinstance(selection, DeconvolutionSelection)
    changes, line = stored_proportions(session.document, selection, finished.result)
    record = {
        "type": REFIT,
        "table": selection.table,
        "output": selection.output,
        **described(job, finished, line),
    }
    session.join(Command(f"fit again: {line}", tuple(changes), record), job.number)
    return line


def refit_now(session: Session, table: str, output: str = "proportions", report: Report = silent) -> str:
    """Gather, fit and finish. Return the result in one line."""
    job = refit(session, table, output)
    return finish_refit(session, job, job(report))


def _without_intervals(made: Method) -> Method | None:
    """Return a method that is told to give no intervals; None where it cannot be told so, or gives none."""
    settings = made.settings()
    return type(made).from_settings({**settings, "intervals": False}) if settings.get("intervals") is True else None


def _has_intervals(found: Proportions) -> bool:
    """Return whether a result has the intervals of all spots that hold counts."""
    if found.lower is None or found.upper is None:
        return False
    there = np.isfinite(found.lower).all(1) & np.isfinite(found.upper).all(1)
    return bool((there if found.empty is None else there | found.empty).all())


def moved(found: Proportions, start: Proportions) -> Proportions:
    """Return a result with the intervals, standard errors and flags of an earlier one, about its own proportions.

    An end at 0 or at 1 stays: the truth lies there more often than anywhere else, however little the rest moves.
    """
    assert start.lower is not None and start.upper is not None
    lower = np.maximum(found.values - np.maximum(start.values - start.lower, 0), 0)
    upper = np.minimum(found.values + np.maximum(start.upper - start.values, 0), 1)
    return replace(
        found,
        lower=np.where(start.lower <= 0, 0.0, lower),
        upper=np.where(start.upper >= 1, 1.0, upper),
        standard_errors=start.standard_errors,
        outside=start.outside,
    )


def _as_made(document: Document, table: str, output: str) -> tuple[Method, DeconvolutionSelection]:
    """Return the method with its parameters, and the selection, of the last run."""
    said = document.attribute(ATTRIBUTE, {}).get(key_of(table, output))
    proportions_frame(document, table, output)
    try:
        made = method("deconvolution", said["method"]).from_settings(said["parameters"])
        merged = tuple((str(a), str(b)) for a, b in said.get("merged", ()))
        selection = DeconvolutionSelection(table, str(said["reference"]), str(said["column"]), output, merged)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadInput(
            f"It is not known how '{output}' of '{table}' was made.", "Run a deconvolution; the hand's word holds."
        ) from error
    made.check_installed()
    return made, selection


def _stroke(session: Session, table: str, output: str) -> int:
    """Return the number of the last step, if it is a stroke on this output that no fit has followed."""
    if not session.position:
        return -1
    last = session.history[session.position - 1]
    said = last.record.get("arguments", {})
    mine = said.get("table") == table and said.get("output", "proportions") == output
    fresh = ("attrs", CONSTRAINTS) in last.touched and "then" not in last.record
    return last.number if mine and fresh else -1
