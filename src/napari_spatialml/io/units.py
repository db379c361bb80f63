"""Physical units: taken from the files' metadata, else asked for, and never guessed."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from ..errors import BadInput, UnitNeeded

__all__ = ["PARAMETERS", "PITCH_QUESTION", "Contradiction", "Units", "agree"]

PARAMETERS = ("pixel_size_um", "spot_pitch_um", "um_per_unit")

TOLERANCE = 0.05
"""A stated value that differs from the metadata by more than this share is a contradiction."""

PITCH_QUESTION = "State the distance between the centres of neighbouring spots, in µm."

_QUESTIONS = {
    "pixel_size_um": "State the size of one pixel in µm.",
    "spot_pitch_um": PITCH_QUESTION,
    "um_per_unit": "State how many µm one unit of its coordinates is.",
}


@dataclass(frozen=True)
class Units:
    """What the person stated about a file's physical units; None means not stated.

    Parameters
    ----------
    pixel_size_um
        Size of one image pixel in µm.
    spot_pitch_um
        Distance between the centres of neighbouring spots in µm.
    um_per_unit
        µm in one unit of the coordinates.
    used
        The parameters that a reader took, because its file did not say.
    """

    pixel_size_um: float | None = None
    spot_pitch_um: float | None = None
    um_per_unit: float | None = None
    used: set[str] = field(default_factory=set, compare=False)

    def __post_init__(self) -> None:
        for name in PARAMETERS:
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise BadInput(f"'{name}' is {value}.", "Give a number > 0, in µm.")

    def length(self, parameter: str, what: str, metadata: float | None = None) -> float:
        """Return the length in µm that ``parameter`` and the metadata agree on.

        Parameters
        ----------
        parameter
            ``"pixel_size_um"``, ``"spot_pitch_um"`` or ``"um_per_unit"``.
        what
            The thing measured, for the messages: ``"The image 'a.png'"``.
        metadata
            What the file itself says, in µm, or None.

        Raises
        ------
        UnitNeeded
            Neither the file nor the person states it.
        BadInput
            Both do, and they differ by more than 5 %.
        """
        stated: float | None = getattr(self, parameter)
        if metadata is None and stated is None:
            raise UnitNeeded(f"{what} carries no physical unit.", _QUESTIONS[parameter], parameter=parameter)
        if metadata is None:
            return self.take(parameter)
        if stated is not None:
            agree(stated, metadata, parameter, what)
        return metadata

    def take(self, parameter: str) -> float:
        """Return a stated value, and remember that it was used."""
        self.used.add(parameter)
        return float(getattr(self, parameter))


class Contradiction(BadInput):
    """A stated unit differs from the file's own."""

    def __init__(self, message: str, hint: str, parameter: str) -> None:
        super().__init__(message, hint)
        self.parameter = parameter


def agree(stated: float, metadata: float, parameter: str, what: str) -> None:
    """Raise `Contradiction` when a stated length differs from the metadata's by more than 5 %."""
    if abs(stated - metadata) > TOLERANCE * metadata:
        raise Contradiction(
            f"{what} says {metadata:.6g} µm but '{parameter}' is {stated:.6g} µm.",
            f"Leave '{parameter}' out to take the file's value, or correct it.",
            parameter,
        )
