"""The changes that lay coordinate systems onto others, and those that take them off again.

What SpatialData can keep of a transform, its affine part, becomes a transformation of every element of the
moving side; the rest stands in our attribute "alignments", and in resampled copies of elements.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.transform import Affine, Transform
from ..errors import BadInput
from .alignments import ALIGNMENTS, affine_part, alignment_of, lying_in, moved_elements
from .changes import Change, Put
from .document import ELEMENT_TYPES, Document
from .fields import restored, stored
from .warped import RECIPES, WARPED_FROM
from .warping import warped_elements

__all__ = ["laid", "laid_all", "removed"]

Copies = dict[str, dict[str, Any]]


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
    return laid_all(document, {moving: (entry, transform)})


def laid_all(document: Document, placed: Mapping[str, tuple[Mapping[str, Any], Transform]]) -> list[Change]:
    """Return the changes that lay several moving coordinate systems at once; each by its entry and transform."""
    known = dict(document.attribute(ALIGNMENTS, {}))
    copies = _known_copies(document)
    changes: list[Change] = []
    for moving, (entry, transform) in placed.items():
        along = _guests(document, moving, set(placed) - {moving})
        changes += _lay(document, known, copies, moving, entry, transform, along)
    return changes + _attributes(document, known, copies)


def removed(document: Document, moving: str) -> list[Change]:
    """Return the changes after which a moving coordinate system lies on no other one."""
    entry = alignment_of(document, moving)
    known = {k: v for k, v in document.attribute(ALIGNMENTS, {}).items() if k != moving}
    copies = _known_copies(document)
    changes: list[Change] = []
    gone = _withdrawn(document, known, moving, entry, changes)
    changes += _without_copies(document, gone, copies)
    return changes + _attributes(document, known, copies)


def _known_copies(document: Document) -> Copies:
    """Return by copy what it is a copy of, and how it is made."""
    return {key: dict(document.attribute(key) or {}) for key in (WARPED_FROM, RECIPES)}


def _attributes(document: Document, known: dict[str, Any], copies: Copies) -> list[Change]:
    """Return the changes of our attributes, as far as they change."""
    wanted = {ALIGNMENTS: known or None, **{key: held or None for key, held in copies.items()}}
    old = {key: document.attribute(key) for key in wanted}
    return [Put(("attrs", key), old[key], new) for key, new in wanted.items() if old[key] != new]


def _lay(
    document: Document,
    known: dict[str, Any],
    copies: Copies,
    moving: str,
    entry: Mapping[str, Any],
    transform: Transform,
    along: set[str],
) -> list[Change]:
    """Lay one system: return the changes of its elements, and note the rest in what is known and in the copies."""
    fixed = str(entry["fixed"])
    _check_no_ring(known, moving, fixed)
    stay = tuple(n for n in list(entry.get("images", ()))[:1] if n)
    names = [n for n in moved_elements(document, moving, fixed, stay) if n not in along]
    if not names:
        raise BadInput(f"Nothing lies in the coordinate system '{moving}'.", "Choose another moving side.")
    changes: list[Change] = []
    gone = _old_placements(document, known, moving, fixed, changes)
    affine = affine_part(document, names, moving, transform)
    for system, onto in _up(document, known, fixed, names):
        changes += [_placement(document, n, system, onto @ affine @ document.affine(n, moving)) for n in names]
    plain, beside = stored(document, transform)
    before = known.get(moving, {})
    again = before.get("fixed") == fixed
    kept = {**entry, "transform": plain}
    kept["before"] = before.get("before", {}) if again else _foreign(document, names, fixed)
    kept["stays"] = before.get("stays", []) if again else [n for n in lying_in(document, moving) if n not in names]
    known[moving] = {k: v for k, v in kept.items() if v or k not in ("before", "stays")}
    changes += beside
    return changes + _copied(document, names, moving, fixed, transform, plain, gone, copies)


def _guests(document: Document, system: str, others: set[str]) -> set[str]:
    """Return what lies in a system only since another one, which is laid elsewhere now, had been laid onto it."""
    known, found = document.attribute(ALIGNMENTS, {}), set()
    for other in others:
        at, seen = known.get(other, {}).get("fixed"), set()
        while at and at != system and at not in seen:
            seen.add(at)
            at = known.get(at, {}).get("fixed")
        if at == system:
            found |= set(lying_in(document, other))
    return found


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
    names = [n for n in lying_in(document, moving) if n not in stays and fixed in document.placed(n)]
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


def _copied(
    document: Document,
    names: list[str],
    moving: str,
    fixed: str,
    transform: Transform,
    plain: Mapping[str, Any],
    gone: list[str],
    copies: Copies,
) -> list[Change]:
    """Return the changes of the resampled copies: made where the transform bends, else taken away."""
    if isinstance(transform, Affine):
        return _without_copies(document, [*names, *gone], copies)
    lost = _without_copies(document, [n for n in gone if n not in names], copies)
    made = warped_elements(document, names, moving, fixed, transform, plain)
    told = {c.slot[1]: c.new or {} for c in made if isinstance(c, Put) and c.slot[0] == "attrs" and c.slot[1] in copies}
    for copy in [copy for copy, origin in copies[WARPED_FROM].items() if origin in names]:
        _forget(copies, copy)
    for copy in [copy for copy, origin in told[WARPED_FROM].items() if origin in names]:
        for key, held in copies.items():
            held[copy] = told[key][copy]
    return lost + [c for c in made if not (isinstance(c, Put) and c.slot[0] == "attrs" and c.slot[1] in copies)]


def _without_copies(document: Document, names: list[str], copies: Copies) -> list[Change]:
    """Return the changes that take resampled copies of elements away."""
    changes: list[Change] = []
    for copy in [copy for copy, origin in copies[WARPED_FROM].items() if origin in names]:
        _forget(copies, copy)
        if any(copy in document.names(t) for t in ELEMENT_TYPES[:4]):
            slot = (document.type_of(copy), copy)
            changes.append(Put(slot, document.get(slot), None))
    return changes


def _forget(copies: Copies, copy: str) -> None:
    for held in copies.values():
        held.pop(copy, None)
