"""What was computed for the last plan, so that the next one computes only what has changed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

__all__ = ["Memory"]

T = TypeVar("T")


class Memory:
    """The results of the last few computations, by what they depend on.

    Parameters
    ----------
    size
        How many are kept.
    """

    def __init__(self, size: int = 256) -> None:
        self._held: OrderedDict[Hashable, Any] = OrderedDict()
        self._size = size
        self.problems: dict[str, str] = {}
        """What could not be drawn as it was asked for in the last plan, by element."""

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what belongs to a key, made at the first call."""
        if key not in self._held:
            self._held[key] = make()
            while len(self._held) > self._size:
                self._held.popitem(last=False)
        self._held.move_to_end(key)
        value: T = self._held[key]
        return value
