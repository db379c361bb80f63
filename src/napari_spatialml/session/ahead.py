"""Labels packed and hashed in the thread that made them, so that the step that stores them only writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .elements import LabelsElement
from .fingerprints import fingerprint
from .values import Encoder

if TYPE_CHECKING:
    from .grid import LabelGrid

__all__ = ["Ahead", "encoder_of"]


class Ahead:
    """What a step will replace and what it will put there, packed for the journal.

    For 36 million pixels that takes a second and a half, for which the window would stand still.
    """

    def __init__(self) -> None:
        self._encoder = Encoder()
        self._held: dict[tuple[int, int], tuple[LabelGrid, dict[str, Any]]] = {}
        self._new: tuple[LabelsElement, str] | None = None

    def add_old(self, grid: LabelGrid, moment: int, snapshot: LabelsElement) -> None:
        """Pack what a grid held at a moment; painted on since, it is packed again when it is stored."""
        self._held[id(grid), moment] = (grid, self._encoder.any(snapshot))

    def add_new(self, element: LabelsElement) -> None:
        """Pack and hash labels that were made; nobody has painted on them yet."""
        self._held[id(element.grid), 0] = (element.grid, self._encoder.any(element))
        self._new = (element, fingerprint((element,)))

    def fingerprint_of(self, value: Any) -> str | None:
        """Return the hash of the labels that were made; None of any other value."""
        return self._new[1] if self._new is not None and value is self._new[0] else None

    def told_of(self, value: Any) -> dict[str, Any] | None:
        """Return the description of labels that are packed; None of any other value."""
        if not isinstance(value, LabelsElement):
            return None
        _, told = self._held.get((id(value.grid), value.grid.moment), (None, None))
        if told is None or "transforms" not in told:  # labels that can be made again say how, and no more
            return told
        return {**told, "transforms": value.transforms}

    def serves(self, values: list[Any]) -> bool:
        """Whether all that is packed is among some values: the journal keeps no bits that nobody asks for."""
        return bool(self._held) and sum(self.told_of(value) is not None for value in values) == len(self._held)

    @property
    def buffers(self) -> list[bytes]:
        """The packed bits."""
        return list(self._encoder.buffers)


class _AheadEncoder(Encoder):
    """Goes on from what is packed."""

    def __init__(self, ahead: Ahead) -> None:
        super().__init__()
        self.buffers, self._ahead = ahead.buffers, ahead

    def any(self, value: Any) -> dict[str, Any]:
        told = self._ahead.told_of(value)
        return super().any(value) if told is None else told


def encoder_of(ahead: Ahead | None, values: list[Any]) -> Encoder:
    """Return what encodes some values, those that were packed ahead without work."""
    return Encoder() if ahead is None or not ahead.serves(values) else _AheadEncoder(ahead)
