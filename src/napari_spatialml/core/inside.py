"""Which of very many points lie within an outline."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .arrays import require

__all__ = ["points_inside"]


def points_inside(points: npt.ArrayLike, outline: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Return which points lie within a closed outline, by the even-odd rule.

    Parameters
    ----------
    points
        (n, 2); NaN lies nowhere.
    outline
        (k, 2) corners; the last is joined to the first. It may cross itself.

    Returns
    -------
    npt.NDArray[np.bool_]
        (n,)

    Raises
    ------
    BadInput
        If either is not (n, 2), or a corner is not finite.

    Notes
    -----
    The edges are sorted into slabs along the first axis, so that a point is compared with the few edges of
    its slab: O(n · k / slabs + k · slabs crossed).

    References
    ----------
    Preparata and Shamos, Computational Geometry (1985), section 2.2.2: the slab method.

    Examples
    --------
    >>> points_inside([[1, 1], [3, 1]], [[0, 0], [0, 2], [2, 2], [2, 0]])
    array([ True, False])
    """
    where, corners = np.asarray(points, dtype=np.float64), np.asarray(outline, dtype=np.float64)
    for array, name in ((where, "points"), (corners, "outline")):
        require(array.ndim == 2 and array.shape[1] == 2, f"The {name} have the shape {array.shape}.", "Give (n, 2).")
    require(bool(np.isfinite(corners).all()), "A corner of the outline is not a number.", "Draw it again.")
    out = np.zeros(len(where), dtype=bool)
    if len(corners) >= 3 and len(where):
        from .inside_kernels import inside_slabs

        inside_slabs(np.ascontiguousarray(where), np.ascontiguousarray(corners), out)
    return out
