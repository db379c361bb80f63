"""A map of domains to look at: what a run would store, from the cached stages, and never stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..core.domains import DomainDetector
from ..core.report import Report, silent
from .document import Document
from .domain_dividing import domains_job
from .gather import coordinates_of
from .run import Job
from .selection import DomainsSelection

__all__ = ["DomainsPreview", "domains_preview"]


@dataclass(frozen=True, eq=False)
class DomainsPreview:
    """What a preview found.

    Parameters
    ----------
    selection
        What a run would work on.
    names
        (k,) of its domains: of those that the map of today has too, their names.
    codes
        (n,) places in ``names``, of the rows of the selection's first table.
    where
        (n, 2) as (y, x) in µm: where the rows lie in the coordinate system that was shown.
    shown
        (n,) rows that are drawn: those that the hand ignores are not.
    changed
        How many of them have another domain than the map of today gives them; -1 where there is none.
    seconds
        How long it took.
    """

    selection: DomainsSelection
    names: tuple[str, ...]
    codes: npt.NDArray[np.int64]
    where: npt.NDArray[np.float64]
    shown: npt.NDArray[np.bool_]
    changed: int
    seconds: float


def domains_preview(
    document: Document, method: DomainDetector, selection: DomainsSelection, system: str
) -> Callable[[Report], DomainsPreview]:
    """Return what makes a preview, on any thread: it reads the document and changes nothing.

    Parameters
    ----------
    document, method, selection
        What a run would work with.
    system
        The coordinate system in which the rows are drawn.

    Notes
    -----
    It is the run itself: of a change of the number of domains, only the division is computed.
    """

    def job(report: Report = silent) -> DomainsPreview:
        where = coordinates_of(document, selection.table, system)
        work = domains_job(Job(method, selection, (), ()), document)
        finished = work(report)
        n, names = len(where), finished.result.names
        codes = finished.result.probabilities[0].argmax(1).astype(np.int64)
        shown, before = ~work.hand.ignored[:n], work.before[:n]
        # domains of today keep their names, so that rows can be compared by them
        to = np.array([*(names.index(name) if name in names else -2 for name in work.before_names), -1])
        changed = int((codes != to[before])[shown].sum()) if (before >= 0).any() else -1
        return DomainsPreview(selection, names, codes, where, shown, changed, finished.seconds)

    return job
