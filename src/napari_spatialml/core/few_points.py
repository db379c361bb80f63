"""How a few points may lie on a few others: every pair on every pair, judged by who else gets a partner."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .affine import Affine
from .density_images import Points
from .density_search import Guess, distinct
from .movements import Movement

__all__ = ["MOST", "few_guesses"]

Array = npt.NDArray[np.float64]
MOST = 60
"""Above so many points on either side their densities are searched instead."""
_PAIRS = 24
_LARGEST = 1.5
"""A section is not scaled by more."""
_REACH = 0.5
_UNLIKE = 0.2


def few_guesses(
    fixed: Points, moving: Points, spacing: float, movement: Movement, reflections: Sequence[bool], keep: int
) -> list[Guess]:
    """Return the movements that bring most moving points near a fixed one, the best first, no two alike.

    Parameters
    ----------
    spacing
        Distance of neighbouring fixed points in µm; within half of it a point counts as near.

    Notes
    -----
    Long pairs of moving points are laid on every pair of fixed points of like length: O(n² · n · m).
    """
    here, there = fixed.where[:, 0] + 1j * fixed.where[:, 1], moving.where[:, 0] + 1j * moving.where[:, 1]
    turns, shifts, flips = _laid(here, there, spacing, movement, reflections)
    if not len(turns):
        return [Guess(Affine.translation(*(fixed.where.mean(0) - moving.where.mean(0))), 0.0)]
    from .matching_kernels import votes

    counted = np.empty(len(turns))
    votes(there, moving.codes, here, fixed.codes, turns, shifts, flips, _REACH * spacing, _UNLIKE, counted)
    counted -= 1e-6 * flips  # where mirroring gains nothing, none
    best = np.argsort(-counted, kind="stable")[:2000]
    made = [(float(counted[k]), _affine(turns[k], shifts[k], bool(flips[k]))) for k in best]
    return distinct(made, keep, moving.where, spacing)


def _laid(
    here: npt.NDArray[np.complex128], there: npt.NDArray[np.complex128], spacing: float, movement: Movement,
    reflections: Sequence[bool],
) -> tuple[npt.NDArray[np.complex128], npt.NDArray[np.complex128], npt.NDArray[np.bool_]]:  # fmt: skip
    """Return turns, shifts and mirrorings that bring long moving pairs onto fixed pairs."""
    a, b = np.nonzero(~np.eye(len(here), dtype=bool))
    i, j = np.triu_indices(len(there), 1)
    long = np.argsort(-np.abs(there[j] - there[i]), kind="stable")[: max(_PAIRS, len(i) // 4)]
    long = long[:: max(len(long) // _PAIRS, 1)]
    parts = []
    for first, second in zip(i[long], j[long], strict=True):
        for flip in reflections:
            z = np.conj(there[[first, second]]) if flip else there[[first, second]]
            before, after = z[1] - z[0], here[b] - here[a]
            if abs(before) == 0:
                continue
            turn = after / before
            size = np.abs(turn)
            if movement == "rigid":
                fits = np.abs(np.abs(after) - np.abs(before)) < _REACH * spacing
                turn = np.where(fits, turn / np.where(size > 0, size, 1), 0)
            else:
                fits = (size < _LARGEST) & (size > 1 / _LARGEST)
            turn = turn[fits]
            shift = (here[a] + here[b])[fits] / 2 - turn * (z[0] + z[1]) / 2
            parts.append((turn, shift, np.full(len(turn), flip)))
    if not parts:
        return np.empty(0, complex), np.empty(0, complex), np.empty(0, bool)
    turns, shifts, flips = (np.concatenate(part) for part in zip(*parts, strict=True))
    return turns, shifts, flips


def _affine(turn: complex, shift: complex, flip: bool) -> Affine:
    # z = y + i x; its conjugate mirrors x
    sign = -1.0 if flip else 1.0
    return Affine(
        np.array([[turn.real, -turn.imag * sign, shift.real], [turn.imag, turn.real * sign, shift.imag], [0, 0, 1.0]])
    )
