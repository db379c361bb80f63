"""Landmark pairs judged: by which model, how far each misses, and which look wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from .arrays import as_coordinates
from .landmark_fits import (
    Model,
    Reflection,
    checked_pairs,
    fit_affine,
    fit_model,
    fit_similarity,
    fit_spline,
    leave_one_out,
    on_a_line,
    residuals,
)
from .landmark_suspects import suspects
from .spline import spline_scale
from .transform import Transform

__all__ = [
    "Judged",
    "Model",
    "Reflection",
    "choose_model",
    "fit_affine",
    "fit_model",
    "fit_similarity",
    "fit_spline",
    "judge",
    "leave_one_out",
    "residuals",
    "suspects",
]

_WORTH = 1.045
"""A bent map of the section must lower the leave-one-out error by this factor: one that nobody sees is no gain."""


@dataclass(frozen=True, eq=False)
class Judged:
    """A set of landmark pairs, judged by one model.

    Parameters
    ----------
    model
        "similarity", "affine" or "spline": the one asked for, or the one that "auto" has chosen.
    transform
        Maps moving to fixed places in µm; None where the landmarks do not carry the model.
    residuals
        (k,) distances in µm; NaN where there is no transform.
    left_out
        (k,) distances in µm of each landmark as predicted from the others; NaN where these are too
        few, infinite where they do not determine the model.
    suspects
        (k,) whether a landmark contradicts the others.
    why
        One sentence on why there is no transform, and what to do; empty where there is one.
    """

    model: str
    transform: Transform | None
    residuals: npt.NDArray[np.float64]
    left_out: npt.NDArray[np.float64]
    suspects: npt.NDArray[np.bool_]
    why: str = ""


def judge(
    moving: Any,
    fixed: Any,
    model: Model | Literal["auto"] = "auto",
    reflection: Reflection = "auto",
    ridge: float | None = None,
) -> Judged:
    """Fit a model to landmark pairs and say how far each can be trusted.

    Parameters
    ----------
    moving, fixed
        (k, 2) as (y, x) in µm, k >= 0.
    model
        "auto": as `choose_model` chooses.
    reflection, ridge
        As in the fits.

    Raises
    ------
    BadInput
        When a place is not finite, or a landmark has no partner. Too few landmarks, or all on one
        line, are no error here: ``why`` says so.

    Notes
    -----
    Exact, and closed: one eigendecomposition, O(k³).
    """
    source = as_coordinates(moving, "The moving landmarks")
    target = as_coordinates(fixed, "The fixed landmarks", len(source))
    unknown = np.full(len(source), np.nan)
    used: Any = model
    try:
        used = choose_model(source, target, reflection, ridge) if model == "auto" else model
        transform = fit_model(used, source, target, reflection, ridge)
    except BadInput as error:
        name = "similarity" if used == "auto" else used
        return Judged(name, None, unknown, unknown, np.zeros(len(source), bool), str(error))
    try:
        left_out = leave_one_out(used, source, target, reflection, ridge)
    except BadInput:
        left_out = unknown  # just enough for the fit
    return Judged(used, transform, residuals(transform, source, target), left_out, suspects(source, target))


def choose_model(moving: Any, fixed: Any, reflection: Reflection = "auto", ridge: float | None = None) -> Model:
    """Return the model that predicts left-out landmarks best, with a preference for the stiffer ones.

    Judged by the root mean square leave-one-out error. The affine transform wins over the similarity
    when its error is lower: wrongly ruling out shear costs far more than wrongly allowing it. The
    spline wins only when it lowers the error by more than a twentieth. So the error of the chosen
    model is never more than a twentieth above the lowest of all.
    """
    source, target = checked_pairs("similarity", moving, fixed)
    if len(source) < 4 or on_a_line(source) or on_a_line(target):
        return "similarity"
    rounding = 1e-9 * spline_scale(target)[1]
    squares = [leave_one_out(model, source, target, reflection, ridge) ** 2 for model in get_args(Model)]
    stiff, sheared, bent = (float(np.sqrt(one.mean())) for one in squares)
    best: Model = "affine" if sheared + rounding < stiff else "similarity"
    return "spline" if bent * _WORTH + rounding < min(stiff, sheared) else best
