"""A figure: a measured value with the floor that the project set itself, and what it was measured on."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Figure", "median_ms", "seconds"]


@dataclass(frozen=True)
class Figure:
    """One figure.

    Parameters
    ----------
    value, unit
        What was measured.
    floor
        The worst value that is allowed, or None where none was set.
    lower_is_better
        Whether the value must stay below the floor, or above it.
    peer, peer_value
        Another program's value, measured in the same run; empty and None where there is none.
    data, seed
        What it was measured on.
    """

    value: float
    unit: str
    floor: float | None = None
    lower_is_better: bool = True
    peer: str = ""
    peer_value: float | None = None
    data: str = ""
    seed: int | None = None

    @property
    def holds(self) -> bool:
        """Whether the value is no worse than the floor."""
        if self.floor is None:
            return True
        return self.value <= self.floor if self.lower_is_better else self.value >= self.floor

    def plain(self) -> dict[str, Any]:
        """Return what the JSON file holds."""
        held = asdict(self)
        held.pop("lower_is_better")
        return {**held, "holds": self.holds}


def seconds(action: Callable[[], Any]) -> float:
    """Return the seconds that an action takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def median_ms(actions: list[Callable[[], Any]]) -> float:
    """Return the median time of several actions in milliseconds."""
    return 1000 * statistics.median(seconds(action) for action in actions)
