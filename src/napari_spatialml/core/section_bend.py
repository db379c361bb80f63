"""Where expression would move a placed section a little further, and a smooth bend of it that this supports."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import BadInput
from .affine import Affine
from .landmarks import fit_spline
from .report import Report, silent
from .section_evidence import Sections, information
from .section_refinement import Fit
from .transform import Transform

__all__ = ["Drift", "bend", "drift"]

Floats = npt.NDArray[np.float64]
_NODES_ACROSS = 8
_ROUNDS = 5
_FEWEST = 6


@dataclass(frozen=True)
class Drift:
    """Local displacements that expression asks for after a placement.

    Parameters
    ----------
    source
        (k, 2) places of the moving section, in µm of its own frame.
    target
        (k, 2) where expression would have them, in the fixed frame.
    error_um
        (k,) standard error of ``target`` in µm, a direction.
    """

    source: Floats
    target: Floats
    error_um: Floats


def drift(sections: Sections, transform: Transform, width: float = 1.3) -> Drift:
    """Return by how much each part of the moving section would rather lie elsewhere.

    Notes
    -----
    One Gauss–Newton step on a shift of its own in each of about 8 × 8 overlapping windows, held back where
    the expression has no slope. O(n k d + n windows).
    """
    moving = sections.moving
    size = float(np.ptp(moving, axis=0).max()) / _NODES_ACROSS + 1e-9
    cell = np.floor((moving - moving.min(0)) / size).astype(np.int64)
    _, group = np.unique(cell @ np.array([1 << 20, 1]), return_inverse=True)
    n = np.bincount(group.ravel())
    centres = np.stack([np.bincount(group.ravel(), column) / n for column in moving.T], axis=1)
    centres = centres[n >= 0.3 * np.median(n)]
    where = transform.apply(moving)
    field, values = sections.fields(width)
    fit = Fit.at(field, values, where)
    window = np.exp(-0.5 * ((moving[:, None] - centres[None]) ** 2).sum(2) / (0.6 * size) ** 2) * fit.weight[:, None]
    normal = np.einsum("ib,ida,idc->bac", window, fit.slope, fit.slope, optimize=True)
    pull = np.einsum("ib,ida,id->ba", window, fit.slope, fit.wrong, optimize=True)
    d = max(values.shape[1], 1)
    # a window moves by more than a pitch only where the expression insists
    held = fit.variance / d / sections.pitch**2 * 4
    normal = normal + held * np.eye(2)
    inverse = np.linalg.inv(normal)
    move = np.einsum("bac,bc->ba", inverse, pull)
    error = np.sqrt(np.trace(inverse, axis1=1, axis2=2) / 2 * fit.variance / d)
    covered = window.sum(0) > 0.2 * np.median(window.sum(0))
    return Drift(centres[covered], transform.apply(centres[covered]) + move[covered], error[covered])


def bend(seen: Sections, unseen: Sections, placed: Affine, report: Report = silent) -> Transform:
    """Return a ridge spline that follows the drift, or ``placed`` where other genes do not support it.

    Parameters
    ----------
    seen
        Components that the bend is fitted to.
    unseen
        Components of other genes, at the same points: the bend is kept only while they fit better too.
    placed
        The rigid placement or similarity.
    """
    best: Transform = placed
    reached = information(unseen, placed)[0]
    for k in range(_ROUNDS):
        report(k / _ROUNDS, "Bending")
        asked = drift(seen, best)
        if len(asked.source) < _FEWEST:
            break
        try:
            tried = fit_spline(asked.source, asked.target)
        except BadInput:  # the tissue is a strip: all windows lie on one line
            break
        gained = information(unseen, tried)[0]
        if gained <= reached or tried.jacobian(seen.moving).size == 0 or _folds(tried, seen.moving, placed.reflects):
            break
        best, reached = tried, gained
    report(1.0)
    return best


def _folds(transform: Transform, points: Floats, reflects: bool) -> bool:
    turned = np.linalg.det(transform.jacobian(points)) * (-1 if reflects else 1)
    return bool((turned <= 0).any())
