"""How the channels of an image are drawn: colour, limits, gamma, whether they are shown; kept in the document."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import BadInput
from .changes import Change
from .document import Document
from .planes import stack_name
from .store import put_entry

__all__ = ["BLENDINGS", "CHANNELS", "Channel", "blending_of", "channels_kept", "channels_of", "checked"]

CHANNELS = "channels"
"""Our attribute that keeps them, by image."""
BLENDINGS = ("added", "on white")
"""Channels add up as light on black, or take light away as ink on white."""
_DARKEST, _BRIGHTEST = 0.1, 10.0


@dataclass(frozen=True)
class Channel:
    """How a channel is drawn; what is None is left to the default.

    Parameters
    ----------
    colour
        Of its brightest light, as ``#rrggbb``.
    low, high
        The values that are drawn dark and bright.
    gamma
        Exponent of the brightness, 0.1 to 10; 1 is proportional.
    visible
        Whether it is drawn.
    """

    colour: str | None = None
    low: float | None = None
    high: float | None = None
    gamma: float | None = None
    visible: bool | None = None

    @property
    def limits(self) -> tuple[float, float] | None:
        """Both limits, or None."""
        return None if self.low is None or self.high is None else (self.low, self.high)


def channels_of(document: Document, image: str) -> dict[str, Channel]:
    """Return what was said of an image's channels, by their names."""
    found = {}
    for name, said in _mapping(_held(document, image).get("channels")).items():
        try:
            found[str(name)] = Channel(**checked(_mapping(said)))
        except BadInput:
            continue  # written by another program: the default is drawn
    return found


def blending_of(document: Document, image: str) -> str:
    """Return how an image's channels come together: one of `BLENDINGS`."""
    said = _held(document, image).get("blending")
    return said if said in BLENDINGS else BLENDINGS[0]


def channels_kept(
    document: Document, image: str, channels: Mapping[str, Mapping[str, Any]], blending: str | None
) -> Change:
    """Return the change after which more is said of some channels; the rest stays."""
    held = _held(document, image)
    before = {str(k): dict(_mapping(v)) for k, v in _mapping(held.get("channels")).items()}
    for name, said in channels.items():
        before[name] = {**before.get(name, {}), **said}
    new = {"blending": blending or blending_of(document, image), "channels": before}
    return put_entry(document, CHANNELS, stack_name(image), new)


def checked(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a channel as plain values.

    Raises
    ------
    BadInput
        When one of them cannot be.
    """
    made = {name: _CHECKS[name](value) for name, value in said.items() if name in _CHECKS and value is not None}
    unknown = set(said) - set(_CHECKS)
    if unknown:
        raise BadInput(f"A channel has no '{unknown.pop()}'.", f"Choose among {', '.join(_CHECKS)}.")
    low, high = made.get("low"), made.get("high")
    if (low is None) != (high is None) or (low is not None and not low < high):
        raise BadInput(f"The limits are {low} and {high}.", "Give two, the first one lower.")
    return made


def _colour(value: Any) -> str:
    code = str(value).removeprefix("#")
    if len(code) != 6 or any(c not in "0123456789abcdefABCDEF" for c in code):
        raise BadInput(f"'{value}' is not a colour.", "Write it as #rrggbb.")
    return "#" + code.lower()


def _number(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise BadInput(f"'{value}' is not a number.", "Give one.") from error
    if not math.isfinite(number):
        raise BadInput(f"'{value}' is no limit.", "Give a finite number.")
    return number


def _gamma(value: Any) -> float:
    number = _number(value)
    if not _DARKEST <= number <= _BRIGHTEST:
        raise BadInput(f"A gamma of {number:g} leaves nothing to see.", f"Give {_DARKEST:g} to {_BRIGHTEST:g}.")
    return number


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "colour": _colour,
    "low": _number,
    "high": _number,
    "gamma": _gamma,
    "visible": bool,
}


def _held(document: Document, image: str) -> Mapping[str, Any]:
    return _mapping(_mapping(document.attribute(CHANNELS, {})).get(stack_name(image)))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
