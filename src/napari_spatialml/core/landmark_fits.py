"""Fit transforms to landmark pairs, and leave each pair out in turn.

Everything here is closed: leave-one-out errors come from the one fit, not from k fits.
"""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from .affine import Affine
from .arrays import as_coordinates, require
from .ridge import RidgePath, best_ridge
from .spline import ThinPlateSpline, spline_scale
from .transform import Transform

__all__ = [
    "NEEDED",
    "Model",
    "Reflection",
    "checked_pairs",
    "fit_affine",
    "fit_model",
    "fit_similarity",
    "fit_spline",
    "leave_one_out",
    "on_a_line",
    "residuals",
]

Model = Literal["similarity", "affine", "spline"]
Reflection = Literal["allowed", "forbidden", "auto"]
Array = npt.NDArray[np.float64]
T = TypeVar("T", Affine, ThinPlateSpline)

NEEDED: dict[str, int] = {"similarity": 2, "affine": 3, "spline": 3}
_ARTICLE = {"similarity": "A similarity", "affine": "An affine transform", "spline": "A thin-plate spline"}


def fit_similarity(moving: Any, fixed: Any, reflection: Reflection = "auto") -> Affine:
    """Return the least-squares similarity from moving to fixed landmarks.

    Parameters
    ----------
    moving, fixed
        (k, 2), k >= 2.
    reflection
        "forbidden"; "allowed": whichever fits better; "auto": only where mirroring cuts the root
        mean square residual to less than half, since close fits cannot tell the two apart.

    Raises
    ------
    BadInput
        When there are too few landmarks, or all lie on one place.

    References
    ----------
    Umeyama (1991), doi:10.1109/34.88573: in the plane the same as complex linear regression,
    ``z' = a z + b``, and ``z' = a conj(z) + b`` for the mirrored one.
    """
    source, target = checked_pairs("similarity", moving, fixed)
    reflect = _reflects(source, target, reflection)
    a, b = _complex_fit(source, target, reflect)
    # z = y + i x; conj mirrors x
    flip = -1.0 if reflect else 1.0
    return Affine(np.array([[a.real, -a.imag * flip, b.real], [a.imag, a.real * flip, b.imag], [0, 0, 1.0]]))


def fit_affine(moving: Any, fixed: Any, reflection: Reflection = "auto") -> Affine:
    """Return the least-squares affine transform from moving to fixed landmarks.

    Raises
    ------
    BadInput
        When there are fewer than three landmarks, when they lie on one line on either side, or
        when they turn the section over although ``reflection`` is "forbidden".
    """
    source, target = checked_pairs("affine", moving, fixed)
    centre, scale = spline_scale(source)
    plane = np.hstack([np.ones((len(source), 1)), (source - centre) / scale])
    middle = target.mean(0)
    solution = np.linalg.lstsq(plane, target - middle, rcond=None)[0]
    matrix = np.eye(3)
    matrix[:2, :2] = solution[1:].T / scale
    matrix[:2, 2] = solution[0] + middle - matrix[:2, :2] @ centre
    return _unreflected(Affine(matrix), reflection)


def fit_spline(moving: Any, fixed: Any, ridge: float | None = None, reflection: Reflection = "auto") -> ThinPlateSpline:
    """Return a thin-plate spline from moving to fixed landmarks.

    Parameters
    ----------
    moving, fixed
        (k, 2), k >= 3.
    ridge
        >= 0, or None: the one with the smallest leave-one-out error. An interpolating spline
        (ridge 0) follows every slip of the hand.
    reflection
        "forbidden" refuses a spline whose affine part turns the section over.

    Raises
    ------
    BadInput
        As `fit_affine`; and when two landmarks coincide while the ridge is 0.

    Notes
    -----
    One eigendecomposition serves the whole path of ridges: O(k³).
    """
    source, target = checked_pairs("spline", moving, fixed)
    chosen = best_ridge(source, target) if ridge is None else ridge
    return _unreflected(ThinPlateSpline(source, target, chosen), reflection)


def fit_model(
    model: Model, moving: Any, fixed: Any, reflection: Reflection = "auto", ridge: float | None = None
) -> Affine | ThinPlateSpline:
    """Fit the named model; the parameters are those of the three fits."""
    if model == "similarity":
        return fit_similarity(moving, fixed, reflection)
    if model == "affine":
        return fit_affine(moving, fixed, reflection)
    return fit_spline(moving, fixed, ridge, reflection)


def residuals(transform: Transform, moving: Any, fixed: Any) -> Array:
    """Return (k,) distances in µm between where the moving landmarks land and the fixed ones."""
    source = as_coordinates(moving, "The moving landmarks")
    target = as_coordinates(fixed, "The fixed landmarks", len(source))
    return np.asarray(np.linalg.norm(transform.apply(source) - target, axis=1))


def leave_one_out(
    model: Model, moving: Any, fixed: Any, reflection: Reflection = "auto", ridge: float | None = None
) -> Array:
    """Return (k,) errors in µm of each landmark as predicted from all others.

    Parameters
    ----------
    model, moving, fixed, reflection, ridge
        As in the fits. Reflection and an automatic ridge are chosen once, from all landmarks.

    Returns
    -------
    (k,) distances; infinite where the others alone do not determine the model.

    Raises
    ------
    BadInput
        When there are not more landmarks than the model needs.

    References
    ----------
    Allen (1974), doi:10.1080/00401706.1974.10489157 (PRESS): the residual over 1 − h, h being the
    landmark's leverage. For the spline the same with its smoother matrix (Wahba 1990, 4.2.1), in
    the form w / diag(G), which holds for ridge 0 too.
    """
    source, target = checked_pairs(model, moving, fixed)
    needed = NEEDED[model] + 1
    require(
        len(source) >= needed,
        f"Leaving one out of {len(source)} landmarks leaves too few for {_ARTICLE[model].lower()}.",
        f"Place at least {needed}.",
    )
    if model == "spline":
        path = RidgePath.of(source)
        chosen = best_ridge(source, target) if ridge is None else ridge
        return np.asarray(np.linalg.norm(path.errors(target, np.array([chosen]))[0], axis=1))
    transform = fit_model(model, source, target, "allowed" if model == "affine" else reflection)
    spare = 1 - _leverage(model, source)
    miss = residuals(transform, source, target)
    return np.divide(miss, spare, out=np.full(len(miss), np.inf), where=spare > 1e-9)


def _leverage(model: Model, source: Array) -> Array:
    centre, scale = spline_scale(source)
    centred = (source - centre) / scale
    if model == "similarity":
        return np.asarray(1 / len(source) + (centred**2).sum(1) / (centred**2).sum())
    plane = np.hstack([np.ones((len(source), 1)), centred])
    return np.asarray((np.linalg.qr(plane)[0] ** 2).sum(1))


def _complex_fit(source: Array, target: Array, reflect: bool) -> tuple[complex, complex]:
    z, w = source[:, 0] + 1j * source[:, 1] * (-1 if reflect else 1), target[:, 0] + 1j * target[:, 1]
    centred = z - z.mean()
    a = complex(np.vdot(centred, w - w.mean()) / np.vdot(centred, centred))
    return a, complex(w.mean() - a * z.mean())


def _reflects(source: Array, target: Array, reflection: Reflection) -> bool:
    if reflection == "forbidden" or len(source) < 3 or on_a_line(source):
        return False  # two points, or a line, fit either way
    plain, mirrored = (_complex_miss(source, target, reflect) for reflect in (False, True))
    return bool(mirrored < plain * (0.25 if reflection == "auto" else 1.0))


def _complex_miss(source: Array, target: Array, reflect: bool) -> float:
    a, b = _complex_fit(source, target, reflect)
    z = source[:, 0] + 1j * source[:, 1] * (-1 if reflect else 1)
    return float((np.abs(a * z + b - target[:, 0] - 1j * target[:, 1]) ** 2).sum())


def _unreflected(transform: T, reflection: Reflection) -> T:
    require(
        reflection != "forbidden" or not transform.reflects,
        "The landmarks turn the moving section over.",
        "Allow reflection, or check that each landmark has the right partner.",
    )
    return transform


def checked_pairs(model: Model, moving: Any, fixed: Any) -> tuple[Array, Array]:
    source = as_coordinates(moving, "The moving landmarks")
    target = as_coordinates(fixed, "The fixed landmarks", len(source))
    k, needed = len(source), NEEDED[model]
    there = "there is 1" if k == 1 else f"there are {k}"
    require(k >= needed, f"{_ARTICLE[model]} needs {needed} landmark pairs; {there}.", f"Place {needed - k} more.")
    for side, points in (("moving", source), ("fixed", target)):
        require(
            bool(np.ptp(points, axis=0).max() > 0),
            f"All {k} landmarks of the {side} side lie on one place.",
            "Spread them over the section.",
        )
        require(
            model == "similarity" or not on_a_line(points),
            f"{_ARTICLE[model]} cannot be fitted: the {k} landmarks of the {side} side lie on one line.",
            "Place another one to the side, or choose the similarity.",
        )
    return source, target


def on_a_line(points: Array) -> bool:
    spread = np.linalg.svd(points - points.mean(0), compute_uv=False)
    return bool(spread[1] <= 1e-6 * spread[0])
