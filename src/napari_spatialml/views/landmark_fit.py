"""How far a fit to the landmarks misses each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from ..core.landmarks import judge
from ..core.transform import Transform
from ..session import Document

__all__ = ["LandmarkFit", "fit_pairs", "landmark_fit", "locked_of", "pairs_of"]

Points = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LandmarkFit:
    """How far a transform misses each landmark.

    Parameters
    ----------
    model
        "similarity", "affine" or "spline".
    transform
        Maps moving to fixed places in µm; None where there are too few landmarks for the model.
    residuals_um
        (k,) distances in µm; NaN where there is no transform.
    leave_one_out_um
        (k,) the same of each landmark as predicted from the others; NaN where there are too few.
    suspects
        (k,) whether a landmark contradicts the majority.
    landed_um
        (k, 2) where the moving landmarks land, as (y, x).
    """

    model: str
    transform: Transform | None
    residuals_um: Points
    leave_one_out_um: Points
    suspects: npt.NDArray[np.bool_]
    landed_um: Points


def pairs_of(document: Document, landmarks: str) -> tuple[Points, Points]:
    """Return the fixed and the moving landmarks, each (k, 2) as (y, x) in µm."""
    held = document.attribute("landmarks", {}).get(landmarks, {})
    fixed, moving = (np.asarray(held.get(k, []), dtype=float).reshape(-1, 2) for k in ("fixed_um", "moving_um"))
    return fixed, moving


def locked_of(document: Document, landmarks: str) -> tuple[bool, ...]:
    """Return of each landmark whether it is locked."""
    held = document.attribute("landmarks", {}).get(landmarks, {})
    n, said = len(held.get("fixed_um", [])), list(held.get("locked", []))
    return tuple(bool(v) for v in (said + [False] * n)[:n])


def landmark_fit(document: Document, landmarks: str, model: str = "auto") -> LandmarkFit:
    """Fit a transform to a set of landmarks and say how far it misses each."""
    return fit_pairs(*pairs_of(document, landmarks), model)


def fit_pairs(fixed: Points, moving: Points, model: str = "auto") -> LandmarkFit:
    """Fit a transform to pairs of landmarks, each side (k, 2), and say how far it misses each.

    Parameters
    ----------
    fixed, moving
        The pairs.
    model
        "similarity", "affine" or "spline"; "auto": the one that predicts left-out landmarks best.
    """
    found = judge(moving, fixed, cast(Any, model))
    landed = np.full((len(fixed), 2), np.nan) if found.transform is None else found.transform.apply(moving)
    return LandmarkFit(found.model, found.transform, found.residuals, found.left_out, found.suspects, landed)
