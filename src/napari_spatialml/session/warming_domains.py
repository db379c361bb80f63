"""What the first stroke on a map of domains would wait for, made ready beforehand; nothing of the document changes."""

from __future__ import annotations

from collections.abc import Callable

from ..core.refitted_domains import load_refit
from ..core.report import Report, silent
from .document import Document
from .domain_cache import stages
from .domain_maps import held_map, neighbours
from .domain_refit import as_made

__all__ = ["warm_domains"]

_MOST = 100_000
"""Rows: beyond, the stages of a section that was opened again wait for the first stroke that needs them."""


def warm_domains(document: Document, table: str, column: str = "domain") -> Callable[[Report], None]:
    """Return what loads the loop of a fit, finds the neighbours of the rows, and the stages of the map's method.

    Call it on any thread.

    Parameters
    ----------
    document, table, column
        A map that a method has made.
    """

    def job(report: Report = silent) -> None:
        load_refit()
        report(0.1)
        neighbours(document, table)
        report(0.2)
        found = held_map(document, table, column)
        if len(found.codes) <= _MOST:
            stages(document, *as_made(document, found), report)

    return job
