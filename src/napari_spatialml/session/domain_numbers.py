"""How many domains: from the cached stages of a method, which does not say it by itself."""

from __future__ import annotations

from ..core.domain_number import DomainNumber, domain_number
from ..core.domains import DomainDetector
from ..core.report import Report, part, silent
from .document import Document
from .domain_cache import stages
from .domain_dividing import together
from .domain_strokes import domain_hand_of
from .selection import DomainsSelection

__all__ = ["suggested_number"]

_STAGES = 0.3
"""The share of the work that the stages are, where they are not kept."""


def suggested_number(
    document: Document, method: DomainDetector, selection: DomainsSelection, report: Report = silent
) -> DomainNumber:
    """Return how stable maps of few and of many domains are, and which number that suggests.

    Raises
    ------
    BadInput, DocumentError
        When the method has no number of domains to set, or the document does not hold what it needs.
    """
    from threadpoolctl import threadpool_limits

    smoothed = stages(document, _of_two(method), selection, part(report, 0.0, _STAGES))
    ignored = together([domain_hand_of(document, table, selection.column) for table in selection.tables]).ignored
    with threadpool_limits(limits=1, user_api="blas"):  # sums in one order, whatever the number of cores
        return domain_number(
            method, smoothed, ignored=ignored if ignored.any() else None, report=part(report, _STAGES, 1.0)
        )


def _of_two(method: DomainDetector) -> DomainDetector:
    """Return the method for two domains: the number in the form may be more than there are rows."""
    settings = method.settings()
    return type(method).from_settings({**settings, "n_domains": 2}) if "n_domains" in settings else method
