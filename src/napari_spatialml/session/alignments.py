"""Which coordinate system was registered onto which, and how.

Our attribute "alignments" holds one entry a moving coordinate system.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.landmarks import fit_affine
from ..core.transform import Affine, Transform
from ..errors import BadInput
from .document import ELEMENT_TYPES, Document
from .extents import extent
from .fields import restored
from .selection import RegistrationSelection

__all__ = [
    "ALIGNMENTS",
    "KEPT",
    "affine_part",
    "alignment_of",
    "candidate_affines",
    "lying_in",
    "moved_elements",
    "places_within",
    "present_transform",
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
    both = [n for n in lying_in(document, moving) if fixed in document.placed(n)]
    if not both:
        raise BadInput(
            f"'{moving}' does not lie on '{fixed}' yet, so there is nothing to refine.",
            "Register it once, then refine.",
        )
    return document.affine(both[0], fixed) @ document.affine(both[0], moving).inverse()


# what is moved -----------------------------------------------------------------------------------


def lying_in(document: Document, system: str) -> list[str]:
    """Return the elements that lie in a coordinate system."""
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
    names = [n for n in lying_in(document, moving) if n not in stay]
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


def candidate_affines(document: Document, moving: str) -> list[tuple[Affine, float]]:
    """Return the affine part and the score of every candidate of a registration, the best one first.

    Raises
    ------
    BadInput
        When the moving system is not registered, or there was nothing to choose from.
    """
    entry = alignment_of(document, moving)
    if not entry.get("candidates"):
        raise BadInput(f"The registration of '{moving}' has no other candidates.", "Landmarks leave only one.")
    names = moved_elements(document, moving, str(entry["fixed"]))
    found = ((restored(document, c["transform"]), float(c["score"])) for c in entry["candidates"])
    return [(affine_part(document, names, moving, transform), score) for transform, score in found]
