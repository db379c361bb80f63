"""Progress, and the one place where a running method learns that the person pressed Stop."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Report", "forward_only", "part", "silent"]


class Report(Protocol):
    """Called by a method at least every 0.2 s, or once a tile; raises ``Cancelled`` after Stop."""

    def __call__(self, fraction: float, message: str = "") -> None:
        """Say that ``fraction`` (0 <= fraction <= 1) of the work is done."""


def silent(fraction: float, message: str = "") -> None:
    """Report to nobody."""


def part(report: Report, start: float, stop: float) -> Report:
    """Return a report that fills ``start`` to ``stop`` of ``report``, for one step of several."""

    def inner(fraction: float, message: str = "") -> None:
        report(start + (stop - start) * min(max(fraction, 0.0), 1.0), message)

    return inner


def forward_only(report: Report) -> Report:
    """Return a report that never goes back, for a run that starts again with smaller batches."""
    reached = 0.0

    def onward(fraction: float, message: str = "") -> None:
        nonlocal reached
        reached = max(reached, fraction)
        report(reached, message)

    return onward
