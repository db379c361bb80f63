"""Corrections of landmarks: add, move, delete, lock, take in from a file, clear."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import BadInput
from ..document import GLOBAL, Document
from ..store import put_entry
from .registry import Made, correction

_SIDES = ("fixed_um", "moving_um")


@correction
def add_landmark(
    document: Document, landmarks: str, fixed_um: Sequence[float], moving_um: Sequence[float], fixed: str = GLOBAL
) -> Made:
    """Add a pair of landmarks, each as (y, x) in µm of its own coordinate system."""
    held = _landmarks(document, landmarks, fixed)
    made = _with(held, [_place(fixed_um)], [_place(moving_um)])
    n = len(made["fixed_um"])
    return f"add landmark {n} of {landmarks}", [put_entry(document, "landmarks", landmarks, made)]


@correction
def move_landmark(document: Document, landmarks: str, number: int, side: str, to_um: Sequence[float]) -> Made:
    """Move one side ("fixed" or "moving") of a landmark; the first is number 1."""
    held = _free(document, landmarks, number)
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
    held = _free(document, landmarks, number)
    made = {**held, **{k: [p for i, p in enumerate(held[k]) if i != number - 1] for k in _SIDES}}
    locked = [v for i, v in enumerate(_locked(held)) if i != number - 1]
    made = _locking(made, locked)
    return f"delete landmark {number} of {landmarks}", [put_entry(document, "landmarks", landmarks, made)]


@correction
def lock_landmark(document: Document, landmarks: str, number: int, locked: bool) -> Made:
    """Keep a pair of landmarks from being moved or deleted, or let it go again; the first is number 1."""
    held = _landmark(document, landmarks, number)
    flags = _locked(held)
    flags[number - 1] = bool(locked)
    verb = "lock" if locked else "unlock"
    made = _locking(held, flags)
    return f"{verb} landmark {number} of {landmarks}", [put_entry(document, "landmarks", landmarks, made)]


@correction
def import_landmarks(
    document: Document,
    landmarks: str,
    fixed_um: Sequence[Sequence[float]],
    moving_um: Sequence[Sequence[float]],
    fixed: str = GLOBAL,
    replace: bool = False,
    source: str = "",
) -> Made:
    """Add pairs of landmarks, each side (k, 2) as (y, x) in µm, or put them in place of those that are there."""
    if len(fixed_um) != len(moving_um):
        raise BadInput(
            f"There are {len(fixed_um)} fixed and {len(moving_um)} moving landmarks.",
            "Give every landmark its partner.",
        )
    held = _landmarks(document, landmarks, fixed)
    if replace:
        held = _emptied(held, landmarks)
    made = _with(held, [_place(p) for p in fixed_um], [_place(p) for p in moving_um])
    n = len(fixed_um)
    what = f"import {n} {'landmark' if n == 1 else 'landmarks'} of {source or landmarks}"
    return what, [put_entry(document, "landmarks", landmarks, made)]


@correction
def clear_landmarks(document: Document, landmarks: str) -> Made:
    """Delete all pairs of a set."""
    held = _landmarks(document, landmarks, GLOBAL)
    n = len(held["fixed_um"])
    if not n:
        raise BadInput(f"'{landmarks}' has no landmarks.", "There is nothing to delete.")
    made = _emptied(held, landmarks)
    what = f"delete {n} {'landmark' if n == 1 else 'landmarks'} of {landmarks}"
    return what, [put_entry(document, "landmarks", landmarks, made)]


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


def _free(document: Document, name: str, number: int) -> dict[str, Any]:
    held = _landmark(document, name, number)
    if _locked(held)[number - 1]:
        raise BadInput(f"Landmark {number} of '{name}' is locked.", "Unlock it first.")
    return held


def _locked(held: dict[str, Any]) -> list[bool]:
    """Return a flag for each pair; none is locked where the attribute does not say."""
    flags = [bool(v) for v in held.get("locked", [])]
    k = len(held["fixed_um"])
    return (flags + [False] * k)[:k]


def _locking(held: dict[str, Any], flags: list[bool]) -> dict[str, Any]:
    rest = {k: v for k, v in held.items() if k != "locked"}
    return {**rest, "locked": flags} if any(flags) else rest


def _with(held: dict[str, Any], fixed_um: list[list[float]], moving_um: list[list[float]]) -> dict[str, Any]:
    made = {**held, "fixed_um": [*held["fixed_um"], *fixed_um], "moving_um": [*held["moving_um"], *moving_um]}
    return _locking(made, _locked(held) + [False] * len(fixed_um))


def _emptied(held: dict[str, Any], name: str) -> dict[str, Any]:
    fixed = sum(_locked(held))
    if fixed:
        raise BadInput(f"{fixed} of the landmarks of '{name}' cannot go: they are locked.", "Unlock them first.")
    return _locking({**held, "fixed_um": [], "moving_um": []}, [])
