"""Which landmarks contradict the others: swapped numbers, slips of the hand."""

from __future__ import annotations

from itertools import combinations
from math import comb
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import as_coordinates
from .kriging import LEAST, MissField
from .landmark_fits import fit_affine, on_a_line
from .spline import spline_scale

__all__ = ["suspects"]

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_SURPRISE = (0.3, 0.04)
"""How many of all landmarks may be as far off by chance, for the first suspect and for every further one."""
_TRIED = 300


def suspects(moving: Any, fixed: Any) -> Flags:
    """Flag the landmarks that contradict the others: swapped numbers, slips of the hand.

    Parameters
    ----------
    moving, fixed
        (k, 2) landmarks.

    Returns
    -------
    (k,) flags; all False where there are fewer than six, or all lie on one line: too little to contradict one.

    Notes
    -----
    Each is predicted from the others, by an affine transform and a smooth bend over it. Flagged is
    what is farther off than 0.3 of all landmarks would be by chance, and beside it what is farther off
    than 0.04 of all would be: in about a quarter of all faultless sets one right landmark is flagged
    too. As two wrong ones can hide each other, the search starts twice: from all, and from those that
    agree on an affine transform (least median of squares); of the two ends the more probable one is
    taken, a wrong landmark lying anywhere on the section. O(k³).

    References
    ----------
    Dubrule (1983), doi:10.1007/BF01032232; Rousseeuw (1984), doi:10.1080/01621459.1984.10477105.
    """
    source = as_coordinates(moving, "The moving landmarks")
    target = as_coordinates(fixed, "The fixed landmarks", len(source))
    if len(source) <= LEAST or on_a_line(source) or on_a_line(target):
        return np.zeros(len(source), bool)
    # in the fixed frame, whose unit both then have
    where = fit_affine(source, target).apply(source)
    field = MissField.of(where, target - where)
    ends = [_settled(field, start) for start in _starts(source, target)]
    return max(ends, key=lambda flags: _probability(field, flags))


def _starts(source: Array, target: Array) -> list[Flags]:
    nobody = np.zeros(len(source), bool)
    far = _outside_majority(source, target)
    enough = far.any() and len(source) - far.sum() >= LEAST and not on_a_line(source[~far])
    return [nobody, far] if enough else [nobody]


def _settled(field: MissField, flags: Flags) -> Flags:
    """Take back the least surprising suspect, else add the most surprising landmark, until nothing changes."""
    flags = flags.copy()
    for _ in range(2 * len(flags)):
        surprise = field.surprises(flags)
        back = flags & (surprise >= _SURPRISE[int(flags.sum() > 1)] / len(flags))
        worse = ~flags & (surprise < _SURPRISE[int(flags.any())] / len(flags))
        if back.any():
            flags[np.argmax(np.where(back, surprise, -1))] = False
        elif worse.any() and (~flags).sum() > LEAST and flags.sum() < len(flags) // 2:
            flags[np.argmin(np.where(worse, surprise, 2))] = True
        else:
            break
    return flags


def _probability(field: MissField, flags: Flags) -> float:
    """Return the log evidence of the right ones, the wrong ones lying anywhere on the section."""
    return field.evidence(flags) - int(flags.sum()) * float(np.log(2 * field.scale**2))


def _outside_majority(source: Array, target: Array) -> Flags:
    """Flag what lies far from the affine transform on which at least half agree."""
    k = len(source)
    centre, scale = spline_scale(source)
    plane = np.hstack([np.ones((k, 1)), (source - centre) / scale])
    subsets = _subsets(k)
    corners = plane[subsets]
    firm = np.abs(np.linalg.det(corners)) > 1e-3  # the others are all but on one line
    if not firm.any():
        return np.zeros(k, bool)
    fits = np.linalg.solve(corners[firm], target[subsets[firm]])
    misses = np.linalg.norm(plane @ fits - target, axis=2)
    best = misses[np.argmin(np.median(misses, axis=1))]
    # a Gaussian's distance in the plane has its median at 1.1774 standard deviations
    spread = float(np.median(best)) / 1.1774 * (1 + 5 / (k - 3))
    return np.asarray(best > max(5 * spread, 1e-9 * spline_scale(target)[1]))


def _subsets(k: int) -> npt.NDArray[np.intp]:
    if comb(k, 3) <= _TRIED:
        return np.array(list(combinations(range(k), 3)))
    generator = np.random.default_rng(0)
    return np.argsort(generator.random((_TRIED, k)), axis=1)[:, :3]
