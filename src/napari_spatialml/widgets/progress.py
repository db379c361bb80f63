"""How far a job is, how long it still takes, and its line in napari's own activity list."""

from __future__ import annotations

import io
import sys
import time
from dataclasses import dataclass

__all__ = ["SHOWN_AFTER_S", "Clock", "Progress", "TaskListEntry", "time_left"]

SHOWN_AFTER_S = 0.5
"""What takes less shows no bar: a dock that makes room for it, and draws it, would take longer than the job."""


@dataclass(frozen=True)
class Progress:
    """How far a job is.

    Parameters
    ----------
    fraction
        Share of the work done, 0 <= fraction <= 1.
    message
        What the method says it does now.
    elapsed, remaining
        Seconds since the start and until the end; ``remaining`` is None while it is not known.
    """

    fraction: float
    message: str
    elapsed: float
    remaining: float | None

    @property
    def words(self) -> str:
        """What the method says, and the time left where it is known."""
        return "  ".join(t for t in (self.message, time_left(self.remaining)) if t)


def time_left(seconds: float | None) -> str:
    """Return a rough time left in words, or an empty string while it is not known."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{max(1, round(seconds))} s left"
    if seconds < 3600:
        return f"{round(seconds / 60)} min left"
    return f"{seconds / 3600:.1f} h left"


class Clock:
    """Seconds left, from the pace so far."""

    def __init__(self) -> None:
        self.start = time.monotonic()
        self._fraction = 0.0
        self._total: float | None = None

    def read(self, fraction: float, message: str) -> Progress:
        """Return the progress now."""
        elapsed = time.monotonic() - self.start
        if fraction != self._fraction and fraction > 0.01 and elapsed > 0.3:
            total = elapsed / fraction
            self._total = total if self._total is None else 0.7 * self._total + 0.3 * total
            self._fraction = fraction
        remaining = None if self._total is None else max(self._total - elapsed, 0.0)
        return Progress(fraction, message, elapsed, remaining)


class TaskListEntry:
    """The job's line in napari's own activity list, with its Cancel button."""

    def __init__(self, title: str) -> None:
        from napari.utils import cancelable_progress

        # tqdm prints by default; its text goes nowhere here, napari draws the bar
        self._bar = cancelable_progress(total=100, desc=title, file=io.StringIO())

    @staticmethod
    def possible() -> bool:
        """Whether a napari window is there; napari is not imported to find out."""
        napari = sys.modules.get("napari")
        return napari is not None and napari.current_viewer() is not None

    @property
    def cancelled(self) -> bool:
        """Whether Cancel was pressed there."""
        return bool(self._bar.is_canceled)

    def update(self, fraction: float) -> None:
        """Move its bar."""
        self._bar.update(round(100 * fraction) - self._bar.n)

    def close(self) -> None:
        """Take it off the list."""
        self._bar.close()
