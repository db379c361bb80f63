"""Corrections of registrations: another candidate, pins, acceptance, and keeping one to compare it with another.

The number of a candidate counts from 0, the best; that of a pin from 1, like a landmark's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...core.chaining import chained
from ...core.local_warp import LocalWarp
from ...core.transform import Transform
from ...errors import BadInput
from ..alignments import KEPT, alignment_of
from ..document import Document
from ..fields import restored
from ..laying import laid, removed
from ..store import put_entry
from .registry import Made, correction

_SAME_UM = 1e-6


@correction
def choose_candidate(document: Document, moving: str, number: int) -> Made:
    """Lay the moving side as another candidate says; 0 is the best one, refined. Pins are taken out."""
    entry = alignment_of(document, moving)
    candidates = entry.get("candidates", [])
    if not 0 <= number < max(len(candidates), 1):
        raise BadInput(
            f"'{moving}' has no candidate number {number}.", f"Choose one from 0 to {max(len(candidates), 1) - 1}."
        )
    best = entry.get("best") or {k: entry.get(k) for k in ("base", "trust", "certainty")}
    best["base"] = best["base"] or entry["transform"]
    made = {**entry, "chosen": number, "pins": [], "accepted": False, "best": best}
    if number == 0:
        made |= best
        del made["best"]
    else:  # what was said of the best one is not true of this one
        made |= {"base": candidates[number]["transform"], "trust": None, "certainty": None}
    label = f"lay {moving} as candidate {number} says" if number else f"lay {moving} as the best candidate says"
    return label, laid(document, moving, made, restored(document, made["base"]))


@correction
def accept_alignment(document: Document, moving: str) -> Made:
    """Say that a person has looked at a registration and found it right."""
    entry = alignment_of(document, moving)
    return f"accept the registration of {moving}", [
        put_entry(document, "alignments", moving, {**entry, "accepted": True})
    ]


@correction
def remove_alignment(document: Document, moving: str) -> Made:
    """Take the moving side off the fixed one again."""
    return f"remove the registration of {moving}", removed(document, moving)


@correction
def keep_alignment(document: Document, moving: str, name: str) -> Made:
    """Keep a registration under a name, to compare another one with it or to go back to it."""
    if not name.strip():
        raise BadInput("The registration has no name to be kept by.", "Give it one.")
    entry = {**alignment_of(document, moving), "moving": moving}
    return f"keep the registration of {moving} as {name}", [put_entry(document, KEPT, name, entry)]


@correction
def use_alignment(document: Document, name: str) -> Made:
    """Lay a moving side as a kept registration says."""
    entry = kept_alignment(document, name)
    moving = str(entry.pop("moving"))
    changes = laid(document, moving, entry, restored(document, entry["transform"]))
    return f"use the registration {name}", changes


@correction
def forget_alignment(document: Document, name: str) -> Made:
    """Keep a registration no longer."""
    kept_alignment(document, name)
    return f"forget the registration {name}", [put_entry(document, KEPT, name, None)]


def kept_alignment(document: Document, name: str) -> dict[str, Any]:
    """Return a kept registration.

    Raises
    ------
    BadInput
        When none is kept by that name.
    """
    known = document.attribute(KEPT, {})
    if name not in known:
        have = ", ".join(f"'{n}'" for n in sorted(known)) or "none"
        raise BadInput(f"No registration is kept as '{name}'.", f"Kept are: {have}.")
    return dict(known[name])


# pins --------------------------------------------------------------------------------------------


@correction
def drag_pin(
    document: Document, moving: str, fixed_um: Sequence[float], to_um: Sequence[float], radius_um: float
) -> Made:
    """Drag what lies at one place of the fixed side to another; only within a radius does anything move.

    Both places are (y, x) in µm of the fixed side; a pin then holds the tissue where it was put.
    """
    entry = alignment_of(document, moving)
    if not np.isfinite(radius_um) or radius_um <= 0:
        raise BadInput(f"{radius_um} µm is not a radius.", "Give a number above 0.")
    pins = list(entry.get("pins", []))
    here, there = _place(fixed_um), _place(to_um)
    warp = _warp(pins)
    source = here if warp is None else warp.inverse().apply([here])[0].tolist()
    new = {"fixed_um": source, "to_um": there, "asked_um": float(radius_um)}
    same = [k for k, pin in enumerate(pins) if np.linalg.norm(np.subtract(pin["fixed_um"], source)) < _SAME_UM]
    pins = [new if k in same else pin for k, pin in enumerate(pins)] if same else [*pins, new]
    far = float(np.linalg.norm(np.subtract(there, here)))
    return f"drag {moving} by {far:.1f} µm with pin {(same or [len(pins) - 1])[0] + 1}", _pinned(
        document, moving, entry, pins
    )


@correction
def move_pin(document: Document, moving: str, number: int, to_um: Sequence[float]) -> Made:
    """Move a pin, and the tissue with it, to another place; the first is number 1."""
    entry, pins = _pin(document, moving, number)
    pins[number - 1] = {**pins[number - 1], "to_um": _place(to_um)}
    return f"move pin {number} of {moving}", _pinned(document, moving, entry, pins)


@correction
def delete_pin(document: Document, moving: str, number: int) -> Made:
    """Take a pin out; the tissue around it goes back. The first is number 1."""
    entry, pins = _pin(document, moving, number)
    del pins[number - 1]
    return f"delete pin {number} of {moving}", _pinned(document, moving, entry, pins)


def _pin(document: Document, moving: str, number: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    entry = alignment_of(document, moving)
    pins = list(entry.get("pins", []))
    if not 1 <= number <= len(pins):
        raise BadInput(f"'{moving}' has {len(pins)} pins, but no number {number}.", "Choose another.")
    return entry, pins


def _pinned(document: Document, moving: str, entry: dict[str, Any], pins: list[dict[str, Any]]) -> Any:
    """Return the changes after which these pins hold the registration."""
    base_plain = entry.get("base") or entry["transform"]
    base = restored(document, base_plain)
    warp = _warp(pins)
    if warp is not None:  # a drag too far for its radius has made it larger
        pins = [{**pin, "radius_um": float(r)} for pin, r in zip(pins, warp.radius_um, strict=True)]
    made = {**entry, "base": base_plain, "pins": pins, "accepted": False}
    transform: Transform = base if warp is None else chained(base, warp)
    return laid(document, moving, made, transform)


def _warp(pins: Sequence[dict[str, Any]]) -> LocalWarp | None:
    if not pins:
        return None
    parts = ([pin[key] for pin in pins] for key in ("fixed_um", "to_um"))
    source, target = (np.asarray(p, dtype=float) for p in parts)
    return LocalWarp(source, target, np.array([pin.get("asked_um", pin.get("radius_um")) for pin in pins], dtype=float))


def _place(point: Sequence[float]) -> list[float]:
    place = [float(v) for v in point]
    if len(place) != 2 or not np.isfinite(place).all():
        raise BadInput(f"{place} is not a place.", "Give y and x in µm.")
    return place
