"""The errors a person may read: one sentence that says what is wrong, one that says what to do."""

from __future__ import annotations

__all__ = [
    "BadInput",
    "Cancelled",
    "DocumentError",
    "MissingDependency",
    "MissingWeights",
    "ReferenceNeeded",
    "SpatialMLError",
    "Stale",
    "UnitNeeded",
    "WouldReplace",
]


class SpatialMLError(Exception):
    """An expected failure, told in words a biologist can act on.

    Parameters
    ----------
    message
        What is wrong, with the offending value.
    hint
        What to do about it.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class BadInput(SpatialMLError):
    """A file, an array or a parameter is not what the operation needs."""


class UnitNeeded(BadInput):
    """The files carry no physical unit, so the person has to state one.

    Parameters
    ----------
    message, hint
        As in :class:`SpatialMLError`.
    parameter
        The keyword that answers the question (``"pixel_size_um"``, ``"spot_pitch_um"`` or
        ``"um_per_unit"``), so that a form can ask for it.
    """

    def __init__(self, message: str, hint: str = "", *, parameter: str) -> None:
        super().__init__(message, hint)
        self.parameter = parameter


class ReferenceNeeded(BadInput):
    """A method is to estimate proportions without the reference that it needs."""


class MissingDependency(SpatialMLError):
    """An optional package is not installed; the hint says which extra brings it."""


class MissingWeights(SpatialMLError):
    """A network's weights are not on this machine; the hint says where to put them."""


class DocumentError(SpatialMLError):
    """The document cannot do what was asked: a name is taken, an element is absent, a store is damaged."""


class Stale(DocumentError):
    """A result was computed from data that changed meanwhile."""


class WouldReplace(DocumentError):
    """A run would replace what a person made by hand, and the person has not been asked."""


class Cancelled(Exception):
    """The person pressed Stop. Raised by ``report`` and passed through by every method."""
