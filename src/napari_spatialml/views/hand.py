"""What the tools on cells share: chosen once, and kept from tool to tool."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Hand", "Pace"]


@dataclass(frozen=True)
class Hand:
    """What a person has in the hand while correcting cells.

    Parameters
    ----------
    labels
        The labels that are corrected; "" for those of the active layer.
    preset
        Whose keys and mouse: a name in `presets.PRESETS`.
    size_um
        The diameter of the brush in µm.
    by_um
        By how much a cell grows or shrinks, in µm.
    smooth_um
        The radius within which an outline is smoothed, in µm.
    how
        How a cell is split: "straight", "watershed", "membrane" or "transcripts".
    image, channel
        The membrane image, for splitting along it.
    points
        The transcripts, for splitting by them.
    nuclei, limit_um
        From which labels, and by at most how much in µm, nuclei are expanded to cells.
    """

    labels: str = ""
    preset: str = "napari"
    size_um: float = 4.0
    by_um: float = 0.5
    smooth_um: float = 1.0
    how: str = "straight"
    image: str = ""
    channel: str = ""
    points: str = ""
    nuclei: str = ""
    limit_um: float = 3.0


class Pace:
    """Calls what is asked for at most so often; of what comes in between, the last.

    Parameters
    ----------
    seconds
        The least time between the end of one call and the next, >= 0.
    after
        Calls a function some milliseconds later; None where there is no event loop.
    """

    def __init__(self, seconds: float, after: Callable[[int, Callable[[], None]], Any] | None = None) -> None:
        self._seconds, self._after = seconds, after
        self._last, self._waiting = -1e9, False
        self._wanted: Callable[[], None] | None = None

    def __call__(self, call: Callable[[], None]) -> None:
        """Call something now, or as soon as it may be."""
        self._wanted = call
        wait = self._last + self._seconds - time.monotonic()
        if wait <= 0:
            self._run()
        elif self._after is not None and not self._waiting:
            self._waiting = True
            self._after(int(1000 * wait) + 1, self._arrive)

    def forget(self) -> None:
        """Do not call what still waits."""
        self._wanted = None

    def _arrive(self) -> None:
        self._waiting = False
        self._run()

    def _run(self) -> None:
        call, self._wanted = self._wanted, None
        if call is not None:
            call()
            self._last = time.monotonic()
