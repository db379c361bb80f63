"""The registry of corrections: each is a function of plain arguments, known by its name with hyphens."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from inspect import signature
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import BadInput
from ..changes import Change
from ..values import Encoder, decode

__all__ = ["COMPLETED", "MADE", "Made", "checked_arguments", "completed_by", "correction", "packed", "unpacked"]

Made = tuple[str, Sequence[Change]]
MADE: dict[str, Callable[..., Made]] = {}
COMPLETED: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""What fills in the arguments that the clock, chance or the person at the keyboard give, before they are recorded."""


def correction(function: Callable[..., Made]) -> Callable[..., Made]:
    """Register a correction: it gets the document and plain arguments, and returns a label and the changes."""
    MADE[function.__name__.replace("_", "-")] = function
    return function


def completed_by(
    complete: Callable[[dict[str, Any]], dict[str, Any]],
) -> Callable[[Callable[..., Made]], Callable[..., Made]]:
    """Let a function fill in the arguments of a correction that is made by hand; a replay finds them recorded."""

    def decorate(function: Callable[..., Made]) -> Callable[..., Made]:
        COMPLETED[function.__name__.replace("_", "-")] = complete
        return function

    return decorate


def packed(array: npt.NDArray[Any]) -> dict[str, Any]:
    """Return an array as plain values, compressed, for the arguments of a correction."""
    encoder = Encoder()
    meta = encoder.array(np.ascontiguousarray(array))
    return {"meta": meta, "data": [base64.b64encode(b).decode() for b in encoder.buffers]}


def unpacked(value: Any) -> npt.NDArray[Any]:
    """Return the array again.

    Raises
    ------
    BadInput
        When it cannot be read.
    """
    try:
        if isinstance(value, dict):
            return np.asarray(decode(value["meta"], [base64.b64decode(b) for b in value["data"]]))
        return np.asarray(value)
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f"'{value!r:.60}' is no array.", "Give a list of numbers.") from error


_KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "int": (lambda v: isinstance(v, int) or (isinstance(v, float) and v.is_integer()), "a whole number"),
    "str": (lambda v: isinstance(v, str), "text"),
    "Sequence[str]": (lambda v: isinstance(v, list) and all(isinstance(n, str) for n in v), "a list of names"),
    "Sequence[int]": (
        lambda v: isinstance(v, list) and all(isinstance(n, int) for n in v),
        "a list of whole numbers",
    ),
}


def checked_arguments(function: Callable[..., Made], arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a correction as plain values: arrays, ranges and tuples as lists.

    Raises
    ------
    BadInput
        When one is of another kind than the correction takes, or text that no file can hold.
    """
    plain = {key: _plain(value) for key, value in arguments.items()}
    for key, parameter in signature(function).parameters.items():
        fits, what = _KINDS.get(str(parameter.annotation), (_anything, ""))
        if key in plain and not fits(plain[key]):
            raise BadInput(f"'{key}' is {plain[key]!r:.60}.", f"Give {what}.")
    for key, value in plain.items():
        if isinstance(value, str) and any("\ud800" <= sign <= "\udfff" for sign in value):
            raise BadInput(f"'{key}' is {value!r:.60}, which no file can hold.", "Leave out the unreadable signs.")
    return plain


def _anything(_: Any) -> bool:
    return True


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return list(value) if isinstance(value, range | tuple | set) else value
