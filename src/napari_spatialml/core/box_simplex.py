"""Proportions that keep to what the hand has laid down: the nearest ones within ranges that sum to 1."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .arrays import require
from .deconvolution import Constraints

__all__ = ["nearest_within", "obeying", "ranges"]

Array = npt.NDArray[np.float64]
_HALVINGS = 60


def nearest_within(values: Array, lower: Array, upper: Array) -> Array:
    """Return the rows nearest to ``values`` that lie within ranges and sum to 1.

    Parameters
    ----------
    values, lower, upper
        (k, t); in every row the lower ends sum to at most 1, the upper ones to at least 1.

    Returns
    -------
    (k, t): clip(values − μ, lower, upper), with the μ of each row at which it sums to 1.

    Notes
    -----
    The sum falls with μ, so that μ is found by halving; O(k t) a step.
    """
    if not len(values):
        return np.array(values, dtype=np.float64)
    low = (values - upper).min(1, keepdims=True)
    high = (values - lower).max(1, keepdims=True)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        above = np.clip(values - middle, lower, upper).sum(1, keepdims=True) > 1
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    found = np.clip(values - (low + high) / 2, lower, upper)
    # what halving leaves goes to the types that may still move, so that fixed ones stay exact
    rest = 1 - found.sum(1, keepdims=True)
    room = np.where(rest > 0, upper - found, found - lower)
    total = room.sum(1, keepdims=True)
    found = found + rest * np.divide(room, total, out=np.zeros_like(room), where=total > 0)
    # rounding must not carry a share below 0
    return np.asarray(np.clip(found, lower, upper))


def obeying(values: Array, types: tuple[str, ...], constraints: Constraints | None) -> Array:
    """Return proportions that keep to the hand's constraints: free rows as they are, the others the nearest ones.

    Parameters
    ----------
    values
        (n, t) proportions, rows sum to 1.
    types
        (t,) names of their columns. A type of the constraints that is not among them must be free there.
    constraints
        What the hand has laid down, or None.

    Raises
    ------
    BadInput
        When a constraint asks for a type that is not among ``types``.
    """
    if constraints is None or not len(constraints.rows):
        return values
    lower, upper = ranges(types, constraints)
    out = np.array(values, dtype=np.float64)
    out[constraints.rows] = nearest_within(out[constraints.rows], lower, upper)
    return out


def ranges(types: tuple[str, ...], constraints: Constraints) -> tuple[Array, Array]:
    """Return the (k, t) lower and upper ends of the constrained rows, in the order of ``types``.

    Raises
    ------
    BadInput
        When a constraint asks for a type that is not among ``types``.
    """
    shape = (len(constraints.rows), len(types))
    lower, upper = np.zeros(shape), np.ones(shape)
    for i, name in enumerate(constraints.types):
        if name in types:
            lower[:, types.index(name)] = constraints.lower[:, i]
            upper[:, types.index(name)] = constraints.upper[:, i]
        else:
            require(
                bool((constraints.lower[:, i] == 0).all()),
                f"A spot must hold '{name}', which is not a type of the reference.",
                "Choose a reference with that type, or take the constraint away.",
            )
    return lower, upper
