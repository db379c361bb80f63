"""Which coordinate system was registered onto which, and how: read, laid, and taken away again.

Our attribute "alignments" holds one entry a moving coordinate system. What SpatialData can keep of a
transform, its affine part, is written as a transformation of every element of the moving side.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.landmarks import fit_affine
from ..core.transform import Affine, Transform
from ..errors import BadInput
from .changes import Change, Put
from .document import ELEMENT_TYPES, Document
from .extents import extent
from .fields import restored, stored
from .selection import RegistrationSelection
from .warping import warped_elements

__all__ = [
    "ALIGNMENTS",
    "KEPT",
    "affine_part",
    "alignment_of",
    "laid",
    "moved_elements",
    "places_within",
    "present_transform",
    "removed",
]

ALIGNMENTS, KEPT = "alignments", "alignments_kept"
_GRID = 12
"""Places along each edge of an element at which a transform is looked at."""


def alignment_of(document: Document, moving: str) -> dict[str, Any]:
    """Return the entry of a moving coordinate system.

    Raises
    ------
    BadInput
        When it is not registered onto another one.
    """
    known = document.attribute(ALIGNMENTS, {})
    if moving not in known:
        have = ", ".join(f"'{name}'" for name in sorted(known)) or "none"
        raise BadInput(f"'{moving}' is not registered.", f"Register it first. Registered so far: {have}.")
    return dict(known[moving])


def present_transform(document: Document, selection: RegistrationSelection) -> Transform:
    """Return how the moving side lies on the fixed one now.

    Raises
    ------
    BadInput
        When it does not lie there yet.
    """
    moving, fixed = selection.moving, selection.fixed
    known = document.attribute(ALIGNMENTS, {})
    if known.get(moving, {}).get("fixed") == fixed:
        return restored(document, known[moving]["transform"])
    if known.get(fixed, {}).get("fixed") == moving:
        return restored(document, known[fixed]["transform"]).inverse()
    both = [n for n in _lying_in(document, moving) if fixed in document.placed(n)]
    if not both:
        raise BadInput(
            f"'{moving}' does not lie on '{fixed}' yet, so there is nothing to refine.",
            "Register it once, then refine.",
        )
    return document.affine(both[0], fixed) @ document.affine(both[0], moving).inverse()


# what is moved -----------------------------------------------------------------------------------


def _lying_in(document: Document, system: str) -> list[str]:
    return [n for t in ELEMENT_TYPES[:4] for n in document.names(t) if system in document.placed(n)]


def moved_elements(document: Document, moving: str, fixed: str, stay: tuple[str, ...] = ()) -> list[str]:
    """Return what lies in the moving coordinate system and is moved onto the fixed one.

    Parameters
    ----------
    document
        The document.
    moving, fixed
        Coordinate systems.
    stay
        Elements that are never moved: those by which the fixed side is known.

    Notes
    -----
    What another program has placed in both systems belongs to the fixed side, unless that is so of
    everything that lies in the moving one.
    """
    known = document.attribute(ALIGNMENTS, {})
    names = [n for n in _lying_in(document, moving) if n not in stay]
    if known.get(fixed, {}).get("fixed") == moving:  # the same pair the other way round: it is replaced
        guests = set(moved_elements(document, fixed, moving))
        names = [n for n in names if n not in guests]
    if known.get(moving, {}).get("fixed") == fixed:
        stays = set(known[moving].get("stays", ()))
        return [n for n in names if n not in stays]
    alone = [n for n in names if fixed not in document.placed(n)]
    return alone or names


def places_within(document: Document, names: list[str], system: str) -> npt.NDArray[np.float64]:
    """Return places all over some elements, (n, 2) as (y, x) in µm of a coordinate system."""
    found = []
    for name in names:
        low, high = extent(document, name)
        y, x = (np.linspace(a, b, _GRID) for a, b in zip(low, high, strict=True))
        grid = np.stack(np.meshgrid(y, x, indexing="ij"), -1).reshape(-1, 2)
        found.append(document.affine(name, system).apply(grid))
    return np.concatenate(found)


def affine_part(document: Document, names: list[str], moving: str, transform: Transform) -> Affine:
    """Return a transform itself if it is affine, else the affine one nearest to it over the moving elements."""
    if isinstance(transform, Affine):
        return transform
    places = places_within(document, _of_size(document, names), moving)
    return fit_affine(places, transform.apply(places))


def _of_size(document: Document, names: list[str]) -> list[str]:
    """Return the elements whose extent is known without reading all of them, or all if there is none."""
    return [n for n in names if document.type_of(n) != "points"] or names


# changes -----------------------------------------------------------------------------------------


def laid(document: Document, moving: str, entry: Mapping[str, Any], transform: Transform) -> list[Change]:
    """Return the changes that lay a moving coordinate system onto the fixed one.

    Parameters
    ----------
    document
        The document.
    moving
        The moving coordinate system.
    entry
        What is kept in the attribute "alignments", without the transform; its "fixed" names the other system.
    transform
        From moving to fixed, in µm.

    Raises
    ------
    BadInput
        When nothing lies in the moving system, or the fixed one lies on it already.
    """
    fixed = str(entry["fixed"])
    known = dict(document.attribute(ALIGNMENTS, {}))
    _check_no_ring(known, moving, fixed)
    stay = tuple(n for n in list(entry.get("images", ()))[:1] if n)
    names = moved_elements(document, moving, fixed, stay)
    if not names:
        raise BadInput(f"Nothing lies in the coordinate system '{moving}'.", "Choose another moving side.")
    changes: list[Change] = []
    gone = _old_placements(document, known, moving, fixed, changes)
    affine = affine_part(document, names, moving, transform)
    places = {n: affine @ document.affine(n, moving) for n in names}
    for system, onto in _up(document, known, fixed, names):
        for n in names:
            changes.append(_placement(document, n, system, onto @ places[n]))
    before = known.get(moving, {})
    again = before.get("fixed") == fixed
    plain, beside = stored(document, transform)
    kept = {**entry, "transform": plain}
    kept["before"] = before.get("before", {}) if again else _foreign(document, names, fixed)
    kept["stays"] = before.get("stays", []) if again else [n for n in _lying_in(document, moving) if n not in names]
    known[moving] = {k: v for k, v in kept.items() if v or k not in ("before", "stays")}
    changes.append(Put(("attrs", ALIGNMENTS), document.attribute(ALIGNMENTS), known))
    return changes + beside + _copies(document, names, moving, fixed, transform, gone)


def removed(document: Document, moving: str) -> list[Change]:
    """Return the changes after which a moving coordinate system lies on no other one."""
    entry = alignment_of(document, moving)
    known = {k: v for k, v in document.attribute(ALIGNMENTS, {}).items() if k != moving}
    changes: list[Change] = []
    gone = _withdrawn(document, known, moving, entry, changes)
    changes.append(Put(("attrs", ALIGNMENTS), document.attribute(ALIGNMENTS), known or None))
    return changes + _without_copies(document, gone)


def _check_no_ring(known: Mapping[str, Any], moving: str, fixed: str) -> None:
    """Refuse to lay a system onto one that lies on it through others."""
    way, at = [], known.get(fixed, {}).get("fixed")
    while at and at not in way:
        way.append(at)
        at = known.get(at, {}).get("fixed")
    if moving in way[1:]:
        raise BadInput(
            f"'{fixed}' lies on '{moving}' already, through {', '.join(repr(s) for s in way[: way.index(moving)])}.",
            "Remove one of these registrations first.",
        )


def _old_placements(
    document: Document, known: dict[str, Any], moving: str, fixed: str, changes: list[Change]
) -> list[str]:
    """Take away what this registration replaces; return the elements whose resampled copies go with it."""
    gone: list[str] = []
    if known.get(fixed, {}).get("fixed") == moving:
        gone += _withdrawn(document, known, fixed, known.pop(fixed), changes)
    if moving in known and known[moving]["fixed"] != fixed:
        gone += _withdrawn(document, known, moving, known.pop(moving), changes)
    return gone


def _withdrawn(
    document: Document, known: Mapping[str, Any], moving: str, entry: Mapping[str, Any], changes: list[Change]
) -> list[str]:
    """Add the changes that take the elements of a moving system out of the one they were laid on."""
    fixed, before = str(entry["fixed"]), entry.get("before", {})
    stays = set(entry.get("stays", ()))
    names = [n for n in _lying_in(document, moving) if n not in stays and fixed in document.placed(n)]
    for n in names:
        slot = ("transforms", document.type_of(n), n, fixed)
        changes.append(Put(slot, document.get(slot), before.get(n)))
    above = known.get(fixed, {}).get("fixed")
    for n in [n for n in names if above and above in document.placed(n)]:
        slot = ("transforms", document.type_of(n), n, str(above))
        changes.append(Put(slot, document.get(slot), None))
    return names


def _foreign(document: Document, names: list[str], fixed: str) -> dict[str, Any]:
    """Return where another program has placed elements in the fixed system, to be put back."""
    found = {n: document.get(("transforms", document.type_of(n), n, fixed)) for n in names}
    return {n: matrix for n, matrix in found.items() if matrix is not None}


def _placement(document: Document, name: str, system: str, place: Affine) -> Put:
    slot = ("transforms", document.type_of(name), name, system)
    return Put(slot, document.get(slot), place.to_xy().tolist())


def _up(document: Document, known: Mapping[str, Any], fixed: str, names: list[str]) -> list[tuple[str, Affine]]:
    """Return the fixed system, and every one on which it lies itself, with the way there."""
    found, onto, at = [(fixed, Affine.identity())], Affine.identity(), fixed
    while at in known and known[at]["fixed"] not in dict(found):
        above = str(known[at]["fixed"])
        own = [n for n in moved_elements(document, at, above) if n not in names and above in document.placed(n)]
        if own:
            step = document.affine(own[0], above) @ document.affine(own[0], at).inverse()
        else:
            step = affine_part(document, names, at, restored(document, known[at]["transform"]))
        onto, at = step @ onto, above
        found.append((above, onto))
    return found


def _copies(
    document: Document, names: list[str], moving: str, fixed: str, transform: Transform, gone: list[str]
) -> list[Change]:
    """Return the changes of the resampled copies: made where the transform bends, else taken away."""
    if isinstance(transform, Affine):
        return _without_copies(document, [*names, *gone])
    made = warped_elements(document, names, moving, fixed, transform)
    lost = [c for c in _without_copies(document, gone) if c.touched[0] != "attrs"]
    names_lost = {c.touched[1] for c in lost} - {c.touched[1] for c in made}
    slot, final = ("attrs", "warped_from"), {}
    for change in made:
        if isinstance(change, Put) and change.slot == slot:
            final = dict(change.new or {})
    rest = [c for c in (*made, *lost) if c.touched != slot and (c in made or c.touched[1] in names_lost)]
    kept = {k: v for k, v in final.items() if k not in names_lost}
    return [*rest, Put(slot, document.attribute("warped_from"), kept or None)]


def _without_copies(document: Document, names: list[str]) -> list[Change]:
    """Return the changes that take resampled copies of elements away."""
    held = document.attribute("warped_from") or {}
    lost = [copy for copy, origin in held.items() if origin in names]
    changes: list[Change] = []
    for copy in lost:
        if any(copy in document.names(t) for t in ELEMENT_TYPES[:4]):
            slot = (document.type_of(copy), copy)
            changes.append(Put(slot, document.get(slot), None))
    if lost:
        kept = {k: v for k, v in held.items() if k not in lost}
        changes.append(Put(("attrs", "warped_from"), held, kept or None))
    return changes
