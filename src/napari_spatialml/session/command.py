"""A command: changes with a label and a record. Making one has no effect; executing it has."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from .ahead import Ahead, encoder_of
from .changes import Change, EditValues, Put, Slot, decode_change
from .values import Packed

__all__ = ["Command"]


@dataclass(frozen=True)
class Command:
    """What a run or a correction does to the document.

    Parameters
    ----------
    label
        What the history shows: "merge cells 12 and 19".
    changes
        Applied in order; undone in reverse order.
    record
        How the command was made: ``{"type": "run" | "correction", …}``, enough to make it again.
    """

    label: str
    changes: tuple[Change, ...]
    record: dict[str, Any] = field(default_factory=dict)

    def inverse(self) -> Command:
        """Return the command that takes this one back."""
        return Command(f"undo {self.label}", tuple(c.inverse() for c in reversed(self.changes)), self.record)

    def joined(self, other: Command) -> Command:
        """Return this command with another after it, as one step under this one's label."""
        later = {c.touched: c for c in other.changes if isinstance(c, EditValues)}
        once = Counter(c.touched for c in (*self.changes, *other.changes))
        made: list[Change] = []
        for change in self.changes:
            # what the other replaces is told as it was before this one, which is what the journal holds already
            next_ = later.get(change.touched) if once[change.touched] == 2 else None
            both = next_.instead_of(change) if next_ is not None and isinstance(change, EditValues) else None
            made.append(both or change)
            if both is not None:
                del later[change.touched]
        rest = [c for c in other.changes if not isinstance(c, EditValues) or c.touched in later]
        return Command(self.label, (*made, *rest), {**self.record, "then": other.record})

    @property
    def touched(self) -> frozenset[Slot]:
        """The addresses that change."""
        return frozenset(change.touched for change in self.changes)

    def encode(self, ahead: Ahead | None = None) -> Packed:
        """Pack the command for the journal; what was packed ahead is not packed again."""
        encoder = encoder_of(ahead, [v for c in self.changes if isinstance(c, Put) for v in (c.old, c.new)])
        changes = [change.encode(encoder) for change in self.changes]
        return Packed({"label": self.label, "changes": changes, "record": self.record}, encoder.buffers)

    @classmethod
    def decode(cls, meta: dict[str, Any], buffers: list[bytes]) -> Command:
        """Unpack a command."""
        changes = tuple(decode_change(c, buffers) for c in meta["changes"])
        return cls(meta["label"], changes, meta.get("record", {}))
