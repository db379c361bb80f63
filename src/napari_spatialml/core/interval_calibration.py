"""Intervals that hold the true proportion as often as they say, learnt from a rehearsal in which it is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .count_model import Fit
from .rehearsal import Rehearsal

__all__ = ["Calibration", "Intervals", "calibrated_intervals"]

Array = npt.NDArray[np.float64]
_TAIL = 0.025
"""Beyond each end of what is said of a type that is there lies so much of a rehearsal: half of what would do if the
cells of the spots were those of the reference. Chosen, as the next two, on simulated spots of other cells."""
_ABSENT = 0.115
"""Beyond the one end that a share of 0 can lie under lies so much."""
_SELDOM = 0.993
"""An interval reaches no farther than this part of the spots that look alike."""
_CLASSES, _GROUPS, _FEWEST = 3, 5, 20
_SCORES = 12
_BLOCK = 1 << 16
_GRID = np.linspace(0.0, 1.0, 401)


@dataclass(frozen=True)
class Intervals:
    """(n, t) ends of the 90 % intervals, and standard errors; NaN for spots without counts."""

    lower: Array
    upper: Array
    errors: Array


def calibrated_intervals(
    found: Fit,
    values: Array,
    rehearsal: Rehearsal,
    missing: Array | None = None,
    apart: npt.NDArray[np.bool_] | None = None,
) -> Intervals:
    """Return 90 % intervals of the shares of a fit.

    Parameters
    ----------
    found
        The fit.
    values
        (n, t) its shares, as they are told: they lie within their intervals.
    rehearsal
        Of this fit.
    missing
        (n,) the share of a type that is not in the reference, below 1, or None.
    apart
        (n,) bool: spots in whose fit such a type has a part of its own, so that errors are those among the rest.

    Notes
    -----
    O(n t). What the hand has laid down bounds the intervals of its spots. Beside a share u of a missing
    type the others are the smaller part of a spot: their ends lie 1 / (1 - u) times as far off as those of
    shares of the whole, which is what a rehearsal tells.
    """
    learnt = Calibration.of(rehearsal)
    absent = np.array([_of_absent(*one) for one in zip(rehearsal.truth.T, rehearsal.values.T, strict=True)])
    lower, upper, errors = (np.empty(values.shape) for _ in range(3))
    # what is usual is told by spots that are made of the reference's types alone, as those of the rehearsal
    usual = found.errors if apart is None or apart.all() else found.errors[~apart]
    centre = _mean_log(usual)
    for start in range(0, len(values), _BLOCK):
        rows = slice(start, start + _BLOCK)
        own = found.errors[rows]
        if missing is not None and apart is not None:
            own = np.where(apart[rows, None], own * (1 - missing[rows, None]), own)
        lower[rows], upper[rows], errors[rows] = learnt(values[rows], own, centre)
        # RNA that floats about makes a type with much of its own seem present in every spot
        lower[rows] = np.where(values[rows] <= absent, 0.0, lower[rows])
    if missing is not None and missing.any():
        hit = np.flatnonzero(missing)
        unknown = missing[hit, None]
        lower[hit], upper[hit] = (
            np.clip(values[hit] + (end[hit] - values[hit]) / (1 - unknown), 0, 1) for end in (lower, upper)
        )
        errors[hit] = np.minimum(errors[hit] / (1 - unknown), 0.5)
    bounds = found.ranges(slice(0, len(values)))
    if bounds is not None:
        lower, upper = (np.clip(end, *bounds) for end in (lower, upper))
        # nothing is unsure of what was laid down
        errors = np.minimum(errors, bounds[1] - bounds[0])
        lower, upper = np.minimum(lower, values), np.maximum(upper, values)
    for end in (lower, upper, errors):
        end[found.empty] = np.nan
    return Intervals(lower, upper, errors)


@dataclass(frozen=True)
class Calibration:
    """How far from the truth proportions are said to be, by their size and by the model's standard error.

    Spots of the rehearsal are put into classes by the model's standard error, relative to the mean
    one: the model knows which proportion is less sure than another, but not how unsure all are. In
    each class, quantiles of what is said as a function of what is true are turned round: an
    interval holds those proportions for which what was said is not extreme.

    Parameters
    ----------
    centres
        (c,) logarithm of the relative standard error in the middle of each class.
    lower, upper, errors
        (c, 401) ends and root mean squared error, for what is said on a grid from 0 to 1.
    absent
        (c,) up to so much is said of types that are absent: such an interval begins at 0. On the grid it would
        be lost where it is less than a step, and between two classes of which only one begins there.
    """

    centres: Array
    lower: Array
    upper: Array
    errors: Array
    absent: Array

    @classmethod
    def of(cls, rehearsal: Rehearsal) -> Calibration:
        """Learn from a rehearsal."""
        truth, values = rehearsal.truth.ravel(), rehearsal.values.ravel()
        error = (_logs(rehearsal.errors) - _mean_log(rehearsal.errors)).ravel()
        classes = np.array_split(np.argsort(error, kind="stable"), _CLASSES)
        ends = [_ends(truth[rows], values[rows]) for rows in classes]
        lower, upper, errors = (np.stack(part) for part in zip(*ends, strict=True))
        absent = np.array([_of_absent(truth[rows], values[rows]) for rows in classes])
        return cls(np.array([np.median(error[rows]) for rows in classes]), lower, upper, errors, absent)

    def __call__(self, values: Array, errors: Array, centre: float) -> tuple[Array, Array, Array]:
        """Return lower ends, upper ends and standard errors of proportions (n, t) with the model's own errors.

        ``centre`` is the mean logarithm of the errors of all spots.
        """
        place = np.interp(_logs(errors) - centre, self.centres, np.arange(len(self.centres)))
        lower, upper, error = (self._at(table, values, place) for table in (self.lower, self.upper, self.errors))
        lower[values <= np.interp(place, np.arange(len(self.absent)), self.absent)] = 0.0
        return np.minimum(lower, values), np.maximum(upper, values), error

    def _at(self, table: Array, values: Array, place: Array) -> Array:
        """Return a table between its classes and between the points of its grid."""
        first = np.minimum(place.astype(np.intp), len(table) - 2)
        column = np.minimum((values * (len(_GRID) - 1)).astype(np.intp), len(_GRID) - 2)
        right, below = values * (len(_GRID) - 1) - column, place - first
        along = [table[first + k, column] * (1 - right) + table[first + k, column + 1] * right for k in (0, 1)]
        return np.asarray(along[0] * (1 - below) + along[1] * below)


def _logs(errors: Array) -> Array:
    return np.asarray(np.log(np.maximum(errors, 1e-9)))


def _mean_log(errors: Array) -> float:
    return float(np.mean([_logs(errors[start : start + _BLOCK]).mean() for start in range(0, len(errors), _BLOCK)]))


def _ends(truth: Array, values: Array) -> tuple[Array, Array, Array]:
    """Return the ends of the intervals, and errors, for values on the grid."""
    at, low, high = _said(truth, values)
    lowest, highest = (np.maximum.accumulate(np.clip(np.interp(_GRID, at, q), 0, 1)) for q in (low, high))
    upper = _GRID[np.clip(np.searchsorted(lowest, _GRID, "right") - 1, 0, len(_GRID) - 1)]
    lower = _GRID[np.clip(np.searchsorted(highest, _GRID, "left"), 0, len(_GRID) - 1)]
    alike, most, error = _true(truth, values)
    most = np.maximum.accumulate(np.maximum(np.interp(_GRID, alike, most), _GRID))
    return np.minimum(lower, _GRID), np.maximum(np.minimum(upper, most), _GRID), np.interp(_GRID, alike, error)


def _of_absent(truth: Array, values: Array) -> float:
    """Return what is seldom exceeded where the true share is 0."""
    none = values[truth == 0]
    return float(np.quantile(none, 1 - _ABSENT)) if len(none) >= _FEWEST else 0.0


def _said(truth: Array, values: Array) -> tuple[Array, Array, Array]:
    """Return quantiles of what is said, at 0 and at some true proportions, up to 1."""
    at, low, high = [0.0], [0.0], [_of_absent(truth, values)]
    rows = np.flatnonzero(truth != 0)
    rows = rows[np.argsort(truth[rows], kind="stable")]
    for group in np.array_split(rows, max(1, min(_GROUPS, len(rows) // _FEWEST))):
        if len(group) >= 3:
            middle, off = float(truth[group].mean()), values[group] - truth[group]
            at.append(middle)
            low.append(middle + float(np.quantile(off, _TAIL)))
            high.append(middle + float(np.quantile(off, 1 - _TAIL)))
    if at[-1] < 1:
        # beyond the last group one is off by as much
        low.append(max(low[-1] + 1 - at[-1], 0.0))
        high.append(1.0)
        at.append(1.0)
    return np.array(at), np.array(low), np.array(high)


def _true(truth: Array, values: Array) -> tuple[Array, Array, Array]:
    """Return what is true where alike is said: seldom more than, and the root mean squared error."""
    order = np.argsort(values, kind="stable")
    groups = [group for group in np.array_split(order, _SCORES) if len(group)]
    at = np.array([values[group].mean() for group in groups])
    most = np.array([np.quantile(truth[group], _SELDOM) for group in groups])
    squares = (truth - values) ** 2
    # what was right in all spots of a group need not be in the next
    error = np.sqrt([(squares[group].sum() + squares.mean()) / (len(group) + 1) for group in groups])
    return np.append(at, 1.0), np.append(most, 1.0), np.append(error, error[-1])
