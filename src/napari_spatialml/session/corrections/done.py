"""Corrections of what is done: a person says that every cell of a window was corrected, or takes it back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from ...errors import BadInput
from ..document import GLOBAL, Document
from ..done import Done, done_of, kept
from ..reader import who
from .registry import Made, completed_by, correction

__all__ = ["SMALLEST"]

SMALLEST = 32
"""Pixels of the shortest edge from which a network can learn."""


def _signed(arguments: dict[str, Any]) -> dict[str, Any]:
    """Fill in who marked it, and when."""
    when = arguments.get("when") or datetime.now(UTC).isoformat(timespec="milliseconds")
    return {**arguments, "who": arguments.get("who") or who(), "when": when}


@correction
@completed_by(_signed)
def mark_done(document: Document, labels: str, window: Sequence[int], who: str = "", when: str = "") -> Made:
    """Say that every cell of a window (y0, y1, x0, x1), in pixels of the labels, was corrected."""
    (height, width), given = document.grid(labels).shape, [int(v) for v in window]
    if len(given) != 4:
        raise BadInput(f"{given} is no window.", "Give y0, y1, x0 and x1 in pixels.")
    y0, y1, x0, x1 = max(given[0], 0), min(given[1], height), max(given[2], 0), min(given[3], width)
    if min(y1 - y0, x1 - x0) < SMALLEST:
        size = f"{max(y1 - y0, 0)} × {max(x1 - x0, 0)}"
        raise BadInput(f"The window holds {size} pixels of '{labels}'.", f"Mark at least {SMALLEST} × {SMALLEST}.")
    held = done_of(document, labels)
    new = Done(labels, (y0, y1, x0, x1), who, when)
    if any(d.window == new.window for d in held):
        raise BadInput("This window is marked as done already.", "Move on to another one.")
    return f"mark {_in_um(document, new)} of {labels} as done", [kept(document, labels, (*held, new))]


@correction
def unmark_done(document: Document, labels: str, window: Sequence[int]) -> Made:
    """Say that a window is not done after all."""
    held, wanted = done_of(document, labels), tuple(int(v) for v in window)
    left = tuple(d for d in held if d.window != wanted)
    if len(left) == len(held):
        raise BadInput(f"No window {list(wanted)} of '{labels}' is done.", "Choose one of those in the list.")
    gone = next(d for d in held if d.window == wanted)
    return f"mark {_in_um(document, gone)} of {labels} as not done", [kept(document, labels, left)]


def _in_um(document: Document, done: Done) -> str:
    """Return how large a window is, in words."""
    y0, y1, x0, x1 = done.window
    placed = document.placed(done.labels)
    to_um = document.affine(done.labels, GLOBAL if GLOBAL in placed else placed[0])
    corner, below, beside = to_um.apply(np.array([[y0, x0], [y1, x0], [y0, x1]], dtype=float))
    return f"{np.linalg.norm(below - corner):.3g} × {np.linalg.norm(beside - corner):.3g} µm"
