"""Where on the fixed side a landmark is best placed, and how far the present ones can be trusted there."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial import KDTree

from ..core.landmark_advice import expected_error, next_landmark, structure_of
from ..core.registration import Certainty
from ..errors import BadInput
from ..session import Document
from .alignment_now import certainty_of, held_alignment, transform_now
from .landmark_fit import pairs_of
from .memory import Memory
from .overlay_picture import drawn_specs, picture_of
from .places import extent_of_system
from .state import ViewState

__all__ = ["landmark_certainty", "next_place", "tissue_certainty", "tissue_places"]

_PIXELS = 512
_GRID = 40
_NEAR = 2.0
"""What is farther from tissue than so many distances between two places of it is glass."""
Points = npt.NDArray[np.float64]


def tissue_places(document: Document, system: str, element: str) -> tuple[Points, Points]:
    """Return places (n, 2) in µm at which tissue can be told from its surroundings, and how well, 0 to 1.

    Parameters
    ----------
    document
        The document; it is only read. May run on any thread.
    system
        The coordinate system.
    element
        What is looked at of it; with none, places all over the system are equally good.
    """
    picture = None
    if element:
        picture = picture_of(drawn_specs(document, ViewState(), Memory(), element, system), None, _PIXELS)
    if picture is not None:
        try:
            at, worth = structure_of(np.moveaxis(picture.rgba[..., :3], -1, 0), 1.0)
        except BadInput:  # of one colour: nothing can be told apart
            at = np.zeros((0, 2))
        if len(at):
            return picture.affine.apply(at + 0.5), worth
    low, high = extent_of_system(document, system)
    y, x = (np.linspace(a, b, _GRID + 2)[1:-1] for a, b in zip(low, high, strict=True))
    where = np.stack(np.meshgrid(y, x, indexing="ij"), -1).reshape(-1, 2)
    return where, np.ones(len(where))


def next_place(
    document: Document, landmarks: str, fixed: str, element: str, model: str = "auto"
) -> tuple[Points, Points]:
    """Return where the next landmark helps most, (2,) on the fixed and on the moving side in µm.

    Parameters
    ----------
    document
        The document; it is only read. May run on any thread.
    landmarks
        The set of landmarks, named as the moving side.
    fixed, element
        The fixed coordinate system, and what is looked at of it.
    model
        The model of the landmarks.
    """
    places, worth = tissue_places(document, fixed, element)
    there = places[next_landmark(*pairs_of(document, landmarks), places, worth)]
    now = transform_now(document, landmarks, model, by_landmarks=True)
    return there, now.inverse().apply(there[None])[0]


def landmark_certainty(document: Document, landmarks: str, fixed: str, element: str, model: str) -> Certainty | None:
    """Return the expected error of a fit to the landmarks over the tissue, or None where they are too few."""
    places, _ = tissue_places(document, fixed, element)
    try:
        return Certainty(places, expected_error(*pairs_of(document, landmarks), model, places))
    except BadInput:
        return None


def tissue_certainty(document: Document, moving: str, memory: Memory) -> Certainty | None:
    """Return where a registration that is kept is sure, in tissue: nobody asks how well glass lies on glass.

    Parameters
    ----------
    document
        The document.
    moving
        The moving coordinate system.
    memory
        Keeps where tissue is.

    Returns
    -------
    Certainty or None
        None where the method could not say. All of it where the fixed side has no image, or no tissue in it.
    """
    held = held_alignment(document, moving)
    whole, image = certainty_of(document, moving), next(iter(held.get("images") or ()), "")
    fixed = str(held.get("fixed", ""))
    if whole is None or image not in document.names("images") or fixed not in document.placed(image):
        return whole
    key = ("tissue", image, document.revision(("images", image)), document.revision(("transforms", "images", image)))
    tissue, _ = memory.get(key, lambda: tissue_places(document, fixed, image))
    near, _ = KDTree(tissue).query(whole.points)
    apart = float(np.median(KDTree(tissue).query(tissue, k=2)[0][:, 1])) if len(tissue) > 1 else 0.0
    inside = near <= _NEAR * apart
    return Certainty(whole.points[inside], whole.error_um[inside]) if inside.sum() >= 3 else whole
