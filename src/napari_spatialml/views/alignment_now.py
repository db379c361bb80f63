"""How the moving side lies on the fixed one now: by the landmarks as they are, or by the registration that is kept."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.registration import Certainty
from ..core.transform import Affine, Transform
from ..errors import BadInput, DocumentError
from ..session import Document
from ..session.fields import restored
from .landmark_fit import landmark_fit

__all__ = ["certainty_of", "held_alignment", "kept_transform", "transform_now", "why_unreadable"]


def held_alignment(document: Document, moving: str) -> dict[str, Any]:
    """Return what is kept of the registration of a coordinate system; empty where there is none."""
    found = document.attribute("alignments", {}).get(moving)
    return dict(found) if isinstance(found, dict) else {}


def kept_transform(document: Document, held: dict[str, Any], key: str = "transform") -> Transform | None:
    """Return a transform that is kept, or None where there is none, or none that can be read."""
    values = held.get(key)
    if not isinstance(values, dict):
        return None
    try:
        return restored(document, values)
    except (BadInput, DocumentError):  # a field that is missing or damaged
        return None


def why_unreadable(document: Document, held: dict[str, Any]) -> BadInput | DocumentError | None:
    """Return why the transform that is kept cannot be read, or None where it can, or none is kept."""
    values = held.get("transform")
    if not isinstance(values, dict):
        return None
    try:
        restored(document, values)
    except (BadInput, DocumentError) as error:
        return error
    return None


def transform_now(document: Document, moving: str, model: str = "auto", *, by_landmarks: bool) -> Transform:
    """Return how the moving side is to be drawn over the fixed one.

    Parameters
    ----------
    document
        The document.
    moving
        The moving coordinate system.
    model
        The model of the landmarks.
    by_landmarks
        Whether the landmarks go before a registration that is kept, as while they are placed.

    Returns
    -------
    Transform
        The identity where there are neither landmarks enough nor a registration.
    """
    fitted = landmark_fit(document, moving, model).transform
    kept = kept_transform(document, held_alignment(document, moving))
    ordered = (fitted, kept) if by_landmarks else (kept, fitted)
    return next((t for t in ordered if t is not None), Affine.identity())


def certainty_of(document: Document, moving: str) -> Certainty | None:
    """Return where the registration that is kept is sure, or None where its method could not say."""
    held = held_alignment(document, moving).get("certainty")
    if not isinstance(held, dict) or not held.get("points"):
        return None
    points = np.asarray(held["points"], dtype=float).reshape(-1, 2)
    return Certainty(points, np.asarray(held["error_um"], dtype=float))
