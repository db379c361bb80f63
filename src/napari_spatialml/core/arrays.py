"""Checks that the Inputs and Results of every kind share; each failure says what to do."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import BadInput

__all__ = ["as_coordinates", "as_finite", "frozen", "require"]


_FARTHEST = 1e100
"""µm: squares of what is farther away are no numbers."""


def require(condition: bool, message: str, hint: str = "") -> None:
    """Raise `BadInput` unless the condition holds."""
    if not condition:
        raise BadInput(message, hint)


def frozen(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a view that cannot be written, so that a method cannot change the document's data."""
    view = array.view()
    view.flags.writeable = False
    return view


def as_finite(values: Any, what: str, ndim: int) -> npt.NDArray[np.float64]:
    """Return float64 values of ``ndim`` dimensions, or raise `BadInput` on NaN and infinity."""
    array = np.asarray(values, dtype=np.float64)
    require(array.ndim == ndim, f"{what} have {array.ndim} dimensions.", f"Give an array of {ndim} dimensions.")
    bad = int(array.size - np.count_nonzero(np.isfinite(array)))
    require(bad == 0, f"{what} hold {bad} values that are NaN or infinite.", "Remove or fill them first.")
    return frozen(array)


def as_coordinates(values: Any, what: str, n: int | None = None) -> npt.NDArray[np.float64]:
    """Return finite (n, 2) coordinates in µm, as (y, x), none above 1e100, or raise `BadInput`."""
    array = as_finite(values, what, 2)
    require(array.shape[1] == 2, f"{what} have {array.shape[1]} columns.", "Give two: y and x, in µm.")
    far = float(np.abs(array).max(initial=0.0))
    require(far <= _FARTHEST, f"{what} reach {far:.3g} µm.", "Set the section's unit, or mend them, first.")
    if n is not None:
        require(len(array) == n, f"{what}: {len(array)} rows for {n} observations.", "Give one row for each.")
    return array
