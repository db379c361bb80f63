"""Running a method: one path for the window, the command line, a notebook and the replay.

`prepare` and `finish` belong to the main thread; the job between them may run anywhere.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ..core.method import Method
from ..core.report import Report, part, silent
from ..errors import BadInput, Stale
from .ahead import Ahead
from .changes import Change, EditColumn, EditLabels, EditShapes, EditValues, Put, Slot
from .command import Command
from .counting import index_first
from .fingerprints import fingerprint
from .gather import gather
from .measuring import Measuring
from .proportions import ATTRIBUTE as DECONVOLUTIONS
from .proportions import proven
from .selection import (
    DeconvolutionSelection,
    DomainsSelection,
    RegistrationSelection,
    SegmentationSelection,
    Selection,
    StackSelection,
    plain,
)
from .session import Session
from .store import store

__all__ = ["Finished", "Job", "described", "finish", "prepare", "run"]

_STACK = ("napari-spatialml", "numpy", "scipy", "scikit-image", "scikit-learn", "torch", "spatialdata", "anndata")


@dataclass(frozen=True)
class Job:
    """A method with its inputs. Call it, on any thread: it sees neither document nor viewer."""

    method: Method
    selection: Selection
    inputs: tuple[Any, ...]
    revisions: tuple[tuple[Slot, int], ...]
    first: Callable[[Report], object] | None = None
    """What the result will need, and takes long to make: the index of the transcripts that cells count."""
    after: Callable[[Any, Report], Any] | None = None
    """What makes of the result what is stored, and takes long: cells are measured."""

    def __call__(self, report: Report = silent) -> Finished:
        """Run the method."""
        from threadpoolctl import threadpool_limits

        method: Any = self.method
        if self.first is not None:
            self.first(part(report, 0.0, 0.1))
            report = part(report, 0.1, 1.0)
        run = report if self.after is None else part(report, 0.0, 0.8)
        start = time.perf_counter()
        # sums in one order, whatever the number of cores: a replay elsewhere gives the same bits. On the
        # small matrices of these methods one thread is faster besides
        with threadpool_limits(limits=1, user_api="blas"):
            result = method(*self.inputs, run)
        seconds = time.perf_counter() - start
        if self.after is not None:
            result = self.after(result, part(report, 0.8, 1.0))
        return Finished(result, seconds, fingerprint(self.inputs))

    def forget(self) -> None:
        """Let go of what was kept in case the run is stopped."""


@dataclass(frozen=True)
class Finished:
    """What a job gives back: the method's result, seconds taken, and a hash of what went in."""

    result: Any
    seconds: float
    inputs: str
    record: dict[str, Any] = field(default_factory=dict)
    """What the run fixed by itself, for the recipe."""


def prepare(session: Session, method: Method, selection: Selection, *, resume: bool = True) -> Job:
    """Gather what a method needs. A large image is not read here: its job does, tile by tile where it can.

    Parameters
    ----------
    session, method, selection
        What is run, and on what.
    resume
        Go on with a run over a large image that was stopped.

    Raises
    ------
    BadInput, DocumentError, MissingDependency
        When the method or its inputs are not there, or are not fit.
    """
    if method.kind != selection.kind:
        raise BadInput(f"{method.title} does {method.kind}, not {selection.kind}.", "Choose another method.")
    method.check_installed()
    revisions = tuple((slot, session.document.revision(slot)) for slot in selection.slots(session.document))
    if isinstance(selection, SegmentationSelection):
        from .slides.job import in_tiles, slide_job

        first = index_first(session.document, selection.output, selection.image)
        if in_tiles(session.document, selection):
            return slide_job(Job(method, selection, (), revisions, first), session.document, resume=resume)
        after = Measuring(session.document, selection)
        return Job(method, selection, gather(session.document, selection), revisions, first, after)
    if isinstance(selection, RegistrationSelection):
        from .aligning import aligning_job

        return aligning_job(Job(method, selection, (), revisions), session.document)
    if isinstance(selection, StackSelection):
        from .stacking import stack_job

        return stack_job(Job(method, selection, (), revisions), session.document)
    if isinstance(selection, DeconvolutionSelection):
        from .deconvolving import deconvolving_job

        return deconvolving_job(Job(method, selection, (), revisions), session.document)
    if isinstance(selection, DomainsSelection):
        from .domain_dividing import domains_job

        return domains_job(Job(method, selection, (), revisions), session.document)
    return Job(method, selection, gather(session.document, selection), revisions)


def finish(session: Session, job: Job, finished: Finished, *, stale: bool = False) -> str:
    """Put a result into the document, as one step of the history. Return the result in one line.

    Parameters
    ----------
    session
        The session that the job was prepared on.
    job, finished
        The job and what it gave.
    stale
        Keep the result even if its inputs have changed since.

    Raises
    ------
    Stale
        When the inputs have changed and ``stale`` is False.
    """
    from .learning import used
    from .references import of_reference

    changed = [slot for slot, revision in job.revisions if session.document.revision(slot) != revision]
    if changed and not stale:
        raise Stale(
            f"'{'/'.join(changed[0][:2])}' was changed while {job.method.title} ran.",
            "Run it again, or keep the result all the same.",
        )
    try:
        changes, line = store(session.document, job.selection, finished.result)
    except ValueError as error:  # rows or columns went away meanwhile
        raise Stale(f"The result no longer fits the section ({error}).", "Run it again.") from error
    ahead = getattr(finished.result, "ahead", None)
    record = {
        "type": "run",
        "kind": job.method.kind,
        **described(job, finished, line),
        "outputs": outputs(changes, ahead),
        **used(job.method),
        **of_reference(job.inputs),
        **finished.record,
    }
    session.execute(Command(f"{job.method.title}: {line}", tuple(changes), record), ahead)
    job.forget()
    return line


def described(job: Job, finished: Finished, line: str) -> dict[str, Any]:
    """Return what the history keeps of a job: how, on what, for how long, with which versions, and its result."""
    return {
        "method": job.method.name,
        "settings": job.method.settings(),
        "selection": plain(job.selection),
        "inputs": finished.inputs,
        "seconds": round(finished.seconds, 3),
        "result": line,
        "versions": versions(),
        "device": device(),
    }


def run(session: Session, method: Method, selection: Selection, report: Report = silent, *, resume: bool = True) -> str:
    """Prepare, run and finish. Return the result in one line."""
    job = prepare(session, method, selection, resume=resume)
    return finish(session, job, job(report))


def outputs(changes: Iterable[Change], ahead: Ahead | None = None) -> dict[str, str]:
    """Return the hash of what each change leaves behind, by address; what was hashed ahead is not hashed again."""
    found: dict[str, str] = {}
    for change in changes:
        if isinstance(change, Put):
            value: Any = proven(change.new) if change.slot == ("attrs", DECONVOLUTIONS) else change.new
        elif isinstance(change, EditLabels | EditColumn | EditValues):
            value = change.new
        elif isinstance(change, EditShapes):
            value = change.new.frame
        else:
            value = change.new.table
        known = None if ahead is None else ahead.fingerprint_of(value)
        found["/".join(change.touched)] = known or fingerprint((value,))
    return found


def versions() -> dict[str, str]:
    """Return the versions on which a result may depend."""
    return dict(_versions())


@cache
def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in _STACK:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue  # not installed, so not used
    return found


def device() -> str:
    """Return what the methods compute on. Asks torch only when something has loaded it."""
    import sys

    if "torch" not in sys.modules:
        return f"CPU ({platform.machine()})"
    from ..core.device import describe

    return str(describe())
