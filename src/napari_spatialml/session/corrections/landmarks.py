"""Corrections of landmarks: add, move, delete."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import BadInput
from ..document import GLOBAL, Document
from ..store import put_entry
from .registry import Made, correction


@correction
def add_landmark(
    document: Document, landmarks: str, fixed_um: Sequence[float], moving_um: Sequence[float], fixed: str = GLOBAL
) -> Made:
    """Add a pair of landmarks, each as (y, x) in µm of its own coordinate system."""
    held = _landmarks(document, landmarks, fixed)
    pair = [_place(fixed_um), _place(moving_um)]
    made = {**held, "fixed_um": [*held["fixed_um"], pair[0]], "moving_um": [*held["moving_um"], pair[1]]}
    n = len(made["fixed_um"])
    return f"add landmark {n} of {landmarks}", [put_entry(document, "landmarks", landmarks, made)]


@correction
def move_landmark(document: Document, landmarks: str, number: int, side: str, to_um: Sequence[float]) -> Made:
    """Move one side ("fixed" or "moving") of a landmark; the first is number 1."""
    held = _landmark(document, landmarks, number)
    key = f"{side}_um"
    if key not in held:
        raise BadInput(f"A landmark has no side '{side}'.", "Choose fixed or moving.")
    points = [list(p) for p in held[key]]
    points[number - 1] = _place(to_um)
    made = {**held, key: points}
    return f"move landmark {number} of {landmarks}", [put_entry(document, "landmarks", landmarks, made)]


@correction
def delete_landmark(document: Document, landmarks: str, number: int) -> Made:
    """Delete a pair of landmarks; the first is number 1."""
    held = _landmark(document, landmarks, number)
    made = {
        **held,
        **{k: [p for i, p in enumerate(held[k]) if i != number - 1] for k in ("fixed_um", "moving_um")},
    }
    return f"delete landmark {number} of {landmarks}", [put_entry(document, "landmarks", landmarks, made)]


def _place(point: Sequence[float]) -> list[float]:
    place = [float(v) for v in point]
    if len(place) != 2 or not np.isfinite(place).all():
        raise BadInput(f"{place} is not a place.", "Give y and x in µm.")
    return place


def _landmarks(document: Document, name: str, fixed: str) -> dict[str, Any]:
    empty = {"fixed": fixed, "moving": name, "fixed_um": [], "moving_um": []}
    return dict(document.attribute("landmarks", {}).get(name, empty))


def _landmark(document: Document, name: str, number: int) -> dict[str, Any]:
    held = _landmarks(document, name, GLOBAL)
    if not 1 <= number <= len(held["fixed_um"]):
        raise BadInput(f"'{name}' has {len(held['fixed_um'])} landmarks, but no number {number}.", "Choose another.")
    return held
