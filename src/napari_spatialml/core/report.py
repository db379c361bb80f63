"""Progress, and the one place where a running method learns that the person pressed Stop."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, wait
from typing import Protocol, TypeVar

from ..errors import Cancelled

__all__ = ["Report", "forward_only", "part", "promptly", "silent"]

T = TypeVar("T")
_EVERY_S = 0.1


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


def promptly(call: Callable[[Report], T], report: Report, pool: Executor) -> T:
    """Call what may be silent for seconds, and let Stop through meanwhile.

    Parameters
    ----------
    call
        Gets a report that may be called from the pool's thread.
    report
        Called on this thread every 0.1 s with what was said last.
    pool
        Where the call runs. After Stop it goes on there up to its next report, and its result is dropped.

    Raises
    ------
    Cancelled
        As soon as ``report`` raises it.
    """
    said, stopped = (0.0, ""), False

    def inner(fraction: float, message: str = "") -> None:
        nonlocal said
        if stopped:
            raise Cancelled
        said = (fraction, message)

    running = pool.submit(call, inner)
    try:
        while True:
            done, _ = wait([running], _EVERY_S)
            report(*said)
            if done:
                return running.result()
    finally:
        stopped = True
