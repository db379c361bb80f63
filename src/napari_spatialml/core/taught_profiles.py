"""Profiles that learn from spots of which a person has said how much of a cell type they hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from .type_profiles import TypeProfiles

__all__ = ["resized", "taught", "teaching"]

Array = npt.NDArray[np.float64]
_SHARE, _WIDTH = 0.2, 0.3
_SPOT = 0.5
"""Dispersion of a type's profile between spots: one spot counts as at most two counts of a gene."""
_SPOTS = 10
"""The reference counts as so many spots."""
_MOST, _FARTHEST = 2.5, 1.5
"""By so much at most one spot says that a gene is more than expected, or (its logarithm) a cell smaller or larger."""


def teaching(ranges: tuple[Array, Array] | None) -> npt.NDArray[np.bool_] | None:
    """Return (n, t) where a spot teaches a profile: the share is held at a fifth or more, within 0.3; or None."""
    if ranges is None:
        return None
    low, high = ranges
    told = (low >= _SHARE) & (high - low <= _WIDTH)
    return told if told.any() else None


def taught(
    counts: Array, abundance: Array, mean: Array, soft: Array, platform: Array, told: npt.NDArray[np.bool_],
    reference: TypeProfiles, current: TypeProfiles,
) -> TypeProfiles:  # fmt: skip
    """Return the profiles that are likeliest given the reference and the spots that teach.

    A profile's entry has a gamma prior around the reference's; the spots add the part of their
    counts that the type explains, over the part that it was expected to.

    Parameters
    ----------
    counts, mean, soft
        (n, g) counts, expected counts, and the weight of each: 1 / (grain + dispersion · mean).
    abundance
        (n, t).
    platform
        (g,) factors.
    told
        (n, t) where a spot teaches a type.
    reference, current
        Profiles as the reference has them, and those under which ``mean`` was expected.
    """
    profiles = reference.profiles.copy()
    for k in np.flatnonzero(told.any(0)):
        rows = told[:, k]
        part = abundance[rows, k, None] * current.profiles[k] * current.sizes[k] * platform
        # one spot says no more than a few counts of a gene, and no more than that it holds a few times as much
        weight = part / (1 / soft[rows] + _SPOT * mean[rows])
        seen = (weight * np.minimum(counts[rows] / mean[rows], _MOST)).sum(0, dtype=np.float64)
        expected = (weight * (reference.profiles[k] / current.profiles[k])).sum(0, dtype=np.float64)
        shape = np.minimum(reference.shape[k], _SPOTS / _SPOT)
        profiles[k] *= (shape + seen) / (shape + expected)
        profiles[k] *= reference.profiles[k].sum() / profiles[k].sum()
    return replace(reference, profiles=profiles)


def resized(
    free: Array, ranges: tuple[Array, Array], told: npt.NDArray[np.bool_], reference: TypeProfiles
) -> TypeProfiles:
    """Return profiles whose sizes are drawn to where the computed shares are the ones that the hand gave.

    Parameters
    ----------
    free
        (n, t) shares computed without the hand.
    ranges
        (n, t) what the hand gave.
    told
        (n, t) where a spot teaches a type.
    """
    sizes = reference.sizes.copy()
    given = np.clip((ranges[0] + ranges[1]) / 2, 0.02, 0.98)
    found = np.clip(free, 0.02, 0.98)
    apart = np.clip(np.log(found / (1 - found)) - np.log(given / (1 - given)), -_FARTHEST, _FARTHEST)
    for k in np.flatnonzero(told.any(0)):
        sizes[k] *= np.exp(apart[told[:, k], k].sum() / (_SPOTS + told[:, k].sum()))
    return replace(reference, sizes=sizes)
