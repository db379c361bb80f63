"""The registry of corrections: each is a function of plain arguments, known by its name with hyphens."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..changes import Change
from ..values import Encoder, decode

__all__ = ["COMPLETED", "MADE", "Made", "completed_by", "correction", "packed", "unpacked"]

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
    """Return the array again."""
    if isinstance(value, dict):
        return np.asarray(decode(value["meta"], [base64.b64decode(b) for b in value["data"]]))
    return np.asarray(value)
