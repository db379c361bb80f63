"""Landmark pairs judged: by which model, how far each misses, and which look wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from .affine import Affine
from .arrays import as_coordinates
from .landmark_fits import (
    NEEDED,
    Model,
    Reflection,
    checked_pairs,
    fit_affine,
    fit_model,
    fit_similarity,
    fit_spline,
    leave_one_out,
    mirrors,
    on_a_line,
    residuals,
    unreflected,
)
from .landmark_suspects import suspects
from .shear import STIFFNESSES, fit_sheared, sheared_left_out
from .spline import ThinPlateSpline, spline_scale
from .transform import Transform

__all__ = [
    "Judged",
    "Model",
    "Reflection",
    "choose_model",
    "fit_affine",
    "fit_default",
    "fit_model",
    "fit_similarity",
    "fit_spline",
    "judge",
    "leave_one_out",
    "residuals",
    "suspects",
]

Array = npt.NDArray[np.float64]

_UNSEEN = 1e-4
"""Of the landmarks' spread: errors below this are finer than any hand, and no reason for a bent map."""
_WORTH, _ALIKE = 1.04, 1.005
"""By this factor bending must lower the leave-one-out error, and shear."""


@dataclass(frozen=True, eq=False)
class Judged:
    """A set of landmark pairs, judged by one model.

    Parameters
    ----------
    model
        "similarity", "affine" or "spline": the one asked for, or the one that "auto" has chosen. Its
        affine transform is not the least-squares one: see `fit_default`.
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
        "auto": that of `fit_default`.
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
    k = len(source)
    left_out = np.full(k, np.nan)
    used: str = "similarity" if model == "auto" else model
    try:
        if model == "auto":
            used, transform, left_out = _default(source, target, reflection, ridge)
        else:
            transform = fit_model(model, source, target, reflection, ridge)
            if k > NEEDED[model]:
                left_out = leave_one_out(model, source, target, reflection, ridge)
    except BadInput as error:
        return Judged(used, None, np.full(k, np.nan), np.full(k, np.nan), np.zeros(k, bool), str(error))
    return Judged(used, transform, residuals(transform, source, target), left_out, suspects(source, target))


def fit_default(
    moving: Any, fixed: Any, reflection: Reflection = "auto", ridge: float | None = None
) -> Affine | ThinPlateSpline:
    """Return the transform that predicts left-out landmarks best.

    A similarity; an affine transform, whose shear is held back by as much as predicts best (with few
    landmarks a similarity too often rules out true shear, a least-squares affine follows the hand's
    slips); or the spline, which must lower the root mean square leave-one-out error by more than a
    twentieth: a bent map of the section for a gain that nobody sees is no gain. So that error is
    never more than a twentieth above the lowest of all, unless it is below a ten-thousandth of the
    landmarks' spread.

    Parameters
    ----------
    moving, fixed, reflection, ridge
        As in the fits.

    Raises
    ------
    BadInput
        As `fit_similarity`; or when the landmarks mirror the section though that is forbidden.
    """
    return _default(*checked_pairs("similarity", moving, fixed), reflection, ridge)[1]


def choose_model(moving: Any, fixed: Any, reflection: Reflection = "auto", ridge: float | None = None) -> Model:
    """Return the name of the model that `fit_default` takes."""
    return _chosen(*checked_pairs("similarity", moving, fixed), reflection, ridge)[0]


def _default(
    source: Array, target: Array, reflection: Reflection, ridge: float | None
) -> tuple[Model, Affine | ThinPlateSpline, Array]:
    """Return the model's name, its transform and the errors of landmarks left out."""
    name, stiffness, left_out = _chosen(*checked_pairs("similarity", source, target), reflection, ridge)
    if name == "affine":
        sheared = fit_sheared(source, target, mirrors(source, target, reflection), stiffness)
        return name, unreflected(sheared, reflection), left_out
    return name, fit_model(name, source, target, reflection, ridge), left_out


def _chosen(source: Array, target: Array, reflection: Reflection, ridge: float | None) -> tuple[Model, float, Array]:
    """Return the model's name, how far its shear is held back, and the errors of landmarks left out."""
    k = len(source)
    if k < 3 or on_a_line(source) or on_a_line(target):
        stiff = leave_one_out("similarity", source, target, reflection) if k > 2 else np.full(k, np.nan)
        return "similarity", np.inf, stiff
    unseen = _UNSEEN * spline_scale(target)[1]
    path = sheared_left_out(source, target, mirrors(source, target, reflection))
    errors = np.sqrt((path**2).mean(1))
    best = int(np.argmin(errors))
    if errors[-1] <= max(_ALIKE * errors[best], unseen):
        best = len(errors) - 1
    # of four, three are left, and no spline bends through three
    bent = leave_one_out("spline", source, target, reflection, ridge) if k > 4 else np.full(k, np.inf)
    if errors[best] > max(float(np.sqrt((bent**2).mean())) * _WORTH, unseen):
        return "spline", np.inf, bent
    return ("affine" if np.isfinite(STIFFNESSES[best]) else "similarity"), float(STIFFNESSES[best]), path[best]
